/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.text.WordSpan;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.plugin.TestModels;
import io.crossmodal.plugin.mapper.Modality;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.opensearch.core.common.io.stream.NamedWriteableRegistry;
import org.opensearch.test.OpenSearchTestCase;

public class EncodedQueryTests extends OpenSearchTestCase {
  public void testSurvivesTheWire() throws IOException {
    TokenBlock tokens = randomBoolean() ? null : TestModels.tokens(random(), TestModels.micro(), 5);
    List<WordSpan> words =
        randomBoolean()
            ? List.of()
            : List.of(new WordSpan("étang", 1, 3), new WordSpan(randomAlphaOfLength(4), 3, 4));
    List<SensorCalibration> calibrations =
        randomBoolean() ? List.of() : List.of(new SensorCalibration("s1", "s2", 2.5, -1));
    List<SensorCalibration> maxSimCalibrations =
        randomBoolean() ? List.of() : List.of(new SensorCalibration("s1", "s2", 80, -60));
    EncodedQuery query =
        new EncodedQuery(
            randomFrom(Modality.values()),
            "model",
            "filter",
            "tokens",
            TestModels.vector(random(), 8),
            tokens,
            words,
            calibrations,
            maxSimCalibrations,
            randomAlphaOfLengthBetween(0, 9));
    EncodedQuery copy =
        copyWriteable(query, new NamedWriteableRegistry(List.of()), EncodedQuery::new);
    assertEquals(query.modality(), copy.modality());
    assertEquals(query.model(), copy.model());
    assertEquals(query.filterSpace(), copy.filterSpace());
    assertEquals(query.tokenSpace(), copy.tokenSpace());
    assertArrayEquals(query.embedding(), copy.embedding(), 0);
    assertEquals(Optional.ofNullable(tokens), copy.tokens());
    assertEquals(words, copy.words());
    assertEquals(calibrations, copy.calibrations());
    assertEquals(maxSimCalibrations, copy.maxSimCalibrations());
    assertEquals(query.notice(), copy.notice());
  }
}
