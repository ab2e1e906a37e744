/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.WordPatchWeights;
import io.crossmodal.model.tokens.Tokens;
import io.crossmodal.plugin.mapper.FieldDefinition;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.apache.lucene.index.LeafReaderContext;
import org.apache.lucene.index.ReaderUtil;

/**
 * The heat map of a hit, as the answer has it.
 *
 * @param words what each row is of
 * @param grid G, patches a side
 * @param weights G x G values for each word
 */
record HeatMap(List<String> words, int grid, List<float[]> weights) {
  static final String NO_TOKENS = "the document stores no tokens";
  private static final double DIGITS = 1e4;

  /** Returns why an image's tokens cannot be drawn; empty where they can. */
  static Optional<String> unavailable(Tokens image) {
    return WordPatchWeights.isGrid(image.count())
        ? Optional.empty()
        : Optional.of(
            String.format(
                Locale.ROOT, "the picture's %d patches form no square", image.count() - 1));
  }

  /**
   * Returns the answer's object.
   *
   * @param doc top-level document id
   * @param footprint the field that says where the picture lies; null where it is not asked for
   */
  Map<String, Object> answer(
      FieldDefinition field, List<LeafReaderContext> leaves, int doc, String footprint) {
    List<float[]> rounded = new ArrayList<>();
    for (float[] row : weights) {
      rounded.add(rounded(row));
    }
    Map<String, Object> heatMap = new LinkedHashMap<>();
    heatMap.put("words", words);
    heatMap.put("grid", grid);
    heatMap.put("weights", rounded);
    if (footprint != null) {
      LeafReaderContext leaf = leaves.get(ReaderUtil.subIndex(doc, leaves));
      try {
        heatMap.put(
            "geo",
            PatchGround.read(field.model(), leaf, doc - leaf.docBase, footprint)
                .features(grid, rounded));
      } catch (PatchGround.UnknownException e) {
        heatMap.put("geo_unavailable", e.getMessage());
      }
    }
    return heatMap;
  }

  private static float[] rounded(float[] values) {
    float[] rounded = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      rounded[i] = (float) (Math.round(values[i] * DIGITS) / DIGITS);
    }
    return rounded;
  }
}
