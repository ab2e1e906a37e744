/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.action;

import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.text.WordSpan;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.plugin.TestModels;
import io.crossmodal.plugin.mapper.Modality;
import java.io.IOException;
import java.util.List;
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
            new EncodedQuery.Embedding("filter", TestModels.vector(random(), 8), calibrations),
            new EncodedQuery.Tokens(
                randomFrom(Modality.values()),
                "model",
                "tokens",
                tokens,
                words,
                maxSimCalibrations),
            randomAlphaOfLengthBetween(0, 9));
    EncodedQuery copy =
        copyWriteable(query, new NamedWriteableRegistry(List.of()), EncodedQuery::new);
    assertEquals(query.embedding(), copy.embedding());
    assertEquals(query.tokens(), copy.tokens());
    assertEquals(query.notice(), copy.notice());
  }

  public void testEveryPartCounts() {
    List<SensorCalibration> none = List.of();
    List<SensorCalibration> some = List.of(new SensorCalibration("s1", "s2", 2.5, -1));
    EncodedQuery.Embedding embedding = new EncodedQuery.Embedding("a", new float[] {1, 0}, none);
    assertNotEquals(embedding, new EncodedQuery.Embedding("b", new float[] {1, 0}, none));
    assertNotEquals(embedding, new EncodedQuery.Embedding("a", new float[] {0, 1}, none));
    assertNotEquals(embedding, new EncodedQuery.Embedding("a", new float[] {1, 0}, some));
    TokenBlock block = TestModels.tokens(random(), TestModels.micro(), 5);
    EncodedQuery.Tokens tokens =
        new EncodedQuery.Tokens(Modality.TEXT, "model", "a", block, List.of(), none);
    List<WordSpan> words = List.of(new WordSpan("pond", 1, 2));
    assertNotEquals(
        tokens, new EncodedQuery.Tokens(Modality.TEXT, "model", "a", block, words, none));
    assertNotEquals(
        tokens, new EncodedQuery.Tokens(Modality.TEXT, "model", "a", block, List.of(), some));
  }
}
