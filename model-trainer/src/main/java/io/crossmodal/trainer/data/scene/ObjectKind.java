/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import static io.crossmodal.trainer.data.scene.ObjectKind.Colour.BLUE;
import static io.crossmodal.trainer.data.scene.ObjectKind.Colour.BROWN;
import static io.crossmodal.trainer.data.scene.ObjectKind.Colour.GREEN;
import static io.crossmodal.trainer.data.scene.ObjectKind.Colour.GREY;
import static io.crossmodal.trainer.data.scene.ObjectKind.Colour.NATURAL;
import static io.crossmodal.trainer.data.scene.ObjectKind.Colour.ORANGE;
import static io.crossmodal.trainer.data.scene.ObjectKind.Colour.RED;
import static io.crossmodal.trainer.data.scene.ObjectKind.Colour.WHITE;
import static io.crossmodal.trainer.data.scene.ObjectKind.Colour.YELLOW;

import java.awt.Color;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * Kind of an object that can be counted in a scene. Width and height are the mean footprint as
 * fractions of the picture's side, before rotation; 0.1 is about 13 pixels of 128.
 */
public enum ObjectKind {
  STORAGE_TANK(0.105, 0.105, 6, true, WHITE, GREY, BROWN),
  BUILDING(0.125, 0.090, 6, true, RED, BLUE, WHITE, GREY, BROWN),
  SWIMMING_POOL(0.115, 0.070, 4, false, NATURAL),
  PLANE(0.140, 0.140, 6, false, WHITE, RED, YELLOW),
  SHIP(0.160, 0.056, 6, false, WHITE, RED, GREY, YELLOW),
  CAR(0.100, 0.054, 6, false, RED, WHITE, BLUE, YELLOW),
  TENNIS_COURT(0.145, 0.090, 6, false, GREEN, BLUE, ORANGE),
  BASEBALL_FIELD(0.170, 0.170, 3, false, NATURAL),
  RUNNING_TRACK(0.250, 0.150, 2, false, RED, BLUE),
  GREENHOUSE(0.170, 0.058, 6, true, NATURAL),
  TREE(0.085, 0.085, 6, true, NATURAL),
  POND(0.170, 0.125, 3, false, NATURAL),
  SOLAR_PANEL(0.130, 0.080, 6, true, NATURAL),
  WIND_TURBINE(0.165, 0.165, 4, false, NATURAL);

  private final double width;
  private final double height;
  private final int maxCount;
  private final boolean lines;

  @SuppressWarnings("ImmutableEnumChecker") // List.of is immutable
  private final List<Colour> colours;

  ObjectKind(double width, double height, int maxCount, boolean lines, Colour... colours) {
    this.width = width;
    this.height = height;
    this.maxCount = maxCount;
    this.lines = lines;
    this.colours = List.of(colours);
  }

  double width() {
    return width;
  }

  double height() {
    return height;
  }

  /** Returns the most that one group may have; the least is 1. */
  public int maxCount() {
    return maxCount;
  }

  /** Returns whether a group may line a road, railway or river. */
  boolean mayLineFeature() {
    return lines;
  }

  /** Returns whether all objects of a group point the same way, as built things do. */
  boolean aligned() {
    return this != PLANE && this != SHIP && this != TREE && this != WIND_TURBINE;
  }

  /** Planes and cars stand on a paved ground of their own, so that they are plausible anywhere. */
  boolean paved() {
    return this == PLANE || this == CAR;
  }

  /** Returns the colours that this kind comes in, at least one. */
  public List<Colour> colours() {
    return colours;
  }

  /** Returns whether this kind floats: such kinds are only on the sea, all others never. */
  public boolean floats() {
    return this == SHIP;
  }

  /** Returns whether this kind can be there, going by the ground alone. */
  public boolean fits(Scene.Terrain terrain) {
    return switch (terrain) {
      case SEA -> this == SHIP;
      case COAST -> this != POND && this != GREENHOUSE && this != BASEBALL_FIELD;
      case FOREST -> !FOREIGN_TO_FOREST.contains(this);
      case CITY -> this != SHIP && this != WIND_TURBINE;
      case DESERT -> this != SHIP && this != GREENHOUSE && this != BASEBALL_FIELD;
      default -> this != SHIP;
    };
  }

  private static final Set<ObjectKind> FOREIGN_TO_FOREST =
      EnumSet.of(SHIP, TREE, GREENHOUSE, SWIMMING_POOL);

  /**
   * The colours that captions may name. {@link #NATURAL} objects have one look and no colour word.
   */
  public enum Colour {
    WHITE(new Color(240, 240, 236)),
    GREY(new Color(138, 141, 146)),
    RED(new Color(196, 42, 38)),
    BLUE(new Color(40, 88, 200)),
    GREEN(new Color(34, 120, 62)),
    BROWN(new Color(118, 74, 38)),
    YELLOW(new Color(240, 206, 40)),
    ORANGE(new Color(228, 118, 36)),
    /** The object's own look; never named. */
    NATURAL(new Color(0, 0, 0));

    @SuppressWarnings("ImmutableEnumChecker") // a Color never changes
    private final Color rgb;

    Colour(Color rgb) {
      this.rgb = rgb;
    }

    Color rgb() {
      return rgb;
    }

    /** Returns the English word, lower case. */
    public String word() {
      return name().toLowerCase(Locale.ROOT);
    }
  }
}
