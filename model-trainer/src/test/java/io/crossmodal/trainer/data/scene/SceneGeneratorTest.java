/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class SceneGeneratorTest {

  private static final int SCENES = 2000;
  private static final long SEED = Long.getLong("crossmodal.seed", System.nanoTime());
  private static final SceneGenerator GENERATOR = new SceneGenerator(SEED, 0.3);
  private static final List<Scene> ALL = new ArrayList<>();

  @BeforeAll
  static void makeScenes() {
    System.out.println("SceneGeneratorTest: replay with -Dcrossmodal.seed=" + SEED);
    IntStream.range(0, SCENES).mapToObj(GENERATOR::scene).forEach(ALL::add);
  }

  @Test
  void aSceneDependsOnlyOnSeedAndIndex() {
    SceneGenerator again = new SceneGenerator(SEED, 0.3);
    for (int i = SCENES - 1; i >= 0; i -= 37) {
      assertEquals(ALL.get(i), again.scene(i));
    }
    assertNotEquals(ALL.get(0), new SceneGenerator(SEED + 1, 0.3).scene(0));
  }

  @Test
  void objectsNeitherOverlapNorLeaveTheFrameNorStandOnWrongGround() {
    for (Scene scene : ALL) {
      List<Bounds> boxes = new ArrayList<>();
      for (ObjectGroup group : scene.groups()) {
        assertTrue(group.kind().fits(scene.terrain()), () -> group + " on " + scene.terrain());
        assertTrue(scene.terrain().shows(group.colour()), scene::signature);
        for (ObjectGroup.Member object : group.objects()) {
          Bounds box = object.bounds();
          assertTrue(box.minX() >= 0 && box.minY() >= 0 && box.maxX() <= 1 && box.maxY() <= 1);
          for (Bounds other : boxes) {
            assertTrue(box.gapTo(other) > 0.01, () -> "overlap in " + scene);
          }
          boxes.add(box);
          scene.feature().ifPresent(f -> assertTrue(f.gapTo(box) > 0, scene::signature));
          scene
              .shore()
              .ifPresent(
                  s ->
                      assertEquals(
                          group.kind().floats(),
                          s.seaward(object.x(), object.y()) > 0,
                          scene::signature));
        }
      }
    }
  }

  @Test
  void worldIsVaried() {
    Set<Scene.Terrain> terrains = EnumSet.noneOf(Scene.Terrain.class);
    Map<ObjectKind, Integer> kinds = new EnumMap<>(ObjectKind.class);
    int[] counts = new int[7];
    Map<String, Integer> signatures = new HashMap<>();
    for (Scene scene : ALL) {
      terrains.add(scene.terrain());
      signatures.merge(scene.signature(), 1, Integer::sum);
      for (ObjectGroup group : scene.groups()) {
        kinds.merge(group.kind(), 1, Integer::sum);
        counts[group.count()]++;
      }
    }
    assertEquals(EnumSet.allOf(Scene.Terrain.class), terrains);
    for (ObjectKind kind : ObjectKind.values()) {
      assertTrue(kinds.getOrDefault(kind, 0) > SCENES / 40, () -> "too few of " + kind);
    }
    for (int count = 1; count <= 6; count++) {
      assertTrue(counts[count] > SCENES / 20, "too few groups of " + count);
    }
    int shared = signatures.values().stream().filter(n -> n > 1).mapToInt(n -> n).sum();
    assertTrue(shared < 0.03 * SCENES, "scenes with the same full description: " + shared);
  }

  @Test
  void twinsDifferInOneAttributeAndCanBeTold() {
    int twins = 0;
    for (Scene scene : ALL) {
      if (scene.twin().isEmpty()) {
        continue;
      }
      twins++;
      Scene original = ALL.get(scene.twin().get().of());
      assertTrue(original.index() < scene.index());
      assertEquals(original.index() / SceneGenerator.BLOCK, scene.index() / SceneGenerator.BLOCK);
      assertEquals(Set.of(scene.twin().get().change()), Set.copyOf(changes(original, scene)));
      long telling =
          SceneCaptions.describe(scene).stream().filter(c -> !c.describes(original)).count();
      assertTrue(
          telling >= SceneGenerator.TELLING_CAPTIONS,
          () -> scene.signature() + " and " + original.signature());
    }
    assertTrue(twins > 0.25 * SCENES && twins < 0.35 * SCENES, "twins: " + twins);
    for (int i = 0; i < 200; i++) {
      assertTrue(new SceneGenerator(SEED, 0).scene(i).twin().isEmpty());
    }
  }

  private static List<Scene.Change> changes(Scene a, Scene b) {
    assertEquals(a.terrain(), b.terrain());
    assertEquals(a.shore(), b.shore());
    assertEquals(a.groups().size(), b.groups().size());
    List<Scene.Change> changes = new ArrayList<>();
    if (!a.feature().equals(b.feature())) {
      changes.add(Scene.Change.FEATURE);
    }
    int colours = 0;
    boolean moved = false;
    for (int i = 0; i < a.groups().size(); i++) {
      ObjectGroup before = a.groups().get(i);
      ObjectGroup after = b.groups().get(i);
      assertEquals(before.kind(), after.kind());
      if (before.count() != after.count()) {
        assertEquals(1, Math.abs(before.count() - after.count()));
        changes.add(Scene.Change.COUNT);
      }
      colours += before.colour() == after.colour() ? 0 : 1;
      boolean free = before.inRow() && before.region() != after.region();
      moved |= !free && before.region() != after.region();
    }
    if (colours > 0) {
      changes.add(colours == 1 ? Scene.Change.COLOUR : Scene.Change.COLOUR_SWAP);
    }
    if (moved || changes.isEmpty()) {
      changes.add(Scene.Change.SIDE);
    }
    return changes;
  }

  @Test
  void picturesOfASceneAreTheSameAndPicturesOfTheSameContentAreNot() {
    SceneRenderer renderer = new SceneRenderer(SceneRenderer.DEFAULT_SIZE);
    Scene scene = ALL.get(3);
    assertArrayEquals(pixels(renderer.render(scene)), pixels(renderer.render(scene)));
    Scene relit =
        new Scene(
            scene.index(),
            scene.terrain(),
            scene.shore(),
            scene.feature(),
            scene.groups(),
            scene.lookSeed() + 1,
            scene.twin());
    double difference = 0;
    int[] one = pixels(renderer.render(scene));
    int[] other = pixels(renderer.render(relit));
    for (int i = 0; i < one.length; i++) {
      difference += Math.abs((one[i] >> 8 & 255) - (other[i] >> 8 & 255));
    }
    assertTrue(difference / one.length > 2, "mean difference " + difference / one.length);
    assertEquals(64, new SceneRenderer(64).render(scene).getWidth());
  }

  private static int[] pixels(BufferedImage image) {
    return image.getRGB(0, 0, image.getWidth(), image.getHeight(), null, 0, image.getWidth());
  }

  @Test
  void rejectsBadArguments() {
    IllegalArgumentException twins =
        assertThrows(IllegalArgumentException.class, () -> new SceneGenerator(1, 0.95));
    assertTrue(twins.getMessage().contains("0.95"));
    assertThrows(IllegalArgumentException.class, () -> new SceneGenerator(1, Double.NaN));
    assertThrows(IllegalArgumentException.class, () -> GENERATOR.scene(-1));
    assertThrows(IllegalArgumentException.class, () -> new SceneRenderer(16));
    ObjectGroup.Member object = new ObjectGroup.Member(0.5, 0.5, 0.1, 0.1, 0);
    assertThrows(
        IllegalArgumentException.class,
        () -> new ObjectGroup(ObjectKind.CAR, ObjectKind.Colour.GREEN, false, List.of(object)));
    assertThrows(
        IllegalArgumentException.class,
        () -> new ObjectGroup(ObjectKind.CAR, ObjectKind.Colour.RED, false, List.of()));
    assertThrows(IllegalArgumentException.class, () -> new ObjectGroup.Member(0, 0, 0, 1, 0));
    assertThrows(IllegalArgumentException.class, () -> new Bounds(1, 0, 0, 1));
  }

  /** For looking at: target/scenes/sheet.png, six a row, and the captions in captions.txt. */
  @Test
  void writesAContactSheet() throws IOException {
    SceneRenderer renderer = new SceneRenderer(SceneRenderer.DEFAULT_SIZE);
    int size = SceneRenderer.DEFAULT_SIZE;
    BufferedImage sheet = new BufferedImage(6 * size, 4 * size, BufferedImage.TYPE_INT_RGB);
    Graphics2D g = sheet.createGraphics();
    StringBuilder captions = new StringBuilder();
    for (int i = 0; i < 24; i++) {
      g.drawImage(renderer.render(ALL.get(i)), i % 6 * size, i / 6 * size, null);
      captions.append("row ").append(i / 6 + 1).append(", column ").append(i % 6 + 1).append('\n');
      for (SceneCaption caption : SceneCaptions.describe(ALL.get(i))) {
        captions.append("  ").append(caption.text()).append('\n');
      }
    }
    g.dispose();
    Path folder = Files.createDirectories(Path.of("target", "scenes"));
    assertTrue(ImageIO.write(sheet, "png", folder.resolve("sheet.png").toFile()));
    Files.writeString(folder.resolve("captions.txt"), captions, StandardCharsets.UTF_8);
    assertFalse(captions.isEmpty());
  }
}
