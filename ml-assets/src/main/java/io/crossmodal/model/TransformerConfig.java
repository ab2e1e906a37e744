/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

import java.util.Locale;
import java.util.Objects;

/**
 * What a tower of CLIP (Radford et al. 2021) has of its own: layers of another width than {@link
 * ModelConfig#hidden}, of which a projection at the tower's end makes tokens, and what becomes of
 * the tokens of patches.
 *
 * @param width W, of every token inside of the tower
 * @param heads attention heads; divides {@code width}
 * @param feedForward inner width of the feed-forward networks
 * @param activation of the feed-forward networks; no tensor tells which the weights were trained
 *     with
 * @param valuePath of an image tower: whether the last layer makes a patch's token of that patch
 *     alone, by its value path, so that texts can be compared with it (MaskCLIP, Zhou et al. 2022);
 *     null: false
 * @param tokenGrid of an image tower: tokens a side that the patches' tokens are averaged to; null:
 *     one a patch
 */
public record TransformerConfig(
    int width,
    int heads,
    int feedForward,
    Activation activation,
    Boolean valuePath,
    Integer tokenGrid) {

  /** Activations by the names of Hugging Face's {@code hidden_act}. */
  public enum Activation {
    /** By the error function: OpenCLIP's own weights. */
    GELU,
    /** x sigmoid(1.702 x): OpenAI's weights, and those trained from them. */
    QUICK_GELU
  }

  public TransformerConfig {
    Checks.within("width", width, 1, 8192);
    Checks.within("heads", heads, 1, 256);
    if (width % heads != 0) {
      throw new IllegalArgumentException("width " + width + " is not divisible by heads " + heads);
    }
    Checks.within("feed_forward", feedForward, 1, 32_768);
    Objects.requireNonNull(activation, "activation");
    if (tokenGrid != null) {
      Checks.within("token_grid", tokenGrid, 1, 128);
    }
  }

  /** Layers as CLIP has them. */
  public TransformerConfig(int width, int heads, int feedForward, Activation activation) {
    this(width, heads, feedForward, activation, null, null);
  }

  /**
   * Returns the same layers of an image tower, whose patches' tokens are made otherwise.
   *
   * @param byValuePath see {@link #valuePath}
   * @param grid see {@link #tokenGrid}
   */
  public TransformerConfig withPatches(boolean byValuePath, Integer grid) {
    return new TransformerConfig(
        width, heads, feedForward, activation, byValuePath ? true : null, grid);
  }

  boolean hasValuePath() {
    return Boolean.TRUE.equals(valuePath);
  }

  /** Insists that there are such layers where the tower is CLIP's, and none elsewhere. */
  static void require(TransformerConfig transformer, boolean clip, Object kind) {
    if ((transformer != null) != clip) {
      throw new IllegalArgumentException(
          "transformer belongs to a tower of kind CLIP, which must have it, got "
              + transformer
              + " for "
              + kind);
    }
  }

  /** Silent about what is not set: fingerprints of older bundles hash this text. */
  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "TransformerConfig[width=%d, heads=%d, feedForward=%d, activation=%s%s%s]",
        width,
        heads,
        feedForward,
        activation,
        valuePath == null ? "" : ", valuePath=" + valuePath,
        tokenGrid == null ? "" : ", tokenGrid=" + tokenGrid);
  }
}
