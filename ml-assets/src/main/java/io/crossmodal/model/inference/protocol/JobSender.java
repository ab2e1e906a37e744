/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.protocol;

import com.google.gson.JsonObject;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.WordPatchWeights;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.inference.batching.Job;
import io.crossmodal.model.inference.batching.Operation;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.model.tokens.StoredTokens;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.Tokens;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/**
 * Sends a job's items as a request's tensors, and completes the job by the answer's; {@link
 * RemoteOperation} says what they are.
 */
public final class JobSender {
  private JobSender() {}

  /**
   * Returns the body of a job's request.
   *
   * @param binary whether who is asked knows the protocol's binary tensors
   */
  public static InferMessage.Body request(Job.Priority priority, Job<?, ?> job, boolean binary) {
    JsonObject parameters = new JsonObject();
    parameters.addProperty(RemoteOperation.PRIORITY, priority == Job.Priority.SEARCH ? 1 : 2);
    long micros = TimeUnit.NANOSECONDS.toMicros(job.deadline().remainingNanos());
    parameters.addProperty(RemoteOperation.TIMEOUT, Math.max(1, micros));
    Operation<?, ?> operation = job.operation();
    List<Tensor> inputs;
    if (operation instanceof Operation.EncodeTexts) {
      inputs = texts(cast(job.items(), TokenizedText.class));
    } else if (operation instanceof Operation.EncodeImages images) {
      parameters.addProperty(RemoteOperation.SENSOR, images.sensor());
      inputs = pixels(cast(job.items(), PixelTensor.class));
    } else {
      boolean shared = operation instanceof Operation.Score score && score.sharedImage() != null;
      inputs = pairs(cast(job.items(), Operation.Pair.class), shared);
    }
    return InferMessage.request(parameters, inputs, binary);
  }

  private static <T> List<T> cast(List<?> items, Class<T> type) {
    return items.stream().map(type::cast).toList();
  }

  private static List<Tensor> texts(List<TokenizedText> texts) {
    int n = texts.stream().mapToInt(TokenizedText::length).max().orElseThrow();
    int[] ids = new int[texts.size() * n];
    int[] mask = new int[ids.length];
    for (int b = 0; b < texts.size(); b++) {
      int[] own = texts.get(b).ids();
      System.arraycopy(own, 0, ids, b * n, own.length);
      Arrays.fill(mask, b * n, b * n + own.length, 1);
    }
    return List.of(
        Tensor.of("input_ids", ids, texts.size(), n),
        Tensor.of("attention_mask", mask, texts.size(), n));
  }

  private static List<Tensor> pixels(List<PixelTensor> images) {
    PixelTensor first = images.get(0);
    List<ByteBuffer> data = new ArrayList<>();
    for (PixelTensor image : images) {
      ByteBuffer one = Tensor.buffer(Float.BYTES * (long) image.values().length);
      one.asFloatBuffer().put(image.values());
      data.add(one);
    }
    long[] shape = {images.size(), first.channels(), first.side(), first.side()};
    return List.of(new Tensor("pixels", Tensor.Type.FP32, shape, data));
  }

  private static List<Tensor> pairs(List<Operation.Pair> pairs, boolean sharedImage) {
    int[] of = new int[pairs.size()];
    List<Tokens> asking = Operation.Pair.asking(pairs, of);
    List<Tokens> images =
        sharedImage
            ? List.of(pairs.get(0).image())
            : pairs.stream().map(Operation.Pair::image).toList();
    List<Tensor> tensors = new ArrayList<>();
    int n = asking.stream().mapToInt(Tokens::count).max().orElseThrow();
    tensors.add(Tensor.of("asking", asking, n));
    tensors.add(
        Tensor.of(
            "asking_lengths", asking.stream().mapToInt(Tokens::count).toArray(), asking.size()));
    tensors.add(Tensor.of("asking_of", of, of.length));
    if (images.stream().allMatch(StoredTokens.class::isInstance)) {
      List<ByteBuffer> blocks =
          images.stream().map(image -> ((StoredTokens) image).asByteBuffer()).toList();
      int[] lengths = blocks.stream().mapToInt(ByteBuffer::remaining).toArray();
      long[] shape = {Arrays.stream(lengths).asLongStream().sum()};
      tensors.add(new Tensor("image_blocks", Tensor.Type.UINT8, shape, blocks));
      tensors.add(Tensor.of("image_lengths", lengths, lengths.length));
    } else {
      tensors.add(Tensor.of("image_tokens", images, images.get(0).count()));
    }
    return tensors;
  }

  /**
   * Returns how many numbers the answer to a job's request has at most.
   *
   * @param config of the job's model
   */
  public static long numbers(Job<?, ?> job, ModelConfig config) {
    RemoteOperation kind = RemoteOperation.of(job.operation());
    return RemoteOperation.outcomeBytes(kind, config, job.items()) / Float.BYTES;
  }

  /**
   * Returns the most bytes that the body of an answer has.
   *
   * @param numbers that it has
   * @param binary whether they are bytes behind the JSON, else in it
   */
  public static long longestAnswer(long numbers, boolean binary) {
    int each = binary ? Float.BYTES : InferMessage.JSON_PER_NUMBER;
    return InferMessage.LONGEST_JSON + each * numbers;
  }

  /**
   * Completes a job by the answer to its request. Scores that are no numbers are left to those who
   * asked, as a model of the node's own may give such, too.
   *
   * @param config of the job's model
   * @throws IllegalArgumentException when it is none, or does not fit the model
   */
  public static <I, O> void complete(Job<I, O> job, ModelConfig config, InferMessage response) {
    List<?> outcomes = outcomes(job, config, response);
    if (outcomes.size() != job.items().size()) {
      throw new IllegalArgumentException(
          "asked for " + job.items().size() + " outcomes, got " + outcomes.size());
    }
    @SuppressWarnings("unchecked") // as the operation says
    List<O> typed = (List<O>) outcomes;
    job.complete(
        typed,
        new Job.Times(
            response.number("queue_ns", 0),
            response.number("copy_ns", 0),
            response.number("compute_ns", 0)));
  }

  private static List<?> outcomes(Job<?, ?> job, ModelConfig config, InferMessage response) {
    RemoteOperation kind = RemoteOperation.of(job.operation());
    if (kind == RemoteOperation.ENCODE_TEXT || kind == RemoteOperation.ENCODE_IMAGE) {
      int d = config.embeddingDimension();
      if (job.operation() instanceof Operation.EncodeImages images) {
        int m = config.imageTokens(config.sensor(images.sensor()));
        return encodings(response, d, config.tokenWidth(), filled(job.items().size(), m));
      }
      int[] lengths =
          cast(job.items(), TokenizedText.class).stream().mapToInt(TokenizedText::length).toArray();
      return encodings(response, d, config.hidden(), lengths);
    } else if (kind == RemoteOperation.ATTENTION) {
      return tables(response.tensor("weights").floats(), cast(job.items(), Operation.Pair.class));
    } else if (kind == RemoteOperation.SCORE) {
      float[] itm = response.tensor("itm").floats();
      float[] biEncoder = response.tensor("bi_encoder").floats();
      if (itm.length != biEncoder.length) {
        throw new IllegalArgumentException("[itm] and [bi_encoder] differ in length");
      }
      List<Operation.PairLogit> logits = new ArrayList<>();
      for (int i = 0; i < itm.length; i++) {
        logits.add(new Operation.PairLogit(itm[i], biEncoder[i]));
      }
      return logits;
    }
    List<Float> values = new ArrayList<>();
    for (float value :
        response.tensor(kind == RemoteOperation.MAX_SIM ? "similarity" : "logit").floats()) {
      values.add(value);
    }
    return values;
  }

  private static int[] filled(int length, int value) {
    int[] values = new int[length];
    Arrays.fill(values, value);
    return values;
  }

  /**
   * @param d values of an embedding
   * @param h values of a token
   * @param counts how many tokens each item has
   */
  private static List<Encoding> encodings(InferMessage response, int d, int h, int[] counts) {
    int b = counts.length;
    int n = Arrays.stream(counts).max().orElseThrow();
    float[] vectors = values(response, "embedding", b, d);
    float[] tokens = values(response, "tokens", b, n, h);
    List<Encoding> encodings = new ArrayList<>();
    for (int i = 0; i < b; i++) {
      int from = i * n * h;
      encodings.add(
          new Encoding(
              new TokenBlock(counts[i], h, Arrays.copyOfRange(tokens, from, from + counts[i] * h)),
              Arrays.copyOfRange(vectors, i * d, (i + 1) * d)));
    }
    return encodings;
  }

  /** Returns the values of an encoding's tensor, which are numbers and as many as they must be. */
  private static float[] values(InferMessage response, String name, long... shape) {
    Tensor tensor = response.tensor(name);
    if (!Arrays.equals(tensor.shape(), shape)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "tensor [%s] must have the shape %s, got %s",
              name,
              Arrays.toString(shape),
              Arrays.toString(tensor.shape())));
    }
    float[] values = tensor.floats();
    for (int i = 0; i < values.length; i++) {
      if (!Float.isFinite(values[i])) {
        throw new IllegalArgumentException(
            "tensor [" + name + "] must hold numbers, got " + values[i] + " at " + i);
      }
    }
    return values;
  }

  private static List<WordPatchWeights> tables(float[] weights, List<Operation.Pair> pairs) {
    List<WordPatchWeights> tables = new ArrayList<>();
    int at = 0;
    for (Operation.Pair pair : pairs) {
      int size = pair.asking().count() * pair.image().count();
      if (size > weights.length - at) {
        throw new IllegalArgumentException("[weights] has fewer values than the pairs' tokens");
      }
      tables.add(
          new WordPatchWeights(
              pair.asking().count(),
              pair.image().count(),
              Arrays.copyOfRange(weights, at, at + size)));
      at += size;
    }
    if (at != weights.length) {
      throw new IllegalArgumentException("[weights] has more values than the pairs' tokens");
    }
    return tables;
  }
}
