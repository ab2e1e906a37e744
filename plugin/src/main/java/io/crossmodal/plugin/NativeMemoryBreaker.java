/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.memory.MemoryBudget;
import java.util.Objects;
import java.util.Optional;
import org.opensearch.common.settings.Settings;
import org.opensearch.core.common.breaker.CircuitBreaker;
import org.opensearch.core.common.breaker.CircuitBreakingException;
import org.opensearch.indices.breaker.BreakerSettings;
import org.opensearch.monitor.jvm.JvmInfo;
import org.opensearch.monitor.os.OsProbe;

/**
 * The models' memory as a circuit breaker, so that {@code _nodes/stats/breaker} shows it and {@code
 * breaker.cross_modal.limit} bounds it.
 *
 * <p>The memory lies outside the heap, but core's parent breaker adds up all breakers, each times
 * its overhead, and compares the sum with the heap. So the overhead is 0, and the limit is checked
 * here.
 */
final class NativeMemoryBreaker implements MemoryBudget {
  static final String NAME = "cross_modal";

  // Of what the heap leaves, the rest is the file cache's, which kNN search lives on.
  private static final double SHARE_OF_FREE_MEMORY = 0.5;
  private static final double NO_OVERHEAD = 0;

  private final CircuitBreaker breaker;

  NativeMemoryBreaker(CircuitBreaker breaker) {
    this.breaker = Objects.requireNonNull(breaker, "breaker");
  }

  static BreakerSettings settings(Settings settings) {
    long memory = OsProbe.getInstance().getTotalPhysicalMemorySize();
    long heap = JvmInfo.jvmInfo().getMem().getHeapMax().getBytes();
    long limit = Math.max(1L << 30, (long) (SHARE_OF_FREE_MEMORY * (memory - heap)));
    return BreakerSettings.updateFromSettings(
        new BreakerSettings(
            NAME,
            limit,
            NO_OVERHEAD,
            CircuitBreaker.Type.MEMORY,
            CircuitBreaker.Durability.TRANSIENT),
        settings);
  }

  @Override
  public Optional<Level> level() {
    return Optional.of(new Level(breaker.getUsed(), breaker.getLimit(), breaker.getTrippedCount()));
  }

  @Override
  public Reservation reserve(String what, long bytes) {
    long used = breaker.addWithoutBreaking(bytes);
    long limit = breaker.getLimit();
    if (limit >= 0 && used > limit) {
      breaker.addWithoutBreaking(-bytes);
      try {
        // Counts and explains; it always throws.
        breaker.circuitBreak(what, bytes);
      } catch (CircuitBreakingException e) {
        throw new InferenceException.MemoryExceeded(
            what, bytes, e.getMessage() + "; see [breaker." + NAME + ".limit]", e);
      }
    }
    return () -> breaker.addWithoutBreaking(-bytes);
  }
}
