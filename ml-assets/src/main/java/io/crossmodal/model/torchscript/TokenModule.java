/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

import io.crossmodal.model.ModelConfig;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What makes stored tokens of a tower's, {@code tokens.py}, and lines that know of it. */
public final class TokenModule {
  private TokenModule() {}

  /**
   * Adds the projection to its parent, as {@code tokens}, where the model has one.
   *
   * @return the parent
   */
  public static ScriptModule addTo(ScriptModule parent, ModelConfig config, Weights weights) {
    if (config.tokenProjection() == null) {
      return parent;
    }
    int h = config.hidden();
    int t = config.tokenWidth();
    return parent.with(
        "tokens",
        new ScriptModule("tokens.TokenProjection")
            .with("down", Layers.linear(weights, "tokens.down", h, t))
            .with("up", Layers.linear(weights, "tokens.up", t, h)));
  }

  /** Returns the width of what cross-attention reads: its own where a fusion encoder has one. */
  static int readWidth(ModelConfig config) {
    return config.fusionWidth() == null ? config.tokenWidth() : config.fusionWidth();
  }

  /** Returns what the lines for and against it stand for. */
  static Map<String, List<String>> ranges(ModelConfig config) {
    boolean stored = config.tokenProjection() != null;
    boolean narrow = stored && config.fusionWidth() == null;
    Integer grid = stored ? config.tokenProjection().grid() : null;
    Map<String, List<String>> ranges = new HashMap<>();
    ranges.put("STORED", once(stored));
    ranges.put("UNSTORED", once(!stored));
    ranges.put("STORED_GRID", grid == null ? List.of() : List.of(grid.toString()));
    ranges.put("MLP_STORED", once(stored && config.preRanker()));
    ranges.put("MLP_UNSTORED", once(!stored && config.preRanker()));
    ranges.put("NARROW", once(narrow));
    ranges.put("WIDE", once(!narrow));
    ranges.put("TOKEN", List.of(narrow ? "t" : "h"));
    return ranges;
  }

  private static List<String> once(boolean present) {
    return present ? List.of("x") : List.of();
  }
}
