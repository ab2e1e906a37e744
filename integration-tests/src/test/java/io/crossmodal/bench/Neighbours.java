/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.bench;

import java.util.PriorityQueue;
import java.util.Set;
import java.util.stream.Collectors;

/** A query's exact neighbours among the embeddings that were offered. */
final class Neighbours {
  private final float[] query;
  private final int wanted;
  private final PriorityQueue<Neighbour> best = new PriorityQueue<>();

  private record Neighbour(int item, float score) implements Comparable<Neighbour> {
    @Override
    public int compareTo(Neighbour other) {
      return Float.compare(score, other.score);
    }
  }

  Neighbours(float[] query, int wanted) {
    this.query = query;
    this.wanted = wanted;
  }

  void offer(int item, float[] embedding) {
    float score = 0;
    for (int d = 0; d < query.length; d++) {
      score += query[d] * embedding[d];
    }
    if (best.size() == wanted && score > best.element().score) {
      best.remove();
    }
    if (best.size() < wanted) {
      best.add(new Neighbour(item, score));
    }
  }

  /** Returns the ids of the documents, which are their items. */
  Set<String> ids() {
    return best.stream().map(n -> Integer.toString(n.item)).collect(Collectors.toSet());
  }
}
