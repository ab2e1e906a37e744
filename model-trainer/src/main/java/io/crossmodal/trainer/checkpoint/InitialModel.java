/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import com.google.gson.FieldNamingPolicy;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.Sha256;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.model.torchscript.Weights.Init;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Starting weights in a folder: {@code weights.safetensors}, {@code vocab.txt} and {@code
 * config.json}, which holds the model's shape and the hashes of the other two.
 *
 * <p>Not a bundle: a bundle is complete and can be served; here the tensors that training
 * initialises anew are absent, and heads that only training has are present.
 */
public final class InitialModel {
  private static final int FORMAT_VERSION = 1;
  private static final String WEIGHTS = "weights.safetensors";
  private static final String VOCABULARY = "vocab.txt";
  private static final String CONFIG = "config.json";
  private static final Gson GSON =
      new GsonBuilder()
          .setFieldNamingPolicy(FieldNamingPolicy.LOWER_CASE_WITH_UNDERSCORES)
          .disableHtmlEscaping()
          .setPrettyPrinting()
          .create();

  /** {@code config.json}. */
  private record Manifest(
      int formatVersion,
      ModelConfig config,
      String vocabularySha256,
      String weightsSha256,
      ImportReport origin) {
    Manifest {
      if (formatVersion != FORMAT_VERSION) {
        throw new IllegalArgumentException(
            "format version " + formatVersion + ", this code reads " + FORMAT_VERSION);
      }
      Objects.requireNonNull(config, "config");
      Objects.requireNonNull(vocabularySha256, "vocabulary_sha256");
      Objects.requireNonNull(weightsSha256, "weights_sha256");
      Objects.requireNonNull(origin, "origin");
    }
  }

  private final Path folder;
  private final Manifest manifest;
  private final List<String> vocabulary;
  private final Map<String, LazyTensor> tensors;

  private InitialModel(Path folder, Manifest manifest) throws IOException {
    this(
        folder,
        manifest,
        readVocabulary(folder.resolve(VOCABULARY)),
        Safetensors.read(folder.resolve(WEIGHTS)));
  }

  private InitialModel(
      Path folder, Manifest manifest, List<String> vocabulary, Map<String, LazyTensor> tensors) {
    this.folder = folder;
    this.manifest = manifest;
    this.vocabulary = vocabulary;
    this.tensors = tensors;
  }

  /** Takes shape, vocabulary and weights of a bundle; heads that only training has start anew. */
  private static InitialModel ofBundle(Path file) throws IOException {
    ModelBundle bundle;
    try {
      bundle = ModelBundle.read(file);
    } catch (BundleException e) {
      throw new CheckpointException(file + " is no bundle to start from: " + e.getMessage(), e);
    }
    ModelConfig config = bundle.manifest().config();
    if (!config.hasText()) {
      throw new CheckpointException(
          file + " has no text tower, so captions cannot train it; see train-sensors");
    }
    if (bundle.manifest().bytePairs() != null || !config.hasFusion()) {
      throw new CheckpointException(
          file
              + " is a CLIP of two towers: training from captions starts from word pieces and a"
              + " fusion encoder; it is served and evaluated as it is, and train-fusion trains a"
              + " fusion encoder over it");
    }
    Map<String, LazyTensor> tensors = new TreeMap<>();
    long parameters = 0;
    for (Map.Entry<String, ScriptTensor> entry : bundle.weights().tensors().entrySet()) {
      ScriptTensor tensor = entry.getValue();
      List<Long> shape = Arrays.stream(tensor.shape()).boxed().toList();
      parameters += LazyTensor.size(shape);
      tensors.put("model." + entry.getKey(), LazyTensor.computed(shape, tensor::values));
    }
    List<String> words = bundle.words();
    ImportReport.Source source =
        new ImportReport.Source(
            "bundle", String.valueOf(file.getFileName()), tensors.size(), parameters, List.of());
    Manifest manifest =
        new Manifest(
            FORMAT_VERSION,
            config,
            Sha256.hex(String.join("\n", words).getBytes(StandardCharsets.UTF_8)),
            Sha256.hex(file),
            new ImportReport(List.of(source), List.of(), List.of()));
    return new InitialModel(file, manifest, words, tensors);
  }

  /**
   * Opens a bundle, or a folder that {@code import} has written, whose values stay on the disk.
   *
   * @throws CheckpointException when a part of it is not as it was written
   */
  public static InitialModel read(Path folder) throws IOException {
    if (Files.isRegularFile(folder)) {
      return ofBundle(folder);
    }
    Manifest manifest;
    try {
      manifest = GSON.fromJson(Files.readString(folder.resolve(CONFIG)), Manifest.class);
    } catch (RuntimeException e) {
      // Gson wraps what a record's constructor throws.
      Throwable cause = e.getCause() == null ? e : e.getCause();
      throw new CheckpointException(folder.resolve(CONFIG) + ": " + cause.getMessage(), e);
    }
    if (manifest == null) {
      throw new CheckpointException(folder.resolve(CONFIG) + " is empty");
    }
    checkHash(folder.resolve(VOCABULARY), manifest.vocabularySha256());
    checkHash(folder.resolve(WEIGHTS), manifest.weightsSha256());
    InitialModel model = new InitialModel(folder, manifest);
    if (model.vocabulary.size() != manifest.config().text().vocabularySize()) {
      throw new CheckpointException(
          String.format(
              Locale.ROOT,
              "%s: the model has %d word pieces, its vocabulary %d",
              folder,
              manifest.config().text().vocabularySize(),
              model.vocabulary.size()));
    }
    return model;
  }

  private static void checkHash(Path file, String expected) throws IOException {
    String found = Sha256.hex(file);
    if (!found.equals(expected)) {
      throw new CheckpointException(
          String.format(
              Locale.ROOT,
              "%s is not as it was written: expected SHA-256 %s, found %s; import again",
              file,
              expected,
              found));
    }
  }

  /** Writes a folder and opens it; half a folder, should this fail, cannot be opened. */
  static InitialModel write(
      Path folder,
      ModelConfig config,
      List<String> vocabulary,
      Map<String, LazyTensor> tensors,
      ImportReport origin)
      throws IOException {
    Files.createDirectories(folder);
    Files.deleteIfExists(folder.resolve(CONFIG));
    Path weights = folder.resolve(WEIGHTS);
    Path temporary = folder.resolve(WEIGHTS + ".tmp");
    try {
      Safetensors.write(temporary, tensors);
      Files.move(temporary, weights, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(temporary);
    }
    Path words = folder.resolve(VOCABULARY);
    Files.writeString(words, String.join("\n", vocabulary) + "\n");
    Manifest manifest =
        new Manifest(FORMAT_VERSION, config, Sha256.hex(words), Sha256.hex(weights), origin);
    Path json = folder.resolve(CONFIG + ".tmp");
    Files.writeString(json, GSON.toJson(manifest));
    Files.move(json, folder.resolve(CONFIG), StandardCopyOption.REPLACE_EXISTING);
    return new InitialModel(folder, manifest);
  }

  /** Returns the word pieces of a file, one a line. */
  static List<String> readVocabulary(Path file) throws IOException {
    try {
      return Files.readAllLines(file);
    } catch (CharacterCodingException e) {
      throw new CheckpointException(file + " is no text in UTF-8", e);
    }
  }

  public ModelConfig config() {
    return manifest.config();
  }

  /** Returns the word pieces in the order of their ids. */
  public List<String> vocabulary() {
    return vocabulary;
  }

  /** Returns what the weights were made of. */
  public ImportReport origin() {
    return manifest.origin();
  }

  /** Returns the SHA-256 of shape, vocabulary and weights; where the folder is, does not count. */
  public String sha256() {
    String parts =
        GSON.toJson(manifest.config()) + manifest.vocabularySha256() + manifest.weightsSha256();
    return Sha256.hex(parts.getBytes(StandardCharsets.UTF_8));
  }

  /**
   * Returns the tensors that there are, and fresh ones by {@link Weights#random} where there are
   * none.
   */
  public Start start(long seed) {
    return new Start(Weights.random(seed));
  }

  /** Weights out of this folder, which keep account of what nobody has asked for. */
  public final class Start implements Weights {
    private final Weights random;
    private final Set<String> untaken = new TreeSet<>(tensors.keySet());

    private Start(Weights random) {
      this.random = random;
    }

    @Override
    public ScriptTensor get(String name, Init init, long... shape) {
      LazyTensor tensor = tensors.get(name);
      if (tensor == null) {
        return random.get(name, init, shape);
      }
      untaken.remove(name);
      if (!tensor.shape().equals(Arrays.stream(shape).boxed().toList())) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT,
                "%s: %s must be %s, found %s",
                folder,
                name,
                Arrays.toString(shape),
                tensor.shape()));
      }
      try {
        float[] values = tensor.values();
        return init.trainable()
            ? ScriptTensor.parameter(values, shape)
            : ScriptTensor.buffer(values, shape);
      } catch (IOException e) {
        throw new UncheckedIOException(folder.toString(), e);
      }
    }

    /**
     * Insists that the model has asked for every tensor: one that it no longer knows by that name
     * would otherwise start at random without a word.
     *
     * @throws IllegalArgumentException naming what was not asked for
     */
    public void requireAllTaken() {
      if (!untaken.isEmpty()) {
        throw new IllegalArgumentException(
            folder + " holds tensors that the model lacks, import again: " + untaken);
      }
    }
  }

  /**
   * Origin of the tensors of starting weights.
   *
   * @param sources the checkpoints
   * @param anew names of the tensors that no checkpoint gives, which training initialises
   * @param identities layers that start as the identity; of older folders null, which is none
   */
  public record ImportReport(List<Source> sources, List<String> anew, List<String> identities) {
    /**
     * One checkpoint.
     *
     * @param role what it is
     * @param file its name
     * @param tensors of it that were taken
     * @param parameters in those tensors
     * @param unused its tensors that were left, each with a word why where there is one
     */
    public record Source(
        String role, String file, int tensors, long parameters, List<String> unused) {
      public Source {
        unused = List.copyOf(unused);
      }
    }

    public ImportReport {
      sources = List.copyOf(sources);
      anew = List.copyOf(anew);
      identities = identities == null ? List.of() : List.copyOf(identities);
    }

    /** Says for people what was taken, what starts anew, what was left. */
    @Override
    public String toString() {
      StringBuilder text = new StringBuilder();
      for (Source source : sources) {
        text.append(
            String.format(
                Locale.ROOT,
                "taken from the %s %s: %d tensors, %,d parameters%n",
                source.role(),
                source.file(),
                source.tensors(),
                source.parameters()));
        if (!source.unused().isEmpty()) {
          text.append(
              String.format(
                  Locale.ROOT, "  left unused: %s%n", String.join(", ", source.unused())));
        }
      }
      if (!identities.isEmpty()) {
        text.append(
            String.format(
                Locale.ROOT, "start as the identity: %s%n", String.join(", ", identities)));
      }
      text.append(
          String.format(Locale.ROOT, "initialised anew by training: %d tensors%n", anew.size()));
      groups()
          .forEach(
              (name, count) -> text.append(String.format(Locale.ROOT, "  %s (%d)%n", name, count)));
      return text.toString();
    }

    /**
     * Counts tensors by groups: {@code fusion.layer3.norm2.bias} and its like, of every layer, are
     * {@code fusion.layer*.norm2}.
     */
    private Map<String, Integer> groups() {
      Map<String, Integer> groups = new TreeMap<>();
      for (String name : anew) {
        int leaf = name.lastIndexOf('.');
        boolean pair = name.endsWith(".weight") || name.endsWith(".bias");
        String group = pair ? name.substring(0, leaf) : name;
        groups.merge(group.replaceAll("layer\\d+", "layer*"), 1, Integer::sum);
      }
      return groups;
    }
  }
}
