/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.bench;

/** Runs the benchmark that {@code -Dbench} names. */
public final class Bench {
  private Bench() {}

  public static void main(String[] args) throws Exception {
    String name = System.getProperty("bench", "");
    switch (name) {
      case "recall" -> RecallBench.run();
      case "engines" -> EngineBench.run();
      case "serving" -> ServingBench.run();
      case "fuse" -> FuseBench.run();
      case "tokens" -> TokensBench.run();
      case "encode" -> EncodeBench.run();
      case "search" -> SearchBench.run();
      case "feedback" -> FeedbackBench.run();
      case "bulk" -> BulkBench.run();
      case "clip" -> ClipBench.run();
      case "cascade" -> CascadeBench.run();
      default ->
          throw new IllegalArgumentException(
              "-Dbench names ["
                  + name
                  + "], there are: recall, serving, engines, fuse, tokens, encode,"
                  + " search, feedback, bulk, clip, cascade");
    }
  }
}
