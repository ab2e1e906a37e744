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

  private final String afterwards;
  private final CountDownLatch ended = new CountDownLatch(1);
  private volatile boolean asked;

  /** Watches over what is resumed when it is run again. */
  Interruption() {
    this("run again to go on");
  }

  /**
   * Watches over what is not resumed.
   *
   * @param afterwards what to tell the user
   */
  Interruption(String afterwards) {
    this.afterwards = afterwards;
    Runtime.getRuntime().addShutdownHook(new Thread(this::await, "interruption"));
  }

  /** Waits for the step to end; called at every end of the process, also when all is done. */
  void await() {
    asked = true;
    if (ended.getCount() > 0) {
      System.err.println("interrupted; ending with this step");
    }
    try {
      if (!ended.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        System.err.println("the step did not end within " + PATIENCE_SECONDS + " s");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Ends the work where the process is to end; called between steps.
   *
   * @throws CancellationException when the process is to end
   */
  void check() {
    if (asked) {
      throw new CancellationException("ended, " + afterwards);
    }
  }

  @Override
  public void close() {
    ended.countDown();
  }
}
