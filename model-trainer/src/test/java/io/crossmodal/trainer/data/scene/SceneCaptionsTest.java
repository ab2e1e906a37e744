/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.trainer.data.CaptionedDataset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class SceneCaptionsTest {

  private static final int SCENES = 2000;
  private static final long SEED = Long.getLong("crossmodal.seed", System.nanoTime());
  private static final List<Scene> ALL = new ArrayList<>();
  private static final List<List<SceneCaption>> CAPTIONS = new ArrayList<>();

  private static final String NUMBER = "(an?|one|two|three|four|five|six)(?: single)?";
  private static final String COLOUR =
      "(?:(white|grey|red|blue|green|brown|yellow|orange)(?: roofed)? )?";

  /** Nouns as captions write them, singular, and what they stand for: found again by text alone. */
  private static final Map<String, ObjectKind> NOUNS =
      Map.ofEntries(
          Map.entry("storage tank", ObjectKind.STORAGE_TANK),
          Map.entry("tank", ObjectKind.STORAGE_TANK),
          Map.entry("building", ObjectKind.BUILDING),
          Map.entry("house", ObjectKind.BUILDING),
          Map.entry("swimming pool", ObjectKind.SWIMMING_POOL),
          Map.entry("pool", ObjectKind.SWIMMING_POOL),
          Map.entry("plane", ObjectKind.PLANE),
          Map.entry("airplane", ObjectKind.PLANE),
          Map.entry("ship", ObjectKind.SHIP),
          Map.entry("boat", ObjectKind.SHIP),
          Map.entry("car", ObjectKind.CAR),
          Map.entry("tennis court", ObjectKind.TENNIS_COURT),
          Map.entry("baseball field", ObjectKind.BASEBALL_FIELD),
          Map.entry("baseball diamond", ObjectKind.BASEBALL_FIELD),
          Map.entry("running track", ObjectKind.RUNNING_TRACK),
          Map.entry("greenhouse", ObjectKind.GREENHOUSE),
          Map.entry("tree", ObjectKind.TREE),
          Map.entry("pond", ObjectKind.POND),
          Map.entry("solar panel", ObjectKind.SOLAR_PANEL),
          Map.entry("wind turbine", ObjectKind.WIND_TURBINE));

  private static final Pattern MENTION =
      Pattern.compile(
          "\\b"
              + NUMBER
              + " "
              + COLOUR
              + "("
              + String.join(
                  "|", NOUNS.keySet().stream().sorted((a, b) -> b.length() - a.length()).toList())
              + ")(s?)\\b(?: with (?:an? )?(white|grey|red|blue|brown) roofs?)?");

  @BeforeAll
  static void describe() {
    System.out.println("SceneCaptionsTest: replay with -Dcrossmodal.seed=" + SEED);
    SceneGenerator generator = new SceneGenerator(SEED, 0.3);
    for (int i = 0; i < SCENES; i++) {
      Scene scene = generator.scene(i);
      ALL.add(scene);
      CAPTIONS.add(SceneCaptions.describe(scene));
    }
  }

  @Test
  void fiveDifferentCaptionsInTheExpectedForm() {
    for (int i = 0; i < SCENES; i++) {
      Set<String> keys = new HashSet<>();
      for (SceneCaption caption : CAPTIONS.get(i)) {
        String text = caption.text();
        assertTrue(text.matches("[a-z]+( [a-z]+| ,)* \\."), text);
        assertTrue(text.split(" ").length <= 32, text);
        keys.add(CaptionedDataset.captionKey(text));
      }
      assertEquals(SceneCaptions.PER_SCENE, keys.size(), () -> keys.toString());
      assertEquals(CAPTIONS.get(i), SceneCaptions.describe(ALL.get(i)));
    }
  }

  @Test
  void everyCaptionIsTrueOfItsScene() {
    for (int i = 0; i < SCENES; i++) {
      for (SceneCaption caption : CAPTIONS.get(i)) {
        assertTrue(caption.describes(ALL.get(i)), caption.toString() + ALL.get(i));
        assertFalse(caption.claims().isEmpty());
      }
    }
  }

  @Test
  void countsAndColoursReadFromTheTextAreThoseOfTheScene() {
    int mentions = 0;
    for (int i = 0; i < SCENES; i++) {
      Scene scene = ALL.get(i);
      for (SceneCaption caption : CAPTIONS.get(i)) {
        Matcher matcher = MENTION.matcher(caption.text());
        while (matcher.find()) {
          mentions++;
          ObjectKind kind = NOUNS.get(matcher.group(3));
          int count = number(matcher.group(1));
          assertEquals(count > 1, matcher.group(4).equals("s"), caption.text());
          Optional<String> colour =
              Optional.ofNullable(matcher.group(2)).or(() -> Optional.ofNullable(matcher.group(5)));
          int there =
              scene.groups().stream()
                  .filter(g -> g.kind() == kind)
                  .filter(g -> colour.isEmpty() || g.colour().word().equals(colour.get()))
                  .mapToInt(ObjectGroup::count)
                  .sum();
          assertEquals(there, count, () -> caption.text() + " of " + scene.signature());
        }
      }
    }
    assertTrue(mentions > 7 * SCENES, "mentions found: " + mentions);
  }

  private static int number(String word) {
    int at = List.of("one", "two", "three", "four", "five", "six").indexOf(word);
    return at < 0 ? 1 : at + 1;
  }

  /** Recomputes each stated relation from the objects alone, without the code that stated it. */
  @Test
  void statedRelationsHoldForEveryPairOfObjects() {
    int stated = 0;
    for (int i = 0; i < SCENES; i++) {
      Scene scene = ALL.get(i);
      for (SceneCaption caption : CAPTIONS.get(i)) {
        for (SceneCaption.Statement claim : caption.claims()) {
          if (claim instanceof SceneCaption.Statement.Relates relates) {

            ObjectGroup a = scene.group(relates.kind(), relates.colour()).orElseThrow();
            ObjectGroup b = scene.group(relates.otherKind(), relates.otherColour()).orElseThrow();
            for (ObjectGroup.Member one : a.objects()) {
              for (ObjectGroup.Member other : b.objects()) {
                checkRelation(relates.relation(), one, other, caption);
              }
            }
            stated++;
          }
        }
      }
    }
    assertTrue(stated > SCENES / 2, "relations stated: " + stated);
  }

  private static void checkRelation(
      Bounds.Relation relation, ObjectGroup.Member a, ObjectGroup.Member b, SceneCaption caption) {
    switch (relation) {
      case LEFT_OF -> assertTrue(a.x() + 0.05 < b.x(), caption.text());
      case RIGHT_OF -> assertTrue(a.x() - 0.05 > b.x(), caption.text());
      case ABOVE -> assertTrue(a.y() + 0.05 < b.y(), caption.text());
      case BELOW -> assertTrue(a.y() - 0.05 > b.y(), caption.text());
      default -> {}
    }
  }

  @Test
  void relationsAndRegionsAreExactOnSmallExamples() {
    Bounds left = new Bounds(0.1, 0.4, 0.2, 0.5);
    Bounds right = new Bounds(0.6, 0.45, 0.7, 0.55);
    Bounds middle = new Bounds(0.35, 0.4, 0.45, 0.5);
    assertTrue(Bounds.Relation.LEFT_OF.holds(left, right));
    assertTrue(Bounds.Relation.RIGHT_OF.holds(right, left));
    assertFalse(Bounds.Relation.LEFT_OF.holds(right, left));
    assertFalse(Bounds.Relation.ABOVE.holds(left, right));
    assertFalse(Bounds.Relation.BESIDE.holds(left, right));
    assertTrue(Bounds.Relation.BESIDE.holds(middle, new Bounds(0.5, 0.4, 0.6, 0.5)));
    assertTrue(Bounds.Relation.between(middle, left, right));
    assertFalse(Bounds.Relation.between(left, middle, right));
    assertEquals(ObjectGroup.Region.UPPER_LEFT, one(0.2, 0.2).region());
    assertEquals(ObjectGroup.Region.LOWER_RIGHT, one(0.8, 0.8).region());
    assertEquals(ObjectGroup.Region.CENTRE, one(0.5, 0.5).region());
    assertEquals(ObjectGroup.Region.TOP, one(0.5, 0.2).region());
    assertEquals(ObjectGroup.Region.NONE, one(0.365, 0.2).region());
  }

  private static ObjectGroup one(double x, double y) {
    ObjectGroup.Member object = new ObjectGroup.Member(x, y, 0.1, 0.1, 0);
    return new ObjectGroup(
        ObjectKind.STORAGE_TANK, ObjectKind.Colour.WHITE, false, List.of(object));
  }

  @Test
  void textStatisticsAreAsDesigned() {
    Map<String, Integer> keys = new HashMap<>();
    Set<String> words = new HashSet<>();
    int wordCount = 0;
    for (List<SceneCaption> captions : CAPTIONS) {
      for (SceneCaption caption : captions) {
        String key = CaptionedDataset.captionKey(caption.text());
        keys.merge(key, 1, Integer::sum);
        List<String> of = List.of(key.split(" "));
        assertTrue(of.size() <= SceneCaptions.MAX_WORDS, key);
        words.addAll(of);
        wordCount += of.size();
      }
    }
    int total = SCENES * SceneCaptions.PER_SCENE;
    double mean = (double) wordCount / total;
    int shared = keys.values().stream().filter(n -> n > 1).mapToInt(n -> n).sum();
    System.out.printf(
        java.util.Locale.ROOT,
        "captions: %d words in use, mean length %.1f, shared by several images %.1f %%%n",
        words.size(),
        mean,
        100.0 * shared / total);
    assertTrue(words.size() >= 120 && words.size() <= 220, "vocabulary: " + words.size());
    assertTrue(mean >= 12 && mean <= 16, "mean length: " + mean);
    assertTrue(shared < 0.15 * total, "captions shared: " + shared);
  }

  /** How far words alone can tell scenes apart: what a perfect model would reach. */
  @Test
  void mostCaptionsNearlyIdentifyTheirSceneAmongAThousand() {
    int scenes = 1000;
    int identifiable = 0;
    double[] perfect = new double[SceneCaptions.PER_SCENE];
    for (int i = 0; i < scenes; i++) {
      int near = 0;
      for (int style = 0; style < SceneCaptions.PER_SCENE; style++) {
        int matches = 0;
        for (int j = 0; j < scenes; j++) {
          matches += CAPTIONS.get(i).get(style).describes(ALL.get(j)) ? 1 : 0;
        }
        perfect[style] += 100.0 / scenes / matches;
        near += matches <= 3 ? 1 : 0;
      }
      identifiable += near >= 3 ? 1 : 0;
    }
    System.out.printf(
        java.util.Locale.ROOT,
        "text to image R@1 of a perfect model among %d scenes, by style of caption:"
            + " %.1f %.1f %.1f %.1f %.1f; scenes with 3 captions of at most 3 matches: %d%n",
        scenes,
        perfect[0],
        perfect[1],
        perfect[2],
        perfect[3],
        perfect[4],
        identifiable);
    assertTrue(identifiable > 0.9 * scenes, "identifiable scenes: " + identifiable);
    assertTrue(perfect[0] > 75 && perfect[3] > 75, "R@1: " + perfect[0] + " " + perfect[3]);
  }
}
