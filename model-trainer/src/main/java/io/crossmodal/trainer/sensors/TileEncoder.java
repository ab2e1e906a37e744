/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

import io.crossmodal.model.image.BandImage;
import java.util.List;

/** Something that makes features of tiles: a model, or a baseline without one. */
interface TileEncoder {
  /** As the table calls it. */
  String name();

  /** Pixels that tiles are resized to before. */
  int side();

  /**
   * Features of unit length.
   *
   * @param second whether the tiles are the second sensor's
   */
  List<TileFeatures> encode(boolean second, List<BandImage> tiles);
}
