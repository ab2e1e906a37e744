/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.details;

import io.crossmodal.model.WordPatchWeights;
import io.crossmodal.model.text.WordSpan;
import io.crossmodal.plugin.rescore.PairScore;
import io.crossmodal.plugin.rescore.RescoredPage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.lucene.index.LeafReaderContext;
import org.opensearch.common.document.DocumentField;
import org.opensearch.search.SearchHit;
import org.opensearch.search.fetch.FetchContext;
import org.opensearch.search.fetch.FetchSubPhase;
import org.opensearch.search.fetch.FetchSubPhaseProcessor;

/**
 * Adds the field {@code _cross_modal} to the hits of a page: an object for each fusion rescore of
 * the search. Nothing happens unless {@link DetailsExtBuilder} asks for it. Stateless.
 */
public final class DetailsFetchPhase implements FetchSubPhase {
  /** Among the {@code fields} of a hit. */
  public static final String FIELD = "_cross_modal";

  private static final double DIGITS = 1e4;

  @Override
  public FetchSubPhaseProcessor getProcessor(FetchContext fetch) {
    DetailsExtBuilder asked = (DetailsExtBuilder) fetch.getSearchExt(DetailsExtBuilder.NAME);
    if (asked == null || !asked.describesHits()) {
      return null;
    }
    List<RescoredPage> pages = RescoredPage.of(fetch);
    return pages.isEmpty() ? null : new Processor(asked, pages);
  }

  private static final class Processor implements FetchSubPhaseProcessor {
    private final DetailsExtBuilder asked;
    private final List<RescoredPage> pages;

    private Processor(DetailsExtBuilder asked, List<RescoredPage> pages) {
      this.asked = asked;
      this.pages = pages;
    }

    @Override
    public void setNextReader(LeafReaderContext leaf) {}

    @Override
    public void process(HitContext context) throws IOException {
      SearchHit hit = context.hit();
      // Inner hits come here too, with the rescores of the search around them.
      if (!pages.get(0).holds(hit.docId())) {
        return;
      }
      List<Object> objects = new ArrayList<>(pages.size());
      for (RescoredPage page : pages) {
        objects.add(describe(page, hit.docId()));
      }
      hit.setDocumentField(FIELD, new DocumentField(FIELD, objects));
    }

    /** A map, as the transport and the answer take them. */
    private Map<String, Object> describe(RescoredPage page, int doc) throws IOException {
      Map<String, Object> object = new LinkedHashMap<>();
      object.put("field", page.field());
      page.model().ifPresent(model -> object.put("model", model));
      object.put("rescored", page.isRescored(doc));
      if (page.isRescored(doc)) {
        if (asked.details()) {
          score(page, doc, object);
        }
        // What failed once would fail again, and the reason stands there already.
        if (asked.heatMap() && !object.containsKey("error")) {
          heatMap(page, doc, object);
        }
      }
      return object;
    }
  }

  private static void score(RescoredPage page, int doc, Map<String, Object> object)
      throws IOException {
    RescoredPage.Answers<PairScore> scores = page.scores();
    if (scores.error() != null) {
      object.put("error", scores.error());
      return;
    }
    PairScore score = scores.byDoc().get(doc);
    if (score == null) {
      object.put("p", 0f);
      object.put("missing", "score_zero");
      return;
    }
    object.put("version", score.model().number());
    object.put("p", score.p());
    if (score instanceof PairScore.Compared compared) {
      object.put("max_sim", compared.maxSim());
      if (compared.calibration() != null) {
        object.put("query_sensor", compared.calibration().query());
        object.put("sensor", compared.calibration().archive());
        object.put("scale", compared.calibration().scale());
        object.put("bias", compared.calibration().bias());
      }
    } else if (score instanceof PairScore.Fused fused) {
      object.put("itm", fused.itm());
      object.put("filter", fused.filter());
      object.put("lambda", fused.calibration().lambda());
      object.put("scale", fused.calibration().scale());
      object.put("bias", fused.calibration().bias());
    }
  }

  private static void heatMap(RescoredPage page, int doc, Map<String, Object> object)
      throws IOException {
    RescoredPage.Answers<WordPatchWeights> answers = page.attention();
    if (answers.error() != null) {
      object.put("error", answers.error());
      return;
    }
    Optional<String> unavailable = page.heatMapUnavailable(doc);
    if (unavailable.isPresent()) {
      object.put("heat_map_unavailable", unavailable.get());
      return;
    }
    WordPatchWeights table = answers.byDoc().get(doc);
    List<String> words = new ArrayList<>();
    List<float[]> weights = new ArrayList<>();
    for (WordSpan word : page.words()) {
      words.add(word.word());
      weights.add(rounded(table.patches(word.from(), word.to())));
    }
    Map<String, Object> heatMap = new LinkedHashMap<>();
    heatMap.put("words", words);
    heatMap.put("grid", table.grid());
    heatMap.put("weights", weights);
    object.put("heat_map", heatMap);
  }

  private static float[] rounded(float[] values) {
    float[] rounded = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      rounded[i] = (float) (Math.round(values[i] * DIGITS) / DIGITS);
    }
    return rounded;
  }
}
