/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import static io.crossmodal.trainer.data.DatasetFiles.assertOneProblem;
import static io.crossmodal.trainer.data.DatasetFiles.read;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.trainer.train.MicroTraining;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LabelledFolderReaderTest {
  private static final long SEED = MicroTraining.seed();

  @TempDir Path folder;
  private DatasetFiles files;

  @BeforeEach
  void prepare() {
    files = new DatasetFiles(folder);
  }

  private CaptionedDataset readWith(FolderOptions options) throws IOException {
    return Datasets.read(new Datasets.Options(folder, Optional.empty(), 0, Optional.of(options)));
  }

  private static FolderOptions options(Split.Shares shares, long seed) {
    return new FolderOptions(FolderOptions.TEMPLATES, shares, seed);
  }

  private static Map<String, Split> splits(CaptionedDataset dataset) {
    Map<String, Split> splits = new HashMap<>();
    dataset.images().forEach(image -> splits.put(image.filename(), image.split()));
    return splits;
  }

  /** Pictures by their name alone; nothing here decodes them. */
  private void files(String... names) throws IOException {
    for (String name : names) {
      files.write(name, "x");
    }
  }

  @Test
  void readsClassesAsCaptions() throws IOException {
    files.pictures("BareLand/bare_1.jpg", "BareLand/bare_2.PNG", "storage_tanks/1.tif");
    files("BareLand/Thumbs.db", "BareLand/._bare_1.jpg", "readme.txt", ".git/x.png");
    CaptionedDataset read = read(folder);
    assertEquals(folder.getFileName().toString(), read.name());
    assertEquals(
        List.of("BareLand/bare_1.jpg", "BareLand/bare_2.PNG", "storage_tanks/1.tif"),
        read.images().stream().map(CaptionedImage::filename).toList());
    CaptionedImage tanks = read.images().get(2);
    assertEquals(folder.resolve("storage_tanks").resolve("1.tif"), tanks.file());
    assertEquals(2, tanks.imageId());
    assertEquals(5, tanks.captions().size());
    assertEquals("an aerial photograph of storage tanks", tanks.captions().get(0));
    List<String> own = List.of("{class}, {class}!", "only {class}");
    assertEquals(
        List.of("bare land, bare land!", "only bare land"),
        readWith(new FolderOptions(own, Split.Shares.DEFAULT, 1)).images().get(0).captions());
  }

  @Test
  void makesClassNamesReadable() {
    Map<String, String> expected =
        Map.of(
            "DenseResidential", "dense residential",
            "AnnualCrop", "annual crop",
            "storage_tanks", "storage tanks",
            "mobilehomepark", "mobilehomepark",
            "cIndustry", "industry",
            "dRiverLake", "river lake",
            "SARImage", "sar image",
            "Terminal2North", "terminal2 north",
            " golf  course_", "golf course",
            "T-junction", "t-junction");
    expected.forEach((label, words) -> assertEquals(words, PictureFiles.className(label)));
  }

  @Test
  void addingAPictureMovesNoOther() throws IOException {
    SplittableRandom random = new SplittableRandom(SEED);
    Split.Shares shares = new Split.Shares(0.5, 0.25, 0.25);
    Set<String> names = new HashSet<>();
    Map<String, Split> before = new HashMap<>();
    for (int round = 0; round < 4; round++) {
      for (int i = 0; i < 25; i++) {
        String name = "class" + random.nextInt(3) + "/" + random.nextInt(100_000) + ".jpg";
        names.add(name);
        files(name);
      }
      files("class0/0.jpg", "class1/0.jpg");
      Map<String, Split> now = splits(readWith(options(shares, SEED)));
      before.forEach((name, split) -> assertEquals(split, now.get(name), name));
      assertTrue(now.keySet().containsAll(names));
      before.putAll(now);
    }
    assertEquals(before, splits(readWith(options(shares, SEED))));
    assertNotEquals(before, splits(readWith(options(shares, SEED + 1))));
  }

  @Test
  void sharesHoldInEveryClass() throws IOException {
    int each = 300;
    for (int i = 0; i < each; i++) {
      files("Forest/f" + i + ".jpg", "River/r" + i + ".jpg");
    }
    CaptionedDataset read = readWith(options(new Split.Shares(0.6, 0.3, 0.1), SEED));
    for (String label : List.of("Forest/", "River/")) {
      // Five standard deviations of a binomial of 300: chance fails it once in a million seeds.
      assertShare(read, label, Split.TRAIN, 0.6 * each, 43);
      assertShare(read, label, Split.VAL, 0.3 * each, 40);
      assertShare(read, label, Split.TEST, 0.1 * each, 26);
    }
  }

  private static void assertShare(
      CaptionedDataset read, String label, Split split, double expected, double delta) {
    long found = read.split(split).stream().filter(i -> i.filename().startsWith(label)).count();
    assertEquals(expected, (double) found, delta, label + split);
  }

  @Test
  void aShareOfZeroGetsNothing() {
    SplittableRandom random = new SplittableRandom(SEED);
    double last = Math.nextDown(1.0);
    assertEquals(Split.TRAIN, new Split.Shares(1, 0, 0).at(last));
    assertEquals(Split.VAL, new Split.Shares(0, 1, 0).at(0));
    assertEquals(Split.TEST, new Split.Shares(0, 0, 1).at(0));
    // 0.7 + 0.2 + 0.1 is 0.9999999999999999, and 0.7 + 0.1 + 0.2 is as well.
    assertEquals(Split.TEST, new Split.Shares(0.7, 0.2, 0.1).at(last));
    for (int i = 0; i < 1000; i++) {
      double train = random.nextDouble();
      assertEquals(Split.VAL, new Split.Shares(train, 1 - train, 0).at(last));
      assertNotEquals(Split.VAL, new Split.Shares(train, 0, 1 - train).at(random.nextDouble()));
    }
  }

  /** Written down once: a change would move test pictures into training. */
  @Test
  void theSplitIsTheSameForEver() throws IOException {
    files("A/1.jpg", "A/2.jpg", "A/3.jpg", "B/1.jpg", "B/2.jpg", "B/3.jpg", "B/4.jpg");
    Map<String, Split> found = splits(readWith(options(new Split.Shares(0.4, 0.3, 0.3), 1)));
    assertEquals(
        Map.of(
            "A/1.jpg", Split.TEST,
            "A/2.jpg", Split.VAL,
            "A/3.jpg", Split.TRAIN,
            "B/1.jpg", Split.TEST,
            "B/2.jpg", Split.VAL,
            "B/3.jpg", Split.TEST,
            "B/4.jpg", Split.VAL),
        found);
  }

  @Test
  void refusesWhatCannotBe() throws IOException {
    files("A/1.jpg", "B/1.jpg", "Empty/notes.txt");
    assertOneProblem(folder, "the folder " + folder.resolve("Empty") + " holds no JPEG");
    Files.delete(folder.resolve("Empty/notes.txt"));
    assertOneProblem(folder, "Empty");
    assertRefused(() -> new Split.Shares(0.8, 0.1, 0.2), "add up to 1, got 0.8, 0.1, 0.2");
    assertRefused(() -> new Split.Shares(-0.1, 1, 0.1), "at least 0");
    assertRefused(() -> new Split.Shares(Double.NaN, 1, 0), "NaN");
    assertRefused(
        () -> new FolderOptions(List.of("a picture"), Split.Shares.DEFAULT, 1),
        "must hold {class}, got \"a picture\"");
    assertRefused(
        () -> new FolderOptions(List.of(), Split.Shares.DEFAULT, 1),
        "at least one caption template");
  }

  private static void assertRefused(Runnable making, String part) {
    String message = assertThrows(IllegalArgumentException.class, making::run).getMessage();
    assertTrue(message.contains(part), message);
  }
}
