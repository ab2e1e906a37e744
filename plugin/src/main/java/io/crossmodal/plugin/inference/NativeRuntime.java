/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.util.cuda.CudaUtils;
import java.io.IOException;
import java.lang.management.MemoryUsage;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Starts the native engine inside a node, where three things go wrong by default.
 *
 * <ol>
 *   <li>DJL finds engines through the thread's context class loader, which knows nothing of a
 *       plugin's jars; not finding one sticks for the life of the JVM.
 *   <li>DJL looks for a GPU in a cloud by asking a network address, which a node denies, and then
 *       stays broken; {@code ai.djl.offline} prevents that.
 *   <li>DJL unpacks its libraries below the home folder, which a node may not write; {@code
 *       DJL_CACHE_DIR} moves it below the data path. The environment variable of that name wins.
 * </ol>
 *
 * The engine and these properties belong to the JVM, not to us: of several nodes in one JVM the
 * first decides.
 */
final class NativeRuntime {
  private NativeRuntime() {}

  /**
   * Starts the engine where it does not run yet.
   *
   * @return GPUs that it has found
   * @throws InferenceException.ModelUnavailable when the native library is missing or does not
   *     start, saying what to install
   */
  static int start(InferenceSettings settings) {
    setIfAbsent("ai.djl.offline", "true");
    setIfAbsent("OPT_OUT_TRACKING", "true");
    setIfAbsent("ai.djl.default_engine", "PyTorch");
    setIfAbsent("ai.djl.pytorch.num_threads", Integer.toString(settings.threads()));
    Path cache = settings.directory().resolve("djl");
    setIfAbsent("DJL_CACHE_DIR", cache.toString());

    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    thread.setContextClassLoader(NativeRuntime.class.getClassLoader());
    try {
      Files.createDirectories(cache);
      return Engine.getInstance().getGpuCount();
    } catch (IOException | RuntimeException | LinkageError e) {
      throw new InferenceException.ModelUnavailable(
          "the native PyTorch library does not start on this node: install the plugin's zip that"
              + " contains it, or set PYTORCH_LIBRARY_PATH, PYTORCH_VERSION and PYTORCH_FLAVOR"
              + " before starting the node ("
              + e
              + ")",
          e);
    } finally {
      thread.setContextClassLoader(before);
    }
  }

  /** Bytes that nobody has taken on a GPU. */
  static long freeMemory(Device gpu) {
    MemoryUsage memory = CudaUtils.getGpuMemory(gpu);
    return memory.getMax() - memory.getCommitted();
  }

  private static void setIfAbsent(String property, String value) {
    if (System.getProperty(property) == null) {
      System.setProperty(property, value);
    }
  }
}
