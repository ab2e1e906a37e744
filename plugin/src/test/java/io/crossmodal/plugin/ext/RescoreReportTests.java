/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.ext;

import io.crossmodal.plugin.ext.RescoreReport.Degraded;
import io.crossmodal.plugin.ext.RescoreReport.Times;
import java.util.List;
import org.opensearch.common.xcontent.XContentHelper;
import org.opensearch.common.xcontent.json.JsonXContent;
import org.opensearch.core.common.Strings;
import org.opensearch.core.common.io.stream.Writeable;
import org.opensearch.core.xcontent.MediaTypeRegistry;
import org.opensearch.test.AbstractWireSerializingTestCase;

public class RescoreReportTests extends AbstractWireSerializingTestCase<RescoreReport> {
  @Override
  protected Writeable.Reader<RescoreReport> instanceReader() {
    return RescoreReport::read;
  }

  @Override
  protected RescoreReport createTestInstance() {
    return new RescoreReport(
        randomAlphaOfLength(5),
        randomBoolean() ? null : randomAlphaOfLength(5),
        randomBoolean(),
        randomInt(9),
        randomInt(999),
        randomInt(999),
        randomInt(999),
        randomInt(999),
        randomInt(999),
        randomList(3, () -> new Degraded(randomAlphaOfLength(4), "why", randomInt(99))),
        new Times(
            randomInt(9999), randomInt(9999), randomInt(9999), randomInt(9999), randomInt(9999)));
  }

  public void testShardsAddUpAndTheSlowestGivesTheTimes() {
    RescoreReport one =
        new RescoreReport(
            "image",
            null,
            false,
            1,
            10,
            7,
            2,
            1,
            4,
            List.of(new Degraded("timeouts", "late", 1)),
            new Times(9000, 1000, 5000, 4000, 2000));
    RescoreReport other =
        new RescoreReport(
            "image",
            "m",
            false,
            1,
            20,
            15,
            3,
            2,
            0,
            List.of(new Degraded("foreign_tokens", "odd", 1), new Degraded("timeouts", "too", 1)),
            new Times(4000, 3000, 2000, 3000, 8000));
    assertEquals(
        new RescoreReport(
            "image",
            "m",
            false,
            2,
            30,
            22,
            5,
            3,
            4,
            List.of(new Degraded("timeouts", "late", 2), new Degraded("foreign_tokens", "odd", 1)),
            new Times(9000, 3000, 5000, 4000, 8000)),
        one.and(other));
    assertEquals(
        XContentHelper.convertToMap(
            JsonXContent.jsonXContent,
            "{\"field\":\"image\",\"window\":\"global\",\"shards\":1,\"hits\":10,\"rescored\":7,"
                + "\"missing\":2,\"below_min_p\":1,\"grouped\":4,\"degraded\":[{\"reason\":\"timeouts\",\"hits\":1,"
                + "\"message\":\"late\"}],\"micros\":{\"rescore\":9,\"read\":1,\"queue\":5,"
                + "\"copy\":4,\"model\":2}}",
            true),
        XContentHelper.convertToMap(
            JsonXContent.jsonXContent,
            Strings.toString(MediaTypeRegistry.JSON, one.ofGlobalWindow()),
            true));
  }
}
