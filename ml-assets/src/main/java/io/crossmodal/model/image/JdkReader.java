/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.awt.image.DataBufferByte;
import java.awt.image.PixelInterleavedSampleModel;
import java.awt.image.Raster;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import javax.imageio.ImageIO;
import javax.imageio.ImageReadParam;
import javax.imageio.ImageReader;
import javax.imageio.event.IIOReadWarningListener;
import javax.imageio.stream.ImageInputStreamImpl;

/**
 * The JDK's readers of coded pixels. They are given files without what lies beside the pixels
 * (profiles, thumbnails, text), so that whatever they warn of is damage to the pixels.
 */
final class JdkReader {
  private JdkReader() {}

  /**
   * Decodes every {@code stepX}th column and {@code stepY}th row, without converting a sample.
   *
   * @param kind JPEG or PNG
   * @throws ImageFormatException when the file is damaged, also where a decoder would go on
   */
  static Raster raster(FileKind kind, byte[] file, int stepX, int stepY) {
    List<String> warnings = new ArrayList<>();
    ImageReader reader = reader(kind);
    try (InMemory in = new InMemory(file)) {
      reader.addIIOReadWarningListener(
          new IIOReadWarningListener() {
            @Override
            public void warningOccurred(ImageReader source, String warning) {
              warnings.add(warning);
            }
          });
      reader.setInput(in, true, true);
      ImageReadParam param = reader.getDefaultReadParam();
      param.setSourceSubsampling(stepX, stepY, 0, 0);
      Raster raster =
          reader.canReadRaster() ? reader.readRaster(0, param) : reader.read(0, param).getRaster();
      if (!warnings.isEmpty()) {
        throw kind.damaged("%s", warnings.get(0));
      }
      return raster;
    } catch (ImageFormatException e) {
      throw e;
    } catch (IOException | RuntimeException e) {
      // The JDK's readers answer damage with anything.
      throw kind.damaged(e, "%s", e.getMessage());
    } finally {
      reader.dispose();
    }
  }

  /** The JDK's own, whatever else is registered in this JVM. */
  private static ImageReader reader(FileKind kind) {
    Iterator<ImageReader> readers = ImageIO.getImageReadersByFormatName(kind.title());
    while (readers.hasNext()) {
      ImageReader reader = readers.next();
      if (reader.getClass().getModule() == ImageIO.class.getModule()) {
        return reader;
      }
      reader.dispose();
    }
    throw new IllegalStateException("this Java has no reader for " + kind + " in java.desktop");
  }

  /** Samples of 8 bits, pixel by pixel; the raster's own array where it has them so. */
  static byte[] bytes(Raster raster) {
    int bands = raster.getNumBands();
    int width = raster.getWidth();
    int height = raster.getHeight();
    if (raster.getDataBuffer() instanceof DataBufferByte buffer
        && raster.getSampleModel() instanceof PixelInterleavedSampleModel model
        && model.getScanlineStride() == bands * width
        && model.getPixelStride() == bands
        && inOrder(model.getBandOffsets())
        && buffer.getData().length == bands * width * height) {
      return buffer.getData();
    }
    byte[] bytes = new byte[bands * width * height];
    int[] row = new int[bands * width];
    for (int y = 0; y < height; y++) {
      raster.getPixels(raster.getMinX(), raster.getMinY() + y, width, 1, row);
      for (int i = 0; i < row.length; i++) {
        bytes[y * row.length + i] = (byte) row[i];
      }
    }
    return bytes;
  }

  private static boolean inOrder(int[] offsets) {
    for (int i = 0; i < offsets.length; i++) {
      if (offsets[i] != i) {
        return false;
      }
    }
    return true;
  }

  /**
   * A whole file for a reader. ImageIO's own streams keep a second copy of it, in memory or in a
   * file, as a static switch says.
   */
  private static final class InMemory extends ImageInputStreamImpl {
    private final byte[] file;

    InMemory(byte[] file) {
      this.file = file;
    }

    @Override
    public int read() {
      bitOffset = 0;
      return streamPos < file.length ? file[(int) streamPos++] & 0xff : -1;
    }

    @Override
    public int read(byte[] bytes, int from, int length) {
      bitOffset = 0;
      int read = (int) Math.min(length, file.length - streamPos);
      if (read <= 0) {
        return length == 0 ? 0 : -1;
      }
      System.arraycopy(file, (int) streamPos, bytes, from, read);
      streamPos += read;
      return read;
    }

    @Override
    public long length() {
      return file.length;
    }
  }
}
