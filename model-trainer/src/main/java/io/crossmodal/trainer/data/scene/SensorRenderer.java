/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import io.crossmodal.model.image.BandImage;
import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.geom.AffineTransform;
import java.awt.geom.Ellipse2D;
import java.awt.geom.Rectangle2D;
import java.awt.image.BufferedImage;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;

/**
 * Shows a scene to two sensors at once: as a radar sees it (VV and VH in dB, with speckle and
 * double bounce, without layover) and in ten optical bands. Both lie on one pixel grid; what they
 * share is the ground, not the grey levels. The same scene gives the same tiles.
 */
public final class SensorRenderer {
  /** Looks that a pixel of Sentinel-1's GRD product averages, about. */
  private static final int LOOKS = 4;

  private static final int BANDS = 10;
  private static final long RADAR = 6;

  /** A kind of ground is painted in the colour of its place here. */
  private static final List<GroundCover> KINDS = List.of(GroundCover.values());

  private static final long OPTICAL = 7;
  private static final int[] RGB_OF_BAND = {2, 1, 0};

  private final int size;
  private final SceneRenderer pictures;

  /**
   * Makes a renderer of tiles.
   *
   * @param size the side of a tile in pixels, 32 to 2048
   */
  public SensorRenderer(int size) {
    this.size = size;
    this.pictures = new SceneRenderer(size);
  }

  /**
   * Both views of a scene.
   *
   * @param radar VV, VH in dB
   * @param optical reflectances times 10,000 of Sentinel-2's ten bands of 10 and 20 metres
   */
  public record Views(BandImage radar, BandImage optical) {}

  public Views render(Scene scene) {
    int[] rgb = pictures.render(scene).getRGB(0, 0, size, size, null, 0, size);
    GroundCover[] ground = ground(scene);
    return new Views(radar(scene, ground, rgb), optical(scene, ground, rgb));
  }

  /** Returns what is in a scene: its terrain, what crosses it and the kinds of its objects. */
  public static Set<String> labels(Scene scene) {
    Set<String> labels = new TreeSet<>();
    labels.add(label(scene.terrain()));
    scene.feature().ifPresent(feature -> labels.add(label(feature.kind())));
    scene.groups().forEach(group -> labels.add(label(group.kind())));
    return labels;
  }

  private static String label(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT).replace('_', ' ');
  }

  private GroundCover[] ground(Scene scene) {
    BufferedImage map = new BufferedImage(size, size, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < size * size; i++) {
      double x = (i % size + 0.5) / size;
      int row = i / size;
      double y = (row + 0.5) / size;
      GroundCover at = GroundCover.of(scene.terrain());
      if (scene.shore().isPresent()) {
        double seaward = scene.shore().get().seaward(x, y);
        at =
            seaward > 0
                ? GroundCover.WATER
                : seaward > -0.085 ? GroundCover.SAND : GroundCover.GRASS;
      }
      map.setRGB(i % size, i / size, KINDS.indexOf(at));
    }
    // No antialiasing: between two kinds of ground there is no third.
    Graphics2D g = map.createGraphics();
    try {
      g.scale(size, size);
      scene.feature().ifPresent(feature -> feature(g, feature));
      for (ObjectGroup group : scene.groups()) {
        if (group.kind().paved()) {
          Bounds box = group.bounds();
          paint(g, GroundCover.ASPHALT);
          g.fill(
              new Rectangle2D.Double(
                  box.minX() - 0.03, box.minY() - 0.03, box.width() + 0.06, box.height() + 0.06));
        }
      }
      for (ObjectGroup group : scene.groups()) {
        paint(g, GroundCover.of(group.kind()));
        group.objects().forEach(object -> object(g, group.kind(), object));
      }
    } finally {
      g.dispose();
    }
    GroundCover[] ground = new GroundCover[size * size];
    for (int i = 0; i < ground.length; i++) {
      ground[i] = KINDS.get(map.getRGB(i % size, i / size) & 0xff);
    }
    return ground;
  }

  private static void paint(Graphics2D g, GroundCover ground) {
    g.setColor(new Color(KINDS.indexOf(ground)));
  }

  private static void feature(Graphics2D g, LinearFeature feature) {
    paint(
        g,
        switch (feature.kind()) {
          case ROAD -> GroundCover.ASPHALT;
          case RAILWAY -> GroundCover.SOIL;
          default -> GroundCover.WATER;
        });
    g.setStroke(new BasicStroke((float) (2 * feature.kind().halfWidth())));
    g.draw(feature.path());
    if (feature.crossing() == LinearFeature.Crossing.BRIDGE) {
      double half = feature.kind().halfWidth() + 0.045;
      AffineTransform before = g.getTransform();
      g.translate(feature.x(feature.crossingAt()), feature.y(feature.crossingAt()));
      g.rotate(feature.angle(feature.crossingAt()) + Math.PI / 2);
      paint(g, GroundCover.ROOF);
      g.fill(new Rectangle2D.Double(-half, -0.026, 2 * half, 0.052));
      g.setTransform(before);
    }
  }

  private static void object(Graphics2D g, ObjectKind kind, ObjectGroup.Member object) {
    AffineTransform before = g.getTransform();
    g.translate(object.x(), object.y());
    g.rotate(object.angle());
    double w = object.width();
    double h = object.height();
    boolean round =
        switch (kind) {
          case STORAGE_TANK, TREE, POND, RUNNING_TRACK, SHIP, BASEBALL_FIELD -> true;
          default -> false;
        };
    g.fill(
        round
            ? new Ellipse2D.Double(-w / 2, -h / 2, w, h)
            : new Rectangle2D.Double(-w / 2, -h / 2, w, h));
    g.setTransform(before);
  }

  private BandImage radar(Scene scene, GroundCover[] ground, int[] rgb) {
    SceneRandom random = new SceneRandom(scene.lookSeed(), scene.index(), RADAR);
    SceneRandom.Noise rough = new SceneRandom.Noise(random.nextLong());
    boolean fromTheLeft = random.chance(0.5);
    float[] values = new float[2 * size * size];
    for (int y = 0; y < size; y++) {
      for (int x = 0; x < size; x++) {
        int at = y * size + x;
        GroundCover here = ground[at];
        double surface = 1.5 * rough.fractal(6.0 * x / size, 6.0 * y / size, 3);
        // Thick growth scatters within its volume, which turns the polarisation.
        double growth = here.grows() ? 5 * green(rgb[at]) : 0;
        double vv = here.vv + surface + 0.6 * growth;
        double vh = here.vh + surface + growth;
        int facing = x + (fromTheLeft ? -1 : 1);
        if (here.stands() && facing >= 0 && facing < size && !ground[y * size + facing].stands()) {
          vv += 9;
          vh += 5;
        }
        values[at] = (float) (vv + speckle(random));
        values[size * size + at] = (float) (vh + speckle(random));
      }
    }
    return new BandImage(2, size, size, values);
  }

  /** Returns how green it is, about -0.2 to 0.3. */
  private static double green(int rgb) {
    double red = (rgb >> 16) & 255;
    double green = (rgb >> 8) & 255;
    return (green - red) / Math.max(40, green + red);
  }

  /** Returns the mean of so many exponential powers, in dB. */
  private static double speckle(SceneRandom random) {
    double power = 0;
    for (int look = 0; look < LOOKS; look++) {
      power -= Math.log(random.between(1e-9, 1)) / LOOKS;
    }
    return 10 * Math.log10(Math.max(power, 1e-6));
  }

  private BandImage optical(Scene scene, GroundCover[] ground, int[] rgb) {
    SceneRandom random = new SceneRandom(scene.lookSeed(), scene.index(), OPTICAL);
    double air = random.between(0, 250);
    float[] values = new float[BANDS * size * size];
    for (int i = 0; i < size * size; i++) {
      double light = 0;
      for (int channel = 0; channel < 3; channel++) {
        light += ((rgb[i] >> (8 * channel)) & 255) / 765.0;
      }
      for (int band = 0; band < BANDS; band++) {
        // The visible bands are the picture's own colours; the others follow the ground.
        double reflectance =
            band < RGB_OF_BAND.length
                ? air + 10 * ((rgb[i] >> (8 * (2 - RGB_OF_BAND[band]))) & 255)
                : ground[i].reflectance[band] * (0.6 + 0.8 * light);
        values[band * size * size + i] =
            (float) Math.max(0, reflectance * (1 + random.between(-0.03, 0.03)));
      }
    }
    return new BandImage(BANDS, size, size, values);
  }

  /**
   * Ground cover of a pixel of a scene, as sensors see it. Backscatter and reflectances are rounded
   * from what is usual at 10 metres; they make a scene plausible, they measure nothing.
   */
  enum GroundCover {
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

    /** Backscatter in dB, co-polarised and cross-polarised. */
    private final double vv;

    private final double vh;

    /** Times 10,000, in the order of the bands of {@code SensorSource.S2}. */
    @SuppressWarnings("ImmutableEnumChecker") // never handed out
    private final double[] reflectance;

    GroundCover(double vv, double vh, double... reflectance) {
      this.vv = vv;
      this.vh = vh;
      this.reflectance = reflectance;
    }

    boolean grows() {
      return this == GRASS || this == CROP || this == TREES;
    }

    /** Returns whether it has walls that a radar's pulse bounces off twice. */
    boolean stands() {
      return this == ROOF || this == METAL;
    }

    /** Returns what lies under everything else. */
    static GroundCover of(Scene.Terrain terrain) {
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

    static GroundCover of(ObjectKind kind) {
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
}
