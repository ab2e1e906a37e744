/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.memory;

import static org.hamcrest.Matchers.containsString;

import ai.djl.Device;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.inference.InferenceException;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.opensearch.test.OpenSearchTestCase;

public class DeviceBudgetsTests extends OpenSearchTestCase {
  public void testEachGpuHasItsOwnAndTheCpuTheNodes() {
    AtomicLong node = new AtomicLong();
    MemoryBudget breaker =
        (what, bytes) -> {
          node.addAndGet(bytes);
          return () -> node.addAndGet(-bytes);
        };
    DeviceBudgets budgets = new DeviceBudgets(breaker, gpu -> gpu.getDeviceId() == 0 ? 1000 : 2000);
    assertEquals("none is used yet", Map.of(), budgets.gpus());
    try (MemoryBudget.Reservation cpu = budgets.of(Device.cpu()).reserve("a call", 5000);
        MemoryBudget.Reservation first = budgets.of(Device.gpu(0)).reserve("model [m]", 600);
        MemoryBudget.Reservation second = budgets.of(Device.gpu(1)).reserve("model [m]", 1800)) {
      assertNotNull(cpu);
      assertNotNull(first);
      assertNotNull(second);
      assertEquals(5000, node.get());
      assertEquals(
          Map.of(
              "gpu(0)",
              new DeviceBudgets.GpuMemory(600, 900),
              "gpu(1)",
              new DeviceBudgets.GpuMemory(1800, 1800)),
          budgets.gpus());
      InferenceException full =
          expectThrows(
              InferenceException.MemoryExceeded.class,
              () -> budgets.of(Device.gpu(0)).reserve("a call", 301));
      assertThat(full.getMessage(), containsString("600 of 900 bytes of gpu(0) are taken"));
      assertEquals("a refusal takes nothing", 600, budgets.gpus().get("gpu(0)").used());
      budgets.of(Device.gpu(0)).reserve("a call", 300).close();
    }
    assertEquals(0, node.get());
    assertEquals(0, budgets.gpus().get("gpu(0)").used());
    assertEquals(0, budgets.gpus().get("gpu(1)").used());
  }

  /** What goes to a GPU passes through the node's memory. */
  public void testACallOnAGpuTakesFromBoth() {
    AtomicLong node = new AtomicLong();
    MemoryBudget breaker =
        (what, bytes) -> {
          if (bytes == 13) {
            throw new InferenceException.MemoryExceeded(what, bytes, "unlucky", null);
          }
          node.addAndGet(bytes);
          return () -> node.addAndGet(-bytes);
        };
    DeviceBudgets budgets = new DeviceBudgets(breaker, gpu -> Long.MAX_VALUE / 2);
    MemoryBudget.Reservation call = budgets.reserveCall(Device.gpu(), "a call", 1000);
    assertEquals(1000, node.get());
    MemoryBudget.Reservation large = budgets.reserveCall(Device.gpu(), "a call", 1L << 40);
    assertEquals("a piece at a time", 1000 + FusionModel.STAGED_BYTES, node.get());
    large.close();
    call.close();
    budgets.reserveCall(Device.cpu(), "a call", 1000).close();
    expectThrows(
        InferenceException.MemoryExceeded.class,
        () -> budgets.reserveCall(Device.gpu(), "a call", 13));
    assertEquals(0, node.get());
    assertEquals(0, budgets.gpus().get(Device.gpu().toString()).used());
  }
}
