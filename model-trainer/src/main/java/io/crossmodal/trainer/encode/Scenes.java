/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.image.ImageFormatException;
import io.crossmodal.model.image.Raster;
import io.crossmodal.model.image.Stretch;
import io.crossmodal.model.image.Window;
import io.crossmodal.trainer.raster.RasterFile;
import io.crossmodal.trainer.raster.Rasters;
import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;

/**
 * Scenes that are cut to chips. Headers are read first, so that it is known how many chips there
 * will be; a scene is opened when its first chip is asked for and closed after its last.
 */
public final class Scenes implements Closeable {
  private final Rasters rasters;
  private final Cutting cutting;
  private final List<ScenePlan> plans = new ArrayList<>();
  private final List<String> problems = new ArrayList<>();
  private final List<String> unplaced = new ArrayList<>();
  private final Set<OpenScene> open = ConcurrentHashMap.newKeySet();
  private volatile String current = "";

  private Scenes(Rasters rasters, Cutting cutting) {
    this.rasters = rasters;
    this.cutting = cutting;
  }

  /**
   * Reads the headers of scenes. Files that say what is cloud in others are no scenes.
   *
   * @param rasters opens them
   * @param bundle of the model that will encode them
   * @param sensor that took them
   * @throws IllegalArgumentException when a picture has a file a band, or the sensor takes no such
   *     look
   */
  public static Scenes plan(
      List<SourceImage> images,
      Rasters rasters,
      Cutting cutting,
      ModelBundle bundle,
      String sensor,
      Look look) {
    PictureReader reader = EncodeRun.reader(bundle, sensor, look);
    Scenes scenes = new Scenes(rasters, cutting);
    Map<Path, String> refused = new LinkedHashMap<>();
    for (SourceImage image : images) {
      if (image.files().size() != 1) {
        throw new IllegalArgumentException(
            image.path()
                + " has a file a band; chips are cut from scenes of one file each, which"
                + " gdalbuildvrt -separate SCENE.vrt RED GREEN BLUE makes");
      }
      try {
        scenes.plans.add(ScenePlan.read(image, rasters, cutting, reader, scenes.unplaced::add));
      } catch (IllegalArgumentException e) {
        refused.put(image.place(), e.getMessage());
      } catch (NoSuchFileException e) {
        refused.put(image.place(), "there is no such file: " + e.getFile());
      } catch (IOException | UncheckedIOException e) {
        refused.put(image.place(), "cannot be read: " + e);
      }
    }
    Set<Path> classes = new HashSet<>();
    scenes.plans.forEach(plan -> plan.classes().ifPresent(classes::add));
    Predicate<Path> isNone = path -> classes.contains(path.toAbsolutePath().normalize());
    scenes.plans.removeIf(plan -> isNone.test(plan.path()));
    refused.keySet().removeIf(isNone);
    refused.forEach((path, why) -> scenes.problems.add(path + ": " + why));
    return scenes;
  }

  /** Returns how many scenes will be cut. */
  public int size() {
    return plans.size();
  }

  /** Returns how many chips they are cut to, those without data included. */
  public long chips() {
    return plans.stream().mapToLong(plan -> plan.grid().size()).sum();
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
        return (scene != null && nextChip < scene.plan.grid().size()) || nextPlan < plans.size();
      }

      @Override
      public Encodable next() {
        if (scene == null || nextChip == scene.plan.grid().size()) {
          if (nextPlan == plans.size()) {
            throw new NoSuchElementException("no more scenes");
          }
          scene = new OpenScene(plans.get(nextPlan++));
          nextChip = 0;
          open.add(scene);
          current = "scene " + nextPlan + " of " + plans.size() + ", " + scene.plan.image().path();
        }
        return new SceneChip(scene, scene.plan.grid().window(nextChip++), cutting);
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
    private final ScenePlan plan;
    private final AtomicInteger left;

    /** Damages that chips have met, each one object for the same part of the scene. */
    private final Set<ImageFormatException> damages =
        Collections.newSetFromMap(new IdentityHashMap<>());

    private RasterFile file;
    private RasterFile classes;
    private String content;
    private Optional<Stretch> range;

    OpenScene(ScenePlan plan) {
      this.plan = plan;
      this.left = new AtomicInteger(plan.grid().size());
    }

    synchronized Raster raster() throws IOException {
      if (file == null) {
        file = rasters.open(plan.path());
      }
      return file.raster();
    }

    private synchronized RasterFile classes() throws IOException {
      if (classes == null) {
        classes = rasters.open(plan.classes().orElseThrow());
      }
      return classes;
    }

    /** Returns what share of a window is cloud; empty where that is not looked at, or by a band. */
    OptionalDouble cloud(Window window) throws IOException {
      return plan.classes().isEmpty()
          ? OptionalDouble.empty()
          : OptionalDouble.of(
              Clouds.share(classes(), window, plan.grid().width(), plan.grid().height()));
    }

    /** The digest of its bytes, which are read once. */
    synchronized String content() throws IOException {
      if (content == null) {
        content = plan.content();
      }
      return content;
    }

    synchronized Optional<Stretch> range(PictureReader reader) throws IOException {
      if (range == null) {
        range = reader.range(raster());
      }
      return range;
    }

    synchronized boolean isNew(ImageFormatException damage) {
      return damages.add(damage);
    }

    void done() {
      if (left.decrementAndGet() == 0) {
        close();
        open.remove(this);
      }
    }

    @Override
    public synchronized void close() {
      try (RasterFile first = file;
          RasterFile second = classes) {
        file = null;
        classes = null;
      } catch (IOException e) {
        throw new UncheckedIOException("closing " + plan.path(), e);
      }
    }
  }

  /** A window of a scene. */
  private record SceneChip(OpenScene scene, Window window, Cutting cutting) implements Encodable {
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
    public String emptyStamp() {
      return ContentId.shortened(stamped() + "\0" + cutting.skipping());
    }

    @Override
    public Reading read(PictureReader reader) throws IOException {
      try {
        return readOnce(reader);
      } catch (ImageFormatException e) {
        if (scene.isNew(e)) {
          throw e;
        }
        return Reading.left(Left.DAMAGED);
      }
    }

    private Reading readOnce(PictureReader reader) throws IOException {
      ScenePlan plan = scene.plan;
      OptionalDouble cloud = scene.cloud(window);
      double mostCloud = cutting.clouds().map(Clouds::most).orElse(1.0);
      if (cloud.orElse(0) > mostCloud) {
        return Reading.left(Left.EMPTY);
      }
      PictureReader.Part part =
          reader.window(scene.raster(), plan.level(), window, cutting, () -> scene.range(reader));
      if (part.seen().isEmpty()) {
        return Reading.left(Left.EMPTY);
      }
      PictureReader.Seen seen = part.seen().get();
      String sensor = reader.sensor();
      String shown = plan.level() + " " + seen.stretch() + " " + reader.rgb();
      Facts facts =
          new Facts(
              ContentId.chip(sensor, scene.content(), where(), ""),
              ContentId.chip(sensor, scene.content(), where(), shown),
              plan.place().map(place -> reader.place(place.part(window))),
              Optional.of(
                  new Chip(
                      window,
                      plan.resolution(),
                      part.noData(),
                      cloud.isPresent() ? cloud : part.cloud(),
                      plan.acquired())),
              seen.stretch(),
              seen.thumbnail());
      return Reading.of(facts, seen.pixels(), "");
    }

    @Override
    public void done() {
      scene.done();
    }
  }
}
