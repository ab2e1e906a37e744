/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.demo;

import io.crossmodal.it.CrossModalClient.Hit;
import java.util.List;

/**
 * One search, made twice.
 *
 * @param text the query
 * @param target the picture that the text was written for; empty where that is not known
 * @param recalled hits of the kNN search, best first
 * @param rescored hits of the same search with the fusion rescore
 */
record Example(String text, String target, List<Hit> recalled, List<Hit> rescored) {
  /** A rank that stands for "not among the hits". */
  static final int NONE = Integer.MAX_VALUE;

  /** Returns the rank of the target, from 1. */
  int rankBefore() {
    return rank(recalled, target);
  }

  /** Returns the rank of the target, from 1. */
  int rankAfter() {
    return rank(rescored, target);
  }

  /** Returns the rank of a document in a list of hits, from 1. */
  static int rank(List<Hit> hits, String id) {
    for (int i = 0; i < hits.size(); i++) {
      if (hits.get(i).id().equals(id)) {
        return i + 1;
      }
    }
    return NONE;
  }

  static String text(int rank) {
    return rank == NONE ? "-" : Integer.toString(rank);
  }
}
