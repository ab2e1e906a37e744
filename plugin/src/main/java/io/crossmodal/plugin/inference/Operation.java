/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference;

import io.crossmodal.model.Encoding;
import io.crossmodal.model.Footprint;
import io.crossmodal.model.FusionModel;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.WordPatchWeights;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.plugin.inference.InferenceStats.Counter;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;

/**
 * What one call of a model does to a batch of items. Items of equal operations may share a call,
 * whoever they come from.
 *
 * @param <I> an item
 * @param <O> its outcome
 */
sealed interface Operation<I, O> {
  /** The version of the model that computes. */
  LoadedModel on();

  /** Id of the model. */
  default String model() {
    return on().version().id();
  }

  /** Most items in one call. */
  int most(InferenceSettings settings);

  /** Memory that a call takes, in bytes, beside the model's weights. */
  long bytes(FusionModel model, List<I> items);

  /** The call itself; as many outcomes as items. */
  List<O> run(FusionModel model, List<I> items);

  /** Counts a call that succeeded. */
  void count(InferenceStats stats, int items);

  private static ModelConfig config(FusionModel model) {
    return model.bundle().manifest().config();
  }

  /** Runs the text tower. */
  record EncodeTexts(LoadedModel on) implements Operation<TokenizedText, Encoding> {
    @Override
    public int most(InferenceSettings settings) {
      return settings.encodeBatch();
    }

    @Override
    public long bytes(FusionModel model, List<TokenizedText> texts) {
      int longest = texts.stream().mapToInt(TokenizedText::length).max().orElse(0);
      return Footprint.encodeTexts(config(model), texts.size(), longest);
    }

    @Override
    public List<Encoding> run(FusionModel model, List<TokenizedText> texts) {
      return model.encodeTexts(texts);
    }

    @Override
    public void count(InferenceStats stats, int items) {
      stats.add(Counter.ENCODED_TEXTS, items);
    }
  }

  /** Runs a sensor's image tower. */
  record EncodeImages(LoadedModel on, String sensor) implements Operation<PixelTensor, Encoding> {
    @Override
    public int most(InferenceSettings settings) {
      return settings.encodeBatch();
    }

    @Override
    public long bytes(FusionModel model, List<PixelTensor> images) {
      ModelConfig config = config(model);
      return Footprint.encodeImages(config, config.sensor(sensor), images.size());
    }

    @Override
    public List<Encoding> run(FusionModel model, List<PixelTensor> images) {
      return model.encodeImages(sensor, images);
    }

    @Override
    public void count(InferenceStats stats, int items) {
      stats.add(Counter.ENCODED_IMAGES, items);
    }
  }

  /** A text and an image to be scored. */
  record Pair(TokenBlock text, TokenBlock image) {}

  /** The two logits of a pair, as {@link PairLogits} names them. */
  record PairLogit(float itm, float filter) {}

  /**
   * Runs the fusion encoder.
   *
   * @param imageTokens M, the same for all pairs of a call
   * @param sharedImage the image of all pairs where a picture was asked for and texts answer, whose
   *     keys and values are then computed once; null where the images differ. Such pairs share a
   *     call with pairs of the same image only.
   */
  record Score(LoadedModel on, int imageTokens, TokenBlock sharedImage)
      implements Operation<Pair, PairLogit> {
    @Override
    public int most(InferenceSettings settings) {
      return settings.scoreBatch();
    }

    @Override
    public long bytes(FusionModel model, List<Pair> pairs) {
      int longest = pairs.stream().mapToInt(pair -> pair.text().count()).max().orElse(0);
      return sharedImage == null
          ? model.scoreBytes(pairs.size(), longest, imageTokens)
          : Footprint.score(config(model), pairs.size(), longest, imageTokens);
    }

    @Override
    public List<PairLogit> run(FusionModel model, List<Pair> pairs) {
      // The shards of a search and the pairs of a shard hold the same text: it goes in once.
      IdentityHashMap<TokenBlock, Integer> indices = new IdentityHashMap<>();
      List<TokenBlock> texts = new ArrayList<>();
      int[] textOf = new int[pairs.size()];
      for (int i = 0; i < textOf.length; i++) {
        TokenBlock text = pairs.get(i).text();
        textOf[i] =
            indices.computeIfAbsent(
                text,
                fresh -> {
                  texts.add(fresh);
                  return texts.size() - 1;
                });
      }
      PairLogits logits =
          model.score(
              texts,
              textOf,
              sharedImage == null
                  ? pairs.stream().map(Pair::image).toList()
                  : List.of(sharedImage));
      List<PairLogit> outcomes = new ArrayList<>(textOf.length);
      for (int i = 0; i < textOf.length; i++) {
        outcomes.add(new PairLogit(logits.itm()[i], logits.filter()[i]));
      }
      return outcomes;
    }

    @Override
    public void count(InferenceStats stats, int items) {
      stats.increment(Counter.SCORE_BATCHES);
      stats.add(Counter.PAIRS, items);
    }
  }

  /**
   * Runs the fusion encoder as far as the layer whose cross-attention is drawn.
   *
   * @param imageTokens M, the same for all pairs of a call; their patches form a square
   */
  record Attention(LoadedModel on, int imageTokens) implements Operation<Pair, WordPatchWeights> {
    @Override
    public int most(InferenceSettings settings) {
      return settings.scoreBatch();
    }

    @Override
    public long bytes(FusionModel model, List<Pair> pairs) {
      int longest = pairs.stream().mapToInt(pair -> pair.text().count()).max().orElse(0);
      return Footprint.attention(config(model), pairs.size(), longest, imageTokens);
    }

    @Override
    public List<WordPatchWeights> run(FusionModel model, List<Pair> pairs) {
      TokenBlock first = pairs.get(0).text();
      boolean sharedText = pairs.stream().map(Pair::text).allMatch(first::equals);
      return model.attention(
          sharedText ? List.of(first) : pairs.stream().map(Pair::text).toList(),
          pairs.stream().map(Pair::image).toList());
    }

    @Override
    public void count(InferenceStats stats, int items) {
      stats.add(Counter.HEAT_MAPS, items);
    }
  }

  /** Runs the paper's MLP filter on the class tokens of pairs. */
  record Filter(LoadedModel on) implements Operation<Pair, Float> {
    @Override
    public int most(InferenceSettings settings) {
      return settings.scoreBatch();
    }

    @Override
    public long bytes(FusionModel model, List<Pair> pairs) {
      return Footprint.filterByMlp(config(model), pairs.size());
    }

    @Override
    public List<Float> run(FusionModel model, List<Pair> pairs) {
      float[] logits =
          model.filterByMlp(
              pairs.stream().map(Pair::text).toList(), pairs.stream().map(Pair::image).toList());
      List<Float> outcomes = new ArrayList<>(logits.length);
      for (float logit : logits) {
        outcomes.add(logit);
      }
      return outcomes;
    }

    @Override
    public void count(InferenceStats stats, int items) {
      stats.add(Counter.FILTERED_PAIRS, items);
    }
  }
}
