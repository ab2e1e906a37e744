/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.bundle;

import com.google.gson.annotations.SerializedName;
import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.Predicate;

/**
 * The three parts of a model that can change apart from each other, each as a SHA-256 in
 * hexadecimal.
 *
 * @param embeddingSpace equal where filter embeddings may be compared: towers, their inputs and the
 *     filter's projections
 * @param tokenSpace equal where stored tokens may be fused: towers and their inputs, and what
 *     projects tokens before they are stored
 * @param fusionHead equal where scores are: fusion encoder, matching head, temperature
 */
public record Fingerprints(
    @SerializedName("filter_space") String embeddingSpace, String tokenSpace, String fusionHead) {
  private static final int PIECE_BYTES = 1 << 16;

  public Fingerprints {
    Objects.requireNonNull(embeddingSpace, "filter_space");
    Objects.requireNonNull(tokenSpace, "token_space");
    Objects.requireNonNull(fusionHead, "fusion_head");
    for (String hash : List.of(embeddingSpace, tokenSpace, fusionHead)) {
      if (!hash.matches("[0-9a-f]{64}")) {
        throw new IllegalArgumentException("a fingerprint is a SHA-256, got [" + hash + "]");
      }
    }
  }

  /**
   * Computes them.
   *
   * @param vocabulary word pieces, or what else decides which ids a text has
   */
  static Fingerprints of(ModelConfig config, List<String> vocabulary, StateDict state)
      throws IOException {
    String words = "\n" + String.join("\n", vocabulary);
    String inputs = shape(config) + words;
    String towers = towerShape(config) + words;
    Predicate<String> tower = name -> name.startsWith("text.") || name.startsWith("image_");
    Predicate<String> stored = name -> name.startsWith("tokens.down.");
    String tokens = config.tokenProjection() == null ? "" : "\n" + config.tokenProjection();
    Predicate<String> projection =
        name -> name.startsWith("filter.text.") || name.startsWith("filter.image.");
    return new Fingerprints(
        hash(towers, state, tower.or(projection)),
        hash(towers + tokens, state, tower.or(stored)),
        hash(inputs + tokens, state, tower.or(projection).or(stored).negate()));
  }

  /**
   * Returns what decides which tensors there are, whether or not an MLP filter stands beside them.
   * Bundles in use hash this very text.
   */
  private static String shape(ModelConfig config) {
    return String.format(
        Locale.ROOT,
        "ModelConfig[hidden=%d, heads=%d, feedForward=%d, filterDimension=%d, layerNormEpsilon=%s,"
            + " text=%s, image=%s, fusionLayers=%d, sensors=%s%s]",
        config.hidden(),
        config.heads(),
        config.feedForward(),
        config.embeddingDimension(),
        config.layerNormEpsilon(),
        config.text(),
        config.image(),
        config.fusionLayers(),
        config.sensors(),
        config.fusionWidth() == null ? "" : ", fusionWidth=" + config.fusionWidth());
  }

  /**
   * Returns what decides which tensors the towers have. CLIP's share no width with the fusion
   * encoder, so one may be trained over them and what was encoded before stays of use.
   */
  private static String towerShape(ModelConfig config) {
    if (!config.hasText()
        || !config.text().isClip()
        || config.image().kind() != ImageTowerConfig.Kind.CLIP) {
      return shape(config);
    }
    return String.format(
        Locale.ROOT,
        "Towers[hidden=%d, filterDimension=%d, layerNormEpsilon=%s, text=%s, image=%s, sensors=%s]",
        config.hidden(),
        config.embeddingDimension(),
        config.layerNormEpsilon(),
        config.text(),
        config.image(),
        config.sensors());
  }

  private static String hash(String inputs, StateDict state, Predicate<String> part)
      throws IOException {
    MessageDigest digest = Sha256.digest();
    digest.update(inputs.getBytes(StandardCharsets.UTF_8));
    for (Map.Entry<String, ScriptTensor> entry : new TreeMap<>(state.tensors()).entrySet()) {
      if (part.test(entry.getKey())) {
        ScriptTensor tensor = entry.getValue();
        digest.update(
            (entry.getKey() + Arrays.toString(tensor.shape())).getBytes(StandardCharsets.UTF_8));
        tensor.forEachPiece(
            piece -> {
              ByteBuffer bytes = ByteBuffer.allocate(PIECE_BYTES).order(ByteOrder.LITTLE_ENDIAN);
              while (piece.hasRemaining()) {
                bytes.clear();
                while (piece.hasRemaining() && bytes.hasRemaining()) {
                  bytes.putFloat(piece.get());
                }
                digest.update(bytes.flip());
              }
            });
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }
}
