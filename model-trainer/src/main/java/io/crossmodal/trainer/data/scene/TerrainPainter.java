/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import java.awt.image.BufferedImage;
import java.util.ArrayList;
import java.util.List;

/** Fills a picture with the ground's texture, pixel by pixel. */
final class TerrainPainter {

  private final Scene scene;
  private final SceneRandom random;
  private final SceneRandom.Noise coarse;
  private final SceneRandom.Noise fine;
  private final double turn;
  private final double phase;
  private final double hue;
  private final List<Field> fields = new ArrayList<>();

  /** One field of the farmland: a box in turned coordinates, with its own crop and furrows. */
  private record Field(
      Bounds box, double red, double green, double blue, boolean furrowsAcross, double pitch) {}

  TerrainPainter(Scene scene, SceneRandom random) {
    this.scene = scene;
    this.random = random;
    coarse = new SceneRandom.Noise(random.nextLong());
    fine = new SceneRandom.Noise(random.nextLong());
    turn = random.between(-0.5, 0.5);
    phase = random.between(0, 6.28);
    hue = random.between(-1, 1);
    if (scene.terrain() == Scene.Terrain.FARMLAND) {
      split(new Bounds(-0.6, -0.6, 1.6, 1.6), 4);
    }
  }

  void paint(BufferedImage image) {
    int size = image.getWidth();
    int[] pixels = new int[size * size];
    double[] rgb = new double[3];
    for (int py = 0; py < size; py++) {
      for (int px = 0; px < size; px++) {
        colour((px + 0.5) / size, (py + 0.5) / size, rgb);
        pixels[py * size + px] = pack(rgb);
      }
    }
    image.setRGB(0, 0, size, size, pixels, 0, size);
  }

  private static int pack(double[] rgb) {
    int value = 0;
    for (double channel : rgb) {
      value = value << 8 | (int) Math.max(0, Math.min(255, Math.round(channel)));
    }
    return value;
  }

  private void colour(double x, double y, double[] rgb) {
    switch (scene.terrain()) {
      case FARMLAND -> farmland(x, y, rgb);
      case GRASSLAND -> grass(x, y, rgb);
      case FOREST -> forest(x, y, rgb);
      case DESERT -> desert(x, y, rgb);
      case BARE_SOIL -> bareSoil(x, y, rgb);
      case CITY -> city(x, y, rgb);
      case SEA -> sea(x, y, rgb);
      default -> coast(x, y, rgb);
    }
  }

  private void split(Bounds box, int depth) {
    double width = box.width();
    double height = box.height();
    if (depth == 0) {
      double yellow = random.between(0, 1);
      double light = random.between(0.86, 1.1);
      fields.add(
          new Field(
              box,
              (92 + 66 * yellow) * light,
              (132 + 22 * yellow) * light,
              (66 + 22 * yellow) * light,
              random.chance(0.5),
              random.between(0.022, 0.036)));
    } else if (width > height) {
      double cut = box.minX() + width * random.between(0.38, 0.62);
      split(new Bounds(box.minX(), box.minY(), cut, box.maxY()), depth - 1);
      split(new Bounds(cut, box.minY(), box.maxX(), box.maxY()), depth - 1);
    } else {
      double cut = box.minY() + height * random.between(0.38, 0.62);
      split(new Bounds(box.minX(), box.minY(), box.maxX(), cut), depth - 1);
      split(new Bounds(box.minX(), cut, box.maxX(), box.maxY()), depth - 1);
    }
  }

  private void farmland(double x, double y, double[] rgb) {
    double u = (x - 0.5) * Math.cos(turn) + (y - 0.5) * Math.sin(turn) + 0.5;
    double v = (y - 0.5) * Math.cos(turn) - (x - 0.5) * Math.sin(turn) + 0.5;
    for (Field field : fields) {
      Bounds box = field.box();
      if (u >= box.minX() && u < box.maxX() && v >= box.minY() && v < box.maxY()) {
        double furrow = 7 * Math.sin(2 * Math.PI * (field.furrowsAcross() ? v : u) / field.pitch());
        double edge =
            Math.min(
                Math.min(u - box.minX(), box.maxX() - u), Math.min(v - box.minY(), box.maxY() - v));
        double shade = furrow + 12 * coarse.fractal(x * 6, y * 6, 3) - (edge < 0.006 ? 22 : 0);
        set(rgb, field.red() + shade, field.green() + shade, field.blue() + shade * 0.8);
        return;
      }
    }
  }

  private void grass(double x, double y, double[] rgb) {
    double shade = 20 * coarse.fractal(x * 4, y * 4, 3) + 7 * fine.at(x * 50, y * 50);
    set(rgb, 116 + 10 * hue + shade, 158 + shade, 84 + shade * 0.8);
  }

  private void forest(double x, double y, double[] rgb) {
    // Crowns: ridged noise of about 5 pixels of 128, too small to be counted as trees.
    double crowns = Math.abs(fine.at(x * 34, y * 34)) + 0.6 * Math.abs(fine.at(y * 61, x * 61));
    double shade = 34 * (crowns - 0.5) + 14 * coarse.fractal(x * 4, y * 4, 2);
    set(rgb, 38 + 6 * hue + shade * 0.8, 74 + shade, 38 + shade * 0.6);
  }

  private void desert(double x, double y, double[] rgb) {
    double u = x * Math.cos(turn) + y * Math.sin(turn);
    double warp = coarse.fractal(x * 3, y * 3, 2);
    double dune = Math.sin(2 * Math.PI * (u * 6 + 1.1 * warp) + phase);
    double shade = 13 * dune + 5 * fine.at(x * 40, y * 40);
    set(rgb, 218 + shade, 186 + 5 * hue + shade, 128 + 6 * hue + shade * 0.9);
  }

  private void bareSoil(double x, double y, double[] rgb) {
    double shade = 26 * coarse.fractal(x * 5, y * 5, 4) + 9 * fine.at(x * 45, y * 45);
    set(rgb, 148 + 7 * hue + shade, 112 + shade, 84 - 5 * hue + shade * 0.9);
  }

  private void city(double x, double y, double[] rgb) {
    double u = (x - 0.5) * Math.cos(turn * 0.4) + (y - 0.5) * Math.sin(turn * 0.4) + 7;
    double v = (y - 0.5) * Math.cos(turn * 0.4) - (x - 0.5) * Math.sin(turn * 0.4) + 7;
    double pitchX = 0.19 + 0.02 * hue;
    double pitchY = 0.15 - 0.02 * hue;
    double inX = u / pitchX - Math.floor(u / pitchX);
    double inY = v / pitchY - Math.floor(v / pitchY);
    boolean street = inX < 0.12 || inY < 0.14;
    double block =
        9 * fine.at(Math.floor(u / pitchX) * 3.7, Math.floor(v / pitchY) * 5.1)
            + 8 * fine.at(Math.floor(u / pitchX * 4) + 0.5, Math.floor(v / pitchY * 4) + 0.5);
    double shade = (street ? -20 : block) + 6 * coarse.fractal(x * 20, y * 20, 2);
    set(rgb, 156 + shade + 3 * hue, 152 + shade, 147 + shade - 3 * hue);
  }

  private void sea(double x, double y, double[] rgb) {
    double u = x * Math.cos(turn) + y * Math.sin(turn);
    double waves = Math.sin(2 * Math.PI * (u * 17 + 1.6 * coarse.at(x * 5, y * 5)) + phase);
    double glint = Math.max(0, fine.at(x * 55, y * 30) - 0.72) * 130;
    double shade = 4 * waves + 9 * coarse.fractal(x * 3, y * 3, 2) + glint;
    set(rgb, 32 + shade * 0.8, 82 + 8 * hue + shade, 124 + shade);
  }

  private void coast(double x, double y, double[] rgb) {
    double seaward = scene.shore().orElseThrow().seaward(x, y);
    if (seaward > 0.012) {
      sea(x, y, rgb);
      double shallow = Math.max(0, 1 - seaward / 0.09);
      set(rgb, rgb[0] + 30 * shallow, rgb[1] + 46 * shallow, rgb[2] + 34 * shallow);
    } else if (seaward > 0) {
      set(rgb, 226, 232, 228);
    } else if (seaward > -0.085 + 0.02 * coarse.at(x * 8, y * 8)) {
      double shade = 6 * fine.at(x * 40, y * 40);
      set(rgb, 222 + shade, 202 + shade, 156 + shade);
    } else {
      grass(x, y, rgb);
    }
  }

  private static void set(double[] rgb, double red, double green, double blue) {
    rgb[0] = red;
    rgb[1] = green;
    rgb[2] = blue;
  }
}
