/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.protocol;

import io.crossmodal.model.Messages;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.inference.PrecisionPolicy;
import io.crossmodal.model.inference.batching.Operation;
import io.crossmodal.model.text.TokenizedText;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * The operations as models of the protocol, each by its name behind a model's id, and what their
 * tensors mean. Shapes: B items, P pairs, T texts or queries of a request, N and M tokens, H their
 * width, D of an embedding.
 *
 * <pre>
 * encode_text   input_ids INT32 (B, N), attention_mask INT32 (B, N) -> embedding FP32 (B, D), tokens FP32 (B, N, H)
 * encode_image  pixels FP32 (B, C, S, S), parameter sensor          -> embedding FP32 (B, D), tokens FP32 (B, M, H)
 * score         pairs                                               -> itm FP32 (P), bi_encoder FP32 (P)
 * max_sim       pairs                                               -> similarity FP32 (P)
 * pre_rank      pairs                                               -> logit FP32 (P)
 * attention     pairs                                               -> weights FP32, pair by pair (N, M)
 * pairs         asking FP32 (T, N, H), asking_lengths INT32 (T), asking_of INT32 (P), and the images:
 *               image_blocks UINT8, blocks as an index stores them one behind the other, with
 *               image_lengths INT32 (P or 1); or image_tokens FP32 (P or 1, M, H)
 * </pre>
 *
 * <p>What is padded is zero. One image beside several pairs is in all of them. Parameters of a
 * request: {@code priority} 1 for a search and 2 for documents, {@code timeout} in microseconds, as
 * Triton has both; of a response: {@code queue_ns}, {@code copy_ns} and {@code compute_ns}.
 */
public enum RemoteOperation {
  ENCODE_TEXT,
  ENCODE_IMAGE,
  SCORE,
  MAX_SIM,
  ATTENTION,
  PRE_RANK;

  /** Between a model's id, which has none, and the operation. */
  private static final char SEPARATOR = '.';

  static final String PRIORITY = "priority";
  static final String TIMEOUT = "timeout";
  static final String SENSOR = "sensor";

  /** Returns the name in the protocol, such as {@code score}. */
  public String key() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Returns the protocol's name of this operation of a model. */
  public String of(String model) {
    return model + SEPARATOR + key();
  }

  /**
   * Returns the operation at the end of a name.
   *
   * @throws IllegalArgumentException when there is none
   */
  public static RemoteOperation at(String name) {
    String key = name.substring(name.lastIndexOf(SEPARATOR) + 1);
    for (RemoteOperation operation : values()) {
      if (operation.key().equals(key) && name.indexOf(SEPARATOR) > 0) {
        return operation;
      }
    }
    throw new IllegalArgumentException(
        "a model's name is its id, a dot and one of "
            + Arrays.stream(values()).map(RemoteOperation::key).toList()
            + ", got ["
            + Messages.excerpt(name)
            + "]");
  }

  /** Returns the model's id in a name of the protocol. */
  public static String model(String name) {
    int end = name.lastIndexOf(SEPARATOR);
    return end < 0 ? name : name.substring(0, end);
  }

  /**
   * Returns what a worker calls the version of a model that is a bundle in a precision.
   *
   * @param sha256 of the bundle, 64 hexadecimal digits
   */
  public static String version(String sha256, PrecisionPolicy precision) {
    return sha256.substring(0, 16) + '-' + precision.name().toLowerCase(Locale.ROOT);
  }

  /** Returns whether a model can do this. */
  public boolean isOf(ModelConfig config) {
    return switch (this) {
      case ENCODE_TEXT -> config.hasText();
      case ENCODE_IMAGE, MAX_SIM -> true;
      case SCORE, ATTENTION -> config.hasFusion();
      case PRE_RANK -> config.preRanker();
    };
  }

  /**
   * Returns the bytes of a job's outcomes, as an answer's tensors hold them.
   *
   * @param items of the operation
   */
  static long outcomeBytes(RemoteOperation operation, ModelConfig config, List<?> items) {
    return Float.BYTES
        * switch (operation) {
          case ENCODE_TEXT -> {
            int longest =
                items.stream().mapToInt(text -> ((TokenizedText) text).length()).max().orElse(0);
            yield encodings(config, items.size(), longest, config.hidden());
          }
          case ENCODE_IMAGE -> {
            int most = config.sensors().stream().mapToInt(config::imageTokens).max().orElse(0);
            yield encodings(config, items.size(), most, config.tokenWidth());
          }
          case SCORE -> 2L * items.size();
          case MAX_SIM, PRE_RANK -> items.size();
          case ATTENTION ->
              items.stream()
                  .map(Operation.Pair.class::cast)
                  .mapToLong(pair -> (long) pair.asking().count() * pair.image().count())
                  .sum();
        };
  }

  private static long encodings(ModelConfig config, long items, long tokens, long width) {
    return items * (config.embeddingDimension() + tokens * width);
  }

  /** Returns what an operation is called. */
  public static RemoteOperation of(Operation<?, ?> operation) {
    if (operation instanceof Operation.EncodeTexts) {
      return ENCODE_TEXT;
    } else if (operation instanceof Operation.EncodeImages) {
      return ENCODE_IMAGE;
    } else if (operation instanceof Operation.Score) {
      return SCORE;
    } else if (operation instanceof Operation.MaxSim) {
      return MAX_SIM;
    } else if (operation instanceof Operation.Attention) {
      return ATTENTION;
    }
    return PRE_RANK;
  }
}
