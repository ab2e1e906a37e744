/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.raster;

import io.crossmodal.model.image.FileKind;
import io.crossmodal.model.image.ImageFormatException;
import io.crossmodal.model.image.Raster;
import io.crossmodal.model.image.TiffScene;
import io.crossmodal.trainer.data.Georeference;
import io.crossmodal.trainer.data.PictureFiles;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/** Opens rasters, by this project's own reader or by GDAL. Thread-safe. */
public final class Rasters {
  /** Enough to tell what a file is. */
  private static final int HEAD = 1024;

  /** Suffixes of scenes that GDAL reads, beside those of pictures. */
  private static final Set<String> SUFFIXES =
      Set.of("jp2", "j2k", "jpx", "vrt", "img", "ntf", "nitf", "ecw", "sid", "pix", "kea", "webp");

  private static final String MISSING =
      "GDAL is not installed (gdalinfo and gdal_translate on the PATH; Debian: gdal-bin)";

  private final Choice choice;
  private final String searchPath;

  /** Null where it was not looked for yet. */
  private Optional<Gdal> gdal;

  /** Who reads a raster. */
  public enum Choice {
    /** TIFF by this project's own reader, what it does not read by GDAL where that is installed. */
    AUTO,
    /** GDAL. */
    GDAL,
    /** This project's own reader. */
    BUILTIN
  }

  private Rasters(Choice choice, String searchPath) {
    this.choice = choice;
    this.searchPath = searchPath;
  }

  /** Looks for GDAL when it is first needed: most archives are TIFF. */
  private synchronized Optional<Gdal> gdal() {
    if (gdal == null) {
      gdal = choice == Choice.BUILTIN ? Optional.empty() : Gdal.find(searchPath);
    }
    return gdal;
  }

  /**
   * Returns what opens rasters as chosen.
   *
   * @throws IllegalArgumentException when GDAL is chosen and not installed
   */
  public static Rasters of(Choice choice) {
    return of(choice, searchPath());
  }

  static String searchPath() {
    return Optional.ofNullable(System.getenv("PATH")).orElse("");
  }

  /**
   * Does the same.
   *
   * @param searchPath where programs are looked for
   */
  static Rasters of(Choice choice, String searchPath) {
    Rasters rasters = new Rasters(choice, searchPath);
    if (choice == Choice.GDAL && rasters.gdal().isEmpty()) {
      throw new IllegalArgumentException(MISSING);
    }
    return rasters;
  }

  /** Returns whether a path is a name that only GDAL understands, and no file. */
  public static boolean isName(Path path) {
    return Gdal.isName(path);
  }

  /** Returns whether a path is taken for a scene though it has no suffix of a picture. */
  public boolean takes(Path path) {
    String name = path.toString();
    String suffix = name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT);
    return isName(path)
        || (SUFFIXES.contains(suffix)
            && !PictureFiles.isHidden(path)
            && Files.isRegularFile(path)
            && gdal().isPresent());
  }

  /**
   * Opens a raster.
   *
   * @throws ImageFormatException when nobody reads it, saying why and what would
   * @throws IOException when it cannot be read
   */
  public RasterFile open(Path path) throws IOException {
    if (choice == Choice.GDAL) {
      return GdalRaster.open(gdal().orElseThrow(), path);
    }
    ImageFormatException refused;
    try {
      RasterFile own = tiff(path);
      Optional<String> beside = Sidecars.mask(path);
      if (beside.isEmpty() && choice == Choice.AUTO && gdal().isPresent()) {
        // Without GDAL the scene is cut without a place.
        beside = Sidecars.place(path, own);
      }
      if (beside.isEmpty()) {
        return own;
      }
      own.close();
      refused =
          new ImageFormatException(
              "the file " + beside.get() + " lies beside it, which GDAL alone reads");
    } catch (ImageFormatException e) {
      refused = e;
    }
    if (refused.isDamage()) {
      throw refused;
    }
    if (gdal().isEmpty()) {
      throw new ImageFormatException(
          refused.getMessage()
              + (choice == Choice.AUTO
                  ? ". GDAL is asked for what is not read here, and is missing: " + MISSING
                  : ". --reader auto asks GDAL for it"),
          refused);
    }
    try {
      return GdalRaster.open(gdal().get(), path);
    } catch (ImageFormatException e) {
      throw new ImageFormatException(e.getMessage() + "; here: " + refused.getMessage(), e);
    }
  }

  private static RasterFile tiff(Path path) throws IOException {
    if (isName(path)) {
      throw new ImageFormatException(Gdal.name(path) + " is a name of GDAL's, and no file");
    }
    Optional<FileKind> kind;
    try (InputStream in = Files.newInputStream(path)) {
      kind = FileKind.of(in.readNBytes(HEAD));
    }
    if (kind.isEmpty() || kind.get() != FileKind.TIFF) {
      throw new ImageFormatException(
          (kind.isEmpty() ? "no picture" : "the file is " + kind.get().title())
              + "; scenes are cut from TIFF: gdal_translate -of COG IN OUT.tif makes one");
    }
    return new Tiff(TiffScene.open(path), path);
  }

  private record Tiff(TiffScene scene, Path path) implements RasterFile {
    @Override
    public Raster raster() {
      return scene;
    }

    @Override
    public Optional<Georeference> place() {
      return Georeference.located(scene);
    }

    @Override
    public List<Path> files() {
      return List.of(path);
    }

    @Override
    public Optional<Instant> acquired() {
      return Optional.empty();
    }

    @Override
    public String reader() {
      return "builtin";
    }
  }
}
