/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.spark;

import io.crossmodal.trainer.encode.Scenes;
import io.crossmodal.trainer.encode.SourceImage;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;

/**
 * Work of one task: pictures, or consecutive chips of a scene.
 *
 * @param pictures of an archive that has no scenes; else none
 * @param scene null where there are pictures
 * @param from number of the scene's first chip
 * @param to number behind its last chip
 */
record Portion(List<SourceImage> pictures, Scenes.Listed scene, int from, int to)
    implements Serializable {

  Portion {
    pictures = List.copyOf(pictures);
  }

  /** Returns the pictures, in portions of at most so many. */
  static List<Portion> ofPictures(List<SourceImage> pictures, int most) {
    List<Portion> portions = new ArrayList<>();
    for (int from = 0; from < pictures.size(); from += most) {
      int to = Math.min(from + most, pictures.size());
      portions.add(new Portion(pictures.subList(from, to), null, 0, 0));
    }
    return portions;
  }

  /** Returns the chips of a scene, in portions of at most so many, all about as large. */
  static List<Portion> ofScene(Scenes.Listed scene, int most) {
    int count = Math.ceilDiv(scene.chips(), most);
    List<Portion> portions = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int from = (int) ((long) scene.chips() * i / count);
      int to = (int) ((long) scene.chips() * (i + 1) / count);
      portions.add(new Portion(List.of(), scene, from, to));
    }
    return portions;
  }
}
