/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.spark;

import io.crossmodal.trainer.encode.Cutting;
import io.crossmodal.trainer.encode.DocumentFormat;
import io.crossmodal.trainer.encode.Scenes;
import io.crossmodal.trainer.encode.SourceImage;
import java.util.List;
import org.apache.spark.api.java.function.Function;
import org.apache.spark.broadcast.Broadcast;

/**
 * Reads the header of a scene, and the scene to its end for the digest that its chips' ids are made
 * from: once, so that no task need do it for its portion.
 *
 * @param application id
 */
record ListScenes(String application, Broadcast<Job> job, Meters meters)
    implements Function<SourceImage, List<Scenes.Listed>> {
  private static final long serialVersionUID = 1;

  /** Returns the scene; none where it cannot be cut, which the meters are told. */
  @Override
  public List<Scenes.Listed> call(SourceImage image) throws Exception {
    return ExecutorModel.ofThisJvm()
        .run(
            application,
            job.value(),
            executor -> {
              Cutting cutting = executor.arguments().cutting().orElseThrow();
              DocumentFormat format =
                  executor.arguments().format(executor.bundle().manifest(), job.value().index());
              try (Scenes scenes =
                  Scenes.plan(
                      List.of(image),
                      cutting,
                      executor.bundle(),
                      format.sensor(),
                      executor.arguments().options(job.value().threads()).look())) {
                List<Scenes.Listed> listed = scenes.list();
                Attempts.again(scenes);
                meters.listed().add(1);
                scenes.problems().forEach(meters.problems()::add);
                scenes.unplaced().forEach(meters.unplaced()::add);
                return listed;
              }
            });
  }
}
