/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

import java.util.Arrays;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Set;

/** Required content of an archive, but for its code and its tensors' values. */
final class ArchiveLayout {
  private final byte[] pickle;
  private final Map<String, ScriptTensor> tensors;
  private final Map<String, Integer> flags;
  private final NavigableMap<Integer, String> attributes;
  private final Set<Integer> flagged;

  ArchiveLayout(
      byte[] pickle,
      Map<String, ScriptTensor> tensors,
      Map<String, Integer> flags,
      NavigableMap<Integer, String> attributes) {
    this.pickle = pickle;
    this.tensors = tensors;
    this.flags = flags;
    this.attributes = attributes;
    this.flagged = Set.copyOf(flags.values());
  }

  /** Live. */
  byte[] pickle() {
    return pickle;
  }

  /** By dotted path, in the order of their entries. */
  Map<String, ScriptTensor> tensors() {
    return tensors;
  }

  /**
   * Returns where a pickle differs first; whether a tensor takes gradients may differ.
   *
   * @return the length of the shorter one where it does not
   */
  int firstDifference(byte[] found) {
    int at = Arrays.mismatch(pickle, found);
    int from = 0;
    while (at >= 0 && from + at < Math.min(pickle.length, found.length)) {
      from += at;
      byte flag = found[from];
      if (!flagged.contains(from)
          || (flag != (byte) ScriptArchiveWriter.NEW_TRUE
              && flag != (byte) ScriptArchiveWriter.NEW_FALSE)) {
        return from;
      }
      from++;
      at = Arrays.mismatch(pickle, from, pickle.length, found, from, found.length);
    }
    return Math.min(pickle.length, found.length);
  }

  /** Returns whether a tensor takes gradients by a pickle without {@link #firstDifference}. */
  boolean trainable(byte[] found, String tensor) {
    return found[flags.get(tensor)] == (byte) ScriptArchiveWriter.NEW_TRUE;
  }

  /** Returns what stands at a place of the pickle. */
  String what(int at) {
    Map.Entry<Integer, String> attribute = attributes.floorEntry(at);
    String path = attribute == null ? "" : attribute.getValue();
    ScriptTensor tensor = tensors.get(path);
    return at >= pickle.length
        ? "nothing more"
        : tensor == null
            ? path.isEmpty() ? "the model itself" : "[" + path + "]"
            : "[" + path + "] of shape " + Arrays.toString(tensor.shape());
  }
}
