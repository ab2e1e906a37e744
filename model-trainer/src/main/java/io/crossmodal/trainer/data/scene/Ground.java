/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

/**
 * What a pixel of a scene is to a sensor. Backscatter and reflectances are rounded from what is
 * usual at 10 metres; they make a scene plausible, they measure nothing.
 */
enum Ground {
  WATER(-20, -27, 500, 450, 300, 250, 200, 180, 150, 130, 80, 60),
  GRASS(-13, -19, 500, 800, 600, 1200, 2600, 3000, 3300, 3400, 2000, 1100),
  CROP(-11, -17, 450, 750, 550, 1150, 2900, 3500, 3800, 3900, 1900, 950),
  TREES(-8.5, -13.5, 250, 450, 300, 700, 1900, 2300, 2500, 2600, 1200, 600),
  SAND(-18, -26, 1600, 2100, 2600, 2800, 2900, 3000, 3100, 3200, 3900, 3600),
  SOIL(-13.5, -21, 800, 1050, 1400, 1600, 1750, 1850, 1950, 2100, 2800, 2500),
  STREETS(-7, -14, 1200, 1350, 1450, 1550, 1650, 1700, 1800, 1850, 2000, 1900),
  ASPHALT(-17, -24, 800, 900, 950, 1000, 1050, 1100, 1150, 1200, 1300, 1250),
  ROOF(-5, -12, 1500, 1600, 1700, 1750, 1800, 1850, 1900, 1950, 2100, 2000),
  METAL(-3, -11, 2200, 2300, 2350, 2400, 2400, 2450, 2500, 2500, 2300, 2100);

  private final double vv;
  private final double vh;

  @SuppressWarnings("ImmutableEnumChecker") // never handed out
  private final double[] reflectance;

  Ground(double vv, double vh, double... reflectance) {
    this.vv = vv;
    this.vh = vh;
    this.reflectance = reflectance;
  }

  /** Backscatter in dB. */
  double vv() {
    return vv;
  }

  /** Cross-polarised backscatter in dB. */
  double vh() {
    return vh;
  }

  /** Times 10,000, in the order of {@link io.crossmodal.trainer.data.SensorSource#S2}'s bands. */
  double reflectance(int band) {
    return reflectance[band];
  }

  boolean grows() {
    return this == GRASS || this == CROP || this == TREES;
  }

  /** Whether it has walls that a radar's pulse bounces off twice. */
  boolean stands() {
    return this == ROOF || this == METAL;
  }

  /** What lies under everything else. */
  static Ground of(Terrain terrain) {
    return switch (terrain) {
      case FARMLAND -> CROP;
      case GRASSLAND -> GRASS;
      case FOREST -> TREES;
      case DESERT -> SAND;
      case BARE_SOIL -> SOIL;
      case CITY -> STREETS;
      case SEA -> WATER;
      default -> GRASS;
    };
  }

  static Ground of(ObjectKind kind) {
    return switch (kind) {
      case STORAGE_TANK, PLANE, SHIP, CAR, WIND_TURBINE -> METAL;
      case BUILDING, GREENHOUSE, SOLAR_PANEL -> ROOF;
      case SWIMMING_POOL, POND -> WATER;
      case TREE -> TREES;
      case TENNIS_COURT, RUNNING_TRACK -> ASPHALT;
      default -> GRASS;
    };
  }
}
