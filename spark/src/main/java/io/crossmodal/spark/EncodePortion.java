/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.spark;

import io.crossmodal.trainer.cli.EncodeArguments;
import io.crossmodal.trainer.cluster.ClusterClient;
import io.crossmodal.trainer.encode.BulkSink;
import io.crossmodal.trainer.encode.DocumentFormat;
import io.crossmodal.trainer.encode.EncodeRun;
import io.crossmodal.trainer.encode.IndexedDocuments;
import io.crossmodal.trainer.encode.Journal;
import io.crossmodal.trainer.encode.Scenes;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.function.IntConsumer;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.VoidFunction;
import org.apache.spark.broadcast.Broadcast;

/**
 * Encodes a portion and sends it, all but what the index holds.
 *
 * @param application id
 */
record EncodePortion(String application, Broadcast<Job> job, Meters meters)
    implements VoidFunction<Portion> {
  private static final long serialVersionUID = 1;

  @Override
  public void call(Portion portion) throws Exception {
    ExecutorModel.ofThisJvm()
        .run(
            application,
            job.value(),
            executor -> {
              encode(portion, executor);
              return null;
            });
  }

  private void encode(Portion portion, ExecutorModel executor) throws Exception {
    Job told = job.value();
    EncodeArguments arguments = executor.arguments();
    DocumentFormat format = arguments.format(executor.bundle().manifest(), told.index());
    EncodeRun.Options options = options(arguments.options(told.threads()), told);
    ClusterClient cluster = executor.cluster();
    Optional<IndexedDocuments> indexed =
        told.ask()
            ? Optional.of(told.index().documents(cluster, format.field(), arguments.retry()))
            : Optional.empty();
    EncodeRun run = new EncodeRun(executor.model(), format, options, Journal.none(), indexed);
    EncodeRun.SinkFactory sinks = arguments.bulk(counted(told.index().bulk(cluster)), format);
    TaskContext task = TaskContext.get();
    IntConsumer progress =
        done -> {
          // Between two steps of the model, which must not be torn down in one.
          if (task.isInterrupted()) {
            throw new CancellationException("the task is not wanted any more");
          }
        };
    if (portion.scene() == null) {
      meters.add(run.run(portion.pictures(), sinks, progress), run.times());
      return;
    }
    try (Scenes scenes =
        Scenes.part(
            portion.scene(),
            portion.from(),
            portion.to(),
            arguments.cutting().orElseThrow(),
            executor.bundle(),
            format.sensor(),
            options.look())) {
      Attempts.again(scenes);
      List<String> lost = scenes.problems();
      // Each chip that was promised counts.
      for (int chip = portion.from(); chip < portion.to() && !lost.isEmpty(); chip++) {
        meters.problems().add(lost.get(0) + " (chip " + chip + ")");
      }
      if (lost.isEmpty()) {
        meters.add(run.run(scenes, sinks, progress), run.times());
      }
    }
  }

  /** A portion has a bounded number of problems; the driver counts those of all. */
  private static EncodeRun.Options options(EncodeRun.Options all, Job told) {
    EncodeRun.Options patient =
        new EncodeRun.Options(all.batch(), all.threads(), Integer.MAX_VALUE, all.look());
    return told.index().thumbnails() ? patient : patient.withoutThumbnails();
  }

  private BulkSink.Transport counted(BulkSink.Transport transport) {
    return lines -> {
      long start = System.nanoTime();
      try {
        return transport.post(lines);
      } finally {
        synchronized (meters) {
          meters.sendNanos().add(System.nanoTime() - start);
          meters.bytes().add(lines.length);
        }
      }
    };
  }
}
