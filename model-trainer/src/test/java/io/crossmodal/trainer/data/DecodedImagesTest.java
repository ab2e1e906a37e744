/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.RgbImage;
import io.crossmodal.trainer.train.MicroTraining;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DecodedImagesTest {
  private static final long SEED = MicroTraining.seed();
  private static final ImagePreprocessor PREPROCESSOR = new ImagePreprocessor(SensorConfig.rgb(16));

  @TempDir Path folder;

  /** What can be wrong with a picture file. */
  private enum Damage {
    NONE,
    MISSING,
    EMPTY,
    NO_PICTURE,
    CUT_SHORT,
    TOO_SMALL,
    A_FOLDER,
    HUGE
  }

  private CaptionedImage image(int i, Damage damage) throws IOException {
    Path file = folder.resolve(i + ".jpg");
    int side = damage == Damage.TOO_SMALL ? 8 : 40;
    BufferedImage picture = new BufferedImage(side, side, BufferedImage.TYPE_INT_RGB);
    for (int p = 0; p < side * side; p++) {
      picture.setRGB(p % side, p / side, i << 16 | p);
    }
    ImageIO.write(picture, "jpg", file.toFile());
    byte[] bytes = Files.readAllBytes(file);
    switch (damage) {
      case MISSING -> Files.delete(file);
      case EMPTY -> Files.write(file, new byte[0]);
      case NO_PICTURE -> Files.writeString(file, "no picture");
      // Within its header: a JPEG that ends later is decoded as far as it goes.
      case CUT_SHORT -> Files.write(file, Arrays.copyOf(bytes, 100));
      case A_FOLDER -> {
        Files.delete(file);
        Files.createDirectory(file);
      }
      case HUGE -> makeHuge(file);
      default -> {}
    }
    return new CaptionedImage(i + ".jpg", file, i, Split.TRAIN, List.of("a pond"));
  }

  /** More bytes than an array can have, which take no room on the disk. */
  private static void makeHuge(Path file) throws IOException {
    try (FileChannel sparse = FileChannel.open(file, StandardOpenOption.WRITE)) {
      sparse.write(ByteBuffer.allocate(1), 1L << 31);
    }
  }

  @Test
  void leavesOutWhatCannotBeDecodedAndKeepsTheOrder() throws IOException {
    SplittableRandom random = new SplittableRandom(SEED);
    List<CaptionedImage> split = new ArrayList<>();
    List<CaptionedImage> good = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      Damage damage =
          random.nextBoolean()
              ? Damage.NONE
              : Damage.values()[1 + i % (Damage.values().length - 1)];
      split.add(image(i, damage));
      if (damage == Damage.NONE) {
        good.add(split.get(i));
      }
    }
    split.add(image(40, Damage.NONE));
    good.add(split.get(40));
    int broken = split.size() - good.size();
    DecodedImages<RgbImage> decoded = DecodedImages.decode(split, PREPROCESSOR, broken);
    assertEquals(good, decoded.images());
    assertEquals(broken, decoded.problems().size());
    for (int i = 0; i < good.size(); i++) {
      assertArrayEquals(
          PREPROCESSOR.decode(Files.readAllBytes(good.get(i).file())).rgb(),
          decoded.pictures().get(i).rgb());
    }
    if (broken > 0) {
      InvalidDatasetException e =
          assertThrows(
              InvalidDatasetException.class,
              () -> DecodedImages.decode(split, PREPROCESSOR, broken - 1));
      assertEquals(decoded.problems(), e.problems());
    }
  }

  @Test
  void namesEachFileAndWhatIsWrongWithIt() throws IOException {
    for (int i = 1; i < Damage.values().length; i++) {
      Damage damage = Damage.values()[i];
      List<CaptionedImage> split = List.of(image(0, Damage.NONE), image(i, damage));
      List<String> problems = DecodedImages.decode(split, PREPROCESSOR, 1).problems();
      assertEquals(1, problems.size(), damage.toString());
      String problem = problems.get(0);
      assertTrue(problem.startsWith(split.get(1).file() + ": "), problem);
      String reason =
          switch (damage) {
            case MISSING -> "there is no such file";
            case TOO_SMALL -> "8 x 8 pixels";
            case A_FOLDER -> "cannot be read";
            case HUGE -> "2147483649 bytes";
            case CUT_SHORT -> "cut short";
            default -> "no image";
          };
      assertTrue(problem.contains(reason), problem);
      String refused =
          assertThrows(
                  InvalidDatasetException.class, () -> DecodedImages.decode(split, PREPROCESSOR, 0))
              .getMessage();
      assertTrue(refused.contains(problem), refused);
    }
  }

  @Test
  void aSplitOfBrokenPicturesIsNoneToWorkOn() throws IOException {
    List<CaptionedImage> split = List.of(image(0, Damage.MISSING), image(1, Damage.EMPTY));
    String message =
        assertThrows(
                InvalidDatasetException.class, () -> DecodedImages.decode(split, PREPROCESSOR, 99))
            .getMessage();
    assertTrue(message.contains("no picture can be read: 2 problems"), message);
    assertEquals(0, DecodedImages.decode(List.of(), PREPROCESSOR, 0).images().size());
  }
}
