/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.image.ImagePreprocessor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/** The files that were published, and the numbers that are known of them. */
class PublishedDatasetsTest {
  private static Path shared(String name) {
    Path path = Path.of(System.getProperty("crossmodal.shared", "../../shared")).resolve(name);
    if (!Files.exists(path)) {
      System.out.println("skipped: no " + path + " (set -Dcrossmodal.shared)");
    }
    Assumptions.assumeTrue(Files.exists(path));
    return path;
  }

  private static CaptionedDataset captions(String name, int allowed) throws IOException {
    Path path = shared("data/captions").resolve(name);
    return Datasets.readCaptions(
        new Datasets.Options(path, Optional.empty(), allowed, Optional.empty()));
  }

  /** The usual convention, of which {@link CaptionedDataset#captionKey} is a stricter variant. */
  private static String key(String caption) {
    String bare = caption.toLowerCase(Locale.ROOT).replace(".", "").replace(",", "");
    return bare.strip().replaceAll("\\s+", " ");
  }

  /**
   * What is known of a split's captions.
   *
   * @param shared share of the captions that another image has, too, in percent
   * @param caps the most that strict text-to-image R@1, R@5 and R@10 can be, in percent
   * @param repeating images that repeat a caption
   */
  private record Duplicates(
      int captions, int unique, double shared, List<Double> caps, int repeating) {

    static Duplicates of(List<CaptionedImage> images) {
      Map<String, Map<String, Integer>> owners = new HashMap<>();
      int captions = 0;
      int repeating = 0;
      for (CaptionedImage image : images) {
        Set<String> own = new HashSet<>();
        for (String caption : image.captions()) {
          owners
              .computeIfAbsent(key(caption), k -> new HashMap<>())
              .merge(image.filename(), 1, Integer::sum);
          own.add(key(caption));
          captions++;
        }
        repeating += own.size() < image.captions().size() ? 1 : 0;
      }
      int shared = 0;
      for (Map<String, Integer> counts : owners.values()) {
        shared += counts.size() > 1 ? sum(counts.values(), Integer.MAX_VALUE) : 0;
      }
      List<Double> caps = new ArrayList<>();
      for (int k : new int[] {1, 5, 10}) {
        // One order answers equal captions: at best it begins with the images that have most.
        int hits = owners.values().stream().mapToInt(counts -> sum(counts.values(), k)).sum();
        caps.add(percent(hits, captions, 2));
      }
      return new Duplicates(captions, owners.size(), percent(shared, captions, 1), caps, repeating);
    }

    private static int sum(Collection<Integer> counts, int largest) {
      return counts.stream()
          .sorted(Comparator.reverseOrder())
          .limit(largest)
          .mapToInt(Integer::intValue)
          .sum();
    }

    private static double percent(int part, int whole, int digits) {
      double scale = Math.pow(10, digits);
      return Math.round(100.0 * part / whole * scale) / scale;
    }
  }

  private static Duplicates duplicates(CaptionedDataset dataset, Split split) {
    return Duplicates.of(dataset.split(split));
  }

  @Test
  void rsicd() throws IOException {
    // As published, three captions of its training part are nothing but a full stop.
    CaptionedDataset rsicd = captions("precomp/rsicd_precomp", 3);
    assertEquals(3, rsicd.problems().size());
    assertEquals("rsicd_precomp", rsicd.name());
    assertEquals(9828, rsicd.split(Split.TRAIN).size());
    assertEquals(1093, rsicd.split(Split.TEST).size());
    Duplicates test = new Duplicates(5465, 3330, 11.7, List.of(93.12, 99.19, 99.78), 1030);
    assertEquals(test, duplicates(rsicd, Split.TEST));
    Duplicates train = duplicates(rsicd, Split.TRAIN);
    assertEquals(49_140 - 3, train.captions());
    assertEquals(15_094, train.unique());
    assertEquals(41.2, train.shared());
    Set<String> known = new HashSet<>();
    rsicd.split(Split.TRAIN).forEach(i -> i.captions().forEach(c -> known.add(key(c))));
    long verbatim =
        rsicd.split(Split.TEST).stream()
            .flatMap(i -> i.captions().stream())
            .filter(c -> known.contains(key(c)))
            .count();
    assertEquals(636, verbatim);

    CaptionedDataset pir = captions("pir-json/rsicd_test.json", 0);
    assertEquals("rsicd_test", pir.name());
    assertEquals(test, duplicates(pir, Split.TEST), "the same captions in another format");
    assertEquals(
        byName(rsicd.split(Split.TEST)), byName(pir.images()), "the same in another order");
    assertEquals(1966, captions("pir-json/rsicd_val.json", 0).split(Split.VAL).size());
  }

  private static Map<String, List<String>> byName(List<CaptionedImage> images) {
    Map<String, List<String>> captions = new HashMap<>();
    images.forEach(
        image ->
            captions.put(
                image.file().getFileName().toString(),
                image.captions().stream().sorted().toList()));
    return captions;
  }

  @Test
  void rsitmd() throws IOException {
    CaptionedDataset rsitmd = captions("precomp/rsitmd_precomp", 20);
    assertEquals(20, rsitmd.problems().size());
    Duplicates test = duplicates(rsitmd, Split.TEST);
    assertEquals(new Duplicates(2260, 2099, 0.4, List.of(99.82, 100.0, 100.0), 116), test);
    assertEquals(4287, rsitmd.split(Split.TRAIN).size(), "four of 4,291 have no caption");

    CaptionedDataset train = captions("pir-json/rsitmd_train.json", 0);
    assertEquals(3435, train.split(Split.TRAIN).size());
    assertTrue(train.images().stream().allMatch(image -> image.captions().size() == 5));
    assertEquals(856, captions("pir-json/rsitmd_val.json", 0).split(Split.VAL).size());
    assertEquals(
        byName(rsitmd.split(Split.TEST)),
        byName(captions("pir-json/rsitmd_test.json", 0).split(Split.TEST)));
    // RSICD's files lie beside them.
    assertThrows(InvalidDatasetException.class, () -> captions("pir-json", 0));
  }

  @Test
  void ucm() throws IOException {
    CaptionedDataset ucm = captions("precomp/ucm_precomp", 0);
    assertEquals(
        new Duplicates(1050, 377, 82.7, List.of(38.29, 84.76, 100.0), 40),
        duplicates(ucm, Split.TEST));
    Duplicates train = duplicates(ucm, Split.TRAIN);
    assertEquals(9450, train.captions());
    assertEquals(1827, train.unique());
    assertEquals(91.4, train.shared());
  }

  @Test
  void withoutTheirImagesTheyAreRefused() {
    Path path = shared("data/captions").resolve("precomp/ucm_precomp");
    InvalidDatasetException e =
        assertThrows(InvalidDatasetException.class, () -> Datasets.read(Datasets.Options.of(path)));
    assertEquals(2100, e.problems().size());
  }

  @Test
  void rsicdAid() throws IOException {
    Path folder = shared("data/rsicd-aid");
    CaptionedDataset read =
        Datasets.read(new Datasets.Options(folder, Optional.empty(), 3, Optional.empty()));
    assertEquals("rsicd-aid", read.name());
    assertEquals(8087, read.split(Split.TRAIN).size());
    assertEquals(0, read.problemsLeft());
    List<CaptionedImage> val = read.split(Split.VAL);
    ImagePreprocessor preprocessor = new ImagePreprocessor(SensorConfig.rgb(64));
    assertEquals(886, DecodedImages.decode(val, preprocessor, 0).pictures().size());
  }
}
