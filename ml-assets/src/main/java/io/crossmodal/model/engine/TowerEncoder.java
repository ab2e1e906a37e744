/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.engine;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.model.tokens.TokenBlock;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** The towers: from texts and pictures to tokens and embeddings. */
final class TowerEncoder {
  private final TorchModel torch;
  private final ModelConfig config;
  private final Precision precision;

  TowerEncoder(TorchModel torch, ModelConfig config, Precision precision) {
    this.torch = torch;
    this.config = config;
    this.precision = precision;
  }

  /** See {@link FusionModel#encodeTexts}. */
  List<Encoding> encodeTexts(List<TokenizedText> texts) {
    config.requireText("encode_text");
    if (texts.isEmpty()) {
      return List.of();
    }
    int longest = texts.stream().mapToInt(TokenizedText::length).max().orElseThrow();
    List<Encoding> encodings = new ArrayList<>(texts.size());
    torch.inPieces(
        texts.size(),
        (long) longest * Math.max(Long.BYTES, Float.BYTES * config.hidden()),
        (call, from, to) -> {
          List<TokenizedText> piece = texts.subList(from, to);
          int[] lengths = piece.stream().mapToInt(TokenizedText::length).toArray();
          int n = Arrays.stream(lengths).max().orElseThrow();
          NDArray ids = ids(call, piece, n);
          NDArray tokens = call.run("encode_text", ids, TokenBatches.mask(call, lengths, n));
          NDArray embeddings = call.run("filter_text", tokens.get(":, 0"));
          encodings.addAll(encodings(tokens, config.hidden(), embeddings, lengths));
        });
    return encodings;
  }

  /** Makes a (B, N) array of ids, zeros behind a text's end. */
  private static NDArray ids(TorchModel.Call call, List<TokenizedText> texts, int n) {
    return call.array(
        DataType.INT64,
        bytes -> {
          LongBuffer values = bytes.asLongBuffer();
          for (TokenizedText text : texts) {
            int[] own = text.ids();
            for (int i = 0; i < n; i++) {
              values.put(i < own.length ? own[i] : 0);
            }
          }
        },
        texts.size(),
        n);
  }

  /** See {@link FusionModel#encodeImages}. */
  List<Encoding> encodeImages(String sensor, List<PixelTensor> images) {
    SensorConfig expected = config.sensor(sensor);
    if (images.isEmpty()) {
      return List.of();
    }
    images.forEach(image -> requireSize(expected, image));
    int c = expected.channels();
    int side = expected.imageSize();
    int m = config.towerTokens(expected);
    List<Encoding> encodings = new ArrayList<>(images.size());
    torch.inPieces(
        images.size(),
        Float.BYTES * Math.max((long) c * side * side, (long) m * config.hidden()),
        (call, from, to) -> {
          NDArray batch =
              call.array(
                  DataType.FLOAT32,
                  bytes -> {
                    FloatBuffer values = bytes.asFloatBuffer();
                    images.subList(from, to).forEach(image -> values.put(image.values()));
                  },
                  to - from,
                  c,
                  side,
                  side);
          int[] lengths = new int[to - from];
          Arrays.fill(lengths, config.imageTokens(expected));
          NDArray tokens = call.run("encode_image_" + sensor, batch);
          NDArray embeddings = call.run("filter_image", tokens.get(":, 0"));
          NDArray stored = config.tokenProjection() == null ? tokens : call.run("store", tokens);
          encodings.addAll(encodings(stored, config.tokenWidth(), embeddings, lengths));
        });
    return encodings;
  }

  private static void requireSize(SensorConfig sensor, PixelTensor image) {
    int c = sensor.channels();
    int side = sensor.imageSize();
    if (image.channels() != c || image.side() != side) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "sensor %s takes (%d, %d, %d), got (%d, %d, %d)",
              sensor.name(),
              c,
              side,
              side,
              image.channels(),
              image.side(),
              image.side()));
    }
  }

  /**
   * Copies all into the heap.
   *
   * @param tokens (B, N, h)
   * @param h values of a token
   * @param embeddings (B, D)
   * @param lengths tokens of each item, at most N
   */
  private List<Encoding> encodings(NDArray tokens, int h, NDArray embeddings, int[] lengths) {
    long start = System.nanoTime();
    FloatBuffer e = TorchModel.floats(embeddings); // (B, D)
    FloatBuffer t = TorchModel.floats(tokens); // (B, N, h)
    int d = config.embeddingDimension();
    int n = t.remaining() / (lengths.length * h);
    List<Encoding> encodings = new ArrayList<>(lengths.length);
    for (int b = 0; b < lengths.length; b++) {
      float[] rows = new float[lengths[b] * h];
      float[] embedding = new float[d];
      t.get(b * n * h, rows);
      e.get(b * d, embedding);
      if (precision != Precision.FP32) {
        toUnitLength(embedding);
      }
      encodings.add(new Encoding(new TokenBlock(lengths[b], h, rows), embedding));
    }
    torch.countCopy(start);
    return encodings;
  }

  /** Scales to unit length: the archive's reduced precision leaves it slightly off. */
  private static void toUnitLength(float[] embedding) {
    double squares = 0;
    for (float value : embedding) {
      squares += (double) value * value;
    }
    double norm = Math.sqrt(squares);
    for (int i = 0; norm > 0 && i < embedding.length; i++) {
      embedding[i] = (float) (embedding[i] / norm);
    }
  }
}
