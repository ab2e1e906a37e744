/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * A TIFF file of any size, read window by window where it lies; with its overviews and its mask,
 * where it has them. Only strips and tiles that a window touches are read, and the last of them are
 * kept; {@link TiffLayout} says which files are read. Thread-safe.
 */
public final class TiffScene implements TiffHeader, Raster {
  /** Of unpacked strips and tiles: two rows of tiles of a Sentinel-2 granule with three bands. */
  private static final long CACHE_BYTES = 128L << 20;

  private static final long MASK_CACHE_BYTES = 8L << 20;
  private static final int MAX_DIRECTORIES = 64;
  private static final int MAX_BANDS = 256;

  private static final int REDUCED = 1;
  private static final int MASK = 4;

  /** Null for a file in memory. */
  private final FileChannel channel;

  private final List<Level> levels;
  private final Optional<Double> noData;

  /**
   * The image at one size.
   *
   * @param mask null where there is none
   * @param whole whether it has a number at each pixel, none of which is not seen
   */
  private record Level(TiffLayout tiff, TiffRaster raster, Level mask, boolean whole) {
    static Level of(TiffLayout tiff, Level mask, long cacheBytes) {
      boolean whole = tiff.isUnsigned() && tiff.opacity() < 0 && tiff.missing() == 0;
      return new Level(tiff, new TiffRaster(tiff, new PieceCache(cacheBytes)), mask, whole);
    }
  }

  private TiffScene(FileChannel channel, TiffSource source) {
    this.channel = channel;
    this.levels = levels(source);
    TiffLayout own = levels.get(0).tiff;
    noData = GeoTiff.noData(own.directory);
    if (!isUpright()) {
      throw FileKind.TIFF.refused(
          "an orientation, by which no scene is cut: gdal_translate writes one without");
    }
    if (own.samples > MAX_BANDS) {
      throw FileKind.TIFF.refused("%d bands; read are up to %d", own.samples, MAX_BANDS);
    }
  }

  /**
   * Reads the header of a file.
   *
   * @throws ImageFormatException when it is no TIFF, is damaged or cut short, or one that is not
   *     read
   */
  public static TiffScene open(Path file) throws IOException {
    FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
    try {
      return new TiffScene(channel, TiffSource.of(channel));
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  /**
   * Reads the header of a file in memory, which is kept; nothing has to be closed.
   *
   * @throws ImageFormatException as {@link #open}
   */
  public static TiffScene of(byte[] file) {
    return of(TiffSource.of(file));
  }

  static TiffScene of(TiffSource source) {
    return new TiffScene(null, source);
  }

  private static List<Level> levels(TiffSource source) {
    TiffDirectory first = new TiffDirectory(source, 0);
    TiffLayout own = TiffPicture.noPreview(new TiffLayout(source, first));
    List<TiffLayout> images = new ArrayList<>(List.of(own));
    List<TiffLayout> masks = new ArrayList<>();
    Set<Long> seen = new HashSet<>();
    for (long at = first.next(); at != 0; ) {
      if (!seen.add(at) || seen.size() > MAX_DIRECTORIES) {
        throw FileKind.TIFF.damaged("its directories follow one another in a circle");
      }
      TiffDirectory directory = new TiffDirectory(source, at);
      long subfile = directory.number(TiffLayout.SUBFILE, 0);
      if ((subfile & MASK) != 0) {
        masks.add(new TiffLayout(source, directory));
      } else if ((subfile & REDUCED) != 0) {
        TiffLayout overview = new TiffLayout(source, directory, own.meanings);
        if (overview.samples == own.samples
            && overview.bits == own.bits
            && overview.width < images.get(images.size() - 1).width) {
          images.add(overview);
        }
      }
      at = directory.next();
    }
    return images.stream().map(image -> level(image, masks)).toList();
  }

  private static Level level(TiffLayout image, List<TiffLayout> masks) {
    Level mask =
        masks.stream()
            .filter(of -> of.width == image.width && of.height == image.height && of.samples == 1)
            .findFirst()
            .map(of -> Level.of(of, null, MASK_CACHE_BYTES))
            .orElse(null);
    return Level.of(image, mask, CACHE_BYTES);
  }

  private TiffLayout own() {
    return levels.get(0).tiff;
  }

  @Override
  public int width() {
    return own().width;
  }

  @Override
  public int height() {
    return own().height;
  }

  @Override
  public boolean isUpright() {
    return Orientation.of(own().directory) == Orientation.UPRIGHT;
  }

  @Override
  public double[] numbers(int tag) {
    return GeoTiff.numbers(own().directory, tag);
  }

  @Override
  public int bands() {
    return own().samples - (own().opacity() < 0 ? 0 : 1);
  }

  @Override
  public List<Integer> rgb() {
    int opacity = own().opacity();
    return own().rgb().stream()
        .map(sample -> opacity >= 0 && sample > opacity ? sample - 1 : sample)
        .toList();
  }

  @Override
  public String samples() {
    String numbers =
        switch (own().kind) {
          case UNSIGNED -> "unsigned numbers";
          case SIGNED -> "signed numbers";
          case FLOAT -> "floating-point numbers";
        };
    return bands()
        + (bands() == 1 ? " band" : " bands")
        + " of "
        + numbers
        + " of "
        + own().bits
        + " bits";
  }

  @Override
  public boolean hasColours() {
    return own().isUnsigned() && own().bits <= Byte.SIZE;
  }

  @Override
  public void checkColours() {
    if (!isReordered()) {
      new TiffPicture(own()).checkChannels();
    }
  }

  /** Returns whether GDAL says that other bands are the colours than TIFF has there. */
  private boolean isReordered() {
    return bands() > 1 && !rgb().isEmpty() && !rgb().equals(List.of(0, 1, 2));
  }

  /** Returns how many bytes its file has. */
  public long bytes() {
    return own().source.size();
  }

  @Override
  public int levels() {
    return levels.size();
  }

  @Override
  public int width(int level) {
    return levels.get(level).tiff.width;
  }

  /** What is read of a level: a window of it, and every so many columns and rows of that. */
  private record Cut(Level level, Window window, int stepX, int stepY) {}

  private Cut cut(int number, Window window, int most) {
    if (window.x() + window.width() > width() || window.y() + window.height() > height()) {
      throw new IllegalArgumentException(
          window + " lies outside of a scene of " + width() + " x " + height() + " pixels");
    }
    Level level = levels.get(number);
    Window there = window.scaled(width(), height(), level.tiff.width, level.tiff.height);
    return new Cut(
        level, there, Math.ceilDiv(there.width(), most), Math.ceilDiv(there.height(), most));
  }

  @Override
  public boolean hasAllData(int level, Window window) {
    Level read = levels.get(level);
    return read.whole && read.mask == null && noData.isEmpty();
  }

  @Override
  public RgbImage colours(int level, Window window, int most) {
    if (isReordered()) {
      return Stretch.BYTES.apply(values(level, window, most).bands(), rgb());
    }
    Cut cut = cut(level, window, most);
    return new TiffPicture(cut.level.tiff).read(cut.level.raster, cut.window, cut.stepX, cut.stepY);
  }

  @Override
  public Values values(int level, Window window, int most) {
    Cut cut = cut(level, window, most);
    TiffLayout tiff = cut.level.tiff;
    BandImage all = read(cut.level, noData, cut);
    int opacity = tiff.opacity();
    int area = all.width() * all.height();
    float[] mask =
        cut.level.mask == null ? null : read(cut.level.mask, Optional.empty(), cut).values();
    int[] kept = IntStream.range(0, all.bands()).filter(band -> band != opacity).toArray();
    // NaN is never above 0.
    return Values.of(
        all,
        kept,
        i ->
            (opacity < 0 || all.values()[opacity * area + i] > 0) && (mask == null || mask[i] > 0));
  }

  private static BandImage read(Level level, Optional<Double> noData, Cut cut) {
    return GeoTiff.read(level.tiff, level.raster, noData, cut.window, cut.stepX, cut.stepY);
  }

  @Override
  public void close() throws IOException {
    if (channel != null) {
      channel.close();
    }
  }
}
