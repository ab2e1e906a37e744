/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.image.FileKind;
import io.crossmodal.model.image.ImageFormatException;
import io.crossmodal.model.image.TiffScene;
import io.crossmodal.model.image.Window;
import io.crossmodal.trainer.data.Georeference;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Scenes that are cut to chips. Headers are read first, so that it is known how many chips there
 * will be; a scene is opened when its first chip is asked for and closed after its last.
 */
public final class Scenes implements Closeable {
  /** Enough to tell what a file is. */
  private static final int HEAD = 1024;

  private final List<Plan> plans = new ArrayList<>();
  private final List<String> problems = new ArrayList<>();
  private final List<String> unplaced = new ArrayList<>();
  private final Set<OpenScene> open = ConcurrentHashMap.newKeySet();
  private final double mostNoData;
  private volatile String current = "";

  /**
   * What is done with a scene.
   *
   * @param place empty where it is not known
   * @param level overview that is read
   * @param resolution metres along a pixel that it is cut at
   * @param stamp names the file, its size and its time
   */
  private record Plan(
      SourceImage image,
      Optional<Georeference> place,
      Cutting.Grid grid,
      int level,
      OptionalDouble resolution,
      String stamp) {
    Path file() {
      return image.files().get(0);
    }
  }

  private Scenes(double mostNoData) {
    this.mostNoData = mostNoData;
  }

  /**
   * Reads the headers of scenes.
   *
   * @param bundle of the model that will encode them
   * @param sensor that took them
   * @throws IllegalArgumentException when a picture has a file a band, or the sensor takes no such
   *     look
   */
  public static Scenes plan(
      List<SourceImage> images, Cutting cutting, ModelBundle bundle, String sensor, Look look) {
    PictureReader reader = EncodeRun.reader(bundle, sensor, look);
    Scenes scenes = new Scenes(cutting.mostNoData());
    for (SourceImage image : images) {
      if (image.files().size() != 1) {
        throw new IllegalArgumentException(
            image.path() + " has a file a band; chips are cut from scenes of one TIFF each");
      }
      try {
        scenes.plan(image, cutting, reader);
      } catch (IllegalArgumentException e) {
        scenes.problems.add(image.place() + ": " + e.getMessage());
      } catch (IOException | UncheckedIOException e) {
        scenes.problems.add(image.place() + ": cannot be read: " + e);
      }
    }
    return scenes;
  }

  private void plan(SourceImage image, Cutting cutting, PictureReader reader) throws IOException {
    Path file = image.files().get(0);
    checkIsTiff(file);
    try (TiffScene scene = TiffScene.open(file)) {
      reader.check(scene);
      Optional<Georeference> place = Optional.empty();
      Optional<Geolocation.Pixel> pixel = Optional.empty();
      try {
        place = Georeference.of(scene);
        pixel = place.map(found -> new Geolocation(found).pixel());
      } catch (IllegalArgumentException e) {
        if (cutting.needsGround()) {
          throw e;
        }
        place = Optional.empty();
        unplaced.add(file + ": " + e.getMessage());
      }
      Cutting.Grid grid = cutting.grid(scene.width(), scene.height(), pixel);
      OptionalDouble resolution =
          cutting.resolution().isPresent() || pixel.isEmpty()
              ? cutting.resolution()
              : OptionalDouble.of(pixel.get().side());
      plans.add(
          new Plan(
              image,
              place,
              grid,
              scene.level(grid.scale()),
              resolution,
              image.path() + PictureFile.stamp(file)));
    }
  }

  private static void checkIsTiff(Path file) throws IOException {
    Optional<FileKind> kind;
    try (InputStream in = Files.newInputStream(file)) {
      kind = FileKind.of(in.readNBytes(HEAD));
    }
    if (kind.isEmpty() || kind.get() != FileKind.TIFF) {
      throw new ImageFormatException(
          (kind.isEmpty() ? "no picture" : "the file is " + kind.get().title())
              + "; scenes are cut from TIFF: gdal_translate -of COG IN OUT.tif makes one");
    }
  }

  /** Returns how many scenes will be cut. */
  public int size() {
    return plans.size();
  }

  /** Returns how many chips they are cut to, those without data included. */
  public long chips() {
    return plans.stream().mapToLong(plan -> plan.grid.size()).sum();
  }

  /** Returns the scenes that are left out, a line each. */
  public List<String> problems() {
    return List.copyOf(problems);
  }

  /** Returns the scenes that are cut without a place, though their files have one, a line each. */
  public List<String> unplaced() {
    return List.copyOf(unplaced);
  }

  /** Returns which scene is read, such as "scene 3 of 17, T32UNE.tif"; empty before the first. */
  public String current() {
    return current;
  }

  /** Returns the chips, scene by scene and row by row. */
  Iterator<Encodable> iterator() {
    return new Iterator<>() {
      private int nextPlan;
      private int nextChip;
      private OpenScene scene;

      @Override
      public boolean hasNext() {
        return (scene != null && nextChip < scene.plan.grid.size()) || nextPlan < plans.size();
      }

      @Override
      public Encodable next() {
        if (scene == null || nextChip == scene.plan.grid.size()) {
          if (nextPlan == plans.size()) {
            throw new NoSuchElementException("no more scenes");
          }
          scene = new OpenScene(plans.get(nextPlan++));
          nextChip = 0;
          open.add(scene);
          current = "scene " + nextPlan + " of " + plans.size() + ", " + scene.plan.image.path();
        }
        return new SceneChip(scene, scene.plan.grid.window(nextChip++), mostNoData);
      }
    };
  }

  @Override
  public void close() throws IOException {
    for (OpenScene scene : open) {
      scene.close();
    }
  }

  /** A scene whose chips are being cut. */
  private final class OpenScene implements Closeable {
    private final Plan plan;
    private final AtomicInteger left;
    private TiffScene file;
    private String content;
    private Optional<Stretch> range;

    OpenScene(Plan plan) {
      this.plan = plan;
      this.left = new AtomicInteger(plan.grid.size());
    }

    synchronized TiffScene file() throws IOException {
      if (file == null) {
        file = TiffScene.open(plan.file());
      }
      return file;
    }

    /** The digest of its bytes, which are read once. */
    synchronized String content() throws IOException {
      if (content == null) {
        content = ContentId.digest(plan.file());
      }
      return content;
    }

    synchronized Optional<Stretch> range(PictureReader reader) throws IOException {
      if (range == null) {
        range = reader.range(file());
      }
      return range;
    }

    void done() {
      if (left.decrementAndGet() == 0) {
        close();
        open.remove(this);
      }
    }

    @Override
    public synchronized void close() {
      if (file != null) {
        try {
          file.close();
        } catch (IOException e) {
          throw new UncheckedIOException("closing " + plan.file(), e);
        }
      }
    }
  }

  /** A window of a scene. */
  private record SceneChip(OpenScene scene, Window window, double mostNoData) implements Encodable {
    @Override
    public SourceImage image() {
      return scene.plan.image;
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
      return ContentId.shortened(scene.plan.stamp + "\0" + where() + scene.plan.level);
    }

    @Override
    public Reading read(PictureReader reader) throws IOException {
      Plan plan = scene.plan;
      PictureReader.Part part =
          reader.window(scene.file(), plan.level, window, mostNoData, () -> scene.range(reader));
      if (part.seen().isEmpty()) {
        return Reading.SHOWS_NOTHING;
      }
      PictureReader.Seen seen = part.seen().get();
      String sensor = reader.sensor();
      String shown = plan.level + " " + seen.stretch() + " " + reader.rgb();
      Facts facts =
          new Facts(
              ContentId.chip(sensor, scene.content(), where(), ""),
              ContentId.chip(sensor, scene.content(), where(), shown),
              plan.place.map(place -> PictureReader.Place.of(place.part(window))),
              Optional.of(new Chip(window, plan.resolution, part.noData())),
              seen.stretch(),
              seen.thumbnail());
      return new Reading(Optional.of(facts), Optional.of(seen.pixels()), "");
    }

    @Override
    public void done() {
      scene.done();
    }
  }
}
