/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.engine;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.Golden;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.text.TokenizedText;
import java.util.ArrayList;
import java.util.List;

/**
 * Runs a model over golden inputs. The pictures are waves computed from their index, so that a
 * bundle need not carry pixels.
 */
final class GoldenOutputs {
  private GoldenOutputs() {}

  /** See {@link FusionModel#golden}. */
  static Golden of(FusionModel model, List<String> texts) {
    ModelConfig config = model.bundle().manifest().config();
    if (texts.isEmpty() == config.hasText()) {
      throw new IllegalArgumentException(
          config.hasText()
              ? "golden outputs need at least one text, got none"
              : "a model without text has no golden texts, got " + texts);
    }
    // One at a time: nobody waits for them, and a large picture takes memory.
    List<Encoding> encodedTexts = new ArrayList<>();
    for (String text : texts) {
      TokenizedText tokenized = model.bundle().tokenizer().tokenize(text);
      encodedTexts.addAll(model.encodeTexts(List.of(tokenized)));
    }
    List<Golden.SensorOutputs> sensors = new ArrayList<>();
    for (SensorConfig sensor : config.sensors()) {
      List<Encoding> images = new ArrayList<>();
      for (int image = 0; image < Golden.IMAGES; image++) {
        images.addAll(model.encodeImages(sensor.name(), List.of(wave(sensor, image))));
      }
      List<Float> itm = new ArrayList<>();
      List<Float> biEncoder = new ArrayList<>();
      for (Encoding text : config.hasFusion() ? encodedTexts : List.<Encoding>of()) {
        PairLogits logits =
            model.score(List.of(text.tokens()), images.stream().map(Encoding::tokens).toList());
        itm.addAll(boxed(logits.itm()));
        biEncoder.addAll(boxed(logits.biEncoder()));
      }
      sensors.add(new Golden.SensorOutputs(sensor.name(), embeddings(images), itm, biEncoder));
    }
    return new Golden(List.copyOf(texts), embeddings(encodedTexts), sensors, Golden.FP32_TOLERANCE);
  }

  private static PixelTensor wave(SensorConfig sensor, int image) {
    int c = sensor.channels();
    int s = sensor.imageSize();
    float[] values = new float[c * s * s];
    for (int i = 0; i < values.length; i++) {
      int x = i % s;
      int y = i / s % s;
      int channel = i / (s * s);
      values[i] = (float) Math.sin(0.1 * (image + 1) * x + 0.05 * (channel + 1) * y);
    }
    return new PixelTensor(c, s, values);
  }

  private static List<List<Float>> embeddings(List<Encoding> encodings) {
    return encodings.stream().map(e -> boxed(e.embedding())).toList();
  }

  private static List<Float> boxed(float[] values) {
    List<Float> list = new ArrayList<>(values.length);
    for (float value : values) {
      list.add(value);
    }
    return list;
  }
}
