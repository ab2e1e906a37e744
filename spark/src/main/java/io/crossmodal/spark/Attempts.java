/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.spark;

import io.crossmodal.trainer.encode.Scenes;
import java.io.IOException;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;

/** Attempts of a task. */
final class Attempts {
  private static final int USUAL = 4;

  private Attempts() {}

  /**
   * Fails the task when scenes could not be read, as long as Spark tries it again, perhaps on
   * another machine. In the last attempt they are problems: one file that nobody can read must not
   * end the job.
   */
  static void again(Scenes scenes) throws IOException {
    if (scenes.failure().isPresent()
        && isFollowed(SparkEnv.get().conf(), TaskContext.get().attemptNumber())) {
      throw scenes.failure().get();
    }
  }

  /** Returns whether an attempt, counted from 0, is followed by another where it fails. */
  static boolean isFollowed(SparkConf conf, int attempt) {
    String master = conf.get("spark.master", "");
    // Threads of the driver try once.
    boolean local = master.equals("local") || master.startsWith("local[");
    return !local && attempt + 1 < conf.getInt("spark.task.maxFailures", USUAL);
  }
}
