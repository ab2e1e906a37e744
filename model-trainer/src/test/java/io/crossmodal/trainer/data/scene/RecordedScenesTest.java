/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.image.BandImage;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/**
 * Scenes are what they were when the shipped model was trained and docs/results was written: a
 * change that alters them is a new data set, not a new look.
 */
final class RecordedScenesTest {
  /** Of {@link #texts}: the same on JDK 17 and 25. */
  private static final String TEXTS =
      "0ceb0a4c77808f926016ce6adcf2fe60d92381407b1f6c01d65acbd884f0c539";

  private static final int SCENES = 60;
  private static final int SIZE = 48;
  private static final int CELLS = 4;

  @Test
  void scenesAndCaptionsAreTheRecordedOnes() throws Exception {
    assertEquals(TEXTS, texts());
  }

  /**
   * Compares means of parts of each picture and of each band: rasterisers of JDK 17 and of JDK 25
   * paint single pixels of an edge differently, which a hash of pictures would see.
   */
  @Test
  void picturesAndTilesAreTheRecordedOnes() throws IOException {
    List<String> recorded = recorded();
    SceneGenerator generator = new SceneGenerator(1, 0.3);
    Set<ObjectKind> kinds = new TreeSet<>();
    assertEquals(SCENES, recorded.size());
    for (int i = 0; i < SCENES; i++) {
      Scene scene = generator.scene(i);
      scene.groups().forEach(group -> kinds.add(group.kind()));
      int[] expected = values(recorded.get(i));
      String line = means(scene);
      int[] got = values(line);
      assertEquals(expected.length, got.length);
      for (int k = 0; k < got.length; k++) {
        assertTrue(
            Math.abs(expected[k] - got[k]) <= 1,
            "scene " + i + ", value " + k + ", recorded and found:\n" + recorded.get(i) + line);
      }
    }
    assertEquals(ObjectKind.values().length, kinds.size(), "all kinds are drawn: " + kinds);
  }

  private static String texts() throws NoSuchAlgorithmException {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    for (int seed = 1; seed <= 3; seed++) {
      SceneGenerator generator = new SceneGenerator(seed, 0.3 * (seed - 1));
      Scene before = generator.scene(0);
      for (int i = 0; i < 150; i++) {
        Scene scene = generator.scene(500_000_000 * (seed - 1) + i);
        StringBuilder text = new StringBuilder().append(scene.lookSeed()).append(scene.twin());
        text.append(scene.signature()).append(SensorRenderer.labels(scene));
        for (SceneCaption caption : SceneCaptions.describe(scene)) {
          assertTrue(caption.describes(scene), caption.text());
          text.append('\n').append(caption.text()).append(caption.describes(before));
        }
        digest.update(text.toString().getBytes(StandardCharsets.UTF_8));
        before = scene;
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /**
   * Returns the means of 4 x 4 cells of the picture's three channels, 0 to 255; then, of each band
   * of the radar and of the optical tile, its mean as thousandths of the band's usual range.
   */
  private static String means(Scene scene) {
    StringBuilder line = new StringBuilder();
    int[] rgb = new SceneRenderer(SIZE).render(scene).getRGB(0, 0, SIZE, SIZE, null, 0, SIZE);
    int side = SIZE / CELLS;
    for (int cell = 0; cell < CELLS * CELLS; cell++) {
      for (int shift = 16; shift >= 0; shift -= 8) {
        double sum = 0;
        for (int i = 0; i < side * side; i++) {
          int x = cell % CELLS * side + i % side;
          int row = i / side;
          int y = cell / CELLS * side + row;
          sum += rgb[y * SIZE + x] >> shift & 255;
        }
        line.append(Math.round(sum / side / side)).append(' ');
      }
    }
    SensorRenderer.Views views = new SensorRenderer(SIZE).render(scene);
    append(line, views.radar(), 20);
    append(line, views.optical(), 0.2);
    return line.append('\n').toString();
  }

  private static void append(StringBuilder line, BandImage tile, double scale) {
    int pixels = tile.width() * tile.height();
    for (int band = 0; band < tile.bands(); band++) {
      double sum = 0;
      for (int i = 0; i < pixels; i++) {
        sum += tile.values()[band * pixels + i];
      }
      line.append(Math.round(sum / pixels * scale)).append(' ');
    }
  }

  private static int[] values(String line) {
    return List.of(line.strip().split(" ")).stream().mapToInt(Integer::parseInt).toArray();
  }

  private static List<String> recorded() throws IOException {
    try (InputStream in = RecordedScenesTest.class.getResourceAsStream("scenes.txt")) {
      List<String> lines = new ArrayList<>();
      new String(in.readAllBytes(), StandardCharsets.US_ASCII).lines().forEach(lines::add);
      return lines;
    }
  }
}
