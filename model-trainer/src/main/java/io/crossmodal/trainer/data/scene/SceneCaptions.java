/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import com.google.gson.Gson;
import com.google.gson.reflect.TypeToken;
import io.crossmodal.trainer.data.TextFiles;
import io.crossmodal.trainer.data.scene.Bounds.Relation;
import io.crossmodal.trainer.data.scene.LinearFeature.Crossing;
import io.crossmodal.trainer.data.scene.ObjectGroup.Region;
import io.crossmodal.trainer.data.scene.ObjectKind.Colour;
import io.crossmodal.trainer.data.scene.SceneCaption.Statement;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Writes five different captions of a scene, all of them true: the whole layout; counts and
 * colours; a relation; places in the frame; a short one. Says only what can be seen; the words are
 * in {@code phrases.json}. Stateless.
 */
public final class SceneCaptions {

  /** Captions per scene, as in RSICD. */
  public static final int PER_SCENE = 5;

  /** The longest caption, in words without the punctuation. */
  public static final int MAX_WORDS = 28;

  private static final long CAPTIONS = 4;
  private static final int TRIES = 60;

  /** How far from the frame a group may be that is "near the edge", a fraction of the side. */
  private static final double NEAR_EDGE = 0.12;

  /** By part of speech, then by what is said; more often what stands there more often. */
  private static final Map<String, Map<String, List<String>>> PHRASES =
      new Gson()
          .fromJson(
              TextFiles.resource(SceneCaptions.class, "phrases.json"),
              new TypeToken<Map<String, Map<String, List<String>>>>() {}.getType());

  private SceneCaptions() {}

  /** Returns the scene's captions: five different ones, always the same for the same scene. */
  public static List<SceneCaption> describe(Scene scene) {
    SceneRandom random = new SceneRandom(scene.lookSeed(), scene.index(), CAPTIONS);
    List<SceneCaption> captions = new ArrayList<>();
    Set<String> seen = new HashSet<>();
    for (int style = 0; style < PER_SCENE; style++) {
      captions.add(caption(scene, style, random, seen));
    }
    return captions;
  }

  private static SceneCaption caption(
      Scene scene, int style, SceneRandom random, Set<String> seen) {
    for (int i = 0; i < TRIES; i++) {
      // A style may have little to say of a poor scene: then borrow another one's wording.
      Writer writer = new Writer(scene, random);
      writer.write(i < TRIES / 2 ? style : random.below(PER_SCENE));
      SceneCaption caption = writer.done();
      if (caption.words().size() <= MAX_WORDS && seen.add(caption.text())) {
        return caption;
      }
    }
    throw new IllegalStateException(
        "no " + PER_SCENE + " different captions found for scene " + scene.signature());
  }

  /** One caption in the making: every phrase that it hands out also notes its claim. */
  private static final class Writer {
    private final Scene scene;
    private final SceneRandom random;
    private final List<ObjectGroup> groups;
    private final List<Statement> claims = new ArrayList<>();
    private String text = "";

    Writer(Scene scene, SceneRandom random) {
      this.scene = scene;
      this.random = random;
      this.groups = new ArrayList<>(scene.groups());
      random.shuffle(groups);
    }

    SceneCaption done() {
      String folded = text.replaceAll(" +", " ").trim();
      return new SceneCaption(folded.toLowerCase(Locale.ROOT) + " .", claims);
    }

    void write(int style) {
      text =
          switch (style) {
            case 0 -> layout();
            case 1 -> counts();
            case 2 -> relation();
            case 3 -> places();
            default -> brief();
          };
    }

    /** Returns one of the ways to say this; nothing is drawn where there is but one. */
    private String phrase(String part, Enum<?> what) {
      List<String> ways = PHRASES.get(part).get(what.name());
      return ways.size() == 1 ? ways.get(0) : random.pick(ways);
    }

    // --- the five styles ---

    private String layout() {
      if (scene.feature().isPresent()) {
        String feature = feature();
        switch (random.below(3)) {
          case 0 -> {
            return list(true) + ground() + " with " + feature;
          }
          case 1 -> {
            return feature + " passes " + list(true) + ground();
          }
          default -> {
            List<String> parts = parts(true);
            parts.add(feature);
            return join(parts) + ground();
          }
        }
      }
      String list = list(true);
      String verb = random.pick("lie", "can be seen", "stand");
      if (verb.equals("lie") && isOne()) {
        verb = "lies";
      } else if (verb.equals("stand") && isOne()) {
        verb = "stands";
      }
      if (random.chance(0.5)) {
        return list + " " + verb + ground() + shore();
      }
      return "this is " + groundNoun() + " with " + list + shore();
    }

    private String counts() {
      String list = list(false);
      return switch (random.below(5)) {
        case 0 ->
            "there " + (groups.get(0).count() == 1 ? "is " : "are ") + list + " in the picture";
        case 1 -> "we can see " + list + " in this aerial image";
        case 2 -> list + (isOne() ? " is" : " are") + " seen from above" + crossing();
        case 3 -> "the image shows " + list + crossing();
        default -> "a view of " + list + crossing() + ground();
      };
    }

    private String relation() {
      if (groups.size() == 3) {
        for (int i = 0; i < 3; i++) {
          ObjectGroup b = groups.get(i);
          ObjectGroup a = groups.get((i + 1) % 3);
          ObjectGroup c = groups.get((i + 2) % 3);
          if (random.chance(0.8) && Relation.between(b.bounds(), a.bounds(), c.bounds())) {
            claims.add(new Statement.Between(b, a, c));
            return definite(b) + are(b) + " between " + definite(a) + " and " + definite(c);
          }
        }
      }
      if (groups.size() >= 2) {
        ObjectGroup a = groups.get(0);
        ObjectGroup b = groups.get(1);
        List<Relation> true2 = relations(a, b);
        if (!true2.isEmpty()) {
          return pair(a, b, random.pick(true2));
        }
      }
      ObjectGroup group = groups.get(0);
      Optional<String> side = toFeature(group);
      if (side.isPresent()) {
        return definite(group) + are(group) + " " + side.get();
      }
      return groups.size() >= 2 ? placesOf(groups) : placesOf(groups) + ground();
    }

    private String pair(ObjectGroup a, ObjectGroup b, Relation relation) {
      String first =
          (random.chance(0.5) ? definite(a) + are(a) : indefinite(a) + are(a))
              + " "
              + relation(a, relation, b)
              + " "
              + (random.chance(0.5) ? indefinite(b) : definite(b));
      if (groups.size() == 3 && random.chance(0.7)) {
        ObjectGroup c = groups.get(2);
        List<Relation> others = relations(a, c);
        if (!others.isEmpty()) {
          return first + " and " + relation(a, random.pick(others), c) + " " + indefinite(c);
        }
      }
      Optional<String> side = random.chance(0.4) ? toFeature(a) : Optional.empty();
      if (side.isPresent()) {
        return first + " and " + side.get();
      }
      return random.chance(0.4) ? first + ground() : first;
    }

    private String places() {
      String where = placesOf(groups);
      if (random.chance(0.3) && scene.shore().isPresent()) {
        return where + shore();
      }
      return random.chance(0.55) ? where + ground() : where;
    }

    private String placesOf(List<ObjectGroup> of) {
      List<String> parts = new ArrayList<>();
      for (ObjectGroup group : of) {
        Optional<String> place = place(group);
        boolean first = parts.isEmpty();
        if (place.isPresent() && first && random.chance(0.5)) {
          parts.add(place.get() + " " + thereAre(group) + " " + indefinite(group));
        } else if (place.isPresent()) {
          parts.add(
              indefinite(group)
                  + (first || random.chance(0.3) ? are(group) : "")
                  + " "
                  + place.get());
        } else {
          Optional<String> side = toFeature(group);
          parts.add(
              first && side.isEmpty()
                  ? thereAre(group) + " " + indefinite(group) + row(group)
                  : indefinite(group) + side.map(s -> " " + s).orElse(row(group)));
        }
      }
      return join(parts);
    }

    private String brief() {
      ObjectGroup group = groups.get(0);
      boolean plain = scene.count(group.kind()) == group.count() && random.chance(0.25);
      String first = plain ? plain(group) : indefinite(group);
      Optional<String> side = random.chance(0.45) ? toFeature(group) : Optional.empty();
      if (side.isPresent()) {
        return first + " " + side.get();
      }
      if (groups.size() >= 2 && random.chance(0.6)) {
        ObjectGroup other = groups.get(1);
        if (Relation.BESIDE.holds(group.bounds(), other.bounds())) {
          return first + " " + relation(group, Relation.BESIDE, other) + " " + indefinite(other);
        }
        return first + " and " + indefinite(other) + (random.chance(0.4) ? ground() : "");
      }
      if (group.inRow() && random.chance(0.5)) {
        return first + row(group) + ground();
      }
      return first + crossing() + ground();
    }

    // --- groups ---

    private boolean isOne() {
      return groups.size() == 1 && groups.get(0).count() == 1;
    }

    private static String are(ObjectGroup group) {
      return group.count() == 1 ? " is" : " are";
    }

    private static String thereAre(ObjectGroup group) {
      return group.count() == 1 ? "there is" : "there are";
    }

    private String list(boolean rows) {
      return join(parts(rows));
    }

    private List<String> parts(boolean rows) {
      List<String> parts = new ArrayList<>();
      for (ObjectGroup group : groups) {
        parts.add(indefinite(group) + (rows && random.chance(0.5) ? row(group) : ""));
      }
      return parts;
    }

    private static String join(List<String> parts) {
      StringBuilder joined = new StringBuilder(parts.get(0));
      for (int i = 1; i < parts.size(); i++) {
        joined.append(i == parts.size() - 1 ? " and " : " , ").append(parts.get(i));
      }
      return joined.toString();
    }

    private String indefinite(ObjectGroup group) {
      count(group, Optional.of(group.colour()));
      String number =
          group.count() == 1 ? random.pick("a", "a", "one", "a single") : number(group.count());
      String noun = noun(group, true);
      return (number.equals("a") && noun.startsWith("o") ? "an" : number) + " " + noun;
    }

    private String plain(ObjectGroup group) {
      count(group, Optional.empty());
      return (group.count() == 1 ? "a" : number(group.count())) + " " + noun(group, false);
    }

    private String definite(ObjectGroup group) {
      count(group, Optional.of(group.colour()));
      String number = group.count() == 1 ? "" : number(group.count()) + " ";
      return "the " + number + noun(group, true);
    }

    private void count(ObjectGroup group, Optional<Colour> colour) {
      Statement claim = new Statement.Count(group.kind(), colour, group.count());
      if (!claims.contains(claim)) {
        claims.add(claim);
      }
    }

    private static String number(int count) {
      return List.of("zero", "one", "two", "three", "four", "five", "six").get(count);
    }

    private String noun(ObjectGroup group, boolean colour) {
      boolean one = group.count() == 1;
      String tint = colour && group.colour() != Colour.NATURAL ? group.colour().word() + " " : "";
      String noun = phrase("noun", group.kind()) + (one ? "" : "s");
      if (group.kind() != ObjectKind.BUILDING || tint.isEmpty()) {
        return tint + noun;
      }
      return switch (random.below(3)) {
        case 0 -> noun + " with " + (one ? "a " + tint + "roof" : tint + "roofs");
        case 1 -> tint + "roofed " + noun;
        default -> tint + noun;
      };
    }

    private String row(ObjectGroup group) {
      if (!group.inRow()) {
        return "";
      }
      claims.add(new Statement.Row(group.kind(), group.colour()));
      return random.pick(" in a row", " in a line");
    }

    // --- places and relations ---

    private Optional<String> place(ObjectGroup group) {
      Region region = group.region();
      if (region == Region.NONE) {
        return Optional.empty();
      }
      claims.add(new Statement.In(group.kind(), group.colour(), region));
      Bounds box = group.bounds();

      double edge =
          switch (region) {
            case TOP -> box.minY();
            case BOTTOM -> 1 - box.maxY();
            case LEFT -> box.minX();
            case RIGHT -> 1 - box.maxX();
            default -> 1;
          };
      return Optional.of(phrase(edge < NEAR_EDGE ? "place near the edge" : "place", region));
    }

    private static List<Relation> relations(ObjectGroup a, ObjectGroup b) {
      List<Relation> found = new ArrayList<>();
      for (Relation relation : Relation.values()) {
        if (relation != Relation.BESIDE && relation.holds(a.bounds(), b.bounds())) {
          found.add(relation);
        }
      }
      return found;
    }

    private String relation(ObjectGroup a, Relation relation, ObjectGroup b) {
      claims.add(new Statement.Relates(a.kind(), a.colour(), relation, b.kind(), b.colour()));
      return phrase("relation to a group", relation);
    }

    private Optional<String> toFeature(ObjectGroup group) {
      if (scene.feature().isEmpty()) {
        return Optional.empty();
      }
      LinearFeature feature = scene.feature().get();
      List<Relation> found = new ArrayList<>();
      for (Relation relation : Relation.values()) {
        if (feature.holds(relation, group.bounds())) {
          found.add(relation);
        }
      }
      if (found.isEmpty()) {
        return Optional.empty();
      }
      Relation relation = random.pick(found);
      claims.add(new Statement.ToFeature(group.kind(), group.colour(), relation, feature.kind()));
      boolean along = relation == Relation.BESIDE && group.inRow() && group.region() == Region.NONE;
      String side = along ? "along" : phrase("relation to a feature", relation);
      return Optional.of(side + " the " + noun(feature));
    }

    // --- the ground ---

    /** Returns a road, say, with its course. */
    private String feature() {
      LinearFeature feature = scene.feature().orElseThrow();
      claims.add(new Statement.Crossed(feature.kind(), Optional.of(feature.direction())));
      String verb = feature.kind() == LinearFeature.Kind.RIVER ? "flowing" : "running";
      String way = phrase("course", feature.direction());
      String with = random.chance(0.6) ? crossingOf(feature) : "";
      return "a " + noun(feature) + with + " " + verb + " " + way;
    }

    private String crossingOf(LinearFeature feature) {
      if (feature.crossing() == Crossing.NONE) {
        return "";
      }
      claims.add(new Statement.Has(feature.crossing()));
      return feature.crossing() == Crossing.BRIDGE ? " with a bridge" : " with a roundabout";
    }

    /** Returns " with a road", where there is one and chance wants it. */
    private String crossing() {
      if (scene.feature().isEmpty() || random.chance(0.3)) {
        return "";
      }
      LinearFeature feature = scene.feature().get();
      claims.add(new Statement.Crossed(feature.kind(), Optional.empty()));
      return " with a " + noun(feature) + crossingOf(feature);
    }

    private static String noun(LinearFeature feature) {
      return feature.kind().name().toLowerCase(Locale.ROOT);
    }

    private String ground() {
      claims.add(new Statement.On(scene.terrain()));
      return phrase("on the ground", scene.terrain());
    }

    private String groundNoun() {
      claims.add(new Statement.On(scene.terrain()));
      return phrase("ground", scene.terrain());
    }

    private String shore() {
      if (scene.shore().isEmpty()) {
        return "";
      }
      claims.add(new Statement.SeaAt(scene.shore().get().side()));
      return phrase("with the sea", scene.shore().get().side());
    }
  }
}
