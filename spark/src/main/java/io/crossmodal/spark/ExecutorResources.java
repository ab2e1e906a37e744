/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.spark;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.spark.SparkConf;

/**
 * Divides machines: an executor works on one task at a time, for it has one model, and that task
 * has all of its cores.
 */
final class ExecutorResources {
  private static final String CORES = "spark.executor.cores";
  private static final String TASK_CORES = "spark.task.cpus";
  private static final String ENVIRONMENT = "spark.executorEnv.";

  /** {@code local-cluster[executors, cores, megabytes]}, Spark's way to try a cluster. */
  private static final Pattern TRIED =
      Pattern.compile("local-cluster\\[\\s*\\d+\\s*,\\s*(\\d+)\\s*,.*\\]");

  private static final Pattern ONE_JVM = Pattern.compile("local(?:\\[([0-9]+|\\*)(?:,.*)?\\])?");

  private ExecutorResources() {}

  /** Returns a configuration with what it does not say itself. */
  static SparkConf configure(SparkConf conf) {
    conf.setIfMissing("spark.app.name", "crossmodal encode");
    conf.setIfMissing(CORES, Integer.toString(cores(conf.get("spark.master", ""))));
    conf.setIfMissing(TASK_CORES, conf.get(CORES));
    String threads = Integer.toString(threads(conf));
    // OpenMP, with which libtorch computes: as many threads, which do not spin while they wait.
    conf.setIfMissing(ENVIRONMENT + "OMP_NUM_THREADS", threads);
    conf.setIfMissing(ENVIRONMENT + "OMP_WAIT_POLICY", "passive");
    return conf;
  }

  /** Returns the threads of an executor, and of its model. */
  static int threads(SparkConf conf) {
    return conf.getInt(TASK_CORES, 1);
  }

  /** Cores of an executor where nobody said; of a real cluster that is one, as on YARN. */
  private static int cores(String master) {
    Matcher tried = TRIED.matcher(master);
    if (tried.matches()) {
      return Integer.parseInt(tried.group(1));
    }
    Matcher local = ONE_JVM.matcher(master);
    if (local.matches()) {
      return local.group(1) == null
          ? 1
          : local.group(1).equals("*")
              ? Runtime.getRuntime().availableProcessors()
              : Integer.parseInt(local.group(1));
    }
    return 1;
  }
}
