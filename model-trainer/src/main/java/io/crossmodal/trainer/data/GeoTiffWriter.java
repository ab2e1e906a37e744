/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import io.crossmodal.model.image.BandImage;
import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ComponentColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.WritableRaster;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageTypeSpecifier;
import javax.imageio.ImageWriteParam;
import javax.imageio.ImageWriter;
import javax.imageio.plugins.tiff.GeoTIFFTagSet;
import javax.imageio.plugins.tiff.TIFFDirectory;
import javax.imageio.plugins.tiff.TIFFField;
import javax.imageio.plugins.tiff.TIFFTag;
import javax.imageio.stream.MemoryCacheImageOutputStream;

/** Writes GeoTIFFs as archives hold them, Deflate in strips, of generated data. */
public final class GeoTiffWriter {
  /** Storage of a value. */
  public enum Values {
    UINT16(DataBuffer.TYPE_USHORT),
    FLOAT32(DataBuffer.TYPE_FLOAT),
    FLOAT64(DataBuffer.TYPE_DOUBLE);

    private final int type;

    Values(int type) {
      this.type = type;
    }
  }

  /** Colour space that Java's pictures ask for; nobody asks these bands for colours. */
  private static final class NoColours extends ColorSpace {
    private static final long serialVersionUID = 1L;

    NoColours(int bands) {
      super(TYPE_2CLR, bands);
    }

    @Override
    public float[] toRGB(float[] values) {
      return new float[3];
    }

    @Override
    public float[] fromRGB(float[] rgb) {
      return new float[getNumComponents()];
    }

    @Override
    public float[] toCIEXYZ(float[] values) {
      return new float[3];
    }

    @Override
    public float[] fromCIEXYZ(float[] values) {
      return new float[getNumComponents()];
    }
  }

  private GeoTiffWriter() {}

  /**
   * A picture as the bytes of a file.
   *
   * @param georeference in a system that {@link Georeference} reads; null for none
   * @throws IllegalArgumentException when a value does not fit the type
   */
  public static byte[] write(BandImage image, Values values, Georeference georeference) {
    ComponentColorModel model =
        new ComponentColorModel(new NoColours(image.bands()), false, false, 1, values.type);
    WritableRaster raster = model.createCompatibleWritableRaster(image.width(), image.height());
    for (int band = 0; band < image.bands(); band++) {
      for (int y = 0; y < image.height(); y++) {
        for (int x = 0; x < image.width(); x++) {
          float value = image.value(band, x, y);
          if (values == Values.UINT16 && !(value >= 0 && value <= 0xffff)) {
            throw new IllegalArgumentException("UINT16 holds 0 to 65535, got " + value);
          }
          raster.setSample(x, y, band, value);
        }
      }
    }
    ImageWriter writer = ImageIO.getImageWritersByFormatName("tiff").next();
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    try (MemoryCacheImageOutputStream out = new MemoryCacheImageOutputStream(file)) {
      ImageWriteParam param = writer.getDefaultWriteParam();
      param.setCompressionMode(ImageWriteParam.MODE_EXPLICIT);
      param.setCompressionType("ZLib");
      BufferedImage picture = new BufferedImage(model, raster, false, null);
      TIFFDirectory directory =
          TIFFDirectory.createFromMetadata(
              writer.getDefaultImageMetadata(new ImageTypeSpecifier(picture), param));
      if (georeference != null) {
        georeference(directory, georeference);
      }
      writer.setOutput(out);
      writer.write(null, new IIOImage(picture, null, directory.getAsMetadata()), param);
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory", e);
    } finally {
      writer.dispose();
    }
    return file.toByteArray();
  }

  private static void georeference(TIFFDirectory directory, Georeference georeference) {
    List<Double> a = georeference.affine();
    double[] matrix = {
      a.get(1), a.get(2), 0, a.get(0), a.get(4), a.get(5), 0, a.get(3), 0, 0, 0, 0, 0, 0, 0, 1
    };
    boolean degrees = georeference.epsg() == Georeference.WGS84;
    // Header, then the model's type (1 projected, 2 geographic), pixels as areas, the system.
    int[] keys = {
      1,
      1,
      0,
      3,
      1024,
      0,
      1,
      degrees ? 2 : 1,
      1025,
      0,
      1,
      1,
      degrees ? 2048 : 3072,
      0,
      1,
      georeference.epsg()
    };
    char[] shorts = new char[keys.length];
    for (int i = 0; i < keys.length; i++) {
      shorts[i] = (char) keys[i];
    }
    GeoTIFFTagSet tags = GeoTIFFTagSet.getInstance();
    directory.addTIFFField(
        new TIFFField(
            tags.getTag(GeoTIFFTagSet.TAG_MODEL_TRANSFORMATION),
            TIFFTag.TIFF_DOUBLE,
            matrix.length,
            matrix));
    directory.addTIFFField(
        new TIFFField(
            tags.getTag(GeoTIFFTagSet.TAG_GEO_KEY_DIRECTORY),
            TIFFTag.TIFF_SHORT,
            shorts.length,
            shorts));
  }
}
