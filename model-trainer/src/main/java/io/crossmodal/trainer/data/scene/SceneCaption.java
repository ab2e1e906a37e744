/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import io.crossmodal.trainer.data.scene.Bounds.Relation;
import io.crossmodal.trainer.data.scene.ObjectGroup.Region;
import io.crossmodal.trainer.data.scene.ObjectKind.Colour;
import java.util.List;
import java.util.Optional;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/**
 * One caption and what it claims, so that its truth for any scene can be checked.
 *
 * @param text lower case English, words parted by one blank, ending in " ."
 */
public record SceneCaption(String text, List<Statement> claims) {

  private static final Pattern WORD = Pattern.compile("[a-z]+");

  public SceneCaption {
    claims = List.copyOf(claims);
  }

  /** Returns the words, without the punctuation: what a Karpathy-style file calls tokens. */
  public List<String> words() {
    return WORD.matcher(text).results().map(MatchResult::group).toList();
  }

  /** Returns whether the caption is true of the scene. */
  public boolean describes(Scene scene) {
    return claims.stream().allMatch(claim -> claim.holds(scene));
  }

  /** One checkable statement of a caption. */
  public sealed interface Statement {

    /** Returns whether it is true of the scene. */
    boolean holds(Scene scene);

    /** There are exactly so many objects of the kind, of the colour where one is named. */
    record Count(ObjectKind kind, Optional<Colour> colour, int count) implements Statement {
      @Override
      public boolean holds(Scene scene) {
        return colour.isEmpty()
            ? scene.count(kind) == count
            : scene.has(kind, colour.get(), g -> g.count() == count);
      }
    }

    /** The group stands in this part of the frame. */
    record In(ObjectKind kind, Colour colour, Region region) implements Statement {
      @Override
      public boolean holds(Scene scene) {
        return scene.has(kind, colour, g -> g.region() == region);
      }
    }

    /** The group stands in a row. */
    record Row(ObjectKind kind, Colour colour) implements Statement {
      @Override
      public boolean holds(Scene scene) {
        return scene.has(kind, colour, ObjectGroup::inRow);
      }
    }

    /** One group stands so to another. */
    record Relates(
        ObjectKind kind, Colour colour, Relation relation, ObjectKind otherKind, Colour otherColour)
        implements Statement {
      @Override
      public boolean holds(Scene scene) {
        return scene.has(
            kind,
            colour,
            a -> scene.has(otherKind, otherColour, b -> relation.holds(a.bounds(), b.bounds())));
      }
    }

    /** The first group stands between the two others. */
    record Between(ObjectGroup middle, ObjectGroup one, ObjectGroup other) implements Statement {
      @Override
      public boolean holds(Scene scene) {
        Optional<ObjectGroup> b = scene.group(middle.kind(), middle.colour());
        Optional<ObjectGroup> a = scene.group(one.kind(), one.colour());
        Optional<ObjectGroup> c = scene.group(other.kind(), other.colour());
        return a.isPresent()
            && b.isPresent()
            && c.isPresent()
            && Relation.between(b.get().bounds(), a.get().bounds(), c.get().bounds());
      }
    }

    /** The group stands so to the scene's linear feature. */
    record ToFeature(ObjectKind kind, Colour colour, Relation relation, LinearFeature.Kind feature)
        implements Statement {
      @Override
      public boolean holds(Scene scene) {
        return scene.feature().stream()
            .filter(f -> f.kind() == feature)
            .anyMatch(f -> scene.has(kind, colour, g -> f.holds(relation, g.bounds())));
      }
    }

    /** The ground is this. */
    record On(Scene.Terrain terrain) implements Statement {
      @Override
      public boolean holds(Scene scene) {
        return scene.terrain() == terrain;
      }
    }

    /** The sea is on this side. */
    record SeaAt(Region side) implements Statement {
      @Override
      public boolean holds(Scene scene) {
        return scene.shore().stream().anyMatch(s -> s.side() == side);
      }
    }

    /** A road, railway or river crosses the scene, on this course where one is named. */
    record Crossed(LinearFeature.Kind feature, Optional<LinearFeature.Direction> direction)
        implements Statement {
      @Override
      public boolean holds(Scene scene) {
        return scene.feature().stream()
            .filter(f -> f.kind() == feature)
            .anyMatch(
                f ->
                    direction.isEmpty()
                        || f.direction() == direction.get()
                        || (f.direction().diagonal() && direction.get().diagonal()));
      }
    }

    /** There is a bridge, or a roundabout. */
    record Has(LinearFeature.Crossing crossing) implements Statement {
      @Override
      public boolean holds(Scene scene) {
        return scene.feature().stream().anyMatch(f -> f.crossing() == crossing);
      }
    }
  }
}
