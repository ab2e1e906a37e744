/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.image.FileKind;
import io.crossmodal.model.image.ImageFormatException;
import io.crossmodal.model.image.TiffScene;
import io.crossmodal.trainer.data.Georeference;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
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
   * @param part of it that is cut
   */
  record Plan(
      SourceImage image,
      Optional<Georeference> place,
      Cutting.Grid grid,
      int level,
      OptionalDouble resolution,
      String stamp,
      Part part) {
    Path file() {
      return image.files().get(0);
    }

    int chips() {
      return part.to - part.from;
    }
  }

  /**
   * Chips of a scene that are cut, by their numbers.
   *
   * @param from the first
   * @param to behind the last
   * @param content digest of the scene's bytes; null where it is not known yet
   */
  record Part(int from, int to, String content) {}

  /**
   * A scene that was planned, for whoever cuts it.
   *
   * @param chips that it is cut to
   * @param content digest of its bytes
   * @param stamp names the file, its size and its time
   */
  public record Listed(SourceImage image, int chips, String content, String stamp)
      implements Serializable {}

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
              image.path() + PictureFile.stamp(file),
              new Part(0, grid.size(), null)));
    }
  }

  /**
   * Plans some chips of a scene that was planned by another process. A scene that is not there any
   * more, or another one, is a problem.
   *
   * @param from number of the first chip
   * @param to number behind the last one
   */
  public static Scenes part(
      Listed listed,
      int from,
      int to,
      Cutting cutting,
      ModelBundle bundle,
      String sensor,
      Look look) {
    Scenes scenes = plan(List.of(listed.image), cutting, bundle, sensor, look);
    if (!scenes.plans.isEmpty()) {
      Plan whole = scenes.plans.remove(0);
      if (whole.stamp.equals(listed.stamp)) {
        Part part = new Part(from, to, listed.content);
        scenes.plans.add(
            new Plan(
                whole.image,
                whole.place,
                whole.grid,
                whole.level,
                whole.resolution,
                whole.stamp,
                part));
      } else {
        scenes.problems.add(whole.file() + ": was changed after it was listed");
      }
    }
    return scenes;
  }

  /**
   * Reads the scenes to their ends, for the digests from which ids are made. One that cannot be
   * read becomes a problem.
   */
  public List<Listed> list() {
    List<Listed> listed = new ArrayList<>();
    for (Plan plan : plans) {
      try {
        String content = ContentId.digest(plan.file());
        listed.add(new Listed(plan.image, plan.chips(), content, plan.stamp));
      } catch (IOException e) {
        problems.add(plan.file() + ": cannot be read: " + e);
      }
    }
    return listed;
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
    return plans.stream().mapToLong(Plan::chips).sum();
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
        return (scene != null && nextChip < scene.plan.part.to) || nextPlan < plans.size();
      }

      @Override
      public Encodable next() {
        if (scene == null || nextChip == scene.plan.part.to) {
          if (nextPlan == plans.size()) {
            throw new NoSuchElementException("no more scenes");
          }
          scene = new OpenScene(plans.get(nextPlan++));
          nextChip = scene.plan.part.from;
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
  final class OpenScene implements Closeable {
    final Plan plan;
    private final AtomicInteger left;
    private TiffScene file;
    private String content;
    private Optional<Stretch> range;

    OpenScene(Plan plan) {
      this.plan = plan;
      this.content = plan.part.content;
      this.left = new AtomicInteger(plan.chips());
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
}
