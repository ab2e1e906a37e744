/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.WordPatchWeights;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.engine.PatchSimilarity;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.plugin.errors.ForeignTokensException;
import io.crossmodal.plugin.ext.CrossModalExtBuilder;
import io.crossmodal.plugin.ext.DetailsFetchPhase;
import io.crossmodal.plugin.inference.scoring.ScoringService;
import io.crossmodal.plugin.mapper.CrossModalFieldType;
import io.crossmodal.plugin.mapper.FieldDefinition;
import io.crossmodal.plugin.mapper.Modality;
import io.crossmodal.plugin.query.AskedText;
import io.crossmodal.plugin.rescore.TokenReader.Candidate;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import org.apache.lucene.index.LeafReaderContext;
import org.opensearch.index.query.QueryBuilder;
import org.opensearch.search.fetch.FetchContext;

/**
 * Heat maps of the hits of a search by words that has no rescore: {@link PatchSimilarity} of the
 * query's embedding and the tokens as they are stored, of a model that was made for it, whether or
 * not it has a fusion encoder. No model runs.
 *
 * @param asked the text
 * @param scoring for the heap and the counters of this node
 */
public record TextHeatMaps(
    AskedText asked,
    FieldDefinition field,
    List<LeafReaderContext> leaves,
    Supplier<ScoringService> scoring)
    implements DetailsFetchPhase.Page {

  /**
   * Returns the rescores of a search, in the request's order; where it has none and asks for heat
   * maps, one of these for each text that it searches by.
   *
   * @throws IllegalArgumentException as {@link #check} and {@link RescoredSearch#checkUnrescored}
   */
  public static List<? extends DetailsFetchPhase.Page> pages(
      FetchContext fetch, Supplier<ScoringService> scoring) {
    List<RescoredPage> rescored = RescoredPage.of(fetch);
    if (!rescored.isEmpty()
        || !(fetch.getSearchExt(CrossModalExtBuilder.NAME) instanceof CrossModalExtBuilder ext)) {
      return rescored;
    }
    RescoredSearch.checkUnrescored(ext);
    if (!ext.heatMap() || fetch.parsedQuery() == null) {
      return rescored;
    }
    List<TextHeatMaps> pages = new ArrayList<>();
    for (AskedText asked : AskedText.in(fetch.parsedQuery().query())) {
      if (fetch.mapperService().fieldType(asked.field()) instanceof CrossModalFieldType type) {
        check(type.definition().model());
        pages.add(
            new TextHeatMaps(
                asked, type.definition(), fetch.searcher().getIndexReader().leaves(), scoring));
      }
    }
    return pages;
  }

  /**
   * Insists that heat maps can be drawn of what a search without a rescore finds by words.
   *
   * @param query encoded, as shards get it
   * @throws IllegalArgumentException where there are no words, or a model of them cannot compare
   *     patches with texts, saying what to do
   */
  public static void check(QueryBuilder query, ModelCatalog catalog) {
    Set<String> spaces = AskedText.spaces(query);
    if (spaces.isEmpty()) {
      throw new IllegalArgumentException(
          "[ext.cross_modal.heat_map] draws words, and this search has none: search by [query_text]"
              + " of [cross_modal], add a [rescore] of type [fusion] by one, or leave [heat_map]"
              + " out");
    }
    for (String id : catalog.ids()) {
      ModelManifest model = catalog.manifest(id);
      if (spaces.contains(model.fingerprints().embeddingSpace())) {
        check(model);
      }
    }
  }

  private String noTokens() {
    return field.modality() == Modality.IMAGE
        ? HeatMap.NO_TOKENS
        : "the field holds texts, which have no patches";
  }

  private static void check(ModelManifest model) {
    if (model.config().image().hasValuePath()) {
      return;
    }
    if (model.config().hasFusion()) {
      throw new IllegalArgumentException(
          "[ext.cross_modal.heat_map] needs a [rescore] of type [fusion], which this search does"
              + " not have: where words look, the fusion encoder of model ["
              + model.id()
              + "] says; add one with the same [field] and [query_text], or leave [heat_map] out");
    }
    throw new IllegalArgumentException(
        "[ext.cross_modal.heat_map] needs patches that can be compared with texts, and model ["
            + model.id()
            + "] has neither those nor a fusion encoder: import the CLIP with --heat-maps under an"
            + " id of its own and encode its pictures again (\"Heat maps\" in docs/models.md)");
  }

  @Override
  public boolean describesAlways() {
    return false;
  }

  @Override
  public boolean holds(int doc) {
    return true;
  }

  @Override
  public Map<String, Object> describe(CrossModalExtBuilder wanted, int doc) throws IOException {
    Map<String, Object> object = new LinkedHashMap<>();
    object.put("field", field.path());
    object.put("model", field.modelId());
    object.put("rescored", false);
    try (MemoryBudget.Growing memory =
        new MemoryBudget.Growing(scoring.get().heap(), "the tokens of a hit's heat map")) {
      Candidate image =
          field.modality() == Modality.IMAGE
              ? new TokenReader(leaves, field, List.of(), 1, memory).read(doc)
              : null;
      Optional<String> unavailable =
          image == null ? Optional.of(noTokens()) : HeatMap.unavailable(image.tokens());
      if (unavailable.isPresent()) {
        object.put("heat_map_unavailable", unavailable.get());
        return object;
      }
      // The tokens as floats.
      memory.add((long) Float.BYTES * image.tokens().count() * image.tokens().hidden());
      WordPatchWeights table = PatchSimilarity.of(asked.vector(), image.tokens());
      scoring.get().stats().of(field.modelId()).add(Counter.HEAT_MAPS, 1);
      object.put(
          "heat_map",
          new HeatMap(List.of(asked.text()), table.grid(), List.of(table.patches(0)))
              .answer(field, leaves, doc, wanted.footprint().orElse(null)));
    } catch (ForeignTokensException e) {
      object.put("heat_map_unavailable", e.getMessage());
    }
    return object;
  }
}
