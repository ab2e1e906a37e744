/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import com.google.gson.stream.JsonWriter;
import io.crossmodal.model.image.JpegWriter;
import io.crossmodal.trainer.data.Split;
import java.awt.image.BufferedImage;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Writes a data set of generated scenes: {@code images/*.jpg} and {@code dataset.json} in Karpathy
 * style. The same configuration gives the same bytes on the same Java runtime, whatever the number
 * of threads.
 *
 * <p>The JSON is written last, to a temporary name and then moved: a folder with a {@code
 * dataset.json} is complete.
 */
public final class SceneDatasetWriter {

  /** The JSON's name in the folder. */
  public static final String JSON = "dataset.json";

  /** The images' folder in the folder. */
  public static final String IMAGES = "images";

  private static final String JPEG = ".jpg";
  private static final float JPEG_QUALITY = 0.9f;

  /**
   * Each split takes its scenes from a range of indices of its own, so that the test scenes of a
   * seed stay the same however many train scenes there are, and no twin's original is in another
   * split. A multiple of {@link SceneGenerator#BLOCK}.
   */
  private static final int INDICES_PER_SPLIT = 500_000_000;

  /**
   * Configuration of the data set to write.
   *
   * @param train number of train images; likewise val and test: each 0 to 500,000,000, at least one
   *     of them above 0
   * @param seed any number
   * @param size the side of a picture in pixels, 32 to 2048
   * @param twins the share of near twins, 0 to 0.9
   */
  public record Config(int train, int val, int test, long seed, int size, double twins) {

    public Config {
      check("train", train);
      check("val", val);
      check("test", test);
      if ((long) train + val + test < 1) {
        throw new IllegalArgumentException(
            "at least one of train, val and test must be 1 or more, got 0 for all");
      }
    }

    private static void check(String name, int count) {
      if (count < 0 || count > INDICES_PER_SPLIT) {
        throw new IllegalArgumentException(
            name + " must be 0 to " + INDICES_PER_SPLIT + " images, got " + count);
      }
    }

    /** Returns how many images that is. */
    public long total() {
      return (long) train + val + test;
    }

    int count(Split split) {
      return split == Split.TRAIN ? train : split == Split.VAL ? val : test;
    }
  }

  private final Config config;
  private final SceneGenerator generator;
  private final SceneRenderer renderer;

  public SceneDatasetWriter(Config config) {
    this.config = config;
    this.generator = new SceneGenerator(config.seed(), config.twins());
    this.renderer = new SceneRenderer(config.size());
  }

  /** Returns the scene of a split's n-th image, n from 0. */
  public Scene scene(Split split, int n) {
    return generator.scene(firstIndex(split) + n);
  }

  private static int firstIndex(Split split) {
    return switch (split) {
      case TRAIN -> 0;
      case VAL -> INDICES_PER_SPLIT;
      default -> 2 * INDICES_PER_SPLIT;
    };
  }

  /**
   * Returns whether the folder is missing or empty, so that nothing can be lost by writing there.
   */
  public static boolean isFree(Path folder) throws IOException {
    if (!Files.exists(folder)) {
      return true;
    }
    if (!Files.isDirectory(folder)) {
      return false;
    }
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder)) {
      return !entries.iterator().hasNext();
    }
  }

  /**
   * Writes the data set. Images of an earlier data set in the folder are removed, nothing else is.
   *
   * @param threads at least 1
   * @param onImage called once per image written, from any thread
   * @return the JSON file
   */
  public Path write(Path folder, int threads, Runnable onImage)
      throws IOException, InterruptedException {
    if (threads < 1) {
      throw new IllegalArgumentException("threads must be at least 1, got " + threads);
    }
    Path images = Files.createDirectories(folder.resolve(IMAGES));
    Path json = folder.resolve(JSON);
    Files.deleteIfExists(json);
    deleteOld(images);
    List<List<SceneCaption>> captions = new ArrayList<>();
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try {
      List<Future<List<SceneCaption>>> tasks = new ArrayList<>();
      for (Split split : Split.values()) {
        for (int n = 0; n < config.count(split); n++) {
          int at = n;
          tasks.add(pool.submit(() -> image(images, split, at, onImage)));
        }
      }
      for (Future<List<SceneCaption>> task : tasks) {
        captions.add(task.get());
      }
    } catch (ExecutionException e) {
      throw new IOException(
          "writing scenes to " + folder + " failed: " + e.getCause().getMessage(), e.getCause());
    } finally {
      pool.shutdownNow();
      // Waits: no picture may appear once this method has failed.
      pool.close();
    }
    Path temporary = folder.resolve(JSON + ".tmp");
    writeJson(temporary, "", JPEG, captions);
    return Files.move(
        temporary, json, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }

  private static void deleteOld(Path images) throws IOException {
    try (DirectoryStream<Path> old =
        Files.newDirectoryStream(images, "{train,val,test}_[0-9]*.jpg")) {
      for (Path file : old) {
        Files.delete(file);
      }
    }
  }

  /** Returns the name of a split's n-th image, without an extension. */
  static String name(Split split, int n) {
    return String.format(Locale.ROOT, "%s_%06d", split.label(), n);
  }

  /** Returns a scene as an ordinary picture. */
  BufferedImage picture(Scene scene) {
    return renderer.render(scene);
  }

  private List<SceneCaption> image(Path images, Split split, int n, Runnable onImage)
      throws IOException {
    Scene scene = scene(split, n);
    Files.write(
        images.resolve(name(split, n) + JPEG), JpegWriter.write(picture(scene), JPEG_QUALITY));
    onImage.run();
    return SceneCaptions.describe(scene);
  }

  /**
   * Writes the captions of all scenes in Karpathy style.
   *
   * @param images folder of the images, relative to the one that is usual beside the file; or empty
   * @param extension of the images
   * @param captions of each scene, split by split
   */
  void writeJson(Path file, String images, String extension, List<List<SceneCaption>> captions)
      throws IOException {
    try (BufferedWriter text = Files.newBufferedWriter(file, StandardCharsets.UTF_8);
        JsonWriter json = new JsonWriter(text)) {
      json.beginObject().name("dataset").value("scenes").name("images").beginArray();
      int image = 0;
      int sentence = 0;
      for (Split split : Split.values()) {
        for (int n = 0; n < config.count(split); n++) {
          json.beginObject().name("filename").value(name(split, n) + extension);
          if (!images.isEmpty()) {
            json.name("filepath").value(images);
          }
          json.name("imgid").value(image).name("split").value(split.label());
          List<SceneCaption> own = captions.get(image);
          json.name("sentids").beginArray();
          for (int i = 0; i < own.size(); i++) {
            json.value(sentence + i);
          }
          json.endArray().name("sentences").beginArray();
          for (SceneCaption caption : own) {
            json.beginObject().name("raw").value(caption.text()).name("tokens").beginArray();
            for (String word : caption.words()) {
              json.value(word);
            }
            json.endArray().name("imgid").value(image).name("sentid").value(sentence++).endObject();
          }
          json.endArray().endObject();
          image++;
        }
      }
      json.endArray().endObject();
    }
  }
}
