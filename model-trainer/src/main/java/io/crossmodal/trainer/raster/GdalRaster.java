/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.raster;

import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.image.ImageFormatException;
import io.crossmodal.model.image.Raster;
import io.crossmodal.model.image.RgbImage;
import io.crossmodal.model.image.Stretch;
import io.crossmodal.model.image.TiffScene;
import io.crossmodal.model.image.Window;
import io.crossmodal.trainer.data.Georeference;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * A raster that GDAL reads. Each part of it comes from a run of gdal_translate, as an uncompressed
 * TIFF, so that opacity, palettes and no-data values mean what they do in files that are read here;
 * parts are as large as memory allows and are kept, since a run has its price, and so has a tile of
 * JPEG 2000. Thread-safe.
 */
final class GdalRaster implements RasterFile, Raster {
  private static final Map<String, String> KINDS =
      Map.of(
          "Byte", "unsigned numbers of 8 bits",
          "UInt16", "unsigned numbers of 16 bits",
          "UInt32", "unsigned numbers of 32 bits");

  private static final int MAX_SIDE = 1 << 20;
  private static final int MAX_BANDS = 256;

  /** Of a part, where a window is not larger itself. */
  private static final long PART_BYTES = 24L << 20;

  /** A scene beyond that, of which only some columns and rows are asked for, is not read whole. */
  private static final long LARGE_BYTES = 64L << 20;

  /** What a part's file has beside its samples: its header, and the places of its strips. */
  private static final long OVERHEAD = 4L << 20;

  /** Rows and columns that a part is made of, where the raster's blocks are less or far more. */
  private static final int UNIT = 256;

  private static final int LARGEST_UNIT = 2048;

  private final Gdal gdal;
  private final Path path;
  private final GdalHeader header;
  private final int opacity;
  private final List<Integer> rgb;
  private final List<GdalHeader.Size> levels;
  private final String type;
  private final PartCache parts;

  private GdalRaster(Gdal gdal, Path path, GdalHeader header) {
    this.gdal = gdal;
    this.path = path;
    this.header = header;
    this.opacity = band("Alpha");
    List<Integer> colours =
        List.of(visible(band("Red")), visible(band("Green")), visible(band("Blue")));
    this.rgb = colours.contains(-1) ? List.of() : colours;
    List<GdalHeader.Size> sizes = new ArrayList<>();
    sizes.add(new GdalHeader.Size(header.width(), header.height()));
    sizes.addAll(header.bands().get(0).levels());
    this.levels = List.copyOf(sizes);
    this.type = type();
    this.parts = new PartCache(this::load);
    check();
  }

  /**
   * Reads a raster's header.
   *
   * @throws ImageFormatException when GDAL does not read it, or it is larger or of another kind
   *     than is read
   */
  static GdalRaster open(Gdal gdal, Path path) throws IOException {
    return new GdalRaster(gdal, path, GdalHeader.parse(gdal.header(path)));
  }

  private int band(String meaning) {
    return IntStream.range(0, header.bands().size())
        .filter(band -> header.bands().get(band).meaning().equals(meaning))
        .findFirst()
        .orElse(-1);
  }

  /** Returns a band's number among those that are no opacity. */
  private int visible(int band) {
    return opacity >= 0 && band > opacity ? band - 1 : band;
  }

  /** Returns the bytes of a sample, of types that a TIFF of this project's reader has; else 0. */
  private static int size(String type) {
    return switch (type) {
      case "Byte", "Int8", GdalHeader.SIGNED_BYTE -> 1;
      case "UInt16", "Int16" -> 2;
      case "UInt32", "Int32", "Float32" -> 4;
      case "Float64" -> 8;
      default -> 0;
    };
  }

  /** Returns the type that samples are read as. */
  private String type() {
    List<String> types = header.bands().stream().map(GdalHeader.Band::type).distinct().toList();
    if (types.stream().anyMatch(name -> name.startsWith("C"))) {
      throw new ImageFormatException(
          "complex numbers, " + types + "; gdal_calc or SNAP makes amplitude or power of them");
    }
    if (types.size() == 1) {
      return size(types.get(0)) > 0 ? types.get(0) : "Float64";
    }
    return types.stream().allMatch(name -> name.equals("Byte") || name.equals("UInt16"))
        ? "UInt16"
        : "Float64";
  }

  private void check() {
    if (Math.max(width(), height()) > MAX_SIDE || header.bands().size() > MAX_BANDS) {
      throw new ImageFormatException(
          header.bands().size()
              + " bands of "
              + width()
              + " x "
              + height()
              + " pixels; read are"
              + " up to "
              + MAX_BANDS
              + " bands and sides up to "
              + MAX_SIDE);
    }
  }

  @Override
  public Raster raster() {
    return this;
  }

  @Override
  public Optional<Georeference> place() {
    if (header.affine().isEmpty()) {
      if (header.points() || header.rpcs()) {
        throw Georeference.notAffine(header.rpcs());
      }
      return Optional.empty();
    }
    return Optional.of(new Georeference(header.epsg(), width(), height(), header.affine()));
  }

  @Override
  public List<Path> files() {
    if (Gdal.isName(path)) {
      return List.of();
    }
    // What a virtual raster shows are its sources; beside others lie their georeference and so on.
    List<Path> sources = new ArrayList<>(List.of(path));
    if (header.driver().equals("VRT")) {
      header.files().stream()
          .skip(1)
          .map(Path::of)
          .filter(file -> !Gdal.isName(file))
          .forEach(sources::add);
    }
    return List.copyOf(sources);
  }

  @Override
  public Optional<Instant> acquired() {
    return header.acquired();
  }

  @Override
  public String reader() {
    return gdal.version();
  }

  @Override
  public int width() {
    return header.width();
  }

  @Override
  public int height() {
    return header.height();
  }

  @Override
  public int bands() {
    return header.bands().size() - (opacity < 0 ? 0 : 1);
  }

  @Override
  public List<Integer> rgb() {
    return rgb;
  }

  @Override
  public String samples() {
    return bands()
        + (bands() == 1 ? " band of " : " bands of ")
        + KINDS.getOrDefault(type, "numbers of GDAL's type " + type);
  }

  @Override
  public boolean hasColours() {
    return type.equals("Byte");
  }

  @Override
  public void checkColours() {
    if (bands() > 1 && rgb.isEmpty()) {
      throw new ImageFormatException(
          samples()
              + ", and it says of none that it is red, green or blue: name them, as by --rgb"
              + " 3,2,1");
    }
  }

  @Override
  public int levels() {
    return levels.size();
  }

  @Override
  public int width(int level) {
    return levels.get(level).width();
  }

  /** Returns about the same window of a level, in its own pixels. */
  private Window there(int level, Window window) {
    GdalHeader.Size size = levels.get(level);
    return window.scaled(width(), height(), size.width(), size.height());
  }

  @Override
  public boolean hasAllData(int level, Window window) {
    return !isMasked() && part(level, there(level, window)).scene().hasAllData(0, window);
  }

  @Override
  public RgbImage colours(int level, Window window, int most) {
    if (bands() > 1 && !rgb.equals(List.of(0, 1, 2))) {
      return Stretch.BYTES.apply(values(level, window, most).bands(), rgb);
    }
    Window there = there(level, window);
    PartCache.Part part = part(level, there);
    return part.scene().colours(0, part.within(there), most);
  }

  @Override
  public Values values(int level, Window window, int most) {
    Window there = there(level, window);
    GdalHeader.Size size = levels.get(level);
    boolean whole = there.width() == size.width() && there.height() == size.height();
    if (whole && bytes(there) > LARGE_BYTES && Math.max(there.width(), there.height()) > most) {
      return shrunken(level, there, most);
    }
    PartCache.Part part = part(level, there);
    Values all = part.scene().values(0, part.within(there), most);
    return isMasked() ? masked(all.bands()) : all;
  }

  /** Returns some columns and rows of a level, the others of which GDAL leaves out. */
  private Values shrunken(int level, Window there, int most) {
    int width = Math.ceilDiv(there.width(), Math.ceilDiv(there.width(), most));
    int height = Math.ceilDiv(there.height(), Math.ceilDiv(there.height(), most));
    Window all = new Window(0, 0, width, height);
    List<String> size =
        List.of("-outsize", Integer.toString(width), Integer.toString(height), "-r", "nearest");
    Values values = load(level, there, size, bytes(all)).values(0, all, most);
    return isMasked() ? masked(values.bands()) : values;
  }

  private boolean isMasked() {
    return header.bands().get(0).masked();
  }

  /** Takes out what the mask, the last band, hides. */
  private static Values masked(BandImage all) {
    int area = all.width() * all.height();
    int bands = all.bands() - 1;
    return Values.of(
        all, IntStream.range(0, bands).toArray(), i -> all.values()[bands * area + i] > 0);
  }

  private long bytes(Window window) {
    int samples = header.bands().size() + (isMasked() ? 1 : 0);
    return (long) window.width() * window.height() * samples * size(type);
  }

  /** Rows or columns that parts are made of. */
  private static int unit(int block) {
    return block < UNIT || block > LARGEST_UNIT ? UNIT : block;
  }

  private PartCache.Part part(int level, Window window) {
    Window blocks = blocks(level, window);
    GdalHeader.Size size = levels.get(level);
    int unit = unit(header.bands().get(0).blockWidth());
    Window large = blocks;
    // To the right, where the next windows are.
    while (large.x() + large.width() < size.width()) {
      int right = Math.min(size.width(), large.x() + large.width() + unit);
      Window wider = new Window(large.x(), large.y(), right - large.x(), large.height());
      if (bytes(wider) > PART_BYTES) {
        break;
      }
      large = wider;
    }
    try {
      return parts.get(level, window, large);
    } catch (ImageFormatException e) {
      // Only what is damaged is lost, and one and the same block is refused once.
      for (Window block : split(level, blocks)) {
        parts.get(level, block, block);
      }
      return parts.get(level, window, blocks);
    }
  }

  /** Returns the blocks that a window touches, as one window. */
  private Window blocks(int level, Window window) {
    GdalHeader.Size size = levels.get(level);
    int unitX = unit(header.bands().get(0).blockWidth());
    int unitY = unit(header.bands().get(0).blockHeight());
    int left = window.x() / unitX * unitX;
    int top = window.y() / unitY * unitY;
    int right = Math.min(size.width(), Math.ceilDiv(window.x() + window.width(), unitX) * unitX);
    int bottom = Math.min(size.height(), Math.ceilDiv(window.y() + window.height(), unitY) * unitY);
    return new Window(left, top, right - left, bottom - top);
  }

  private List<Window> split(int level, Window blocks) {
    List<Window> all = new ArrayList<>();
    int unitX = unit(header.bands().get(0).blockWidth());
    int unitY = unit(header.bands().get(0).blockHeight());
    for (int y = blocks.y(); y < blocks.y() + blocks.height(); y += unitY) {
      for (int x = blocks.x(); x < blocks.x() + blocks.width(); x += unitX) {
        all.add(blocks(level, new Window(x, y, 1, 1)));
      }
    }
    return all;
  }

  private TiffScene load(int level, Window window) {
    return load(level, window, List.of(), bytes(window));
  }

  /**
   * Reads a part.
   *
   * @param more options of gdal_translate
   * @param bytes of its samples
   */
  private TiffScene load(int level, Window window, List<String> more, long bytes) {
    List<String> options = new ArrayList<>(more);
    options.addAll(
        type.equals(GdalHeader.SIGNED_BYTE)
            ? List.of("-ot", "Byte", "-co", "PIXELTYPE=SIGNEDBYTE")
            : List.of("-ot", type));
    if (level > 0) {
      options.addAll(List.of("-oo", "OVERVIEW_LEVEL=" + (level - 1)));
    }
    if (isMasked()) {
      for (int band = 1; band <= header.bands().size(); band++) {
        options.addAll(List.of("-b", Integer.toString(band)));
      }
      options.addAll(List.of("-b", "mask", "-a_nodata", "none"));
    }
    options.add("-srcwin");
    for (int number : List.of(window.x(), window.y(), window.width(), window.height())) {
      options.add(Integer.toString(number));
    }
    try {
      return TiffScene.of(gdal.part(path, options, bytes + OVERHEAD));
    } catch (IOException e) {
      throw new UncheckedIOException(e.getMessage(), e);
    }
  }

  @Override
  public void close() {
    parts.clear();
  }
}
