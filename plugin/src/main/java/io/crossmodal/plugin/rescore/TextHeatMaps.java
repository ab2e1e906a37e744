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
 * Heat maps of the hits of a search by words that has no rescore, by a model without a fusion
 * encoder: {@link PatchSimilarity} of the query's embedding and the tokens as they are stored. No
 * model runs.
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
   * @throws IllegalArgumentException as {@link #check}
   */
  public static List<? extends DetailsFetchPhase.Page> pages(
      FetchContext fetch, Supplier<ScoringService> scoring) {
    List<RescoredPage> rescored = RescoredPage.of(fetch);
    boolean wanted =
        fetch.getSearchExt(CrossModalExtBuilder.NAME) instanceof CrossModalExtBuilder ext
            && ext.heatMap();
    if (!rescored.isEmpty() || !wanted || fetch.parsedQuery() == null) {
      return rescored;
    }
    List<TextHeatMaps> pages = new ArrayList<>();
    for (AskedText asked : AskedText.in(fetch.parsedQuery().query())) {
      if (fetch.mapperService().fieldType(asked.field()) instanceof CrossModalFieldType type) {
        ModelManifest model = type.definition().model();
        if (!model.config().hasFusion()) {
          check(model);
          pages.add(
              new TextHeatMaps(
                  asked, type.definition(), fetch.searcher().getIndexReader().leaves(), scoring));
        }
      }
    }
    return pages;
  }

  /**
   * Insists that heat maps can be drawn of what a search without a rescore finds by words.
   *
   * @param query encoded, as shards get it
   * @throws IllegalArgumentException where a model of it cannot compare patches with texts, saying
   *     what to do
   */
  public static void check(QueryBuilder query, ModelCatalog catalog) {
    Set<String> spaces = AskedText.spaces(query);
    for (String id : catalog.ids()) {
      ModelManifest model = catalog.manifest(id);
      if (spaces.contains(model.fingerprints().embeddingSpace()) && !model.config().hasFusion()) {
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
    if (!model.config().image().hasValuePath()) {
      throw new IllegalArgumentException(
          "[ext.cross_modal.heat_map] needs patches that can be compared with texts, and model ["
              + model.id()
              + "] has neither those nor a fusion encoder: import the CLIP with --heat-maps under"
              + " an id of its own and encode its pictures again (\"Heat maps\" in"
              + " docs/models.md)");
    }
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
