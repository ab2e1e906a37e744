/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.text.WordSpan;
import io.crossmodal.plugin.TestModels;
import io.crossmodal.plugin.mapper.Modality;
import io.crossmodal.plugin.query.Asked;
import java.util.ArrayList;
import java.util.List;
import org.opensearch.core.common.io.stream.Writeable;
import org.opensearch.test.AbstractWireSerializingTestCase;

public class EncodedSideTests extends AbstractWireSerializingTestCase<EncodedSide> {
  @Override
  protected Writeable.Reader<EncodedSide> instanceReader() {
    return EncodedSide::new;
  }

  @Override
  protected EncodedSide createTestInstance() {
    List<WordSpan> words = new ArrayList<>();
    int token = 1;
    for (int i = randomIntBetween(0, 4); i > 0; i--) {
      int to = token + randomIntBetween(1, 3);
      words.add(new WordSpan(randomRealisticUnicodeOfLength(6), token, to));
      token = to;
    }
    return new EncodedSide(
        randomFrom(Modality.values()),
        new Asked(randomAlphaOfLength(5), randomRealisticUnicodeOfLength(9)),
        randomAlphaOfLength(5),
        randomAlphaOfLength(5),
        TestModels.tokens(random(), TestModels.micro(), token + 1),
        words,
        randomList(
            0, 2, () -> new SensorCalibration("s1", randomAlphaOfLength(2), 1 + randomInt(9), -3)));
  }

  @Override
  protected EncodedSide mutateInstance(EncodedSide side) {
    List<WordSpan> words = new ArrayList<>(side.words());
    List<SensorCalibration> calibrations = new ArrayList<>(side.calibrations());
    if (randomBoolean()) {
      words.add(new WordSpan(randomAlphaOfLength(3), 90, 91));
    } else {
      calibrations.add(new SensorCalibration("s1", "s9", 2, 1));
    }
    return new EncodedSide(
        side.modality(),
        side.asked(),
        side.model(),
        side.tokenSpace(),
        side.tokens(),
        words,
        calibrations);
  }
}
