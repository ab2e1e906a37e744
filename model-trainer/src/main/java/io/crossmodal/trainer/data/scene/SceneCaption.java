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
        if (colour.isEmpty()) {
          return scene.count(kind) == count;
        }
        return scene.group(kind, colour.get()).map(g -> g.count() == count).orElse(false);
      }
    }

    /** The group stands in this part of the frame. */
    record In(ObjectKind kind, Colour colour, Region region) implements Statement {
      @Override
      public boolean holds(Scene scene) {
        return scene.group(kind, colour).map(g -> g.region() == region).orElse(false);
      }
    }

    /** The group stands in a row. */
    record Row(ObjectKind kind, Colour colour) implements Statement {
      @Override
      public boolean holds(Scene scene) {
        return scene.group(kind, colour).map(ObjectGroup::inRow).orElse(false);
      }
    }

    /** One group stands so to another. */
    record Relates(
        ObjectKind kind, Colour colour, Relation relation, ObjectKind otherKind, Colour otherColour)
        implements Statement {
      @Override
      public boolean holds(Scene scene) {
        Optional<ObjectGroup> a = scene.group(kind, colour);
        Optional<ObjectGroup> b = scene.group(otherKind, otherColour);
        return a.isPresent() && b.isPresent() && relation.holds(a.get().bounds(), b.get().bounds());
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
        Optional<ObjectGroup> group = scene.group(kind, colour);
        return group.isPresent()
            && scene.feature().isPresent()
            && scene.feature().get().kind() == feature
            && scene.feature().get().holds(relation, group.get().bounds());
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
        return scene.shore().map(s -> s.side() == side).orElse(false);
      }
    }

    /** A road, railway or river crosses the scene, on this course where one is named. */
    record Crossed(LinearFeature.Kind feature, Optional<LinearFeature.Direction> direction)
        implements Statement {
      @Override
      public boolean holds(Scene scene) {
        return scene
            .feature()
            .map(
                f ->
                    f.kind() == feature
                        && (direction.isEmpty()
                            || f.direction() == direction.get()
                            || (f.direction().diagonal() && direction.get().diagonal())))
            .orElse(false);
      }
    }

    /** There is a bridge, or a roundabout. */
    record Has(LinearFeature.Crossing crossing) implements Statement {
      @Override
      public boolean holds(Scene scene) {
        return scene.feature().map(f -> f.crossing() == crossing).orElse(false);
      }
    }
  }
}
