/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * Where the tensors of starting weights come from.
 *
 * @param sources the checkpoints
 * @param anew names of the tensors that no checkpoint gives, which training initialises
 */
public record ImportReport(List<Source> sources, List<String> anew) {
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
  }

  /** For people: what was taken, what starts anew, what was left. */
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
            String.format(Locale.ROOT, "  left unused: %s%n", String.join(", ", source.unused())));
      }
    }
    text.append(
        String.format(Locale.ROOT, "initialised anew by training: %d tensors%n", anew.size()));
    groups()
        .forEach(
            (name, count) -> text.append(String.format(Locale.ROOT, "  %s (%d)%n", name, count)));
    return text.toString();
  }

  /**
   * {@code fusion.layer3.norm2.bias} and its like, of every layer, are {@code fusion.layer*.norm2}.
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
