/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cluster;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.junit.jupiter.api.Test;

final class RetryTest {
  private static final Duration SECOND = Duration.ofSeconds(1);

  private final List<Duration> waits = new ArrayList<>();
  private long nanos;

  private Retry retry(Duration patience) {
    return new Retry(
        SECOND,
        SECOND.multipliedBy(2),
        patience,
        wait -> {
          waits.add(wait);
          nanos += wait.toNanos();
        },
        () -> nanos);
  }

  private static Retry.Request answering(Integer... statuses) {
    Iterator<Integer> next = List.of(statuses).iterator();
    return () -> new ClusterClient.Response(next.next(), "");
  }

  @Test
  void sendsAgainWhatTheNodeHasNoPlaceFor() throws Exception {
    Retry patient = retry(Duration.ofMinutes(1));
    assertEquals(202, patient.whileBusy(answering(429, 429, 429, 202)).status());
    assertEquals(List.of(SECOND, SECOND.multipliedBy(2), SECOND.multipliedBy(2)), waits);
    waits.clear();
    assertEquals(507, patient.whileBusy(answering(507, 200)).status());
    assertEquals(List.of(), waits);
  }

  @Test
  void losesItsPatience() throws Exception {
    assertEquals(429, retry(Duration.ZERO).whileBusy(answering(429, 200)).status());
    assertEquals(List.of(), waits);
    assertEquals(429, retry(SECOND).whileBusy(answering(429, 429, 200)).status());
    assertEquals(List.of(SECOND), waits);
  }

  @Test
  void asksUntilTheNodeAnswers() throws Exception {
    Iterator<Integer> next = List.of(0, 503, 429, 504, 502, 404).iterator();
    Retry.Request moody =
        () -> {
          int status = next.next();
          if (status == 0) {
            throw new IOException("away");
          }
          return new ClusterClient.Response(status, "");
        };
    assertEquals(404, retry(Duration.ofMinutes(1)).untilAnswered(moody).status());
    assertEquals(5, waits.size());
    assertEquals(503, retry(Duration.ZERO).untilAnswered(answering(503, 200)).status());
    Retry.Request dead =
        () -> {
          throw new IOException("away");
        };
    assertEquals(
        "away",
        assertThrows(IOException.class, () -> retry(SECOND).untilAnswered(dead)).getMessage());
  }
}
