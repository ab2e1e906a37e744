/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.image.Window;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * A window of a scene.
 *
 * @param cutting says how much of it may be without data, or cloud
 */
record SceneChip(Scenes.OpenScene scene, Window window, Cutting cutting) implements Encodable {
  @Override
  public SourceImage image() {
    return scene.plan.image();
  }

  @Override
  public String name() {
    return scene.plan.path() + " " + where();
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

  private String stamped() {
    return scene.plan.stamp() + "\0" + where() + scene.plan.level();
  }

  @Override
  public String stamp() {
    return ContentId.shortened(stamped());
  }

  @Override
  public Optional<String> emptyStamp() {
    return Optional.of(ContentId.shortened(stamped() + "\0" + cutting.skipping()));
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
    try {
      return readOnce(reader);
    } catch (IOException | IllegalArgumentException | UncheckedIOException e) {
      if (scene.isNew(e)) {
        throw e;
      }
      throw new KnownDamage(e);
    }
  }

  private Reading readOnce(PictureReader reader) throws IOException {
    ScenePlan plan = scene.plan;
    OptionalDouble cloud = scene.cloud(window);
    if (cloud.orElse(0) > cutting.clouds().map(Clouds::most).orElse(1.0)) {
      return Reading.SHOWS_NOTHING;
    }
    PictureReader.Part part =
        reader.window(scene.raster(), plan.level(), window, cutting, () -> scene.range(reader));
    if (part.seen().isEmpty()) {
      return Reading.SHOWS_NOTHING;
    }
    PictureReader.Seen seen = part.seen().get();
    Identity told = told(reader);
    Chip chip =
        new Chip(
            window,
            plan.resolution(),
            part.noData(),
            cloud.isPresent() ? cloud : part.cloud(),
            plan.acquired());
    Facts facts =
        new Facts(
            told.identity(),
            told.digest(),
            plan.place().map(place -> reader.place(place.part(window))),
            Optional.of(chip),
            seen.stretch(),
            seen.thumbnail());
    return new Reading(Optional.of(facts), Optional.of(seen.pixels()), "");
  }

  @Override
  public void done() {
    scene.done();
  }
}
