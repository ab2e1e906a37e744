/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.text.WordSpan;
import io.crossmodal.plugin.TestModels;
import io.crossmodal.plugin.action.EncodedQuery.Tokens;
import io.crossmodal.plugin.action.QuerySource;
import io.crossmodal.plugin.mapper.Modality;
import io.crossmodal.plugin.query.QueryState;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.opensearch.core.common.io.stream.Writeable;
import org.opensearch.test.AbstractWireSerializingTestCase;

public class EncodedRescorerTests extends AbstractWireSerializingTestCase<FusionRescorerBuilder> {
  @Override
  protected Writeable.Reader<FusionRescorerBuilder> instanceReader() {
    return FusionRescorerBuilder::new;
  }

  private Tokens tokens;
  private Map<Integer, Selection.Outcome> outcomes;

  private static FusionRescorerBuilder builder(
      Tokens tokens, Map<Integer, Selection.Outcome> outcomes) {
    return new FusionRescorerBuilder(
        "image",
        new QueryState.Encoded<>(new QuerySource.Label("query_text", "pönd"), tokens),
        FusionRescoreContext.Work.of(
                FusionOptions.DEFAULT, FusionRescoreContext.RescorePhase.SHARD, true)
            .with(outcomes),
        null);
  }

  @Override
  protected FusionRescorerBuilder createTestInstance() {
    List<WordSpan> words = new ArrayList<>();
    int token = 1;
    for (int i = randomIntBetween(0, 4); i > 0; i--) {
      int to = token + randomIntBetween(1, 3);
      words.add(new WordSpan(randomRealisticUnicodeOfLength(6), token, to));
      token = to;
    }
    tokens =
        new Tokens(
            randomFrom(Modality.values()),
            randomAlphaOfLength(5),
            randomAlphaOfLength(5),
            TestModels.tokens(random(), TestModels.micro(), token + 1),
            words,
            randomList(
                0,
                2,
                () -> new SensorCalibration("s1", randomAlphaOfLength(2), 1 + randomInt(9), -3)));
    outcomes = new HashMap<>();
    for (int i = randomInt(3); i > 0; i--) {
      outcomes.put(
          randomInt(1000),
          new Selection.Outcome(
              randomBoolean() ? null : randomRealisticUnicodeOfLength(4),
              randomIntBetween(1, 9),
              randomBoolean() ? Float.NaN : randomFloat()));
    }
    return builder(tokens, outcomes);
  }

  @Override
  protected FusionRescorerBuilder mutateInstance(FusionRescorerBuilder before) {
    List<WordSpan> words = new ArrayList<>(tokens.words());
    List<SensorCalibration> calibrations = new ArrayList<>(tokens.calibrations());
    if (randomInt(2) == 0) {
      Map<Integer, Selection.Outcome> others = new HashMap<>(outcomes);
      others.put(2000, new Selection.Outcome("g", 1, 0.5f));
      return builder(tokens, others);
    }
    if (randomBoolean()) {
      words.add(new WordSpan(randomAlphaOfLength(3), 90, 91));
    } else {
      calibrations.add(new SensorCalibration("s1", "s9", 2, 1));
    }
    return builder(
        new Tokens(
            tokens.modality(), tokens.model(), tokens.space(), tokens.block(), words, calibrations),
        outcomes);
  }
}
