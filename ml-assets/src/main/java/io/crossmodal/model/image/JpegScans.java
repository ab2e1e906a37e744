/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.util.Locale;

/**
 * How a JPEG file comes: in one scan, which is decoded line by line, or in several (progressive, or
 * a scan for each component). Of the latter the decoder keeps every coefficient of the picture in
 * native memory, 6 bytes a pixel, and draws the picture anew for each scan, so a file of some
 * hundred bytes may cost gigabytes or hours.
 *
 * @param several whether there may be more than one
 * @param scans those that the file holds
 * @see <a href="https://www.w3.org/Graphics/JPEG/itu-t81.pdf">ITU-T T.81, annexes B and G</a>
 */
record JpegScans(boolean several, int scans) {
  static final int MAX_PIXELS = 16 << 20;
  static final long MAX_DRAWN = 256L << 20;

  /** Of coefficients: two for each of three components, at full resolution. */
  private static final int COEFFICIENT_BYTES = 6;

  private static final int START_OF_SCAN = 0xda;
  private static final int PROGRESSIVE = 0xc2;
  private static final int PROGRESSIVE_ARITHMETIC = 0xca;

  /** Reads the markers of a file, of one in a single scan no further than to its pixels. */
  static JpegScans of(byte[] file) {
    boolean several = false;
    int scans = 0;
    int components = 0;
    for (int at = 2; at + 4 < file.length; ) {
      int marker = file[at + 1] & 0xff;
      if (file[at] != (byte) 0xff || marker == 0xff) {
        at++;
      } else if (marker <= 1 || (marker >= 0xd0 && marker <= 0xd9)) {
        // A stuffed zero, or a marker that stands alone.
        at += 2;
      } else {
        int length = ((file[at + 2] & 0xff) << 8) | (file[at + 3] & 0xff);
        if (isFrame(marker)) {
          several |= marker == PROGRESSIVE || marker == PROGRESSIVE_ARITHMETIC;
          components = at + 9 < file.length ? file[at + 9] & 0xff : 0;
        } else if (marker == START_OF_SCAN) {
          scans++;
          several |= (file[at + 4] & 0xff) < components;
          if (!several) {
            return new JpegScans(false, 1);
          }
        }
        at += 2 + length;
      }
    }
    return new JpegScans(several, scans);
  }

  /** SOF0 to SOF15, without the tables that have numbers among them. */
  private static boolean isFrame(int marker) {
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
  }

  /** Native memory that the decoder takes, but for a few rows. */
  long bytes(int width, int height) {
    return several ? (long) width * height * COEFFICIENT_BYTES : 0;
  }

  /**
   * Refuses what would cost too much.
   *
   * @throws ImageFormatException naming size and scans, and what is accepted
   */
  void check(int width, int height) {
    long pixels = (long) width * height;
    if (several && (pixels > MAX_PIXELS || pixels * scans > MAX_DRAWN)) {
      throw new ImageFormatException(
          String.format(
              Locale.ROOT,
              "the JPEG is progressive, %d x %d pixels in %d scans; such files are read up to %d"
                  + " million pixels and %d million over all scans: save it as baseline; %s",
              width,
              height,
              scans,
              MAX_PIXELS >> 20,
              MAX_DRAWN >> 20,
              ImageDecoder.ACCEPTED));
    }
  }
}
