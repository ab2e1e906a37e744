/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.lucene.util.VectorUtil;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.common.io.stream.Writeable;
import org.opensearch.core.xcontent.ToXContentFragment;
import org.opensearch.core.xcontent.XContentBuilder;

/**
 * Which hits of a rescored window are returned, and in which order: a cut-off, one hit of each
 * group, and maximal marginal relevance, one after the other. Where any of the three is asked for,
 * hits outside of the window are not returned.
 *
 * @param minP least fusion score p of a hit, in [0, 1]; 0 for no cut-off
 * @param group a keyword field, of whose values each is returned once, as its best hit; null for
 *     none
 * @param diversity lambda of maximal marginal relevance, in [0, 1]: 1 for p alone, 0 for what is
 *     least like the hits above; null for the order of the scores
 */
public record Selection(float minP, String group, Float diversity)
    implements Writeable, ToXContentFragment {
  /** All hits, by score. */
  public static final Selection ALL = new Selection(0, null, null);

  static final String MIN_P = "min_p";
  static final String GROUP = "group";
  static final String DIVERSITY = "diversity";

  public Selection {
    // NaN is in no range.
    if (!(minP >= 0 && minP <= 1)) {
      throw new IllegalArgumentException("[min_p] must be from 0 to 1, got [" + minP + "]");
    }
    if (diversity != null && !(diversity >= 0 && diversity <= 1)) {
      throw new IllegalArgumentException(
          "[diversity] must be from 0 to 1, got [" + diversity + "]");
    }
    if (group != null && group.isEmpty()) {
      throw new IllegalArgumentException("[group] must name a field of type [keyword]");
    }
  }

  Selection(StreamInput in) throws IOException {
    this(in.readFloat(), in.readOptionalString(), in.readOptionalFloat());
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    out.writeFloat(minP);
    out.writeOptionalString(group);
    out.writeOptionalFloat(diversity);
  }

  @Override
  public XContentBuilder toXContent(XContentBuilder builder, Params params) throws IOException {
    if (minP > 0) {
      builder.field(MIN_P, minP);
    }
    if (group != null) {
      builder.field(GROUP, group);
    }
    return diversity == null ? builder : builder.field(DIVERSITY, diversity);
  }

  /** Returns whether hits may be left out, or stand in another order than that of their scores. */
  public boolean selects() {
    return minP > 0 || comparesHits();
  }

  /** Returns whether hits are compared with each other, so that they must all be in one place. */
  public boolean comparesHits() {
    return group != null || diversity != null;
  }

  /** Returns the part of it for which shards say what hits are compared by. */
  Selection traits() {
    return new Selection(0, group, diversity);
  }

  /** Returns what it asks for, for messages. */
  public String keys() {
    List<String> keys = new ArrayList<>();
    if (minP > 0) {
      keys.add(MIN_P);
    }
    if (group != null) {
      keys.add(GROUP);
    }
    if (diversity != null) {
      keys.add(DIVERSITY);
    }
    return keys.toString();
  }

  /**
   * Returns the score of a hit in the order of maximal marginal relevance, in [1, 2] as those of
   * {@link FusionOptions.FusionScoreMode#REPLACE}.
   *
   * @param p fusion score
   * @param novelty (1 - cosine) / 2 to the most similar of the hits above; 1 for the first
   */
  public float diversified(float p, float novelty) {
    return (float) (1 + (double) diversity * p + (1 - (double) diversity) * novelty);
  }

  /**
   * A hit of the window.
   *
   * @param key of the caller
   * @param score after fusion
   * @param p fusion score; NaN where it has none
   * @param passedOver whether the pre-ranker kept it from the fusion encoder
   * @param group null for none: it stands for itself
   * @param embedding D values, unit length; null for none
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  public record Candidate<K>(
      K key, float score, float p, boolean passedOver, String group, float[] embedding) {
    /** Returns whether it has a fusion score. */
    boolean rescored() {
      return !Float.isNaN(p);
    }
  }

  /**
   * A hit that is returned.
   *
   * @param score by which it is ordered
   * @param outcome what it became by the selection
   */
  public record Selected<K>(K key, float score, Outcome outcome) {}

  /**
   * What is returned of a window.
   *
   * @param hits best first
   * @param belowMinP hits that were cut
   * @param grouped hits for which another of their group stands
   */
  public record Result<K>(List<Selected<K>> hits, int belowMinP, int grouped) {}

  /**
   * Selects from a window.
   *
   * @param window best first
   */
  public <K> Result<K> of(List<Candidate<K>> window) {
    int below = 0;
    List<Candidate<K>> above = new ArrayList<>(window.size());
    for (Candidate<K> hit : window) {
      if (hit.rescored() && hit.p < minP) {
        below++;
      } else if (!(minP > 0 && hit.passedOver)) {
        above.add(hit);
      }
    }
    List<Candidate<K>> best = new ArrayList<>(above.size());
    Map<String, Integer> hitsByGroup = new HashMap<>();
    for (Candidate<K> hit : above) {
      if (group == null
          || hit.group == null
          || hitsByGroup.merge(hit.group, 1, Integer::sum) == 1) {
        best.add(hit);
      }
    }
    List<Selected<K>> selected = new ArrayList<>(best.size());
    if (diversity != null) {
      diversify(best, hitsByGroup, selected);
    } else {
      for (Candidate<K> hit : best) {
        selected.add(selected(hit, hit.score, hitsByGroup, Float.NaN));
      }
    }
    return new Result<>(selected, below, above.size() - best.size());
  }

  private <K> Selected<K> selected(
      Candidate<K> hit, float score, Map<String, Integer> hitsByGroup, float novelty) {
    String own = group == null ? null : hit.group;
    return new Selected<>(
        hit.key, score, new Outcome(own, own == null ? 1 : hitsByGroup.get(own), novelty));
  }

  /**
   * Maximal marginal relevance (Carbonell and Goldstein, 1998), greedy: next comes the hit of the
   * largest {@link #diversified}, which falls from hit to hit, for the novelty of those that remain
   * can only shrink. So the order is one by score, and pages of it fit together. Hits without a
   * fusion score stay behind.
   */
  private <K> void diversify(
      List<Candidate<K>> hits, Map<String, Integer> hitsByGroup, List<Selected<K>> selected) {
    List<Candidate<K>> rest = new ArrayList<>(hits.stream().filter(Candidate::rescored).toList());
    float[] novelty = new float[rest.size()];
    for (int i = 0; i < novelty.length; i++) {
      novelty[i] = rest.get(i).embedding == null ? 0 : 1;
    }
    boolean[] taken = new boolean[novelty.length];
    for (int turn = 0; turn < novelty.length; turn++) {
      int next = -1;
      float score = Float.NEGATIVE_INFINITY;
      for (int i = 0; i < novelty.length; i++) {
        float own = taken[i] ? Float.NEGATIVE_INFINITY : diversified(rest.get(i).p, novelty[i]);
        if (own > score) {
          next = i;
          score = own;
        }
      }
      taken[next] = true;
      Candidate<K> hit = rest.get(next);
      selected.add(selected(hit, score, hitsByGroup, novelty[next]));
      for (int i = 0; i < novelty.length && hit.embedding != null; i++) {
        if (!taken[i] && rest.get(i).embedding != null) {
          float cosine = VectorUtil.dotProduct(hit.embedding, rest.get(i).embedding);
          novelty[i] = Math.max(0, Math.min(novelty[i], (1 - cosine) / 2));
        }
      }
    }
    for (Candidate<K> hit : hits) {
      if (!hit.rescored()) {
        selected.add(selected(hit, hit.score, hitsByGroup, Float.NaN));
      }
    }
  }

  /**
   * What a returned hit became, for its description and its explanation.
   *
   * @param group its value of the group's field; null for none
   * @param hits of the group that it stands for, itself among them
   * @param novelty (1 - cosine) / 2 to the most similar of the hits above; NaN where it does not
   *     count
   */
  public record Outcome(String group, int hits, float novelty) implements Writeable {
    Outcome(StreamInput in) throws IOException {
      this(in.readOptionalString(), in.readVInt(), in.readFloat());
    }

    @Override
    public void writeTo(StreamOutput out) throws IOException {
      out.writeOptionalString(group);
      out.writeVInt(hits);
      out.writeFloat(novelty);
    }
  }
}
