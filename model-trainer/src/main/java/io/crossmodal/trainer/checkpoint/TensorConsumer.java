/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import io.crossmodal.trainer.checkpoint.InitialModel.ImportReport;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/**
 * Takes the tensors of one checkpoint over under new names, and keeps account of what was missing,
 * of another shape, or left.
 *
 * <p>Nothing is read before {@link #finish} has found no fault.
 */
final class TensorConsumer {
  private static final String COUNT = ".num_batches_tracked";

  private final Checkpoint checkpoint;

  /** The file's names by those that the mapping uses. */
  private final Map<String, String> names = new TreeMap<>();

  private final Set<String> left;
  private final Map<String, LazyTensor> taken = new LinkedHashMap<>();
  private final List<String> unused = new ArrayList<>();
  private final List<String> problems = new ArrayList<>();
  private int tensors;
  private long parameters;

  /**
   * Begins with everything left.
   *
   * @param prefixes of which one may stand before a name, such as {@code bert.}
   */
  TensorConsumer(Checkpoint checkpoint, String... prefixes) {
    this.checkpoint = checkpoint;
    for (String name : checkpoint.tensors().keySet()) {
      String bare = name;
      for (String prefix : prefixes) {
        if (bare.equals(name) && name.startsWith(prefix)) {
          bare = name.substring(prefix.length());
        }
      }
      String twin = names.put(bare, name);
      if (twin != null) {
        problems.add(name + " and " + twin + " are the same tensor twice");
      }
    }
    this.left = new TreeSet<>(names.keySet());
  }

  /**
   * Begins with everything left, by the names below the module that holds one of the markers: a
   * network is often part of another, as {@code bert.} of one with a head.
   *
   * @param markers names of which the network has one
   */
  static TensorConsumer around(Checkpoint checkpoint, String... markers) {
    String[] prefixes =
        checkpoint.tensors().keySet().stream()
            .flatMap(
                name ->
                    Arrays.stream(markers)
                        .filter(marker -> name.endsWith("." + marker) || name.equals(marker))
                        .map(marker -> name.substring(0, name.length() - marker.length())))
            .min(Comparator.comparing(String::length).thenComparing(Comparator.naturalOrder()))
            .stream()
            .toArray(String[]::new);
    return new TensorConsumer(checkpoint, prefixes);
  }

  /**
   * Tells another kind of file by one tensor that it lacks, instead of by a list of all.
   *
   * @throws CheckpointException when there is no tensor of that name
   */
  void requireKind(String role, String name) throws CheckpointException {
    if (!has(name)) {
      throw new CheckpointException(
          String.format(
              Locale.ROOT,
              "%s is no %s whose names are known: it lacks %s; its first names are %s",
              checkpoint.file(),
              role,
              name,
              firstNames()));
    }
  }

  boolean has(String name) {
    return names.containsKey(name);
  }

  /** Returns whether a tensor was wanted, whether or not it was right. */
  boolean isTaken(String name) {
    return has(name) && !left.contains(name);
  }

  boolean hasAny(String prefix) {
    return names.keySet().stream().anyMatch(name -> name.startsWith(prefix));
  }

  /** Returns how many layers there are, by names that begin with {@code prefix} and a number. */
  int layers(String prefix) {
    Pattern numbered = Pattern.compile(Pattern.quote(prefix) + "(\\d{1,4})\\..*");
    return names.keySet().stream()
        .map(numbered::matcher)
        .filter(matcher -> matcher.matches())
        .mapToInt(matcher -> Integer.parseInt(matcher.group(1)) + 1)
        .max()
        .orElse(0);
  }

  /**
   * Returns an extent of a tensor.
   *
   * @param otherwise where there is no such tensor, or it has no such axis
   */
  int extent(String name, int axis, int otherwise) {
    LazyTensor tensor = get(name);
    return tensor == null || tensor.shape().size() <= axis
        ? otherwise
        : (int) Math.min(tensor.shape().get(axis), Integer.MAX_VALUE);
  }

  /** Returns the file, for messages. */
  Path file() {
    return checkpoint.file();
  }

  /** Returns the first names of the file, for messages. */
  List<String> firstNames() {
    return names.values().stream().limit(3).toList();
  }

  /** Returns the tensor of that name, or null; its shape is the caller's to check. */
  LazyTensor get(String name) {
    String own = names.get(name);
    return own == null ? null : checkpoint.tensors().get(own);
  }

  /** Takes a tensor as it is. */
  void copy(String target, String source, long... shape) {
    if (want(source, "", shape)) {
      put(target, shape, get(source)::values);
    }
  }

  /** Takes {@code weight} and {@code bias} of a linear layer. */
  void linear(String target, String source, long in, long out) {
    copy(target + ".weight", source + ".weight", out, in);
    copy(target + ".bias", source + ".bias", out);
  }

  /** Takes a layer norm, whose tensors TensorFlow calls gamma and beta. */
  void layerNorm(String target, String source, long width) {
    boolean old = has(source + ".gamma");
    copy(target + ".weight", source + (old ? ".gamma" : ".weight"), width);
    copy(target + ".bias", source + (old ? ".beta" : ".bias"), width);
  }

  /** Takes the linear layers of an attention, {@code sources} as query, key, value, output. */
  void attention(String target, List<String> sources, long width) {
    List<String> parts = List.of("query", "key", "value", "output");
    for (int i = 0; i < parts.size(); i++) {
      linear(target + "." + parts.get(i), sources.get(i), width, width);
    }
  }

  /** Takes one linear layer whose output is query, key and value of an attention, side by side. */
  void queryKeyValue(String target, String weight, String bias, long width) {
    boolean weights = want(weight, "", 3 * width, width);
    boolean biases = want(bias, "", 3 * width);
    List<String> parts = List.of("query", "key", "value");
    for (int i = 0; i < parts.size(); i++) {
      int part = i;
      String name = target + "." + parts.get(i);
      if (weights) {
        put(name + ".weight", new long[] {width, width}, () -> third(get(weight), part));
      }
      if (biases) {
        put(name + ".bias", new long[] {width}, () -> third(get(bias), part));
      }
    }
  }

  private static float[] third(LazyTensor tensor, int part) throws IOException {
    int size = (int) tensor.size() / 3;
    return Arrays.copyOfRange(tensor.values(), part * size, (part + 1) * size);
  }

  /** Takes a matrix (in, out) as (out, in). */
  void transposed(String target, String source, int in, int out) {
    if (want(source, "", in, out)) {
      put(
          target,
          new long[] {out, in},
          () -> {
            float[] values = get(source).values();
            float[] turned = new float[values.length];
            for (int i = 0; i < values.length; i++) {
              turned[i % out * in + i / out] = values[i];
            }
            return turned;
          });
    }
  }

  /** Takes a tensor as one of another shape of as many values, in the same order. */
  void reshaped(String target, long[] shape, String source, long... found) {
    if (want(source, "", found)) {
      put(target, shape, get(source)::values);
    }
  }

  /** Makes a tensor out of what {@link #want} has found. */
  void put(String target, long[] shape, LazyTensor.Loader loader) {
    List<Long> extents = new ArrayList<>();
    for (long extent : shape) {
      extents.add(extent);
    }
    if (taken.put(target, LazyTensor.computed(extents, loader)) != null) {
      throw new IllegalStateException(target + " is made twice");
    }
  }

  /**
   * Returns whether there is such a tensor; notes why not, and that it is used.
   *
   * @param why said behind the shapes where they differ
   * @param shape what it must be; a negative extent is the least that will do
   */
  boolean want(String source, String why, long... shape) {
    LazyTensor tensor = get(source);
    if (tensor == null) {
      problems.add(source + " is missing");
      return false;
    }
    left.remove(source);
    boolean fits = tensor.shape().size() == shape.length;
    List<String> extents = new ArrayList<>();
    for (int i = 0; i < shape.length; i++) {
      extents.add(shape[i] < 0 ? "at least " + -shape[i] : Long.toString(shape[i]));
      fits =
          fits
              && (shape[i] < 0
                  ? tensor.shape().get(i) >= -shape[i]
                  : tensor.shape().get(i) == shape[i]);
    }
    if (!fits) {
      problems.add(
          String.format(
              Locale.ROOT,
              "%s must be %s, found %s%s",
              names.get(source),
              extents,
              tensor.shape(),
              why));
    } else if (!tensor.type().readable()) {
      problems.add(names.get(source) + " is " + tensor.type() + "; F32, F16 and BF16 are read");
      fits = false;
    } else {
      tensors++;
      parameters += tensor.size();
    }
    return fits;
  }

  void problem(String problem) {
    problems.add(problem);
  }

  /** Leaves a tensor with a word why, or without. */
  void leave(String name, String why) {
    if (left.remove(name)) {
      unused.add(names.get(name) + why);
    }
  }

  /** Leaves all whose names begin so, as one. */
  void leaveAll(String prefix, String why) {
    List<String> found = left.stream().filter(name -> name.startsWith(prefix)).toList();
    if (!found.isEmpty()) {
      String own = names.get(found.get(0));
      int length = own.length() - found.get(0).length() + prefix.length();
      unused.add(
          String.format(
              Locale.ROOT, "%s* (%d tensors%s)", own.substring(0, length), found.size(), why));
      found.forEach(left::remove);
    }
  }

  /**
   * Ends the account.
   *
   * @param ignorable names that may be left
   * @throws CheckpointException listing everything that was missing, of another shape or unknown
   */
  ImportReport.Source finish(String role, Predicate<String> ignorable) throws CheckpointException {
    // A count of every batch norm, dozens of them.
    List<String> counts = left.stream().filter(name -> name.endsWith(COUNT)).toList();
    if (counts.stream().allMatch(ignorable) && counts.size() > 1) {
      left.removeAll(counts);
      unused.add("*" + COUNT + " (" + counts.size() + " tensors)");
    }
    for (String name : List.copyOf(left)) {
      if (ignorable.test(name)) {
        leave(name, "");
      } else {
        problems.add(names.get(name) + " is unknown");
      }
    }
    if (!problems.isEmpty()) {
      throw new CheckpointException(
          String.format(
              Locale.ROOT,
              "%s is not the %s that the model starts from, %d %s:",
              checkpoint.file(),
              role,
              problems.size(),
              problems.size() == 1 ? "problem" : "problems"),
          problems);
    }
    return new ImportReport.Source(
        role,
        checkpoint.file().getFileName().toString(),
        tensors,
        parameters,
        unused.stream().sorted().toList());
  }

  /** Returns what was made, by its new name; read when its values are asked for. */
  Map<String, LazyTensor> taken() {
    return taken;
  }

  /** Returns whether two tensors hold the same values; reads both. */
  boolean same(String one, String other) throws IOException {
    return get(one).shape().equals(get(other).shape())
        && Arrays.equals(get(one).values(), get(other).values());
  }
}
