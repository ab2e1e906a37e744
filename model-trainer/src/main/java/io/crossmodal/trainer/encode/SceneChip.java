/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.image.Window;
import java.io.IOException;
import java.util.Optional;

/**
 * A window of a scene.
 *
 * @param mostNoData share of its pixels that may be without data, 0 to 1
 */
record SceneChip(Scenes.OpenScene scene, Window window, double mostNoData) implements Encodable {
  @Override
  public SourceImage image() {
    return scene.plan.image();
  }

  @Override
  public String name() {
    return scene.plan.file() + " " + where();
  }

  private String where() {
    return "["
        + window.x()
        + ", "
        + window.y()
        + ", "
        + window.width()
        + ", "
        + window.height()
        + "]";
  }

  @Override
  public String stamp() {
    return ContentId.shortened(scene.plan.stamp() + "\0" + where() + scene.plan.level());
  }

  @Override
  public Optional<Identity> identity(PictureReader reader) throws IOException {
    return Optional.of(told(reader));
  }

  private Identity told(PictureReader reader) throws IOException {
    String shown = scene.plan.level() + " " + scene.range(reader) + " " + reader.rgb();
    String sensor = reader.sensor();
    return new Identity(
        ContentId.chip(sensor, scene.content(), where(), ""),
        ContentId.chip(sensor, scene.content(), where(), shown));
  }

  @Override
  public Reading read(PictureReader reader) throws IOException {
    Scenes.Plan plan = scene.plan;
    PictureReader.Part part =
        reader.window(scene.file(), plan.level(), window, mostNoData, () -> scene.range(reader));
    if (part.seen().isEmpty()) {
      return Reading.SHOWS_NOTHING;
    }
    PictureReader.Seen seen = part.seen().get();
    Identity told = told(reader);
    Facts facts =
        new Facts(
            told.identity(),
            told.digest(),
            plan.place().map(place -> PictureReader.Place.of(place.part(window))),
            Optional.of(new Chip(window, plan.resolution(), part.noData())),
            seen.stretch(),
            seen.thumbnail());
    return new Reading(Optional.of(facts), Optional.of(seen.pixels()), "");
  }

  @Override
  public void done() {
    scene.done();
  }
}
