/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.batching;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.WordPatchWeights;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.Footprint;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.inference.InferenceSettings;
import io.crossmodal.model.inference.registry.LoadedModel;
import io.crossmodal.model.inference.stats.InferenceStats;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.model.tokens.Tokens;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;

/**
 * Operation of one call of a model on a batch of items. Items of equal operations may share a call,
 * whoever they come from.
 *
 * @param <I> an item
 * @param <O> its outcome
 */
public sealed interface Operation<I, O> {
  /** Returns the version of the model that computes. */
  LoadedModel on();

  /** Returns the id of the model. */
  default String model() {
    return on().version().id();
  }

  /** Returns how many items one call takes at most. */
  int maxItems(InferenceSettings settings);

  /** Returns the memory that a call takes, in bytes, beside the model's weights. */
  long bytes(FusionModel model, List<I> items);

  /** Calls the model; returns as many outcomes as items. */
  List<O> run(FusionModel model, List<I> items);

  /** Counts a call that succeeded. */
  void count(InferenceStats stats, int items);

  /** Operations of a tower on prepared items. */
  sealed interface OnItems<I> extends Operation<I, Encoding> {
    @Override
    default int maxItems(InferenceSettings settings) {
      return settings.encodeBatch();
    }
  }

  /** Operations on the tokens of pairs. */
  sealed interface OnPairs<O> extends Operation<Pair, O> {
    @Override
    default int maxItems(InferenceSettings settings) {
      return settings.scoreBatch();
    }
  }

  private static ModelConfig config(FusionModel model) {
    return model.bundle().manifest().config();
  }

  /** Runs the text tower. */
  record EncodeTexts(LoadedModel on) implements OnItems<TokenizedText> {
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
  record EncodeImages(LoadedModel on, String sensor) implements OnItems<PixelTensor> {
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

  /**
   * Two items to be scored.
   *
   * @param asking the text, or the query where an image is compared with images
   * @param image the image
   */
  record Pair(Tokens asking, Tokens image) {
    private static int longest(List<Pair> pairs) {
      return pairs.stream().mapToInt(pair -> pair.asking.count()).max().orElse(0);
    }

    /**
     * Returns what asks in each pair. The shards of a search and the pairs of a shard hold the
     * same: it goes in once.
     *
     * @param of gets for each pair the index of what asks in it
     */
    public static List<Tokens> asking(List<Pair> pairs, int[] of) {
      IdentityHashMap<Tokens, Integer> indices = new IdentityHashMap<>();
      List<Tokens> distinct = new ArrayList<>();
      for (int i = 0; i < of.length; i++) {
        of[i] =
            indices.computeIfAbsent(
                pairs.get(i).asking,
                fresh -> {
                  distinct.add(fresh);
                  return distinct.size() - 1;
                });
      }
      return distinct;
    }

    private static List<Tokens> images(List<Pair> pairs) {
      return pairs.stream().map(Pair::image).toList();
    }
  }

  /** The two logits of a pair, as {@link PairLogits} names them. */
  record PairLogit(float itm, float biEncoder) {}

  /**
   * Runs the fusion encoder.
   *
   * @param imageTokens M, the same for all pairs of a call
   * @param sharedImage the image of all pairs where a picture was asked for and texts answer, whose
   *     keys and values are then computed once; null where the images differ. Such pairs share a
   *     call with pairs of the same image only.
   */
  record Score(LoadedModel on, int imageTokens, Tokens sharedImage) implements OnPairs<PairLogit> {
    @Override
    public long bytes(FusionModel model, List<Pair> pairs) {
      int longest = Pair.longest(pairs);
      return sharedImage == null
          ? model.scoreBytes(pairs.size(), longest, imageTokens)
          : Footprint.score(config(model), pairs.size(), longest, imageTokens);
    }

    @Override
    public List<PairLogit> run(FusionModel model, List<Pair> pairs) {
      int[] textOf = new int[pairs.size()];
      List<Tokens> texts = Pair.asking(pairs, textOf);
      PairLogits logits =
          model.score(
              texts, textOf, sharedImage == null ? Pair.images(pairs) : List.of(sharedImage));
      List<PairLogit> outcomes = new ArrayList<>(textOf.length);
      for (int i = 0; i < textOf.length; i++) {
        outcomes.add(new PairLogit(logits.itm()[i], logits.biEncoder()[i]));
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
   * Compares images by their patches.
   *
   * @param imageTokens M, the same for all images that are found in a call; queries may have others
   */
  record MaxSim(LoadedModel on, int imageTokens) implements OnPairs<Float> {
    @Override
    public long bytes(FusionModel model, List<Pair> pairs) {
      return Footprint.maxSim(config(model), pairs.size(), Pair.longest(pairs), imageTokens);
    }

    @Override
    public List<Float> run(FusionModel model, List<Pair> pairs) {
      int[] queryOf = new int[pairs.size()];
      List<Tokens> queries = Pair.asking(pairs, queryOf);
      return boxed(model.maxSim(queries, queryOf, Pair.images(pairs)));
    }

    @Override
    public void count(InferenceStats stats, int items) {
      stats.add(Counter.IMAGE_PAIRS, items);
    }
  }

  private static List<Float> boxed(float[] values) {
    List<Float> outcomes = new ArrayList<>(values.length);
    for (float value : values) {
      outcomes.add(value);
    }
    return outcomes;
  }

  /**
   * Runs the fusion encoder as far as the layer whose cross-attention is drawn.
   *
   * @param imageTokens M, the same for all pairs of a call; their patches form a square
   */
  record Attention(LoadedModel on, int imageTokens) implements OnPairs<WordPatchWeights> {
    @Override
    public long bytes(FusionModel model, List<Pair> pairs) {
      return Footprint.attention(config(model), pairs.size(), Pair.longest(pairs), imageTokens);
    }

    @Override
    public List<WordPatchWeights> run(FusionModel model, List<Pair> pairs) {
      Tokens first = pairs.get(0).asking();
      boolean sharedText = pairs.stream().map(Pair::asking).allMatch(first::equals);
      return model.attention(
          sharedText ? List.of(first) : pairs.stream().map(Pair::asking).toList(),
          Pair.images(pairs));
    }

    @Override
    public void count(InferenceStats stats, int items) {
      stats.add(Counter.HEAT_MAPS, items);
    }
  }

  /** Runs the pre-ranker, the paper's MLP filter, on the class tokens of pairs. */
  record PreRank(LoadedModel on) implements OnPairs<Float> {
    @Override
    public long bytes(FusionModel model, List<Pair> pairs) {
      return Footprint.preRank(config(model), pairs.size());
    }

    @Override
    public List<Float> run(FusionModel model, List<Pair> pairs) {
      return boxed(model.preRank(pairs.stream().map(Pair::asking).toList(), Pair.images(pairs)));
    }

    @Override
    public void count(InferenceStats stats, int items) {
      stats.add(Counter.FILTERED_PAIRS, items);
    }
  }
}
