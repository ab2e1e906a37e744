/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.image.Raster;
import io.crossmodal.model.image.Stretch;
import io.crossmodal.model.image.Window;
import io.crossmodal.trainer.raster.RasterFile;
import io.crossmodal.trainer.raster.Rasters;
import java.io.Closeable;
import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
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
  private Optional<IOException> failure = Optional.empty();

  /**
   * A scene that was planned, for whoever cuts it.
   *
   * @param chips that it is cut to
   * @param content digest of its bytes
   * @param stamp names the file, its size and its time
   */
  public record Listed(SourceImage image, int chips, String content, String stamp)
      implements Serializable {}

  private Scenes(Cutting cutting) {
    this.rasters = Rasters.of(cutting.reader());
    this.cutting = cutting;
  }

  /**
   * Reads the headers of scenes. Files that say what is cloud in others are no scenes.
   *
   * @param bundle of the model that will encode them
   * @param sensor that took them
   * @throws IllegalArgumentException when a picture has a file a band, the sensor takes no such
   *     look, or the reader that was chosen is missing
   */
  public static Scenes plan(
      List<SourceImage> images, Cutting cutting, ModelBundle bundle, String sensor, Look look) {
    return plan(images, Optional.empty(), cutting, EncodeRun.reader(bundle, sensor, look));
  }

  /**
   * Reads the header of one scene.
   *
   * @param scene its files, and what says where clouds are in it
   */
  static Scenes plan(Candidate.Fetched scene, Archive.Plan plan) {
    return plan(
        List.of(scene.image()),
        scene.classes(),
        plan.cutting().orElseThrow(),
        EncodeRun.reader(plan.bundle(), plan.sensor(), plan.look()));
  }

  private static Scenes plan(
      List<SourceImage> images, Optional<Path> given, Cutting cutting, PictureReader reader) {
    Scenes scenes = new Scenes(cutting);
    Map<Path, String> refused = new LinkedHashMap<>();
    for (SourceImage image : images) {
      if (image.files().size() != 1) {
        throw new IllegalArgumentException(
            image.path()
                + " has a file a band; chips are cut from scenes of one file each, which"
                + " gdalbuildvrt -separate SCENE.vrt RED GREEN BLUE makes");
      }
      try {
        scenes.plans.add(
            ScenePlan.read(image, given, scenes.rasters, cutting, reader, scenes.unplaced::add));
      } catch (IllegalArgumentException e) {
        refused.put(image.place(), e.getMessage());
      } catch (IOException | UncheckedIOException e) {
        scenes.failed(e);
        refused.put(image.place(), EncodeRun.reason(e));
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
      ScenePlan whole = scenes.plans.remove(0);
      if (whole.stamp().equals(listed.stamp)) {
        scenes.plans.add(whole.with(new ScenePlan.Part(from, to, listed.content)));
      } else {
        scenes.problems.add(whole.path() + ": was changed after it was listed");
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
    for (ScenePlan plan : plans) {
      try {
        listed.add(new Listed(plan.image(), plan.chips(), plan.content(), plan.stamp()));
      } catch (IOException e) {
        failed(e);
        problems.add(plan.path() + ": cannot be read: " + e);
      }
    }
    return listed;
  }

  private void failed(Exception e) {
    if (failure.isEmpty()) {
      failure =
          Optional.of(
              e instanceof UncheckedIOException wrapped ? wrapped.getCause() : (IOException) e);
    }
  }

  /**
   * Returns why the first scene could not be read that may be whole, so that another machine, or
   * another time, may do better; empty where all were read.
   */
  public Optional<IOException> failure() {
    return failure;
  }

  /** Returns how many scenes will be cut. */
  public int size() {
    return plans.size();
  }

  /** Returns how many chips they are cut to, those without data included. */
  public long chips() {
    return plans.stream().mapToLong(ScenePlan::chips).sum();
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
        return (scene != null && nextChip < scene.plan.part().to()) || nextPlan < plans.size();
      }

      @Override
      public Encodable next() {
        if (scene == null || nextChip == scene.plan.part().to()) {
          if (nextPlan == plans.size()) {
            throw new NoSuchElementException("no more scenes");
          }
          scene = new OpenScene(plans.get(nextPlan++));
          nextChip = scene.plan.part().from();
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

  /** Finds something of a scene. */
  @FunctionalInterface
  private interface Finder<T> {
    T find() throws IOException;
  }

  /**
   * Something that is found once for all chips of a scene. What cannot be found fails with one
   * exception for all of them: it is one problem, and is not looked for again.
   */
  private static final class Once<T> {
    private T value;
    private Exception failure;

    T get(Finder<T> finder) throws IOException {
      if (failure instanceof IOException known) {
        throw known;
      } else if (failure instanceof RuntimeException known) {
        throw known;
      }
      if (value == null) {
        try {
          value = finder.find();
        } catch (IOException | RuntimeException e) {
          failure = e;
          throw e;
        }
      }
      return value;
    }
  }

  /** A scene whose chips are being cut. */
  final class OpenScene implements Closeable {
    final ScenePlan plan;
    private final AtomicInteger left;

    /** What chips have met, each one object for the same part of the scene, or for all of it. */
    private final Set<Exception> damages = Collections.newSetFromMap(new IdentityHashMap<>());

    private final Once<RasterFile> file = new Once<>();
    private final Once<RasterFile> classes = new Once<>();
    private final Once<String> content = new Once<>();
    private final Once<Optional<Stretch>> range = new Once<>();

    OpenScene(ScenePlan plan) {
      this.plan = plan;
      this.content.value = plan.part().content();
      this.left = new AtomicInteger(plan.chips());
    }

    synchronized Raster raster() throws IOException {
      return file.get(() -> rasters.open(plan.path())).raster();
    }

    private synchronized RasterFile classes() throws IOException {
      return classes.get(() -> rasters.open(plan.classes().orElseThrow()));
    }

    /** Returns what share of a window is cloud; empty where no classification says it. */
    OptionalDouble cloud(Window window) throws IOException {
      return plan.classes().isEmpty()
          ? OptionalDouble.empty()
          : OptionalDouble.of(
              Clouds.share(classes(), window, plan.grid().width(), plan.grid().height()));
    }

    /** The digest of its bytes, which are read once. */
    synchronized String content() throws IOException {
      return content.get(plan::content);
    }

    synchronized Optional<Stretch> range(PictureReader reader) throws IOException {
      return range.get(() -> reader.range(raster()));
    }

    synchronized boolean isNew(Exception damage) {
      return damages.add(damage);
    }

    void done() {
      if (left.decrementAndGet() == 0) {
        close();
        open.remove(this);
      }
    }

    @Override
    @SuppressWarnings("try") // both are closed, whatever the other throws
    public synchronized void close() {
      try (RasterFile first = file.value;
          RasterFile second = classes.value) {
        file.value = null;
        classes.value = null;
      } catch (IOException e) {
        throw new UncheckedIOException("closing " + plan.path(), e);
      }
    }
  }
}
