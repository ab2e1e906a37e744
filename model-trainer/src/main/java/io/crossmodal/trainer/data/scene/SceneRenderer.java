/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;

/**
 * Draws scenes with Java2D, off-screen. The same scene and size always give the same pixels; scenes
 * of the same content differ in texture, sun, exposure, colour cast, blur and noise. Thread safe.
 */
public final class SceneRenderer {

  /** The side of a picture, in pixels, where none is asked for. */
  public static final int DEFAULT_SIZE = 128;

  private static final long RENDER = 5;

  private final int size;

  /**
   * Makes a renderer.
   *
   * @param size the side of the square picture in pixels, 32 to 2048
   */
  public SceneRenderer(int size) {
    if (size < 32 || size > 2048) {
      throw new IllegalArgumentException("size must be 32 to 2048 pixels, got " + size);
    }
    this.size = size;
  }

  /** Returns the picture, TYPE_INT_RGB. */
  public BufferedImage render(Scene scene) {
    SceneRandom random = new SceneRandom(scene.lookSeed(), scene.index(), RENDER);
    BufferedImage image = new BufferedImage(size, size, BufferedImage.TYPE_INT_RGB);
    new TerrainPainter(scene, random).paint(image);
    drawObjects(scene, image, random);
    expose(image, random);
    return image;
  }

  private void drawObjects(Scene scene, BufferedImage image, SceneRandom random) {
    Graphics2D g = image.createGraphics();
    try {
      g.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
      g.setRenderingHint(RenderingHints.KEY_STROKE_CONTROL, RenderingHints.VALUE_STROKE_PURE);
      g.scale(size, size);
      // Shadows fall to the north-west or north-east: our sun stands in the south all day.
      double sun = -Math.PI / 2 + random.between(-1.0, 1.0);
      double length = random.between(0.7, 1.15);
      ObjectPainter painter =
          new ObjectPainter(g, random, length * Math.cos(sun), length * Math.sin(sun));
      for (ObjectGroup group : scene.groups()) {
        if (scene.terrain() == Scene.Terrain.FOREST && !group.kind().paved()) {
          painter.clear(group);
        }
      }
      scene.feature().ifPresent(painter::paint);
      for (ObjectGroup group : scene.groups()) {
        if (group.kind().paved()) {
          painter.pave(group);
        }
      }
      for (ObjectGroup group : scene.groups()) {
        for (ObjectGroup.Member object : group.objects()) {
          painter.paint(group.kind(), group.colour(), object);
        }
      }
    } finally {
      g.dispose();
    }
  }

  /** Does what light, air and sensor do: a slight blur, then gain, colour cast, haze and noise. */
  private void expose(BufferedImage image, SceneRandom random) {
    int[] sharp = image.getRGB(0, 0, size, size, null, 0, size);
    double side = random.between(0.03, 0.10);
    double gain = random.between(0.86, 1.08);
    double haze = random.between(0, 14);
    double noise = random.between(2, 6);
    double[] cast = {
      gain * random.between(0.95, 1.05),
      gain * random.between(0.97, 1.03),
      gain * random.between(0.95, 1.05)
    };
    int[] seen = new int[sharp.length];
    for (int y = 0; y < size; y++) {
      int up = Math.max(0, y - 1) * size;
      int at = y * size;
      int down = Math.min(size - 1, y + 1) * size;
      for (int x = 0; x < size; x++) {
        int left = Math.max(0, x - 1);
        int right = Math.min(size - 1, x + 1);
        double grain = gaussian(random) * noise;
        int packed = 0;
        for (int channel = 0; channel < 3; channel++) {
          int shift = 16 - 8 * channel;
          double around =
              (sharp[up + x] >> shift & 255)
                  + (sharp[down + x] >> shift & 255)
                  + (sharp[at + left] >> shift & 255)
                  + (sharp[at + right] >> shift & 255);
          double value = (sharp[at + x] >> shift & 255) * (1 - 4 * side) + around * side;
          double exposed =
              value * cast[channel] * (1 - haze / 255)
                  + haze
                  + grain
                  + 0.5 * noise * random.between(-1, 1);
          packed = packed << 8 | (int) Math.max(0, Math.min(255, Math.round(exposed)));
        }
        seen[at + x] = packed;
      }
    }
    image.setRGB(0, 0, size, size, seen, 0, size);
  }

  /** Returns the sum of four uniform draws, near enough to a standard normal for grain. */
  private static double gaussian(SceneRandom random) {
    double sum = 0;
    for (int i = 0; i < 4; i++) {
      sum += random.between(-1, 1);
    }
    return sum * 0.866;
  }
}
