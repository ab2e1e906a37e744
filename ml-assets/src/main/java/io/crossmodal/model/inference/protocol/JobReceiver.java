/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.protocol;

import io.crossmodal.model.Messages;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.WordPatchWeights;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.inference.Deadline;
import io.crossmodal.model.inference.batching.Job;
import io.crossmodal.model.inference.batching.Operation;
import io.crossmodal.model.inference.registry.LoadedModel;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.model.tokens.StoredTokens;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.Tokens;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/**
 * Makes a job of a request's tensors, and tensors of what came out; {@link RemoteOperation} says
 * what they are.
 */
public final class JobReceiver {
  /** Most bytes of an answer's tensors; whoever wants more asks several times. */
  private static final long LONGEST_ANSWER = 1L << 28;

  /** Most items of a request, each of which is an object or several. */
  private static final int MOST_ITEMS = 1 << 16;

  private JobReceiver() {}

  /**
   * Makes a job of a request.
   *
   * @param operation what it asks for
   * @param on the model that it is for
   * @throws IllegalArgumentException when the tensors are none of this operation
   */
  public static Job<?, ?> job(RemoteOperation operation, LoadedModel on, InferMessage request) {
    Job<?, ?> job = unbounded(operation, on, request);
    long answer =
        RemoteOperation.outcomeBytes(operation, on.version().manifest().config(), job.items());
    if (answer > LONGEST_ANSWER) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "the answer to %d items would have %d bytes, at most %d are sent: ask for fewer",
              job.items().size(),
              answer,
              LONGEST_ANSWER));
    }
    return job;
  }

  private static void requireItems(int count) {
    if (count < 1 || count > MOST_ITEMS) {
      throw new IllegalArgumentException(
          "a request has 1 to " + MOST_ITEMS + " items, got " + count);
    }
  }

  private static Job<?, ?> unbounded(
      RemoteOperation operation, LoadedModel on, InferMessage request) {
    Deadline deadline = deadline(request);
    ModelConfig config = on.version().manifest().config();
    if (!operation.isOf(config)) {
      throw new IllegalArgumentException(
          "model [" + on.version().id() + "] has no operation [" + operation.key() + "]");
    }
    if (operation == RemoteOperation.ENCODE_TEXT) {
      return new Job<>(new Operation.EncodeTexts(on), texts(request, config), deadline);
    } else if (operation == RemoteOperation.ENCODE_IMAGE) {
      String named = request.text(RemoteOperation.SENSOR);
      SensorConfig sensor = named == null ? config.sensors().get(0) : config.sensor(named);
      return new Job<>(
          new Operation.EncodeImages(on, sensor.name()), pixels(request, sensor), deadline);
    }
    int[] of = request.tensor("asking_of").ints();
    requireItems(of.length);
    List<Tokens> images = images(request, of.length, config.tokenWidth());
    boolean ofImages = operation == RemoteOperation.MAX_SIM;
    int asking = ofImages ? config.tokenWidth() : config.hidden();
    List<Operation.Pair> pairs = pairs(request, images, of, asking);
    int m = images.get(0).count();
    return switch (operation) {
      case SCORE ->
          new Job<>(
              new Operation.Score(
                  on, m, images.size() == 1 && pairs.size() > 1 ? images.get(0) : null),
              pairs,
              deadline);
      case MAX_SIM -> new Job<>(new Operation.MaxSim(on, m), pairs, deadline);
      case ATTENTION -> new Job<>(new Operation.Attention(on, m), pairs, deadline);
      default -> new Job<>(new Operation.PreRank(on), pairs, deadline);
    };
  }

  /** Returns whose turn a request is. */
  public static Job.Priority priority(InferMessage request) {
    return request.number(RemoteOperation.PRIORITY, 1) == 2
        ? Job.Priority.INGEST
        : Job.Priority.SEARCH;
  }

  private static Deadline deadline(InferMessage request) {
    long micros = request.number(RemoteOperation.TIMEOUT, 0);
    return micros <= 0
        ? Deadline.none()
        : new Deadline(
            System.nanoTime()
                + TimeUnit.MICROSECONDS.toNanos(Math.min(micros, TimeUnit.DAYS.toMicros(365))));
  }

  private static List<TokenizedText> texts(InferMessage request, ModelConfig config) {
    Tensor ids = request.tensor("input_ids");
    int b = ids.extent(0, 2);
    requireItems(b);
    int n = ids.extent(1, 2);
    int[] all = ids.ints();
    int[] mask = request.tensor("attention_mask").ints();
    if (n > config.text().maxTokens() || mask.length != all.length) {
      throw new IllegalArgumentException(
          "[input_ids] must hold texts of at most "
              + config.text().maxTokens()
              + " tokens, and [attention_mask] as many values; got the shape "
              + Arrays.toString(ids.shape()));
    }
    List<TokenizedText> texts = new ArrayList<>();
    for (int i = 0; i < b; i++) {
      int length = Arrays.stream(mask, i * n, (i + 1) * n).sum();
      if (length < 1 || length > n) {
        throw new IllegalArgumentException("[attention_mask] has no ones in row " + i);
      }
      int[] own = Arrays.copyOfRange(all, i * n, i * n + length);
      for (int id : own) {
        if (id < 0 || id >= config.text().vocabularySize()) {
          throw new IllegalArgumentException(
              "[input_ids] must be from 0 to "
                  + (config.text().vocabularySize() - 1)
                  + ", got "
                  + id);
        }
      }
      texts.add(TokenizedText.ofIds(own));
    }
    return texts;
  }

  private static List<PixelTensor> pixels(InferMessage request, SensorConfig sensor) {
    Tensor pixels = request.tensor("pixels");
    int b = pixels.extent(0, 4);
    requireItems(b);
    int channels = sensor.channels();
    int side = sensor.imageSize();
    if (pixels.extent(1, 4) != channels
        || pixels.extent(2, 4) != side
        || pixels.extent(3, 4) != side) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[pixels] of sensor [%s] must have the shape (B, %d, %d, %d), got %s",
              sensor.name(),
              channels,
              side,
              side,
              Arrays.toString(pixels.shape())));
    }
    FloatBuffer values = FloatBuffer.wrap(pixels.floats());
    List<PixelTensor> images = new ArrayList<>();
    for (int i = 0; i < b; i++) {
      float[] own = new float[channels * side * side];
      values.get(own);
      images.add(new PixelTensor(channels, side, own));
    }
    return images;
  }

  /** Counts and widths are checked before there are objects of them. */
  private static List<Tokens> images(InferMessage request, int pairs, int width) {
    List<Tokens> images = new ArrayList<>();
    if (request.has("image_blocks")) {
      Tensor blocks = request.tensor("image_blocks");
      ByteBuffer bytes = blocks.whole();
      if (blocks.type() != Tensor.Type.UINT8) {
        throw new IllegalArgumentException("[image_blocks] must be UINT8, got " + blocks.type());
      }
      int at = bytes.arrayOffset() + bytes.position();
      int left = bytes.remaining();
      int[] lengths = request.tensor("image_lengths").ints();
      requireImages(lengths.length, pairs);
      for (int length : lengths) {
        if (length < 0 || length > left) {
          throw new IllegalArgumentException("[image_lengths] says more than [image_blocks] holds");
        }
        StoredTokens image = StoredTokens.of(bytes.array(), at, length);
        requireWidth("image_blocks", image.hidden(), width);
        images.add(image);
        at += length;
        left -= length;
      }
    } else {
      Tensor tokens = request.tensor("image_tokens");
      requireImages(tokens.extent(0, 3), pairs);
      images.addAll(blocks(tokens, null, width));
    }
    int m = images.isEmpty() ? 0 : images.get(0).count();
    if (m == 0 || images.stream().anyMatch(image -> image.count() != m)) {
      throw new IllegalArgumentException("there must be images, all of equally many tokens");
    }
    return images;
  }

  private static void requireImages(int count, int pairs) {
    if (count != 1 && count != pairs) {
      throw new IllegalArgumentException(
          "there must be one image or " + pairs + ", as [asking_of] has values; got " + count);
    }
  }

  private static void requireWidth(String tensor, int got, int width) {
    if (got != width) {
      throw new IllegalArgumentException(
          "a token of ["
              + Messages.excerpt(tensor)
              + "] must have "
              + width
              + " values, as the model's have; got "
              + got);
    }
  }

  private static List<TokenBlock> blocks(Tensor tokens, int[] lengths, int width) {
    int b = tokens.extent(0, 3);
    int n = tokens.extent(1, 3);
    int h = tokens.extent(2, 3);
    requireItems(b);
    requireWidth(tokens.name(), h, width);
    float[] values = tokens.floats();
    if (lengths != null && lengths.length != b) {
      throw new IllegalArgumentException("[asking_lengths] must have " + b + " values");
    }
    List<TokenBlock> blocks = new ArrayList<>();
    for (int i = 0; i < b; i++) {
      int count = lengths == null ? n : lengths[i];
      if (count < 1 || count > n) {
        throw new IllegalArgumentException(
            "an item of [" + tokens.name() + "] must have 1 to " + n + " tokens, got " + count);
      }
      blocks.add(
          new TokenBlock(count, h, Arrays.copyOfRange(values, i * n * h, (i * n + count) * h)));
    }
    return blocks;
  }

  private static List<Operation.Pair> pairs(
      InferMessage request, List<Tokens> images, int[] of, int askingWidth) {
    List<TokenBlock> asking =
        blocks(request.tensor("asking"), request.tensor("asking_lengths").ints(), askingWidth);
    List<Operation.Pair> pairs = new ArrayList<>();
    for (int i = 0; i < of.length; i++) {
      if (of[i] < 0 || of[i] >= asking.size()) {
        throw new IllegalArgumentException(
            "[asking_of] must be from 0 to " + (asking.size() - 1) + ", got " + of[i]);
      }
      pairs.add(new Operation.Pair(asking.get(of[i]), images.get(images.size() == 1 ? 0 : i)));
    }
    return pairs;
  }

  /** Returns the tensors of a job's outcomes. */
  public static List<Tensor> outputs(Operation<?, ?> operation, List<?> outcomes) {
    RemoteOperation kind = RemoteOperation.of(operation);
    int b = outcomes.size();
    if (kind == RemoteOperation.ENCODE_TEXT || kind == RemoteOperation.ENCODE_IMAGE) {
      List<Encoding> encodings = cast(outcomes, Encoding.class);
      List<TokenBlock> tokens = encodings.stream().map(Encoding::tokens).toList();
      int n = tokens.stream().mapToInt(TokenBlock::count).max().orElseThrow();
      int d = encodings.get(0).embedding().length;
      float[] vectors = new float[b * d];
      for (int i = 0; i < b; i++) {
        System.arraycopy(encodings.get(i).embedding(), 0, vectors, i * d, d);
      }
      return List.of(Tensor.of("embedding", vectors, b, d), Tensor.of("tokens", tokens, n));
    } else if (kind == RemoteOperation.SCORE) {
      float[] itm = new float[b];
      float[] biEncoder = new float[b];
      for (int i = 0; i < b; i++) {
        Operation.PairLogit logit = (Operation.PairLogit) outcomes.get(i);
        itm[i] = logit.itm();
        biEncoder[i] = logit.biEncoder();
      }
      return List.of(Tensor.of("itm", itm, b), Tensor.of("bi_encoder", biEncoder, b));
    } else if (kind == RemoteOperation.ATTENTION) {
      List<ByteBuffer> data = new ArrayList<>();
      long values = 0;
      for (WordPatchWeights table : cast(outcomes, WordPatchWeights.class)) {
        ByteBuffer one = Tensor.buffer(Float.BYTES * (long) table.values().length);
        one.asFloatBuffer().put(table.values());
        data.add(one);
        values += table.values().length;
      }
      return List.of(new Tensor("weights", Tensor.Type.FP32, new long[] {values}, data));
    }
    float[] values = new float[b];
    for (int i = 0; i < b; i++) {
      values[i] = (Float) outcomes.get(i);
    }
    return List.of(Tensor.of(kind == RemoteOperation.MAX_SIM ? "similarity" : "logit", values, b));
  }

  private static <T> List<T> cast(List<?> items, Class<T> type) {
    return items.stream().map(type::cast).toList();
  }
}
