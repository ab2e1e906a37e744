/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import com.google.errorprone.annotations.FormatMethod;
import com.google.errorprone.annotations.FormatString;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

/** Kind of a file, by its first bytes, whatever its name says. */
public enum FileKind {
  JPEG("JPEG", ""),
  PNG("PNG", ""),
  TIFF("TIFF", ""),
  WEBP("WebP", "dwebp IN -o OUT.png"),
  GIF("GIF", "magick IN[0] OUT.png"),
  BMP("BMP", "magick IN OUT.png"),
  JPEG_2000(
      "JPEG 2000",
      "gdal_translate IN OUT.tif (of scenes, encode --reader auto or gdal has GDAL read it as it"
          + " is)"),
  JPEG_XL("JPEG XL", "djxl IN OUT.png"),
  JPEG_XR("JPEG XR", "magick IN OUT.png"),
  HEIC("HEIC", "heif-convert IN OUT.jpg"),
  AVIF("AVIF", "avifdec IN OUT.png"),
  PSD("Photoshop", "magick IN[0] OUT.png"),
  ICO("ICO", "magick IN[0] OUT.png"),
  NETPBM("PNM", "magick IN OUT.png"),
  SVG("SVG", "rsvg-convert IN -o OUT.png"),
  PDF("PDF", "pdftoppm -png IN OUT"),
  HDF5("HDF5 or NetCDF", "gdal_translate IN OUT.tif"),
  NITF("NITF", "gdal_translate IN OUT.tif");

  private static final int LOOKED_AT = 1024;

  private final String title;
  private final String conversion;

  FileKind(String title, String conversion) {
    this.title = title;
    this.conversion = conversion;
  }

  /** The name that people know it by. */
  public String title() {
    return title;
  }

  /** Returns what is thrown for a file that is not whole, or not as its kind must be. */
  @FormatMethod
  ImageFormatException damaged(@FormatString String reason, Object... arguments) {
    return damaged(null, reason, arguments);
  }

  @FormatMethod
  ImageFormatException damaged(Throwable cause, @FormatString String reason, Object... arguments) {
    return new ImageFormatException(
        "damaged " + title + ": " + String.format(Locale.ROOT, reason, arguments), cause, true);
  }

  /** Returns what is thrown for a file that is whole and has what is not read. */
  @FormatMethod
  ImageFormatException refused(@FormatString String what, Object... arguments) {
    return ImageFormatException.of(
        "the %s has %s", title, String.format(Locale.ROOT, what, arguments));
  }

  /** Returns whether such files are read. */
  public boolean isRead() {
    return conversion.isEmpty();
  }

  /** A command that makes of it what is read. */
  public String conversion() {
    return conversion;
  }

  /**
   * The kind of a file.
   *
   * @param file its first kilobyte, or all of it
   * @return empty for none of these
   */
  public static Optional<FileKind> of(byte[] file) {
    String head =
        new String(file, 0, Math.min(file.length, LOOKED_AT), StandardCharsets.ISO_8859_1);
    if (head.startsWith("\u00ff\u00d8\u00ff")) {
      return Optional.of(JPEG);
    }
    if (PngFile.isPng(file)) {
      return Optional.of(PNG);
    }
    if (TiffDirectory.isTiff(file)) {
      return Optional.of(TIFF);
    }
    if (head.startsWith("RIFF") && head.startsWith("WEBP", 8)) {
      return Optional.of(WEBP);
    }
    if (head.startsWith("ftyp", 4)) {
      return Optional.ofNullable(isoMedia(head));
    }
    return Arrays.stream(values()).filter(kind -> kind.begins(head)).findFirst();
  }

  /** By the brands of an ISO media file: the major one, a number, and those it is like. */
  private static FileKind isoMedia(String head) {
    int end = Math.min(head.length(), Math.max(16, (head.charAt(2) << 8) | head.charAt(3)));
    String brands = head.substring(8, Math.max(8, end));
    if (brands.contains("avif") || brands.contains("avis")) {
      return AVIF;
    }
    return brands.contains("hei") || brands.contains("hev") || brands.contains("mif1")
        ? HEIC
        : null;
  }

  private boolean begins(String head) {
    return switch (this) {
      case GIF -> head.startsWith("GIF8");
      case BMP -> head.startsWith("BM") && head.length() > 26 && head.charAt(14) < 128;
      case JPEG_2000 ->
          head.startsWith("\0\0\0\u000cjP  \r\n\u0087\n") || head.startsWith("\u00ffO\u00ffQ");
      case JPEG_XL ->
          head.startsWith("\0\0\0\u000cJXL \r\n\u0087\n") || head.startsWith("\u00ff\n");
      case JPEG_XR -> head.startsWith("II\u00bc\u0001");
      case PSD -> head.startsWith("8BPS");
      case ICO -> // With a count of pictures: a TGA of true colours may begin like a cursor.
          head.length() > 5
              && (head.startsWith("\0\0\1\0") || head.startsWith("\0\0\2\0"))
              && (head.charAt(4) != 0 || head.charAt(5) != 0);
      case NETPBM ->
          head.length() > 2
              && head.charAt(0) == 'P'
              && head.charAt(1) >= '1'
              && head.charAt(1) <= '7'
              && Character.isWhitespace(head.charAt(2));
      case SVG -> {
        String text = head.stripLeading().toLowerCase(Locale.ROOT);
        yield text.startsWith("<svg")
            || (text.startsWith("<") && text.contains("<svg"))
            || (head.startsWith("\u00ef\u00bb\u00bf") && text.contains("<svg"));
      }
      case PDF -> head.startsWith("%PDF-");
      case HDF5 ->
          head.startsWith("\u0089HDF\r\n") || head.startsWith("CDF\1") || head.startsWith("CDF\2");
      case NITF -> head.startsWith("NITF0");
      default -> false;
    };
  }
}
