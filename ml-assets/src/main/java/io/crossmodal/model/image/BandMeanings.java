/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * What GDAL says of samples where TIFF's own fields cannot, or say something else: it writes four
 * bands of bytes as red, green, blue and opacity, whatever they are, and in a field of its own that
 * the fourth is none.
 *
 * @param names colour interpretations by sample, those that GDAL wrote
 */
record BandMeanings(Map<Integer, String> names) {
  private static final int GDAL_METADATA = 42112;
  private static final Pattern ITEM =
      Pattern.compile(
          "<Item name=\"COLORINTERP\" sample=\"(\\d{1,5})\" role=\"colorinterp\">"
              + "([A-Za-z]{1,40})</Item>");
  private static final String OPACITY = "Alpha";

  BandMeanings {
    names = Map.copyOf(names);
  }

  /** Reads them from the directory of a file's first image; overviews have none. */
  static BandMeanings of(TiffDirectory directory) {
    Map<Integer, String> names = new HashMap<>();
    Matcher items = ITEM.matcher(directory.text(GDAL_METADATA));
    while (items.find()) {
      names.put(Integer.valueOf(items.group(1)), items.group(2));
    }
    return new BandMeanings(names);
  }

  /** Returns whether a sample that TIFF's fields call opacity is nothing else. */
  boolean isOpacity(int sample) {
    return names.getOrDefault(sample, OPACITY).equals(OPACITY);
  }

  /** Returns the sample that GDAL alone calls opacity; -1 for none. */
  int opacity(int samples) {
    return first(OPACITY, samples);
  }

  private int first(String name, int samples) {
    return IntStream.range(0, samples)
        .filter(sample -> name.equals(names.get(sample)))
        .findFirst()
        .orElse(-1);
  }

  /**
   * Returns the samples that are red, green and blue.
   *
   * @param samples how many there are
   * @param usual where they are by TIFF's own fields; none where these do not say
   */
  List<Integer> rgb(int samples, List<Integer> usual) {
    List<Integer> named =
        Stream.of("Red", "Green", "Blue").map(colour -> first(colour, samples)).toList();
    // Of colours that are where TIFF has them GDAL names none.
    return named.contains(-1) ? usual : named;
  }
}
