/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.Sha256;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.RgbImage;
import io.crossmodal.model.text.WordPieceTokenizer;
import io.crossmodal.trainer.data.Augmentation;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.DecodedImages;
import io.crossmodal.trainer.data.Split;
import java.awt.image.BufferedImage;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CaptionSetTest {
  private static final long SEED = MicroTraining.seed();
  private static final int IMAGES = 11;
  private static final ImagePreprocessor PREPROCESSOR = new ImagePreprocessor(SensorConfig.rgb(16));

  /** Images of one colour each; the first three share captions. */
  private static final List<CaptionedImage> SPLIT = new ArrayList<>();

  private static WordPieceTokenizer tokenizer;

  @TempDir static Path folder;

  @BeforeAll
  static void paint() throws Exception {
    for (int i = 0; i < IMAGES; i++) {
      BufferedImage image = new BufferedImage(16, 16, BufferedImage.TYPE_INT_RGB);
      for (int p = 0; p < 256; p++) {
        image.setRGB(p % 16, p / 16, colour(i) << 16);
      }
      Path file = folder.resolve(i + ".png");
      ImageIO.write(image, "png", file.toFile());
      List<String> captions =
          i < 3
              ? List.of("A red roof.", "a  red roof")
              : List.of("picture number " + i + " of them", "it is " + i);
      SPLIT.add(new CaptionedImage(i + ".png", file, i, Split.TRAIN, captions));
    }
    tokenizer = new WordPieceTokenizer(CaptionSet.vocabulary(SPLIT, 1), 16);
  }

  private static int colour(int image) {
    return 20 * image + 10;
  }

  private static TrainingOptions options(long seed, int batch, double hard, double mask) {
    return options(
        seed, batch, new TrainingOptions.Tasks(1, 1, 1, 0, hard, mask, 1), Augmentation.NONE);
  }

  private static TrainingOptions options(
      long seed, int batch, TrainingOptions.Tasks tasks, Augmentation augmentation) {
    return options(seed, batch, tasks, TrainingOptions.Momentum.NONE, augmentation);
  }

  private static TrainingOptions options(
      long seed,
      int batch,
      TrainingOptions.Tasks tasks,
      TrainingOptions.Momentum momentum,
      Augmentation augmentation) {
    return options(seed, batch, 2, tasks, momentum, augmentation);
  }

  private static TrainingOptions options(
      long seed,
      int batch,
      int lengthGroup,
      TrainingOptions.Tasks tasks,
      TrainingOptions.Momentum momentum,
      Augmentation augmentation) {
    return MicroTraining.with(
        MicroTraining.options(seed, 100, tasks, momentum, TrainingOptions.Stages.NONE, 1e-3, 10),
        "batch",
        batch,
        "length_group",
        lengthGroup,
        "augmentation",
        augmentation,
        "dropout",
        0);
  }

  private static CaptionSet set(TrainingOptions options) {
    return set(options, SPLIT, 0);
  }

  private static CaptionSet set(
      TrainingOptions options, List<CaptionedImage> split, int allowedProblems) {
    DecodedImages<RgbImage> decoded = DecodedImages.decode(split, PREPROCESSOR, allowedProblems);
    return new CaptionSet(options, decoded, tokenizer, SensorConfig.rgb(16));
  }

  /** Which image each row of a batch is, by its colour. */
  private static int[] images(CaptionSet.Batch batch) {
    int[] images = new int[batch.size()];
    SensorConfig rgb = SensorConfig.rgb(16);
    for (int b = 0; b < images.length; b++) {
      double red = (batch.pixels()[b * 3 * 256] * rgb.std().get(0) + rgb.mean().get(0)) * 255;
      images[b] = (int) Math.round((red - 10) / 20);
    }
    return images;
  }

  private static void assertSame(CaptionSet.Batch a, CaptionSet.Batch b) {
    assertArrayEquals(a.pixels(), b.pixels());
    assertArrayEquals(a.ids(), b.ids());
    assertArrayEquals(a.mask(), b.mask());
    assertArrayEquals(a.masked(), b.masked());
    assertArrayEquals(a.labels(), b.labels());
    assertArrayEquals(a.matches(), b.matches());
    assertArrayEquals(a.noise(), b.noise());
    assertArrayEquals(a.hard(), b.hard());
  }

  @Test
  void aBatchDependsOnTheSeedAndTheStepAlone() {
    CaptionSet one = set(options(SEED, 4, 0.5, 0.15));
    CaptionSet other = set(options(SEED, 4, 0.5, 0.15));
    List<CaptionSet.Batch> batches = new ArrayList<>();
    for (int step = 0; step < 6; step++) {
      batches.add(one.batch(step));
    }
    for (int step = 5; step >= 0; step--) {
      assertSame(batches.get(step), other.batch(step));
    }
    assertFalse(Arrays.equals(batches.get(0).noise(), batches.get(1).noise()));
    CaptionSet reseeded = set(options(SEED + 1, 4, 0.5, 0.15));
    assertFalse(Arrays.equals(batches.get(0).noise(), reseeded.batch(0).noise()));
  }

  /**
   * What batches were when every picture and caption lay on the heap. Gumbel noise, of the
   * platform's logarithm, is left out.
   */
  @Test
  void batchesAreTheRecordedOnes() throws Exception {
    SplittableRandom random = new SplittableRandom(7);
    List<CaptionedImage> split = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      BufferedImage image = new BufferedImage(16, 16, BufferedImage.TYPE_INT_RGB);
      for (int p = 0; p < 256; p++) {
        image.setRGB(p % 16, p / 16, random.nextInt(1 << 24));
      }
      Path file = folder.resolve("noise" + i + ".png");
      ImageIO.write(image, "png", file.toFile());
      List<String> captions = new ArrayList<>();
      for (int c = 0; c <= i % 5; c++) {
        captions.add("It is" + " picture".repeat(1 + random.nextInt(4)) + " " + (i / 2 + c) + ".");
      }
      split.add(new CaptionedImage(file.toString(), file, i, Split.TRAIN, captions));
    }
    TrainingOptions options =
        options(
            3,
            4,
            new TrainingOptions.Tasks(1, 1, 1, 0, 0.5, 0.15, 1),
            new TrainingOptions.Momentum(8, 0),
            Augmentation.JITTER);
    CaptionSet set = set(options, split, 0);
    MessageDigest digest = Sha256.digest();
    for (int step = 0; step < 10; step++) {
      CaptionSet.Batch batch = set.batch(step);
      for (float[] values :
          List.of(
              batch.pixels(), batch.mask(), batch.matches(), batch.hard(), batch.keyMatches())) {
        ByteBuffer bytes = ByteBuffer.allocate(Float.BYTES * values.length);
        bytes.asFloatBuffer().put(values);
        digest.update(bytes);
      }
      for (long[] values : List.of(batch.ids(), batch.masked(), batch.labels())) {
        ByteBuffer bytes = ByteBuffer.allocate(Long.BYTES * values.length);
        bytes.asLongBuffer().put(values);
        digest.update(bytes);
      }
    }
    assertEquals(
        "ac7eeaf814d46433787814072ed3c2f174cc8dd6eddca4349e0ab281e3f84c03",
        HexFormat.of().formatHex(digest.digest()));
  }

  @Test
  void anEpochTakesNoImageTwice() {
    CaptionSet set = set(options(SEED, 5, 0.5, 0.15));
    Set<List<Integer>> orders = new HashSet<>();
    for (int epoch = 0; epoch < 4; epoch++) {
      List<Integer> seen = new ArrayList<>();
      for (int step = 2 * epoch; step < 2 * epoch + 2; step++) {
        Arrays.stream(images(set.batch(step))).forEach(seen::add);
      }
      assertEquals(10, new HashSet<>(seen).size(), seen.toString());
      orders.add(seen);
    }
    assertTrue(orders.size() > 1, "every epoch has another order");
  }

  /** Ten images of two captions each, with 3 to 12 words: three batches of three an epoch. */
  @Test
  void aGroupOfBatchesIsDealtOutByLength() {
    List<CaptionedImage> split = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      split.add(
          new CaptionedImage(
              SPLIT.get(i).filename(),
              SPLIT.get(i).file(),
              i,
              Split.TRAIN,
              List.of("it" + " is".repeat(2 + i % 5), "it" + " is".repeat(7 + i % 5))));
    }
    int[] padding = new int[2];
    Set<List<Integer>> orders = new HashSet<>();
    Set<Integer> lengths = new HashSet<>();
    for (int step = 0; step < 60; step += 3) {
      for (int sorted = 0; sorted < 2; sorted++) {
        CaptionSet set =
            set(
                options(
                    SEED,
                    3,
                    sorted == 1 ? 4 : 1,
                    new TrainingOptions.Tasks(1, 1, 1, 0, 0, 0, 1),
                    TrainingOptions.Momentum.NONE,
                    Augmentation.NONE),
                split,
                0);
        Set<Integer> seen = new HashSet<>();
        List<int[]> ranges = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
          CaptionSet.Batch batch = set.batch(step + i);
          Arrays.stream(images(batch)).forEach(seen::add);
          int shortest = batch.tokens();
          for (int b = 0; b < 3; b++) {
            int length = 0;
            for (int j = 0; j < batch.tokens(); j++) {
              length += (int) batch.mask()[b * batch.tokens() + j];
            }
            shortest = Math.min(shortest, length);
            padding[sorted] += batch.tokens() - length;
            lengths.add(length);
          }
          ranges.add(new int[] {shortest, batch.tokens()});
        }
        assertEquals(9, seen.size(), "an epoch takes no image twice");
        if (sorted == 1) {
          orders.add(List.of(ranges.get(0)[1], ranges.get(1)[1], ranges.get(2)[1]));
          ranges.sort(Comparator.comparingInt(r -> r[0] + r[1]));
          assertTrue(ranges.get(0)[1] <= ranges.get(1)[0], "no batch reaches into another");
          assertTrue(ranges.get(1)[1] <= ranges.get(2)[0], "no batch reaches into another");
        }
      }
    }
    assertTrue(padding[1] < padding[0] / 2, padding[1] + " against " + padding[0]);
    assertEquals(10, lengths.size(), "every caption is drawn");
    assertTrue(orders.stream().anyMatch(o -> o.get(0) > o.get(2)), "long ones may come first");
  }

  @Test
  void imagesMatchEveryTextThatIsAmongTheirCaptions() {
    CaptionSet set = set(options(SEED, IMAGES, 0.5, 0.15));
    for (int step = 0; step < 5; step++) {
      CaptionSet.Batch batch = set.batch(step);
      int[] images = images(batch);
      for (int i = 0; i < IMAGES; i++) {
        for (int j = 0; j < IMAGES; j++) {
          boolean match = i == j || (images[i] < 3 && images[j] < 3);
          assertEquals(match ? 1 : 0, batch.matches()[i * IMAGES + j], i + " and " + j);
        }
      }
    }
  }

  /** The others' captions are "picture number i of them" and "it is i". */
  @Test
  void nearCaptionsAreNeitherRightNorNegatives() {
    TrainingOptions.Tasks all = new TrainingOptions.Tasks(1, 0, 0, 0, 0, 0, 1);
    TrainingOptions.Tasks near = new TrainingOptions.Tasks(1, 0, 0, 0, 0, 0, 0.3);
    CaptionSet.Batch usual = set(options(SEED, IMAGES, all, Augmentation.NONE)).batch(0);
    CaptionSet.Batch batch = set(options(SEED, IMAGES, near, Augmentation.NONE)).batch(0);
    assertArrayEquals(new float[IMAGES * IMAGES], usual.similar());
    int found = 0;
    for (int i = 0; i < batch.similar().length; i++) {
      assertTrue(batch.similar()[i] + batch.matches()[i] <= 1, "both at " + i);
      found += (int) batch.similar()[i];
    }
    assertTrue(found > 0, "pictures from the fourth on say nearly the same of themselves");
  }

  /** Seen from the next batches: what a batch asks for now is a key of theirs. */
  @Test
  void keysOfEarlierBatchesMatchByImageAndByCaption() {
    int queue = 8;
    TrainingOptions.Tasks itc = new TrainingOptions.Tasks(1, 0, 0, 0, 0, 0, 1);
    CaptionSet set =
        set(options(SEED, 4, itc, new TrainingOptions.Momentum(queue, 0), Augmentation.NONE));
    List<int[]> images = new ArrayList<>();
    int matched = 0;
    for (int step = 0; step < 12; step++) {
      CaptionSet.Batch batch = set.batch(step);
      images.add(images(batch));
      int k = 4 + Math.min(queue, 4 * step);
      assertEquals(k, batch.keys());
      for (int i = 0; i < 4; i++) {
        for (int j = 0; j < k; j++) {
          int asking = images.get(step)[i];
          int key = images.get(step - j / 4)[j % 4];
          // The first three images have both of their captions in common.
          float expected = asking == key || (asking < 3 && key < 3) ? 1 : 0;
          assertEquals(expected, batch.keyMatches()[i * k + j], "image " + i + ", key " + j);
          assertEquals(expected, batch.keyMatches()[(4 + i) * k + j], "text " + i + ", key " + j);
          matched += j >= 4 ? (int) expected : 0;
        }
      }
    }
    assertTrue(matched > 0, "an image comes again within the queue");
    assertEquals(0, set(options(SEED, 4, 0.5, 0.15)).batch(3).keys());
  }

  @Test
  void aCaptionThatAnImageRepeatsCountsOnce() {
    List<CaptionedImage> split = new ArrayList<>();
    for (CaptionedImage image : SPLIT) {
      List<String> captions = List.of("often", "Often.", "often", "often ", "seldom of it");
      split.add(
          new CaptionedImage(
              image.filename(), image.file(), image.imageId(), Split.TRAIN, captions));
    }
    CaptionSet set = set(options(SEED, 8, 0.5, 0), split, 0);
    int longer = 0;
    for (int step = 0; step < 100; step++) {
      CaptionSet.Batch batch = set.batch(step);
      for (int i = 0; i < 8; i++) {
        float[] mask =
            Arrays.copyOfRange(batch.mask(), i * batch.tokens(), (i + 1) * batch.tokens());
        longer += mask[mask.length - 1] > 0 && batch.tokens() > 3 ? 1 : 0;
      }
    }
    // Half of 800, give or take six deviations; by count it would be 160.
    assertEquals(400, longer, 85);
  }

  @Test
  void labelsStandExactlyWhereAPieceIsMasked() {
    CaptionSet set = set(options(SEED, 6, 0.5, 0.4));
    int start = tokenizer.id(WordPieceTokenizer.START);
    int end = tokenizer.id(WordPieceTokenizer.END);
    int mask = tokenizer.id(WordPieceTokenizer.MASK);
    int unknown = tokenizer.id(WordPieceTokenizer.UNKNOWN);
    int hidden = 0;
    for (int step = 0; step < 20; step++) {
      CaptionSet.Batch batch = set.batch(step);
      int n = batch.tokens();
      int longest = 0;
      for (int b = 0; b < 6; b++) {
        int length = 0;
        int inText = 0;
        for (int j = 0; j < n; j++) {
          int at = b * n + j;
          boolean present = batch.mask()[at] == 1;
          length += present ? 1 : 0;
          boolean label = batch.labels()[at] != CaptionSet.Batch.NOT_MASKED;
          assertEquals(label, batch.masked()[at] == mask);
          if (label) {
            inText++;
            assertTrue(present);
            assertTrue(batch.labels()[at] != start && batch.labels()[at] != end);
          }
          long truth = label ? batch.labels()[at] : batch.masked()[at];
          // A dropped word is unknown to the towers, and known to the masked text.
          assertTrue(batch.ids()[at] == truth || batch.ids()[at] == unknown);
          assertEquals(present, length == j + 1, "padding stands behind the text");
        }
        assertTrue(inText >= 1, "every text teaches something");
        hidden += inText;
        assertEquals(start, batch.ids()[b * n]);
        assertEquals(end, batch.ids()[b * n + length - 1]);
        longest = Math.max(longest, length);
      }
      assertEquals(n, longest, "padded to the longest text, no further");
    }
    assertTrue(hidden > 20 * 6, "some texts lose more than one piece");
  }

  @Test
  void withoutAMaskProbabilityOnePieceATextIsMasked() {
    CaptionSet.Batch batch = set(options(SEED, 6, 0.5, 0)).batch(0);
    assertEquals(
        6, Arrays.stream(batch.labels()).filter(l -> l != CaptionSet.Batch.NOT_MASKED).count());
  }

  @Test
  void noiseAndHardnessHaveTheShapesOfTheirTasks() {
    double sum = 0;
    int count = 0;
    for (int step = 0; step < 40; step++) {
      CaptionSet.Batch batch = set(options(SEED, 4, 0.5, 0.15)).batch(step);
      assertEquals(2 * 4 * 4, batch.noise().length);
      assertEquals(4, batch.hard().length);
      for (float value : batch.noise()) {
        assertTrue(Float.isFinite(value));
        sum += value;
        count++;
      }
    }
    // Gumbel's mean is Euler's constant; deviation 1.28 / sqrt(1280), so 6 of them.
    assertEquals(0.5772, sum / count, 0.22);
    assertArrayEquals(new float[4], set(options(SEED, 4, 0, 0.15)).batch(3).hard());
    assertArrayEquals(new float[] {1, 1, 1, 1}, set(options(SEED, 4, 1, 0.15)).batch(3).hard());
  }

  @Test
  void multiViewContrastSeesEachImageTwice() {
    CaptionSet set = set(options(SEED, 4, MicroTraining.ALL, Augmentation.RANDAUGMENT));
    boolean differ = false;
    for (int step = 0; step < 4; step++) {
      CaptionSet.Batch batch = set.batch(step);
      assertEquals(2, batch.views());
      assertEquals(4, batch.size());
      int half = batch.pixels().length / 2;
      assertEquals(4 * 3 * 256, half);
      assertEquals(4 * batch.tokens(), batch.ids().length);
      differ |= !Arrays.equals(batch.pixels(), 0, half, batch.pixels(), half, 2 * half);
    }
    assertTrue(differ, "the views differ");
    assertEquals(1, set(options(SEED, 4, 0.5, 0.15)).batch(0).views());
  }

  private static void assertRefused(List<CaptionedImage> split, String... parts) {
    String message =
        assertThrows(
                IllegalArgumentException.class, () -> set(options(SEED, 4, 0.5, 0.15), split, 0))
            .getMessage();
    for (String part : parts) {
      assertTrue(message.contains(part), message);
    }
  }

  @Test
  void saysWhatItCannotTrainOn() throws Exception {
    assertRefused(SPLIT.subList(0, 3), "batch of 4", "has 3");
    Path broken = Files.writeString(folder.resolve("broken.jpg"), "no picture");
    List<CaptionedImage> split = new ArrayList<>(SPLIT);
    split.set(5, new CaptionedImage("broken.jpg", broken, 99, Split.TRAIN, List.of("a")));
    assertRefused(split, broken.toString(), "no image");
    assertEquals(IMAGES - 1, set(options(SEED, 4, 0.5, 0.15), split, 1).size());
  }

  @Test
  void theVocabularyHoldsWhatTheTokenizerLooksFor() {
    String caption = "A semi-circular stadium, the city's; café (new)";
    CaptionedImage image =
        new CaptionedImage("x", folder, 0, Split.TRAIN, List.of(caption, "a stadium"));
    List<String> all = CaptionSet.vocabulary(List.of(image), 1);
    assertEquals(0, new WordPieceTokenizer(all, 40).tokenize(caption).unknown());
    assertEquals(WordPieceTokenizer.SPECIAL, all.subList(0, 5));
    List<String> often = CaptionSet.vocabulary(List.of(image), 2);
    assertEquals(List.of(",", ".", "a", "stadium"), often.subList(5, often.size()));
    assertNotEquals(all, often);
    // What an image repeats counts once: it is trained on once.
    CaptionedImage repeating =
        new CaptionedImage("x", folder, 0, Split.TRAIN, List.of("a Tank.", "a tank", "a tank"));
    assertEquals(
        List.of(",", "."),
        CaptionSet.vocabulary(List.of(repeating), 2).subList(5, 7),
        "nothing twice");
    assertEquals(7, CaptionSet.vocabulary(List.of(repeating), 2).size());
  }
}
