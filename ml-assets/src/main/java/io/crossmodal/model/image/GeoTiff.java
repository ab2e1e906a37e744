/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.awt.image.DataBuffer;
import java.awt.image.Raster;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.plugins.tiff.BaselineTIFFTagSet;
import javax.imageio.plugins.tiff.GeoTIFFTagSet;
import javax.imageio.plugins.tiff.TIFFDirectory;
import javax.imageio.plugins.tiff.TIFFField;

/**
 * A GeoTIFF file: bands of whole or floating-point numbers and where they lie. Tiled or in strips;
 * uncompressed, LZW, Deflate or PackBits. Only the first image of a file is read: overviews and
 * masks follow it.
 *
 * <p>Decoded by the JDK's own reader, which lacks one thing that archives of Sentinel-2 use: the
 * horizontal predictor on more than 8 bits. So it is told that there is none, and the sums are
 * taken here.
 *
 * @see <a href="https://docs.ogc.org/is/19-008r4/19-008r4.html">OGC GeoTIFF 1.1</a>
 */
public final class GeoTiff {
  private static final int MAX_SIDE = 20_000;
  private static final int MAX_BANDS = 256;

  /** Of the raster and of the floats made of it, which a reader holds at once. */
  private static final long MAX_BYTES = 256L << 20;

  private static final int MAX_TILE_BYTES = 128 << 20;

  private static final int GDAL_NO_DATA = 42113;
  private static final int HORIZONTAL = BaselineTIFFTagSet.PREDICTOR_HORIZONTAL_DIFFERENCING;

  // GeoTIFF 1.1, section 7.4 and annex B.
  private static final int GT_RASTER_TYPE = 1025;
  private static final int PIXEL_IS_POINT = 2;
  private static final int GEODETIC_CRS = 2048;
  private static final int PROJECTED_CRS = 3072;
  private static final int USER_DEFINED = 32767;

  private final byte[] file;
  private final TIFFDirectory directory;
  private final TiffHeader header;
  private final int width;
  private final int height;
  private final int bands;

  /** Pixels along a row after which the predictor begins anew; 0 without predictor. */
  private final int predicted;

  private GeoTiff(byte[] file, TIFFDirectory directory, boolean predicted) {
    this.file = file;
    this.directory = directory;
    this.header = checked(TiffHeader.of(directory));
    this.width = (int) header.width();
    this.height = (int) header.height();
    this.bands = (int) header.samples();
    this.predicted = predicted ? (int) header.pieceWidth() : 0;
  }

  /** Whether these bytes begin as a TIFF does. */
  public static boolean isTiff(byte[] file) {
    return file.length > 8 && (begins(file, 'I', 'I', 42, 0) || begins(file, 'M', 'M', 0, 42));
  }

  private static boolean begins(byte[] file, int... bytes) {
    return IntStream.range(0, bytes.length).allMatch(i -> file[i] == bytes[i]);
  }

  /**
   * Reads the header; values are read by {@link #read}.
   *
   * @param bytes a whole file; kept, not copied
   * @throws ImageFormatException when the bytes are no TIFF, or one that is not read
   */
  public static GeoTiff open(byte[] bytes) {
    if (!isTiff(bytes)) {
      throw new ImageFormatException(bytes.length + " bytes that are no TIFF (nor is a BigTIFF)");
    }
    try {
      byte[] plain = withoutPredictor(bytes);
      return withReader(plain, reader -> new GeoTiff(plain, directory(reader), plain != bytes));
    } catch (ImageFormatException e) {
      throw e;
    } catch (IOException | RuntimeException e) {
      throw damaged(e);
    }
  }

  private static TIFFDirectory directory(ImageReader reader) throws IOException {
    return TIFFDirectory.createFromMetadata(reader.getImageMetadata(0));
  }

  private static TiffHeader checked(TiffHeader header) {
    if (Math.min(header.width(), header.height()) < 1
        || header.longestSide() > MAX_SIDE
        || header.samples() < 1
        || header.samples() > MAX_BANDS
        || header.bits() < 1
        || header.bits() > Double.SIZE
        || bytes(header) > MAX_BYTES
        || header.pieceBytes() > MAX_TILE_BYTES) {
      throw new ImageFormatException(
          String.format(
              Locale.ROOT,
              "the TIFF has %d bands of %d x %d pixels with %d bits in pieces of %d x %d; read are"
                  + " up to %d bands, %d bits, sides up to %d pixels, %d bytes decoded and pieces"
                  + " of %d bytes; cut it into tiles",
              header.samples(),
              header.width(),
              header.height(),
              header.bits(),
              header.pieceWidth(),
              header.pieceHeight(),
              MAX_BANDS,
              Double.SIZE,
              MAX_SIDE,
              MAX_BYTES,
              MAX_TILE_BYTES));
    }
    return header;
  }

  /** Bytes of the raster and of the floats made of it. */
  private static long bytes(TiffHeader header) {
    return header.width()
        * header.height()
        * (header.pixelBytes() + header.samples() * Float.BYTES);
  }

  /** Heap that {@link #open} and {@link #read} take at most, the file itself not counted. */
  long bytes() {
    return bytes(header) + header.readingBytes() + (predicted > 0 ? file.length : 0);
  }

  public int bands() {
    return bands;
  }

  public int width() {
    return width;
  }

  public int height() {
    return height;
  }

  /**
   * The value that stands for no data, in GDAL's tag; NaN always does.
   *
   * @throws ImageFormatException when the tag holds no number
   */
  public Optional<Double> noData() {
    // Read by hand: the JDK's reader drops tags that it does not know.
    ByteBuffer bytes = ordered(file);
    int entry = entry(bytes, GDAL_NO_DATA);
    if (entry < 0) {
      return Optional.empty();
    }
    String text = "";
    try {
      int length = bytes.getInt(entry + 4);
      int start = length > 4 ? bytes.getInt(entry + 8) : entry + 8;
      text = new String(file, start, length, StandardCharsets.US_ASCII).trim();
      // As C libraries print them: -nan, -1.#IND, inf, 1.#INF.
      String lower = text.toLowerCase(Locale.ROOT);
      if (lower.contains("nan") || lower.contains("#ind")) {
        return Optional.empty();
      }
      if (lower.contains("inf")) {
        return Optional.of(
            text.startsWith("-") ? Double.NEGATIVE_INFINITY : Double.POSITIVE_INFINITY);
      }
      return Optional.of(Double.valueOf(text));
    } catch (NumberFormatException | IndexOutOfBoundsException e) {
      throw new ImageFormatException("damaged TIFF: no-data value [" + text + "]", e);
    }
  }

  /**
   * Where the picture lies, if the file says so: by pixel scale and tie point or by a
   * transformation, with a coordinate reference system.
   *
   * @throws ImageFormatException when what it says makes no sense
   */
  public Optional<Georeference> georeference() {
    try {
      double[] keys = numbers(GeoTIFFTagSet.TAG_GEO_KEY_DIRECTORY);
      double[] scale = numbers(GeoTIFFTagSet.TAG_MODEL_PIXEL_SCALE);
      double[] tie = numbers(GeoTIFFTagSet.TAG_MODEL_TIE_POINT);
      double[] m = numbers(GeoTIFFTagSet.TAG_MODEL_TRANSFORMATION);
      if (keys.length == 0 || (m.length == 0 && (scale.length == 0 || tie.length == 0))) {
        return Optional.empty();
      }
      double[] a;
      if (m.length > 0) {
        a = new double[] {m[3], m[0], m[1], m[7], m[4], m[5]};
      } else {
        double x0 = tie[3] - tie[0] * scale[0];
        double y0 = tie[4] + tie[1] * scale[1];
        a = new double[] {x0, scale[0], 0, y0, 0, -scale[1]};
      }
      // With PixelIsPoint the coordinates are those of a pixel's centre.
      double half = key(keys, GT_RASTER_TYPE) == PIXEL_IS_POINT ? 0.5 : 0;
      int projected = key(keys, PROJECTED_CRS);
      int system = projected != 0 ? projected : key(keys, GEODETIC_CRS);
      return Optional.of(
          new Georeference(
              system == USER_DEFINED ? 0 : system,
              width,
              height,
              List.of(
                  a[0] - half * (a[1] + a[2]),
                  a[1],
                  a[2],
                  a[3] - half * (a[4] + a[5]),
                  a[4],
                  a[5])));
    } catch (RuntimeException e) {
      throw new ImageFormatException("damaged georeference: " + e.getMessage(), e);
    }
  }

  /** A key's own short value; 0 where it is missing. Four numbers a key, after four of a header. */
  private static int key(double[] keys, int id) {
    for (int i = 4; i + 3 < keys.length; i += 4) {
      if (keys[i] == id && keys[i + 1] == 0) {
        return (int) keys[i + 3];
      }
    }
    return 0;
  }

  /**
   * All values, as floats; NaN where the file says that there is no data.
   *
   * @throws ImageFormatException when the file ends early or is damaged in another way
   */
  public BandImage read() {
    float missing = noData().map(Double::floatValue).orElse(Float.NaN);
    try {
      Raster raster = withReader(file, reader -> reader.read(0).getRaster());
      float[] values = new float[bands * height * width];
      float[] row = new float[width];
      for (int band = 0; band < bands; band++) {
        for (int y = 0; y < height; y++) {
          if (predicted > 0) {
            sum(raster, band, y, row);
          } else {
            raster.getSamples(0, y, width, 1, band, row);
          }
          for (int x = 0; x < width; x++) {
            values[(band * height + y) * width + x] = row[x] == missing ? Float.NaN : row[x];
          }
        }
      }
      return new BandImage(bands, width, height, values);
    } catch (IOException | RuntimeException e) {
      throw damaged(e);
    }
  }

  /** A row of differences, modulo the number type, summed within each tile. */
  private void sum(Raster raster, int band, int y, float[] row) {
    boolean signed = raster.getDataBuffer().getDataType() == DataBuffer.TYPE_SHORT;
    int sum = 0;
    for (int x = 0; x < width; x++) {
      sum = (x % predicted == 0 ? 0 : sum) + raster.getSample(x, y, band);
      row[x] = signed ? (short) sum : sum & 0xffff;
    }
  }

  /**
   * The file with its predictor's tag set to none, where its numbers have 16 bits and the JDK would
   * refuse it; else the file itself.
   */
  private static byte[] withoutPredictor(byte[] file) {
    ByteBuffer bytes = ordered(file);
    int predictor = entry(bytes, BaselineTIFFTagSet.TAG_PREDICTOR);
    int bits = entry(bytes, BaselineTIFFTagSet.TAG_BITS_PER_SAMPLE);
    if (predictor < 0 || bits < 0 || bytes.getShort(predictor + 8) != HORIZONTAL) {
      return file;
    }
    // Up to two short numbers lie in the entry itself; of more, it says where.
    int first = bytes.getInt(bits + 4) > 2 ? bytes.getInt(bits + 8) : bits + 8;
    if (bytes.getShort(first) != Short.SIZE) {
      return file;
    }
    byte[] plain = file.clone();
    ordered(plain).putShort(predictor + 8, (short) 1);
    return plain;
  }

  private static ByteBuffer ordered(byte[] file) {
    return ByteBuffer.wrap(file)
        .order(file[0] == 'I' ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN);
  }

  /** Where a tag's entry in the first directory begins, or -1; section 2 of TIFF 6.0. */
  private static int entry(ByteBuffer bytes, int tag) {
    int start = bytes.getInt(4);
    int end = start + 2 + 12 * Short.toUnsignedInt(bytes.getShort(start));
    for (int entry = start + 2; entry < end; entry += 12) {
      if (Short.toUnsignedInt(bytes.getShort(entry)) == tag) {
        return entry;
      }
    }
    return -1;
  }

  private double[] numbers(int tag) {
    TIFFField field = directory.getTIFFField(tag);
    return field == null
        ? new double[0]
        : IntStream.range(0, field.getCount()).mapToDouble(field::getAsDouble).toArray();
  }

  /** What is asked of a reader of the file. */
  private interface Question<T> {
    T ask(ImageReader reader) throws IOException;
  }

  private static <T> T withReader(byte[] file, Question<T> question) throws IOException {
    try (FileInMemory in = new FileInMemory(file)) {
      ImageReader reader = ImageIO.getImageReadersByFormatName("tiff").next();
      try {
        // Without its metadata the reader drops the tags that say where the picture lies.
        reader.setInput(in, true, false);
        return question.ask(reader);
      } finally {
        reader.dispose();
      }
    }
  }

  private static ImageFormatException damaged(Exception e) {
    // The JDK's reader answers damage with anything, an EOFException without a word included.
    return new ImageFormatException(
        "TIFF damaged, cut short, or packed in a way that is not read (gdal_translate -co"
            + " COMPRESS=DEFLATE -co PREDICTOR=1 makes one that is): "
            + e,
        e);
  }
}
