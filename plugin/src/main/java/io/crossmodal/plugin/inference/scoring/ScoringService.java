/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.scoring;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.WordPatchWeights;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.inference.Deadline;
import io.crossmodal.model.inference.batching.Job;
import io.crossmodal.model.inference.batching.Job.Priority;
import io.crossmodal.model.inference.batching.JobRunner;
import io.crossmodal.model.inference.batching.Operation;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.registry.LoadedModel;
import io.crossmodal.model.inference.registry.LoadedModels;
import io.crossmodal.model.inference.registry.ModelVersion;
import io.crossmodal.model.inference.stats.InferenceStats;
import io.crossmodal.model.tokens.Tokens;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.function.Predicate;

/**
 * Scores pairs with the models of this node: steps 6 and 7 of a search (queue and fuse). Every
 * method returns at once; the work is done by {@link JobRunner}, and the first request that needs a
 * model has it loaded.
 *
 * <p>To cancel a future takes its pairs out of the queue. Futures complete on the worker: whoever
 * continues one must not work long. They fail with an {@link
 * io.crossmodal.model.inference.InferenceException}. Thread-safe.
 */
public final class ScoringService {
  private final LoadedModels models;
  private final JobRunner worker;
  private final MemoryBudget heap;

  /**
   * Pairs of tokens to compute. One of the lists may hold a single item, which is paired with all
   * of the other; otherwise both have the same length.
   *
   * @param model id of the model
   * @param texts of the pairs, or the queries where images are compared with images
   * @param images of the pairs
   * @param deadline pairs that still wait then are dropped
   */
  public record Request(
      String model,
      List<? extends Tokens> texts,
      List<? extends Tokens> images,
      Deadline deadline) {
    private int pairs() {
      return texts.isEmpty() || images.isEmpty() ? 0 : Math.max(texts.size(), images.size());
    }

    private Request ofClassTokens() {
      return new Request(
          model,
          texts.stream().map(Tokens::classToken).toList(),
          images.stream().map(Tokens::classToken).toList(),
          deadline);
    }

    private Operation.Pair pair(int index) {
      return new Operation.Pair(of(texts, index), of(images, index));
    }

    private static Tokens of(List<? extends Tokens> blocks, int pair) {
      return blocks.get(blocks.size() == 1 ? 0 : pair);
    }
  }

  /**
   * The version of a model that scored, as far as whoever reads the scores needs it: it may have
   * served on another node.
   *
   * @param id of the model
   * @param number of the version, as {@link ModelVersion#number}
   * @param calibration makes probabilities of its logits
   */
  public record ModelInfo(String id, long number, Calibration calibration) {
    public ModelInfo {
      Objects.requireNonNull(id, "id");
      Objects.requireNonNull(calibration, "calibration");
    }

    private static ModelInfo of(ModelVersion version) {
      return new ModelInfo(version.id(), version.number(), version.manifest().calibration());
    }
  }

  /**
   * The fusion encoder's answer for B pairs.
   *
   * @param logits of each pair
   * @param model that gave them: its calibration belongs to them, whatever the id stands for by now
   * @param times what they cost
   */
  public record Scores(PairLogits logits, ModelInfo model, Job.Times times) {
    /** Returns the matching logits, as {@link PairLogits#itm}. */
    public float[] itm() {
      return logits.itm();
    }

    /** Returns the logits of the embeddings, as {@link PairLogits#biEncoder}. */
    public float[] biEncoder() {
      return logits.biEncoder();
    }
  }

  /**
   * Similarities of B pairs of images.
   *
   * @param values MaxSim of each pair, in [-1, 1]
   * @param model whose tokens were compared
   * @param times what they cost
   */
  public record Similarities(List<Float> values, ModelInfo model, Job.Times times) {
    public Similarities {
      values = List.copyOf(values);
    }
  }

  /**
   * @param heap for the tokens that are scored
   */
  public ScoringService(LoadedModels models, JobRunner worker, MemoryBudget heap) {
    this.models = models;
    this.worker = worker;
    this.heap = heap;
  }

  /** Returns the models that score. */
  public LoadedModels models() {
    return models;
  }

  /** Returns what this node's models did, to which rescores add what they did with it. */
  public InferenceStats stats() {
    return worker.stats();
  }

  /** Returns the heap that requests share, of which a rescore takes what its tokens need. */
  public MemoryBudget heap() {
    return heap;
  }

  /** Returns how long a search waits for its scores at most. */
  public Duration longestWait() {
    return worker.settings().longestWait();
  }

  /**
   * Scores text-image pairs with the fusion encoder.
   *
   * @return two logits for each pair, all by the same version of the model; fails with an {@link
   *     IllegalArgumentException} when it has no fusion encoder
   */
  public CompletableFuture<Scores> score(Request request) {
    Tokens sharedImage =
        request.texts.size() > 1 && request.images.size() == 1 ? request.images.get(0) : null;
    return onPairs(
        request,
        ModelConfig::hasFusion,
        on -> {
          requireFusion(on.version().manifest());
          return imageTokens -> new Operation.Score(on, imageTokens, sharedImage);
        },
        (on, pairs, times) -> {
          float[] itm = new float[pairs.size()];
          float[] biEncoder = new float[pairs.size()];
          for (int i = 0; i < itm.length; i++) {
            itm[i] = pairs.get(i).itm();
            biEncoder[i] = pairs.get(i).biEncoder();
          }
          return new Scores(new PairLogits(itm, biEncoder), ModelInfo.of(on.version()), times);
        });
  }

  /**
   * Compares images with images by their patches, as {@link
   * io.crossmodal.model.engine.FusionModel#maxSim}; any model can.
   *
   * @return a score for each pair, in [-1, 1]
   */
  public CompletableFuture<Similarities> maxSim(Request request) {
    return onPairs(
        request,
        any -> true,
        on -> imageTokens -> new Operation.MaxSim(on, imageTokens),
        (on, values, times) -> new Similarities(values, ModelInfo.of(on.version()), times));
  }

  /**
   * Finds where the tokens of each pair's text look in its image. The patches of each image form a
   * square, see {@link WordPatchWeights#isGrid}.
   *
   * @return a table for each pair
   */
  public CompletableFuture<List<WordPatchWeights>> attention(Request request) {
    return onPairs(
        request,
        ModelConfig::hasFusion,
        on -> {
          requireFusion(on.version().manifest());
          return imageTokens -> new Operation.Attention(on, imageTokens);
        },
        (on, tables, times) -> tables);
  }

  /**
   * Scores pairs with the pre-ranker, the paper's MLP filter, from their class tokens alone.
   *
   * @return a logit for each pair
   * @throws IllegalArgumentException when the model has no pre-ranker
   */
  public CompletableFuture<List<Float>> preRank(Request request) {
    return onPairs(
        request.ofClassTokens(),
        ModelConfig::preRanker,
        on -> {
          requirePreRanker(on.version().manifest());
          return classTokens -> new Operation.PreRank(on);
        },
        (on, logits, times) -> logits);
  }

  /**
   * Insists that a model can score texts with images.
   *
   * @throws IllegalArgumentException when it has no fusion encoder, saying what to do
   */
  public static void requireFusion(ModelManifest model) {
    if (!model.config().hasFusion()) {
      throw new IllegalArgumentException(
          "[fusion] needs a fusion encoder, and model ["
              + model.id()
              + "] has none, it compares embeddings alone: leave the [rescore] out and search by"
              + " [cross_modal], or give the field a model with a fusion encoder (train makes one,"
              + " train-fusion one over a CLIP: see \"Bring a CLIP\" in docs/models.md)");
    }
  }

  /**
   * Insists that a model can choose among the hits of a window.
   *
   * @throws IllegalArgumentException when it has no pre-ranker, saying what to do
   */
  public static void requirePreRanker(ModelManifest model) {
    if (!model.config().preRanker()) {
      throw new IllegalArgumentException(
          "[filter_size] needs the MLP filter, which model ["
              + model.id()
              + "] does not have: distil one, or leave [filter_size] 0");
    }
  }

  /** Makes a result of the outcomes of pairs, which are in the pairs' order. */
  private interface Finish<O, R> {
    R apply(LoadedModel on, List<O> outcomes, Job.Times times);
  }

  /**
   * Submits an operation on pairs to the worker.
   *
   * @param able whether a version of the model can do it, for the next one may where this cannot
   * @param operation of a version of the model, on images of M tokens; throws where that version
   *     cannot do it
   */
  private <O, R> CompletableFuture<R> onPairs(
      Request request,
      Predicate<ModelConfig> able,
      Function<LoadedModel, IntFunction<Operation<Operation.Pair, O>>> operation,
      Finish<O, R> finish) {
    return models.whileLeased(
        request.model,
        able,
        on -> {
          IntFunction<Operation<Operation.Pair, O>> ofSize = operation.apply(on);
          int pairs = request.pairs();
          // A call takes images of equally many tokens, as sensors may differ in size.
          Map<Integer, List<Integer>> bySize = new TreeMap<>();
          for (int i = 0; i < pairs; i++) {
            int imageTokens = Request.of(request.images, i).count();
            bySize.computeIfAbsent(imageTokens, first -> new ArrayList<>()).add(i);
          }
          List<O> outcomes = new ArrayList<>(Collections.nCopies(pairs, null));
          CompletableFuture<Void> all = CompletableFuture.completedFuture(null);
          List<Job<?, ?>> jobs = new ArrayList<>();
          for (Map.Entry<Integer, List<Integer>> same : bySize.entrySet()) {
            List<Integer> indices = same.getValue();
            Job<Operation.Pair, O> job =
                new Job<>(
                    ofSize.apply(same.getKey()),
                    indices.stream().map(request::pair).toList(),
                    request.deadline);
            jobs.add(job);
            CompletableFuture<Void> part =
                job.result()
                    .thenAccept(
                        done -> {
                          for (int i = 0; i < done.size(); i++) {
                            outcomes.set(indices.get(i), done.get(i));
                          }
                        });
            all = all.thenCombine(part, (before, now) -> null);
          }
          jobs.forEach(job -> worker.submit(Priority.SEARCH, job));
          CompletableFuture<R> result =
              all.thenApply(
                  done ->
                      finish.apply(
                          on,
                          outcomes,
                          jobs.stream().map(Job::times).reduce(Job.Times.NONE, Job.Times::and)));
          // Whoever gives up takes his jobs out of the queue.
          CompletableFuture<?> unused =
              result.whenComplete((done, failure) -> jobs.forEach(worker::cancel));
          return result;
        });
  }
}
