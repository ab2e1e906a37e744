/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.awt.image.Raster;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;

/**
 * A JPEG file's markers: how it is coded, what its colours mean, which way up it is; and its
 * samples. Truncated and damaged files, which decoders fill with grey in silence, are refused.
 *
 * <p>In one scan a file is decoded line by line. In several (progressive, or a scan for each
 * component) the decoder keeps every coefficient in native memory, 6 bytes a pixel, and draws the
 * picture anew for each scan, so a file of some hundred bytes may cost gigabytes or hours.
 *
 * @see <a href="https://www.w3.org/Graphics/JPEG/itu-t81.pdf">ITU-T T.81, annexes B and G</a>
 */
final class JpegFile implements ImageDecoder.Picture {
  static final int MAX_PIXELS = 16 << 20;
  static final long MAX_DRAWN = 256L << 20;

  /** Of coefficients: two for each of three components, at full resolution. */
  private static final int COEFFICIENT_BYTES = 6;

  private static final int START_OF_IMAGE = 0xd8;
  private static final int END_OF_IMAGE = 0xd9;
  private static final int START_OF_SCAN = 0xda;
  private static final int APP0 = 0xe0;
  private static final int COMMENT = 0xfe;
  private static final int BASELINE = 0xc0;
  private static final int EXTENDED = 0xc1;
  private static final int PROGRESSIVE = 0xc2;
  private static final int JPEG_LS = 0xf7;
  private static final int NO_TRANSFORM = 0;
  private static final int MAX_PROFILE = 4 << 20;

  private static final Map<Integer, String> PROCESSES =
      Map.of(
          0xc3,
          "lossless",
          0xc9,
          "arithmetic-coded",
          0xca,
          "arithmetic-coded progressive",
          JPEG_LS,
          "JPEG-LS");

  private final byte[] file;
  private final ByteArrayOutputStream bare = new ByteArrayOutputStream();
  private final TreeMap<Integer, byte[]> profile = new TreeMap<>();
  private int profileParts;

  /** Lowest bit that the scans have brought, of each coefficient of each component; -1: none. */
  private final byte[][] bit = new byte[4][64];

  private final int[] componentIds = new int[4];
  private int process;
  private int precision;
  private int width;
  private int height;
  private int components;
  private int scans;
  private boolean several;
  private boolean jfif;
  private boolean exif;
  private int transform = -1;
  private Orientation orientation = Orientation.UPRIGHT;
  private boolean ended;

  /**
   * Reads the markers.
   *
   * @throws ImageFormatException when the file ends early, or is a kind of JPEG that is not read
   */
  JpegFile(byte[] file) {
    this.file = file;
    for (byte[] bits : bit) {
      Arrays.fill(bits, (byte) -1);
    }
    bare.write(0xff);
    bare.write(START_OF_IMAGE);
    for (int at = 2; !ended && at + 1 < file.length; ) {
      int marker = file[at + 1] & 0xff;
      if (file[at] != (byte) 0xff || marker == 0xff) {
        at++;
      } else if (marker == END_OF_IMAGE) {
        bare.write(file, at, 2);
        ended = true;
      } else if (marker <= 1 || (marker >= 0xd0 && marker <= START_OF_IMAGE)) {
        // A stuffed zero, or a marker that stands alone.
        at += 2;
      } else {
        at = segment(marker, at);
      }
    }
    check();
  }

  /**
   * A strip or tile of a TIFF.
   *
   * @param tables a JPEG with nothing but tables, or nothing
   */
  static JpegFile inTiff(byte[] tables, byte[] file, int offset, int length) {
    ByteArrayOutputStream whole = new ByteArrayOutputStream(length + tables.length);
    whole.write(0xff);
    whole.write(START_OF_IMAGE);
    if (tables.length > 4) {
      whole.write(tables, 2, tables.length - 4);
    }
    if (length > 2) {
      whole.write(file, offset + 2, length - 2);
    }
    JpegFile jpeg = new JpegFile(whole.toByteArray());
    if (jpeg.several) {
      // Its cost is not in the TIFF's header.
      throw FileKind.TIFF.refused(
          "JPEGs that are progressive; read are baseline ones: gdal_translate -co"
              + " COMPRESS=DEFLATE makes one without");
    }
    return jpeg;
  }

  /** Reads a segment and, of a scan, what follows it; returns where the next marker is sought. */
  private int segment(int marker, int at) {
    if (at + 4 > file.length) {
      return file.length;
    }
    int length = unsigned16(at + 2);
    int end = at + 2 + length;
    if (length < 2 || end > file.length) {
      return file.length;
    }
    if (isFrame(marker)) {
      frame(marker, at, length);
    } else if (marker >= APP0 && marker < APP0 + 16) {
      application(marker - APP0, at + 4, end);
      return end;
    } else if (marker == COMMENT) {
      return end;
    } else if (marker == START_OF_SCAN) {
      scan(at, length);
      // The coded pixels, in which 0xff is followed by zero or a restart marker.
      while (end + 1 < file.length
          && (file[end] != (byte) 0xff
              || file[end + 1] == 0
              || file[end + 1] == (byte) 0xff
              || (file[end + 1] & 0xf8) == 0xd0)) {
        end++;
      }
    }
    bare.write(file, at, end - at);
    return end;
  }

  private int unsigned16(int at) {
    return ((file[at] & 0xff) << 8) | (file[at + 1] & 0xff);
  }

  /** SOF0 to SOF15, without the tables that have numbers among them, and that of JPEG-LS. */
  private static boolean isFrame(int marker) {
    return marker == JPEG_LS
        || (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc);
  }

  private void frame(int marker, int at, int length) {
    if (process != 0 || length < 8) {
      throw FileKind.JPEG.damaged("it has more than one frame, or an empty one");
    }
    process = marker;
    several = marker == PROGRESSIVE;
    precision = file[at + 4] & 0xff;
    height = unsigned16(at + 5);
    width = unsigned16(at + 7);
    components = file[at + 9] & 0xff;
    if ((marker != BASELINE && marker != EXTENDED && marker != PROGRESSIVE)
        || precision != Byte.SIZE
        || !(components == 1 || components == 3 || components == 4)) {
      throw ImageFormatException.of(
          "the JPEG is %s, with %d components of %d bits; read are baseline and progressive"
              + " ones of 1, 3 or 4 components of 8 bits: save it as baseline",
          marker <= PROGRESSIVE
              ? marker == PROGRESSIVE ? "progressive" : "baseline"
              : PROCESSES.getOrDefault(marker, "hierarchical or of another rare kind"),
          components,
          precision);
    }
    if (length < 8 + 3 * components) {
      throw FileKind.JPEG.damaged("its frame is too short");
    }
    for (int i = 0; i < components; i++) {
      componentIds[i] = file[at + 10 + 3 * i] & 0xff;
    }
  }

  private void scan(int at, int length) {
    int in = file[at + 4] & 0xff;
    if (process == 0 || length < 6 + 2 * in) {
      throw FileKind.JPEG.damaged("a scan without frame, or one that is too short");
    }
    scans++;
    several |= in < components;
    int spectral = at + 5 + 2 * in;
    int first = process == PROGRESSIVE ? Math.min(63, file[spectral] & 0xff) : 0;
    int last = process == PROGRESSIVE ? Math.min(63, file[spectral + 1] & 0xff) : 63;
    int low = process == PROGRESSIVE ? file[spectral + 2] & 0xf : 0;
    for (int i = 0; i < in; i++) {
      for (int component = 0; component < components; component++) {
        if (componentIds[component] == (file[at + 5 + 2 * i] & 0xff)) {
          Arrays.fill(bit[component], first, Math.max(first, last + 1), (byte) low);
        }
      }
    }
  }

  private void application(int number, int from, int end) {
    if (number == 0 && begins("JFIF\0", from, end)) {
      jfif = true;
    } else if (number == 1 && begins("Exif\0", from, end) && !exif) {
      exif = true;
      orientation = Orientation.ofExif(Arrays.copyOfRange(file, Math.min(end, from + 6), end));
    } else if (number == 2 && begins("ICC_PROFILE\0", from, end) && end - from > 14) {
      profileParts = file[from + 13] & 0xff;
      profile.put(file[from + 12] & 0xff, Arrays.copyOfRange(file, from + 14, end));
    } else if (number == 14 && begins("Adobe", from, end) && end - from >= 12) {
      transform = file[from + 11] & 0xff;
    }
  }

  private boolean begins(String text, int from, int end) {
    byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
    return end - from >= bytes.length
        && Arrays.equals(file, from, from + bytes.length, bytes, 0, bytes.length);
  }

  private void check() {
    if (!ended) {
      throw FileKind.JPEG.damaged(
          "it is cut short: no end marker in %d bytes; fetch or save it anew", file.length);
    }
    if (process == 0 || scans == 0) {
      throw FileKind.JPEG.damaged("it has no frame or no scan");
    }
    if (components == 4 && transform < 0) {
      throw FileKind.JPEG.refused(
          "four inks without Adobe's marker, which programs read as ink or as its"
              + " complement: save it as RGB");
    }
    for (int i = 0; i < components; i++) {
      for (int k = 0; k < 64; k++) {
        if (bit[i][k] > 0 || (k == 0 && bit[i][k] < 0)) {
          throw FileKind.JPEG.damaged("it is cut short: the scans that refine it are missing");
        }
      }
    }
    long pixels = (long) width * height;
    if (several && (pixels > MAX_PIXELS || pixels * scans > MAX_DRAWN)) {
      throw ImageFormatException.of(
          "the JPEG is progressive, %d x %d pixels in %d scans; such files are read up to %d"
              + " million pixels and %d million over all scans: save it as baseline",
          width, height, scans, MAX_PIXELS >> 20, MAX_DRAWN >> 20);
    }
  }

  @Override
  public int width() {
    return width;
  }

  @Override
  public int height() {
    return height;
  }

  int scans() {
    return scans;
  }

  /** Returns whether it is decoded in more than one scan. */
  boolean several() {
    return several;
  }

  @Override
  public Orientation orientation() {
    return orientation;
  }

  @Override
  public long bytes() {
    return bare.size() + (several ? (long) width * height * COEFFICIENT_BYTES : 0);
  }

  @Override
  public RgbImage read(int stepX, int stepY) {
    Raster raster = JdkReader.raster(FileKind.JPEG, bare.toByteArray(), stepX, stepY);
    byte[] values = JdkReader.bytes(raster);
    if (raster.getNumBands() != components) {
      throw FileKind.JPEG.damaged("its decoder gives %d components", raster.getNumBands());
    }
    if (isYcc()) {
      Colours.fromYcc(values, components);
    }
    for (int i = 0; components == 4 && isYcc() && i < values.length; i++) {
      // Luma and chroma are those of ink, of which the file has the complement.
      values[i] = i % 4 < 3 ? (byte) ~values[i] : values[i];
    }
    return Colours.rgb(
        new Samples(raster.getWidth(), raster.getHeight(), components, values),
        components == 1
            ? Samples.Meaning.GREY
            : components == 3 ? Samples.Meaning.RGB : Samples.Meaning.INVERTED_CMYK,
        profile());
  }

  /**
   * The samples of a strip or tile, as they were coded.
   *
   * @throws ImageFormatException when it has other extents
   */
  byte[] samples(int mustBeWide, int mustBeHigh, int mayBeHigh, int mustHave) {
    if (width != mustBeWide
        || height < mustBeHigh
        || height > mayBeHigh
        || components != mustHave) {
      throw FileKind.TIFF.damaged(
          "a JPEG of %d x %d pixels with %d components where a strip or tile has"
              + " %d x %d with %d",
          width, height, components, mustBeWide, mustBeHigh, mustHave);
    }
    return JdkReader.bytes(JdkReader.raster(FileKind.JPEG, bare.toByteArray(), 1, 1));
  }

  /** As libjpeg decides. */
  private boolean isYcc() {
    boolean named = componentIds[0] == 'R' && componentIds[1] == 'G' && componentIds[2] == 'B';
    return switch (components) {
      case 3 -> jfif || (transform < 0 ? !named : transform != NO_TRANSFORM);
      case 4 -> transform > NO_TRANSFORM;
      default -> false;
    };
  }

  private byte[] profile() {
    if (profile.isEmpty()) {
      return new byte[0];
    }
    ByteArrayOutputStream whole = new ByteArrayOutputStream();
    for (byte[] part : profile.values()) {
      whole.writeBytes(part);
    }
    if (profile.size() != profileParts || whole.size() > MAX_PROFILE) {
      throw FileKind.JPEG.damaged(
          "its ICC profile has %d of %d parts, %d bytes",
          profile.size(), profileParts, whole.size());
    }
    return whole.toByteArray();
  }
}
