/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.spark;

import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.trainer.cli.EncodeArguments;
import io.crossmodal.trainer.cluster.ClusterClient;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The model of this JVM, loaded when the first task needs it and kept until a task of another
 * application does, or the JVM ends: the one owner of its native memory. Works for one task at a
 * time, since a model does.
 */
final class ExecutorModel {
  /** Spark gives tasks no other place for what lives as long as their executor. */
  private static final ExecutorModel OF_THIS_JVM = new ExecutorModel();

  private String application = "";
  private EncodeArguments arguments;
  private ModelBundle bundle;
  private ClusterClient cluster;
  private FusionModel model;

  private ExecutorModel() {}

  static ExecutorModel ofThisJvm() {
    return OF_THIS_JVM;
  }

  /** Works with what it has. */
  @FunctionalInterface
  interface Work<T> {
    T with(ExecutorModel executor) throws Exception;
  }

  /**
   * Does work for an application, after what other tasks do here.
   *
   * @param id of the application
   */
  synchronized <T> T run(String id, Job job, Work<T> work) throws Exception {
    if (!application.equals(id)) {
      close();
      arguments = job.arguments();
      bundle = arguments.bundle();
      cluster = job.client(arguments);
      application = id;
    }
    return work.with(this);
  }

  EncodeArguments arguments() {
    return arguments;
  }

  ModelBundle bundle() {
    return bundle;
  }

  /** Returns what sends documents: one for all tasks, which keeps its connections. */
  ClusterClient cluster() {
    return cluster;
  }

  /** Returns the model, with whom nobody works but the task that runs. */
  FusionModel model() throws IOException, BundleException {
    if (model == null) {
      Path scratch = Files.createTempDirectory("crossmodal-");
      try {
        model = FusionModel.load(bundle, scratch);
      } finally {
        Files.deleteIfExists(scratch);
      }
    }
    return model;
  }

  private void close() {
    application = "";
    if (model != null) {
      model.close();
      model = null;
    }
  }
}
