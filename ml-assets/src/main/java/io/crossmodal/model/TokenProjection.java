/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

import java.util.List;

/**
 * What of an image's tokens is stored and fused, where that is less than the tower makes: each
 * token as fewer values, by a projection that was trained, and perhaps patches averaged over their
 * grid. Embeddings are made of the tower's own [CLS] and know nothing of it.
 *
 * @param width T, values of a stored token, at most H
 * @param grid G, tokens a side that patches are averaged to; null: one for each of the tower's
 */
public record TokenProjection(int width, Integer grid) {
  public TokenProjection {
    Checks.within("token_projection.width", width, 1, 8192);
    if (grid != null) {
      Checks.within("token_projection.grid", grid, 1, 128);
    }
  }

  /** Checks that a model has a use for it, and such tokens; null is none. */
  static void check(
      TokenProjection projection,
      int hidden,
      int fusionLayers,
      ImageTowerConfig image,
      List<SensorConfig> sensors) {
    if (projection == null) {
      return;
    }
    if (fusionLayers == 0) {
      throw new IllegalArgumentException(
          "token_projection is read by a fusion encoder, and this model has none"
              + " (fusion_layers 0)");
    }
    Checks.within("token_projection.width", projection.width, 1, hidden);
    for (SensorConfig sensor : sensors) {
      if (projection.grid != null) {
        Checks.within(
            "token_projection.grid", projection.grid, 1, image.tokenSide(sensor.imageSize()));
      }
    }
  }
}
