/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.memory;

import ai.djl.Device;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.inference.InferenceException;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.ToLongFunction;

/**
 * A memory budget for each device: the node's own for the CPU, and for a GPU what was free on it
 * when the node first used it, less a reserve. Thread-safe.
 */
public final class DeviceBudgets {
  /** The engine's allocator rounds up and keeps pieces; the rest is for that. */
  static final double SHARE_OF_FREE_MEMORY = 0.9;

  private final MemoryBudget node;
  private final ToLongFunction<Device> free;
  private final Map<Device, BoundedMemory> cards = new ConcurrentHashMap<>();

  /**
   * A GPU's memory as the node counts it.
   *
   * @param used bytes of weights and of calls under way
   * @param limit bytes that the node grants itself
   */
  public record GpuMemory(long used, long limit) {}

  /**
   * @param node bounds what calls on the CPU take
   * @param free bytes that are free on a GPU; asked once for each
   */
  public DeviceBudgets(MemoryBudget node, ToLongFunction<Device> free) {
    this.node = node;
    this.free = free;
  }

  /** Bounds what calls on a device take. */
  public MemoryBudget of(Device device) {
    return device.isGpu()
        ? cards.computeIfAbsent(
            device,
            fresh ->
                new BoundedMemory(
                    fresh.toString(), (long) (SHARE_OF_FREE_MEMORY * free.applyAsLong(fresh))))
        : node;
  }

  /**
   * Takes what a call on a device needs there, and for a GPU what inputs and outputs pass through
   * on the node.
   *
   * @throws InferenceException.MemoryExceeded when there is not so much; nothing is taken then
   */
  public MemoryBudget.Reservation reserveCall(Device device, String what, long bytes) {
    MemoryBudget.Reservation own = of(device).reserve(what, bytes);
    if (!device.isGpu()) {
      return own;
    }
    try {
      MemoryBudget.Reservation staged =
          node.reserve(what, Math.min(bytes, FusionModel.STAGED_BYTES));
      return () -> {
        staged.close();
        own.close();
      };
    } catch (RuntimeException e) {
      own.close();
      throw e;
    }
  }

  /** Returns where the node's own memory stands; empty where nobody counts it. */
  public Optional<MemoryBudget.Level> nativeMemory() {
    return node.level();
  }

  /** Returns the GPUs in use, by their names such as {@code gpu(0)}. */
  public Map<String, GpuMemory> gpus() {
    Map<String, GpuMemory> gpus = new TreeMap<>();
    cards.values().forEach(card -> gpus.put(card.name(), new GpuMemory(card.used(), card.limit())));
    return gpus;
  }
}
