/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.window;

import java.util.concurrent.CompletableFuture;
import org.opensearch.Version;
import org.opensearch.common.lease.Releasable;
import org.opensearch.common.settings.Settings;
import org.opensearch.telemetry.tracing.noop.NoopTracer;
import org.opensearch.test.OpenSearchTestCase;
import org.opensearch.test.transport.MockTransportService;
import org.opensearch.threadpool.TestThreadPool;
import org.opensearch.threadpool.ThreadPool;
import org.opensearch.transport.TransportService;

public class WindowTransportTests extends OpenSearchTestCase {
  private static Releasable on(String thread, WindowTransport window) {
    CompletableFuture<Releasable> result = new CompletableFuture<>();
    new Thread(() -> result.complete(window.mayWait()), thread).start();
    return result.join();
  }

  /** A coordinating node's wait may come to a thread of core's. */
  public void testAQuarterOfTheSearchThreadsMayWaitForShards() {
    ThreadPool threadPool =
        new TestThreadPool(
            getTestName(), Settings.builder().put("thread_pool.search.size", 8).build());
    try (TransportService transport =
        MockTransportService.createNewService(
            Settings.EMPTY, Version.CURRENT, threadPool, NoopTracer.INSTANCE)) {
      WindowTransport window = new WindowTransport();
      new WindowTransport.Binding(transport, window).close();
      String search = "opensearch[node][search][T#1]";
      Releasable first = on(search, window);
      assertNotNull(first);
      assertNotNull(on(search, window));
      assertNull(on(search, window));
      for (int i = 0; i < 10; i++) {
        assertNotNull(on("opensearch[node][" + WindowThreads.POOL + "][T#1]", window));
      }
      assertNull(on("opensearch[node][transport_worker][T#1]", window));
      first.close();
      assertNotNull(on(search, window));
      assertNull(on(search, window));
    } finally {
      terminate(threadPool);
    }
  }
}
