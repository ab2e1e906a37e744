/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.image.ImageFormatException;
import io.crossmodal.model.image.Window;
import io.crossmodal.trainer.data.Georeference;
import io.crossmodal.trainer.data.stac.AssetChoice;
import io.crossmodal.trainer.data.stac.StacItem;
import io.crossmodal.trainer.data.stac.StacItem.Asset;
import io.crossmodal.trainer.raster.RasterFile;
import io.crossmodal.trainer.raster.Rasters;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * What is cloud in a scene: by Sentinel-2's scene classification (SCL) beside it, or by a band of
 * its own.
 *
 * @param most share of a chip's pixels with data that may be cloud, 0 to 1
 * @param classes where the classification lies: a path from the scene's folder, whose last part may
 *     have * and ?, or the key of an asset; empty: where Sentinel-2's products, their COGs and
 *     their catalogues have it
 * @param band of the scene, counted from 0, where what is above 0 is cloud; -1: the classification
 *     says it
 */
public record Clouds(double most, Optional<String> classes, int band) {
  /** Medium and high probability, and thin cirrus, as Sen2Cor numbers them. */
  private static final int FIRST_CLOUD = 8;

  private static final int LAST_CLOUD = 10;

  /** Columns and rows that are looked at of a chip. */
  private static final int SEEN = 512;

  private static final List<String> USUAL =
      List.of("SCL.*", "*_SCL_20m.*", "../R20m/*_SCL_20m.*", "*_SCL.*");

  /** How patterns begin of which what the star stands for names the scene. */
  private static final String NAMED = "*_SCL";

  public Clouds {
    if (!(most >= 0 && most <= 1)) {
      throw new IllegalArgumentException("the share of clouds is 0 to 1, such as 0.6, got " + most);
    }
    if (band >= 0 && classes.isPresent()) {
      throw new IllegalArgumentException(
          "clouds are said by a band of the scene or by a file beside it, not by both");
    }
  }

  /**
   * Returns the asset that says what is cloud in an item; empty where a band of the scene says it,
   * or a file beside it may.
   *
   * @param assets that the scene is made of
   * @throws IllegalArgumentException when there is none, and the scene will lie where nothing is
   *     beside it; or it is the scene
   */
  Optional<Asset> asset(StacItem item, List<Asset> assets) {
    if (band >= 0) {
      return Optional.empty();
    }
    Optional<Asset> found = AssetChoice.classification(item, classes);
    if (found.isPresent()
        && assets.stream().anyMatch(asset -> asset.href().equals(found.get().href()))) {
      throw new IllegalArgumentException(
          "has ["
              + found.get().key()
              + "] for what says what is cloud, which is the scene itself: choose another with"
              + " --asset or --scl");
    }
    if (found.isEmpty() && (assets.size() > 1 || assets.get(0).isRemote())) {
      throw new IllegalArgumentException(
          "has no asset ["
              + classes.orElse("scl")
              + "] that says what is cloud; it has "
              + AssetChoice.keys(item)
              + ": --scl names one, --cloud-band a band of the scene");
    }
    return found;
  }

  /**
   * Returns the classification of a scene; empty where a band of its own says what is cloud.
   *
   * @param scene its path
   * @param given where it is known to lie; empty: it is looked for beside the scene
   * @param file it, open
   * @throws ImageFormatException when there is none, several fit, or it covers other ground
   */
  Optional<Path> find(Path scene, Optional<Path> given, RasterFile file, Rasters rasters)
      throws IOException {
    if (band >= 0) {
      if (band >= file.raster().bands()) {
        throw new ImageFormatException(
            file.raster().samples()
                + "; --cloud-band names band "
                + (band + 1)
                + ", counted from 1");
      }
      return Optional.empty();
    }
    if (given.isPresent()) {
      check(file, given.get(), rasters);
      return given;
    }
    List<String> patterns = classes.map(List::of).orElse(USUAL);
    for (String pattern : patterns) {
      Optional<Path> found = find(scene, pattern);
      if (found.isPresent()) {
        check(file, found.get(), rasters);
        return found;
      }
    }
    throw new ImageFormatException(
        "no scene classification beside it, "
            + patterns
            + ": --scl says where it lies, --cloud-band which of its bands shows clouds");
  }

  /**
   * Returns whether a file lies and is called as a classification beside scenes does, so that it is
   * no scene itself.
   */
  boolean isClassification(Path file) {
    return band < 0
        && classes.map(List::of).orElse(USUAL).stream().anyMatch(like -> lies(file, like));
  }

  private static boolean lies(Path file, String pattern) {
    Path like = Path.of(pattern).normalize();
    Path at = like.isAbsolute() ? file.toAbsolutePath().normalize() : file;
    if (!FileSystems.getDefault()
        .getPathMatcher("glob:" + like.getFileName())
        .matches(at.getFileName())) {
      return false;
    }
    // The folders above it, as far as the pattern names them.
    Path above = at.toAbsolutePath().normalize().getParent();
    for (Path named = like.getParent(); named != null; named = named.getParent()) {
      if (named.getFileName() == null || named.getFileName().toString().equals("..")) {
        return true;
      }
      if (above == null || !named.getFileName().equals(above.getFileName())) {
        return false;
      }
      above = above.getParent();
    }
    return true;
  }

  private Optional<Path> find(Path scene, String pattern) throws IOException {
    if (Rasters.isName(scene)) {
      boolean plain = pattern.indexOf('*') < 0 && pattern.indexOf('?') < 0;
      return plain ? Optional.of(scene.resolveSibling(pattern).normalize()) : Optional.empty();
    }
    Path like = scene.toAbsolutePath().resolveSibling(pattern).normalize();
    if (!Files.isDirectory(like.getParent())) {
      return Optional.empty();
    }
    List<Path> found = new ArrayList<>();
    try (DirectoryStream<Path> files =
        Files.newDirectoryStream(like.getParent(), like.getFileName().toString())) {
      for (Path file : files) {
        if (!file.equals(scene.toAbsolutePath().normalize())
            && !isNote(file)
            && (classes.isPresent() || isOf(scene, file, pattern))) {
          found.add(file);
        }
      }
    }
    // Of the classifications of many scenes in a folder, the one whose name begins as the scene's.
    found.sort(Comparator.comparingInt((Path file) -> -common(file, scene)).thenComparing(f -> f));
    if (found.size() > 1 && common(found.get(0), scene) == common(found.get(1), scene)) {
      throw new ImageFormatException(
          "several files may be its scene classification, "
              + found.get(0)
              + " and "
              + found.get(1)
              + ": --scl names one");
    }
    return found.stream().findFirst();
  }

  /** In a folder of many scenes, the one that is there may be of another date. */
  private static boolean isOf(Path scene, Path file, String pattern) {
    if (!pattern.startsWith(NAMED)) {
      return true;
    }
    String name = file.getFileName().toString();
    String before = name.substring(0, name.lastIndexOf(NAMED.substring(1)));
    return scene.getFileName().toString().startsWith(before);
  }

  private static boolean isNote(Path file) {
    return file.getFileName().toString().endsWith(".xml");
  }

  private static int common(Path file, Path scene) {
    String a = file.getFileName().toString();
    String b = scene.getFileName().toString();
    int i = 0;
    while (i < Math.min(a.length(), b.length()) && a.charAt(i) == b.charAt(i)) {
      i++;
    }
    return i;
  }

  private static void check(RasterFile scene, Path classes, Rasters rasters) throws IOException {
    try (RasterFile file = rasters.open(classes)) {
      Optional<Georeference> own = scene.place();
      Optional<Georeference> other = file.place();
      if (own.isPresent() && other.isPresent() && !other.get().covers(own.get())) {
        throw new ImageFormatException("it covers other ground than the scene");
      }
    } catch (ImageFormatException e) {
      throw new ImageFormatException("scene classification " + classes + ": " + e.getMessage(), e);
    }
  }

  /**
   * Returns the share of a window that is cloud.
   *
   * @param classes the scene's classification
   * @param window in pixels of the scene
   * @param width of the scene
   * @param height of the scene
   */
  static double share(RasterFile classes, Window window, int width, int height) {
    Window there =
        window.scaled(width, height, classes.raster().width(), classes.raster().height());
    float[] values = classes.raster().values(0, there, SEEN).bands().values();
    int seen = 0;
    int clouds = 0;
    for (float value : values) {
      // 0 is no data.
      seen += value > 0 ? 1 : 0;
      clouds += value >= FIRST_CLOUD && value <= LAST_CLOUD ? 1 : 0;
    }
    return seen == 0 ? 0 : (double) clouds / seen;
  }

  /**
   * Returns the share of a chip's pixels with data that is cloud, by the band that says so; 0 where
   * that has no data.
   */
  double share(BandImage chip) {
    int area = chip.width() * chip.height();
    int seen = 0;
    int clouds = 0;
    for (int i = band * area; i < (band + 1) * area; i++) {
      float value = chip.values()[i];
      seen += Float.isFinite(value) ? 1 : 0;
      clouds += Float.isFinite(value) && value > 0 ? 1 : 0;
    }
    return seen == 0 ? 0 : (double) clouds / seen;
  }
}
