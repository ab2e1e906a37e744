/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.fixtures.AllocatedBytes;
import io.crossmodal.model.fixtures.Seeds;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Damaged pictures are decoded or refused; nothing else is thrown, and no more memory is taken than
 * was said. {@code -Dcrossmodal.fuzz.seconds=N} goes on for so long, {@code
 * -Dcrossmodal.fuzz.files=N} until so many were tried.
 */
class PictureFuzzTest {
  /** Pixel scale, tie point, transformation, GeoTIFF's keys. */
  private static final int[] GEO_TAGS = {33550, 33922, 34264, 34735};

  /** What a node may spend on a picture; larger ones are counted, not decoded. */
  private static final long BUDGET = 48 << 20;

  /** Beside what is counted: exceptions, the JDK's readers and their tables, ICC profiles. */
  private static final long OVERHEAD = 8 << 20;

  private final AllocatedBytes allocatedBytes = new AllocatedBytes();

  @Test
  void damagedPicturesAreDecodedOrRefused() throws Exception {
    long seed = Seeds.next();
    long seconds = Long.getLong("crossmodal.fuzz.seconds", 4);
    long most = Long.getLong("crossmodal.fuzz.files", Long.MAX_VALUE);
    List<byte[]> files = new ArrayList<>();
    for (String name :
        Stream.concat(ReferenceFilesTest.pictures(), ReferenceFilesTest.bands()).toList()) {
      files.add(ReferenceFilesTest.file(name));
    }
    PictureMutations mutations = new PictureMutations(new SplittableRandom(seed), files);
    ImagePreprocessor preprocessor = new ImagePreprocessor(SensorConfig.rgb(32));
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
    int[] outcomes = new int[3];
    long tried = 0;
    for (; tried < most && System.nanoTime() < end; tried++) {
      byte[] file = mutations.next();
      try {
        outcomes[tryPicture(preprocessor, file)]++;
        tryBands(file);
      } catch (Throwable e) {
        throw new AssertionError(
            "seed " + seed + ", file " + tried + ": " + Base64.getEncoder().encodeToString(file),
            e);
      }
    }
    System.out.printf(
        Locale.ROOT,
        "fuzzed %d pictures, seed %d: %d decoded, %d refused, %d larger than the budget%n",
        tried,
        seed,
        outcomes[0],
        outcomes[1],
        outcomes[2]);
    assertTrue(outcomes[0] > 0 && outcomes[1] > 0);
  }

  /** 0: decoded, 1: refused, 2: not tried. */
  private int tryPicture(ImagePreprocessor preprocessor, byte[] file) {
    try {
      long said = preprocessor.bytes(file);
      if (said > BUDGET) {
        return 2;
      }
      long before = allocatedBytes.ofThisThread();
      try {
        preprocessor.preprocess(file);
      } finally {
        assertAllocated(said, before);
      }
      return 0;
    } catch (ImageFormatException e) {
      assertTrue(e.getMessage().contains("accepted"), e.getMessage());
      return 1;
    }
  }

  private void tryBands(byte[] file) {
    if (!GeoTiff.isTiff(file)) {
      return;
    }
    try {
      GeoTiff tiff = GeoTiff.open(file);
      long said = tiff.bytes();
      if (said > BUDGET) {
        return;
      }
      long before = allocatedBytes.ofThisThread();
      try {
        tiff.read();
      } finally {
        assertAllocated(said, before);
      }
      for (int tag : GEO_TAGS) {
        tiff.numbers(tag);
      }
    } catch (ImageFormatException e) {
      assertTrue(e.getMessage().length() > 10, "" + e);
    }
  }

  /** All that was allocated, of which garbage is a part: the heap that is held is less. */
  private void assertAllocated(long said, long before) {
    long allocated = allocatedBytes.ofThisThread() - before;
    assertTrue(allocated < 2 * said + OVERHEAD, allocated + " bytes of " + said);
  }
}
