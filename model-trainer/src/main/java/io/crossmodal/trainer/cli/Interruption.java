/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Lets native work end before the JVM does: where it is torn down in the middle of a step (Ctrl-C),
 * libtorch unloads its compiled kernels under the running thread, and the process dies of SIGSEGV.
 */
final class Interruption implements AutoCloseable {
  private static final int PATIENCE_SECONDS = 30;

  private final CountDownLatch ended = new CountDownLatch(1);
  private volatile boolean asked;

  Interruption() {
    Runtime.getRuntime().addShutdownHook(new Thread(this::await, "interruption"));
  }

  private void await() {
    asked = true;
    try {
      if (!ended.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        System.err.println("the step did not end within " + PATIENCE_SECONDS + " s");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Called between steps.
   *
   * @throws CancellationException when the process is to end
   */
  void check() {
    if (asked) {
      throw new CancellationException("interrupted; run again to resume at the last checkpoint");
    }
  }

  @Override
  public void close() {
    ended.countDown();
  }
}
