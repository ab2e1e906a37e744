/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.report;

import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.WordPatchWeights;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.JpegWriter;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.image.RgbImage;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.model.text.Tokenizer;
import io.crossmodal.model.text.WordSpan;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Sheets of pictures that show where the words of a caption look in an image, after the paper's
 * figures 6 and 7.
 *
 * <p>A sheet holds the image, then per word the grey image under the word's weights: bright is much
 * (in the paper, dark is). Each word is scaled from 0 to its own largest weight, which stands under
 * it with the weight of the image's [CLS]; [CLS] of the text, first, stands for the whole sentence.
 * Words have already read each other in the text tower, so a word may look at its neighbour's
 * object.
 */
public final class HeatMaps {
  /** Side of one picture in pixels; pictures are squares, as the model sees them. */
  public static final int SIDE = 160;

  /** Height of the title above a picture. */
  static final int TITLE = 34;

  static final int COLUMNS = 6;
  static final int GAP = 6;
  private static final double COLOUR = 0.65;

  private HeatMaps() {}

  /**
   * Draws a sheet per pair.
   *
   * @param pictures B picture files' bytes, for the model's first sensor
   * @param captions B captions
   * @return B sheets
   * @throws IOException when this machine has no font
   * @throws io.crossmodal.model.image.ImageFormatException when the bytes are no picture we take
   */
  public static List<BufferedImage> sheets(
      FusionModel model, List<byte[]> pictures, List<String> captions) throws IOException {
    SensorConfig sensor = model.bundle().manifest().config().sensors().get(0);
    ImagePreprocessor preprocessor = model.bundle().preprocessor(sensor.name());
    List<PixelTensor> pixels = pictures.stream().map(preprocessor::preprocess).toList();
    Tokenizer tokenizer = model.bundle().tokenizer();
    List<TokenizedText> texts = captions.stream().map(tokenizer::tokenize).toList();
    List<WordPatchWeights> weights =
        model.attention(
            model.encodeTexts(texts).stream().map(Encoding::tokens).toList(),
            model.encodeImages(sensor.name(), pixels).stream().map(Encoding::tokens).toList());
    List<BufferedImage> sheets = new ArrayList<>();
    for (int b = 0; b < weights.size(); b++) {
      List<WordSpan> words = tokenizer.spans(texts.get(b));
      sheets.add(sheet(Pictures.decode(pictures.get(b), sensor, SIDE), words, weights.get(b)));
    }
    return sheets;
  }

  /**
   * Draws one sheet.
   *
   * @param picture {@link #SIDE} pixels wide and high
   * @param words the text's words; the last one, its end token, is left out
   * @param weights of the words' tokens
   */
  static BufferedImage sheet(RgbImage picture, List<WordSpan> words, WordPatchWeights weights)
      throws IOException {
    List<WordSpan> drawn = words.subList(0, words.size() - 1);
    int tiles = 1 + drawn.size();
    int columns = Math.min(COLUMNS, tiles);
    int rows = (tiles + columns - 1) / columns;
    BufferedImage sheet =
        new BufferedImage(
            GAP + columns * (SIDE + GAP),
            GAP + rows * (TITLE + SIDE + GAP),
            BufferedImage.TYPE_INT_RGB);
    Font font = Pictures.sans(13);
    Graphics2D graphics = sheet.createGraphics();
    try {
      graphics.setRenderingHint(
          RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
      graphics.setColor(Color.WHITE);
      graphics.fillRect(0, 0, sheet.getWidth(), sheet.getHeight());
      graphics.setColor(Color.BLACK);
      for (int tile = 0; tile < tiles; tile++) {
        int x = left(tile);
        int y = top(tile);
        if (tile == 0) {
          graphics.drawImage(JpegWriter.buffered(picture), x, y, null);
          continue;
        }
        WordSpan word = drawn.get(tile - 1);
        float[] patches = weights.patches(word.from(), word.to());
        graphics.drawImage(overlay(picture, patches, weights.grid()), x, y, null);
        graphics.setClip(x, y - TITLE, SIDE, TITLE); // a long word ends at its picture's edge
        graphics.setFont(font);
        graphics.drawString(word.word(), x, y - 19);
        graphics.setFont(font.deriveFont(11f));
        graphics.drawString(
            String.format(
                Locale.ROOT,
                "max %.3f, [CLS] %.3f",
                max(patches),
                weights.cls(word.from(), word.to())),
            x,
            y - 5);
        graphics.setClip(null);
      }
    } finally {
      graphics.dispose();
    }
    return sheet;
  }

  /** Returns the left edge of the picture of a tile. */
  static int left(int tile) {
    return GAP + tile % COLUMNS * (SIDE + GAP);
  }

  /** Returns the upper edge of the picture of a tile. */
  static int top(int tile) {
    return GAP + tile / COLUMNS * (TITLE + SIDE + GAP) + TITLE;
  }

  /** Returns the grey picture under the colours of its patches' weights. */
  private static BufferedImage overlay(RgbImage picture, float[] patches, int grid) {
    int side = picture.width();
    double scale = max(patches) > 0 ? 1 / max(patches) : 0;
    byte[] rgb = picture.rgb();
    BufferedImage image = new BufferedImage(side, side, BufferedImage.TYPE_INT_RGB);
    for (int y = 0; y < side; y++) {
      for (int x = 0; x < side; x++) {
        int at = 3 * (y * side + x);
        // Rec. 601 luma.
        double grey =
            0.299 * (rgb[at] & 0xff) + 0.587 * (rgb[at + 1] & 0xff) + 0.114 * (rgb[at + 2] & 0xff);
        double weight = scale * bilinear(patches, grid, side, x, y);
        int argb = 0;
        for (int channel = 0; channel < 3; channel++) {
          double value = (1 - COLOUR) * grey + COLOUR * ColourMap.channel(weight, channel);
          argb = argb << 8 | (int) Math.round(value);
        }
        image.setRGB(x, y, argb);
      }
    }
    return image;
  }

  /**
   * Returns the weight at a pixel; patches are known at their centres, beyond the outer ones it is
   * flat.
   */
  private static double bilinear(float[] patches, int grid, int side, int x, int y) {
    double column = Math.min(grid - 1, Math.max(0, (x + 0.5) * grid / side - 0.5));
    double row = Math.min(grid - 1, Math.max(0, (y + 0.5) * grid / side - 0.5));
    int left = (int) column;
    int top = (int) row;
    int right = Math.min(grid - 1, left + 1);
    int bottom = Math.min(grid - 1, top + 1);
    double u = column - left;
    double v = row - top;
    return (1 - v) * ((1 - u) * patches[top * grid + left] + u * patches[top * grid + right])
        + v * ((1 - u) * patches[bottom * grid + left] + u * patches[bottom * grid + right]);
  }

  private static float max(float[] values) {
    float max = 0;
    for (float value : values) {
      max = Math.max(max, value);
    }
    return max;
  }

  /** Returns a sheet as the bytes of a PNG file. */
  public static byte[] png(BufferedImage sheet) throws IOException {
    return Pictures.png(sheet);
  }

  /**
   * matplotlib's "inferno" (Smith and van der Walt 2015, CC0): lightness grows evenly with the
   * value, so that equal steps look equal, in print and to the colour-blind too.
   */
  static final class ColourMap {
    /** Ten of its colours, evenly spaced; between them it is all but linear. */
    private static final int[] INFERNO = {
      0x000004, 0x1b0c42, 0x4b0c6b, 0x781c6d, 0xa52c60, 0xcf4446, 0xed6925, 0xfb9a06, 0xf7d03c,
      0xfcffa4
    };

    private ColourMap() {}

    /**
     * Returns the colour of a value.
     *
     * @param value in [0, 1]
     * @param channel 0 red, 1 green, 2 blue
     * @return in [0, 255]
     */
    static double channel(double value, int channel) {
      double place = Math.min(1, Math.max(0, value)) * (INFERNO.length - 1);
      int below = Math.min((int) place, INFERNO.length - 2);
      int shift = 16 - 8 * channel;
      double from = INFERNO[below] >> shift & 0xff;
      double to = INFERNO[below + 1] >> shift & 0xff;
      return from + (place - below) * (to - from);
    }
  }
}
