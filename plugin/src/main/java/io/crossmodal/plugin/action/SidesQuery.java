/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.action;

import io.crossmodal.model.Messages;
import io.crossmodal.plugin.action.EncodedQuery.Embedding;
import io.crossmodal.plugin.action.EncodedQuery.Part;
import io.crossmodal.plugin.action.Sides.Placed;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.opensearch.common.util.concurrent.AtomicArray;
import org.opensearch.common.util.concurrent.CountDown;
import org.opensearch.core.action.ActionListener;

/** A query of several sides: each is encoded as it would be alone, and their embeddings added. */
final class SidesQuery {
  // Unit vectors in float32 that cancel each other leave a rest of about 1e-7 for each side.
  private static final double LEAST_LENGTH = 1e-4;

  private SidesQuery() {}

  /** Encodes one side. */
  interface Encoder {
    /**
     * Encodes it.
     *
     * @param side with the name that messages say
     */
    void encode(Placed side, ActionListener<EncodedQuery> listener);
  }

  /**
   * Encodes all sides at once; the first failure is the query's.
   *
   * @param encoder of each
   */
  static void encode(Sides sides, Encoder encoder, ActionListener<EncodedQuery> listener) {
    List<Placed> placed = sides.placed();
    AtomicArray<EncodedQuery> encoded = new AtomicArray<>(placed.size());
    CountDown left = new CountDown(placed.size());
    for (int i = 0; i < placed.size(); i++) {
      int place = i;
      ActionListener<EncodedQuery> one =
          ActionListener.wrap(
              query -> {
                encoded.set(place, query);
                if (left.countDown()) {
                  ActionListener.completeWith(listener, () -> combine(placed, encoded.asList()));
                }
              },
              failure -> {
                if (left.fastForward()) {
                  listener.onFailure(failure);
                }
              });
      try {
        encoder.encode(placed.get(i), one);
      } catch (IllegalArgumentException e) {
        // Such as an unknown sensor. To this side's listener, for others of them may fail as well.
        one.onFailure(
            new IllegalArgumentException("[" + placed.get(i).name() + "]: " + e.getMessage(), e));
      } catch (RuntimeException e) {
        one.onFailure(e);
      }
    }
  }

  /**
   * Returns the query of all sides. Its tokens are the first side's, for what a rescore reads is
   * chosen before. A mixture is no picture of a sensor, so that calibrations, which are for pairs
   * of pictures, hold for a side alone.
   *
   * @param encoded of each side, in one space
   * @throws IllegalArgumentException when the sides cancel each other
   */
  static EncodedQuery combine(List<Placed> sides, List<EncodedQuery> encoded) {
    EncodedQuery first = encoded.get(0);
    double[] sum = new double[first.embedding().vector().length];
    StringBuilder notices = new StringBuilder();
    for (int i = 0; i < sides.size(); i++) {
      float[] vector = encoded.get(i).embedding().vector();
      for (int d = 0; d < sum.length; d++) {
        sum[d] += (double) sides.get(i).coefficient() * vector[d];
      }
      String notice = encoded.get(i).notice();
      if (!notice.isEmpty()) {
        notices
            .append(notices.isEmpty() ? "" : "; ")
            .append(sides.get(i).name())
            .append(": ")
            .append(notice);
      }
    }
    double length = length(sum);
    double most = sides.stream().mapToDouble(side -> Math.abs(side.coefficient())).max().orElse(1);
    if (!(length > LEAST_LENGTH * most)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "what is [%s] and what is [%s] cancel each other, nothing is left to search by: leave"
                  + " out a side, or change a [weight]",
              Sides.LIKE,
              Sides.UNLIKE));
    }
    float[] vector = new float[sum.length];
    for (int d = 0; d < sum.length; d++) {
      vector[d] = (float) (sum[d] / length);
    }
    List<Part> parts = new ArrayList<>(sides.size());
    for (int i = 0; i < sides.size(); i++) {
      Placed side = sides.get(i);
      parts.add(
          new Part(
              new QuerySource.Label(side.name(), Messages.excerpt(side.source().label().value())),
              side.weight(),
              (float) (side.coefficient() / length),
              encoded.get(i).embedding().vector()));
    }
    return new EncodedQuery(
        new Embedding(
            first.embedding().space(),
            vector,
            sides.size() == 1 ? first.embedding().calibrations() : List.of(),
            parts),
        first.tokens(),
        notices.toString());
  }

  private static double length(double[] vector) {
    double sum = 0;
    for (double value : vector) {
      sum += value * value;
    }
    return Math.sqrt(sum);
  }
}
