/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.evaluate;

/**
 * What one way to search reaches, in both directions.
 *
 * @param name the way
 * @param imageToText pictures as queries
 * @param textToImage captions as queries
 * @param meanRecall mR: the mean of the six strict shares
 * @param meanRecallAware the same, duplicate-aware; null where it is not known
 */
public record Row(
    String name,
    Direction imageToText,
    Direction textToImage,
    double meanRecall,
    Double meanRecallAware) {

  /**
   * One direction.
   *
   * @param strict an image's own captions alone are right
   * @param aware every image that has the caption is right; null where it is not known
   * @param fusionMillis median milliseconds of the fusion stage for a query; null where there is no
   *     such stage
   * @param computed whether {@code fusionMillis} was computed from the time of a pair in the other
   *     direction, not taken
   * @param topTenFound share, in percent, of full fusion's first ten that are among the candidates;
   *     null where full fusion was not run
   */
  public record Direction(
      Retrieval strict,
      Retrieval aware,
      Double fusionMillis,
      boolean computed,
      Double topTenFound) {}

  static Row of(String name, Direction imageToText, Direction textToImage) {
    return new Row(
        name,
        imageToText,
        textToImage,
        Retrieval.meanRecall(imageToText.strict(), textToImage.strict()),
        Retrieval.meanRecall(imageToText.aware(), textToImage.aware()));
  }
}
