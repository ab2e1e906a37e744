/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Encodes an archive on many machines, as an Apache Spark application: {@code spark-submit
 * crossmodal-spark.jar}.
 *
 * <p>Entry class: {@link io.crossmodal.spark.SparkEncode}, which nothing calls but {@code
 * spark-submit}. The driver lists the archive, has executors read the headers of scenes ({@code
 * ListScenes}), and cuts it to {@code Portion}s, a task each. Executors encode them by the classes
 * of {@code encode} ({@code EncodePortion}), with one model a JVM ({@code ExecutorModel}). There is
 * no journal: ids come from contents, so a task that runs twice, or at two places at once, stores
 * nothing twice, and executors ask the index what it holds already.
 */
package io.crossmodal.spark;
