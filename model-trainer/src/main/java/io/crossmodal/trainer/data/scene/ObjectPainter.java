/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import io.crossmodal.trainer.data.scene.ObjectKind.Colour;
import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.Shape;
import java.awt.geom.AffineTransform;
import java.awt.geom.Arc2D;
import java.awt.geom.Ellipse2D;
import java.awt.geom.Line2D;
import java.awt.geom.Path2D;
import java.awt.geom.Rectangle2D;
import java.awt.geom.RoundRectangle2D;

/**
 * Draws linear features and objects. The graphics context is scaled so that the picture's side is
 * 1; each object is drawn around (0, 0), lying along x, after its shadow.
 */
final class ObjectPainter {

  private static final Color SHADOW = new Color(8, 10, 18, 120);
  private static final Color ASPHALT = new Color(104, 105, 108);
  private static final Color LINE = new Color(236, 236, 230);

  private final Graphics2D g;
  private final SceneRandom random;
  private final double sunX;
  private final double sunY;

  /**
   * Makes a painter.
   *
   * @param sunX where a shadow falls, per unit of height
   * @param sunY likewise
   */
  ObjectPainter(Graphics2D g, SceneRandom random, double sunX, double sunY) {
    this.g = g;
    this.random = random;
    this.sunX = sunX;
    this.sunY = sunY;
  }

  // --- linear features --------------------------------------------------------------------------

  void paint(LinearFeature feature) {
    Path2D path = feature.path();
    float width = (float) (2 * feature.kind().halfWidth());
    switch (feature.kind()) {
      case ROAD -> {
        stroke(path, new Color(190, 184, 170), width);
        stroke(path, new Color(88, 88, 92), width * 0.82f);
        dash(path, LINE, 0.008f, 0.035f, 0.03f);
      }
      case RAILWAY -> {
        stroke(path, new Color(186, 150, 114), width * 1.35f);
        dash(path, new Color(70, 48, 36), width, 0.011f, 0.016f);
        stroke(path, new Color(70, 48, 36), 0.016f);
        stroke(path, new Color(186, 150, 114), 0.007f);
      }
      default -> {
        stroke(path, new Color(150, 146, 108), width * 1.18f);
        stroke(path, new Color(44, 98, 136), width);
        stroke(path, new Color(58, 114, 150), width * 0.45f);
      }
    }
    crossing(feature);
  }

  private void crossing(LinearFeature feature) {
    double x = feature.x(feature.crossingAt());
    double y = feature.y(feature.crossingAt());
    AffineTransform before = g.getTransform();
    g.translate(x, y);
    if (feature.crossing() == LinearFeature.Crossing.BRIDGE) {
      g.rotate(feature.angle(feature.crossingAt()) + Math.PI / 2);
      double half = feature.kind().halfWidth() + 0.045;
      Shape deck = box(2 * half, 0.052);
      shadow(deck, 0.02, feature.angle(feature.crossingAt()) + Math.PI / 2);
      fill(deck, new Color(206, 202, 194));
      fill(box(2 * half, 0.032), new Color(112, 112, 114));
      g.setColor(LINE);
      dash(new Line2D.Double(-half, 0, half, 0), LINE, 0.006f, 0.025f, 0.02f);
    } else if (feature.crossing() == LinearFeature.Crossing.ROUNDABOUT) {
      fill(disc(0.148), new Color(190, 184, 170));
      fill(disc(0.136), new Color(88, 88, 92));
      fill(disc(0.066), new Color(190, 184, 170));
      fill(disc(0.056), new Color(86, 138, 66));
    }
    g.setTransform(before);
  }

  // --- objects ----------------------------------------------------------------------------------

  /** Paints the paved ground under a group of planes or cars. */
  void pave(ObjectGroup group) {
    Bounds all = group.bounds().grow(0.019);
    fill(new Rectangle2D.Double(all.minX(), all.minY(), all.width(), all.height()), ASPHALT);
  }

  /** Paints the cleared ground around a group in a forest. */
  void clear(ObjectGroup group) {
    Bounds all = group.bounds().grow(0.016);
    fill(
        new RoundRectangle2D.Double(all.minX(), all.minY(), all.width(), all.height(), 0.08, 0.08),
        new Color(136, 134, 92));
  }

  void paint(ObjectKind kind, Colour colour, ObjectGroup.Member object) {
    AffineTransform before = g.getTransform();
    g.translate(object.x(), object.y());
    g.rotate(object.angle());
    double w = object.width();
    double h = object.height();
    Color tint = tint(colour);
    switch (kind) {
      case STORAGE_TANK -> tank(w, tint, object.angle());
      case BUILDING -> building(w, h, tint, object.angle());
      case SWIMMING_POOL -> pool(w, h);
      case PLANE -> plane(w, h, tint, object.angle());
      case SHIP -> ship(w, h, tint, object.angle());
      case CAR -> car(w, h, tint, object.angle());
      case TENNIS_COURT -> tennisCourt(w, h, tint);
      case BASEBALL_FIELD -> baseballField(w);
      case RUNNING_TRACK -> runningTrack(w, h, tint);
      case GREENHOUSE -> greenhouse(w, h, object.angle());
      case TREE -> tree(w, object.angle());
      case POND -> pond(w, h);
      case SOLAR_PANEL -> solarPanel(w, h, object.angle());
      default -> windTurbine(w, object.angle());
    }
    g.setTransform(before);
  }

  private void tank(double d, Color tint, double angle) {
    shadow(disc(d * 0.94), 0.03, angle);
    fill(disc(d * 0.94), scaled(tint, 0.66));
    fill(disc(d * 0.82), tint);
    // A sun-lit and a shaded half of the lid, whatever the tank's own angle.
    g.rotate(-angle);
    double sun = Math.toDegrees(Math.atan2(sunY, -sunX));
    fill(
        new Arc2D.Double(-d * 0.37, -d * 0.37, d * 0.74, d * 0.74, sun - 90, 180, Arc2D.PIE),
        scaled(tint, 1.07));
    fill(disc(d * 0.16), scaled(tint, 0.75));
  }

  private void building(double w, double h, Color tint, double angle) {
    shadow(box(w, h), 0.028, angle);
    // Which long side of the gable faces the sun.
    boolean lit = sunX * -Math.sin(angle) + sunY * Math.cos(angle) > 0;
    fill(new Rectangle2D.Double(-w / 2, -h / 2, w, h / 2), scaled(tint, lit ? 1.1 : 0.8));
    fill(new Rectangle2D.Double(-w / 2, 0, w, h / 2), scaled(tint, lit ? 0.8 : 1.1));
    stroke(new Line2D.Double(-w / 2, 0, w / 2, 0), scaled(tint, 0.6), 0.006f);
    stroke(box(w, h), scaled(tint, 0.55), 0.005f);
  }

  private void pool(double w, double h) {
    fill(new RoundRectangle2D.Double(-w / 2, -h / 2, w, h, 0.02, 0.02), new Color(232, 226, 212));
    fill(
        new RoundRectangle2D.Double(-w * 0.41, -h * 0.34, w * 0.82, h * 0.68, 0.03, 0.03),
        new Color(40, 190, 220));
    stroke(new Line2D.Double(-w * 0.3, 0, w * 0.3, 0), new Color(150, 228, 238), 0.006f);
  }

  private void plane(double w, double h, Color tint, double angle) {
    Path2D wings =
        polygon(
            0.10, 0, 0, 0.09, -0.14, 0.5, -0.26, 0.5, -0.12, 0.06, -0.12, -0.06, -0.26, -0.5, -0.14,
            -0.5, 0, -0.09);
    Path2D tail = polygon(-0.32, 0, -0.42, 0.2, -0.5, 0.2, -0.46, 0, -0.5, -0.2, -0.42, -0.2);
    AffineTransform grow = AffineTransform.getScaleInstance(w, h);
    Shape body = new Ellipse2D.Double(-w * 0.5, -h * 0.085, w, h * 0.17);
    Shape wingShape = grow.createTransformedShape(wings);
    Shape tailShape = grow.createTransformedShape(tail);
    shadow(wingShape, 0.016, angle);
    shadow(body, 0.016, angle);
    shadow(tailShape, 0.016, angle);
    fill(wingShape, scaled(tint, 0.92));
    fill(tailShape, scaled(tint, 0.92));
    fill(body, tint);
  }

  private void ship(double w, double h, Color tint, double angle) {
    Path2D hull = new Path2D.Double();
    hull.moveTo(-w * 0.5, -h * 0.4);
    hull.lineTo(w * 0.22, -h * 0.5);
    hull.quadTo(w * 0.4, -h * 0.3, w * 0.5, 0);
    hull.quadTo(w * 0.4, h * 0.3, w * 0.22, h * 0.5);
    hull.lineTo(-w * 0.5, h * 0.4);
    hull.closePath();
    shadow(hull, 0.012, angle);
    fill(hull, tint);
    stroke(hull, scaled(tint, 0.6), 0.006f);
    fill(new Rectangle2D.Double(-w * 0.38, -h * 0.24, w * 0.16, h * 0.48), scaled(tint, 0.55));
    fill(new Rectangle2D.Double(-w * 0.08, -h * 0.2, w * 0.2, h * 0.4), scaled(tint, 0.8));
    stroke(new Line2D.Double(-w * 0.5, 0, -w * 0.62, 0), new Color(200, 216, 224, 150), 0.02f);
  }

  private void car(double w, double h, Color tint, double angle) {
    shadow(box(w, h), 0.01, angle);
    fill(new RoundRectangle2D.Double(-w / 2, -h / 2, w, h, h * 0.5, h * 0.5), tint);
    Color glass = new Color(38, 44, 56);
    fill(new Rectangle2D.Double(w * 0.14, -h * 0.36, w * 0.12, h * 0.72), glass);
    fill(new Rectangle2D.Double(-w * 0.36, -h * 0.36, w * 0.09, h * 0.72), glass);
  }

  private void tennisCourt(double w, double h, Color tint) {
    fill(box(w, h), scaled(tint, 0.72));
    fill(box(w * 0.84, h * 0.78), tint);
    stroke(box(w * 0.84, h * 0.78), LINE, 0.007f);
    stroke(new Line2D.Double(0, -h * 0.45, 0, h * 0.45), LINE, 0.008f);
    stroke(new Line2D.Double(-w * 0.24, 0, w * 0.24, 0), LINE, 0.006f);
  }

  private void baseballField(double d) {
    // A quarter disc with its corner, the home plate, at the lower left.
    Color grass = new Color(98, 160, 74);
    Color dirt = new Color(196, 146, 96);
    double r = d * 0.96;
    fill(new Arc2D.Double(-d / 2 - r, d / 2 - r, 2 * r, 2 * r, 0, 90, Arc2D.PIE), dirt);
    double inner = r * 0.9;
    fill(
        new Arc2D.Double(-d / 2 - inner, d / 2 - inner, 2 * inner, 2 * inner, 3, 84, Arc2D.PIE),
        grass);
    double field = r * 0.56;
    fill(
        new Arc2D.Double(-d / 2 - field, d / 2 - field, 2 * field, 2 * field, 0, 90, Arc2D.PIE),
        dirt);
    double base = r * 0.30;
    fill(new Rectangle2D.Double(-d / 2 + base * 0.25, d / 2 - base * 1.25, base, base), grass);
    stroke(new Line2D.Double(-d / 2, d / 2, -d / 2 + r, d / 2), LINE, 0.006f);
    stroke(new Line2D.Double(-d / 2, d / 2, -d / 2, d / 2 - r), LINE, 0.006f);
  }

  private void runningTrack(double w, double h, Color tint) {
    fill(new RoundRectangle2D.Double(-w / 2, -h / 2, w, h, h, h), tint);
    stroke(
        new RoundRectangle2D.Double(-w * 0.45, -h * 0.42, w * 0.9, h * 0.84, h * 0.84, h * 0.84),
        LINE,
        0.005f);
    fill(
        new RoundRectangle2D.Double(-w * 0.39, -h * 0.31, w * 0.78, h * 0.62, h * 0.62, h * 0.62),
        new Color(84, 152, 66));
    stroke(new Line2D.Double(0, -h * 0.31, 0, h * 0.31), LINE, 0.005f);
  }

  private void greenhouse(double w, double h, double angle) {
    shadow(box(w, h), 0.014, angle);
    fill(box(w, h), new Color(206, 226, 228));
    fill(new Rectangle2D.Double(-w / 2, 0, w, h / 2), new Color(168, 196, 202));
    for (int i = 1; i < 7; i++) {
      double x = -w / 2 + w * i / 7;
      stroke(new Line2D.Double(x, -h / 2, x, h / 2), new Color(112, 140, 148), 0.005f);
    }
    stroke(box(w, h), new Color(96, 120, 126), 0.005f);
  }

  private void tree(double d, double angle) {
    shadow(disc(d * 0.9), 0.026, angle);
    Color leaves = new Color(24 + random.below(12), 78 + random.below(16), 28 + random.below(10));
    fill(disc(d * 0.94), leaves);
    for (int i = 0; i < 6; i++) {
      double a = i * Math.PI / 3 + random.between(-0.3, 0.3);
      double r = d * random.between(0.2, 0.28);
      double size = d * random.between(0.24, 0.36);
      fill(
          new Ellipse2D.Double(r * Math.cos(a) - size / 2, r * Math.sin(a) - size / 2, size, size),
          scaled(leaves, random.between(1.0, 1.5)));
    }
  }

  private void pond(double w, double h) {
    Path2D shape = new Path2D.Double();
    double phase = random.between(0, 6.28);
    for (int i = 0; i < 24; i++) {
      double a = 2 * Math.PI * i / 24;
      double r = 0.9 + 0.1 * Math.sin(3 * a + phase);
      double x = w / 2 * r * Math.cos(a);
      double y = h / 2 * r * Math.sin(a);
      if (i == 0) {
        shape.moveTo(x, y);
      } else {
        shape.lineTo(x, y);
      }
    }
    shape.closePath();
    fill(shape, new Color(28, 70, 112));
    stroke(shape, new Color(112, 112, 76), 0.011f);
  }

  private void solarPanel(double w, double h, double angle) {
    shadow(box(w, h), 0.01, angle);
    fill(box(w, h), new Color(22, 32, 66));
    Color grid = new Color(176, 190, 214);
    for (int i = 0; i <= 4; i++) {
      double x = -w / 2 + w * i / 4;
      stroke(new Line2D.Double(x, -h / 2, x, h / 2), grid, 0.006f);
    }
    for (int i = 0; i <= 2; i++) {
      double y = -h / 2 + h * i / 2;
      stroke(new Line2D.Double(-w / 2, y, w / 2, y), grid, 0.006f);
    }
  }

  private void windTurbine(double d, double angle) {
    double spin = random.between(0, 2.1);
    Path2D blades = new Path2D.Double();
    for (int i = 0; i < 3; i++) {
      double a = spin + i * 2 * Math.PI / 3;
      Path2D blade = polygon(0, -0.035, 0.20, -0.05, 0.5, -0.008, 0.5, 0.008, 0.20, 0.03, 0, 0.035);
      AffineTransform at = AffineTransform.getRotateInstance(a);
      at.scale(d, d);
      blades.append(blade.getPathIterator(at), false);
    }
    shadow(blades, 0.03, angle);
    fill(blades, new Color(246, 246, 244));
    fill(disc(d * 0.15), new Color(250, 250, 248));
  }

  // --- helpers ----------------------------------------------------------------------------------

  /** Returns the object's colour, a little different each time. */
  private Color tint(Colour colour) {
    double light = random.between(0.95, 1.04);
    return scaled(colour.rgb(), light);
  }

  private static Color scaled(Color colour, double by) {
    return new Color(
        (int) Math.min(255, colour.getRed() * by),
        (int) Math.min(255, colour.getGreen() * by),
        (int) Math.min(255, colour.getBlue() * by));
  }

  /** Paints a shape's shadow, as if it stood {@code height} above the ground. */
  private void shadow(Shape shape, double height, double angle) {
    double dx = height * (sunX * Math.cos(angle) + sunY * Math.sin(angle));
    double dy = height * (sunY * Math.cos(angle) - sunX * Math.sin(angle));
    fill(AffineTransform.getTranslateInstance(dx, dy).createTransformedShape(shape), SHADOW);
  }

  private static Shape disc(double d) {
    return new Ellipse2D.Double(-d / 2, -d / 2, d, d);
  }

  private static Shape box(double w, double h) {
    return new Rectangle2D.Double(-w / 2, -h / 2, w, h);
  }

  private static Path2D polygon(double... xy) {
    Path2D path = new Path2D.Double();
    path.moveTo(xy[0], xy[1]);
    for (int i = 2; i < xy.length; i += 2) {
      path.lineTo(xy[i], xy[i + 1]);
    }
    path.closePath();
    return path;
  }

  private void fill(Shape shape, Color colour) {
    g.setColor(colour);
    g.fill(shape);
  }

  private void stroke(Shape shape, Color colour, float width) {
    g.setColor(colour);
    g.setStroke(new BasicStroke(width, BasicStroke.CAP_BUTT, BasicStroke.JOIN_ROUND));
    g.draw(shape);
  }

  private void dash(Shape shape, Color colour, float width, float on, float off) {
    g.setColor(colour);
    g.setStroke(
        new BasicStroke(
            width, BasicStroke.CAP_BUTT, BasicStroke.JOIN_ROUND, 1, new float[] {on, off}, 0));
    g.draw(shape);
  }
}
