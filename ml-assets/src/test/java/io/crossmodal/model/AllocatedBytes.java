/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

import java.lang.management.ManagementFactory;
import javax.management.JMException;
import javax.management.MBeanServer;
import javax.management.ObjectName;

/**
 * What a test's thread has allocated, asked for by name: the JDK's type for it is HotSpot's own.
 */
public final class AllocatedBytes {
  private final MBeanServer server = ManagementFactory.getPlatformMBeanServer();
  private final ObjectName threads;

  public AllocatedBytes() {
    try {
      threads = new ObjectName(ManagementFactory.THREAD_MXBEAN_NAME);
    } catch (JMException e) {
      throw new AssertionError(e);
    }
  }

  /** Returns the bytes that the calling thread has allocated in the heap so far. */
  public long ofThisThread() {
    try {
      return (Long) server.getAttribute(threads, "CurrentThreadAllocatedBytes");
    } catch (JMException e) {
      throw new AssertionError(e);
    }
  }
}
