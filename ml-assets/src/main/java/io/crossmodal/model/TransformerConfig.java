/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

import java.util.Objects;

/**
 * The layers of a tower of CLIP (Radford et al. 2021), which have a width of their own: a
 * projection at the tower's end makes tokens of {@link ModelConfig#hidden} of them.
 *
 * @param width W, of every token inside of the tower
 * @param heads attention heads; divides {@code width}
 * @param feedForward inner width of the feed-forward networks
 * @param activation of the feed-forward networks; no tensor tells which the weights were trained
 *     with
 */
public record TransformerConfig(int width, int heads, int feedForward, Activation activation) {

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
}
