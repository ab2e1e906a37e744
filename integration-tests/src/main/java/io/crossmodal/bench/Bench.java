/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.bench;

/** {@code mvn -Pbench -Dbench=NAME}: runs one benchmark on a real node and prints its table. */
public final class Bench {
  private Bench() {}

  public static void main(String[] args) throws Exception {
    String name = System.getProperty("bench", "");
    switch (name) {
      case "recall" -> RecallBench.run();
      default ->
          throw new IllegalArgumentException("-Dbench names [" + name + "], there is: recall");
    }
  }
}
