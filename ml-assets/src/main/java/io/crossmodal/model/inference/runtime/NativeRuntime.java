/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.runtime;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.pytorch.jni.LibUtils;
import ai.djl.util.cuda.CudaUtils;
import io.crossmodal.model.Messages;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.InferenceSettings;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryUsage;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.management.JMException;
import javax.management.ObjectName;

/**
 * Starts the native engine inside a node, which it shares with other plugins: ml-commons brings a
 * DJL of its own that reads, and sets, the same system properties for another libtorch
 * (docs/decisions/0035).
 *
 * <ul>
 *   <li>DJL is told which libtorch to load, whatever else is set; the properties that tell it are
 *       there for the time of the load alone.
 *   <li>Two libtorches in one process may end it: where another one is loaded already, this one is
 *       not.
 *   <li>DJL finds engines through the thread's context class loader, which knows nothing of a
 *       plugin's jars; not finding one sticks for the life of the JVM.
 *   <li>DJL's greeting to its makers would ask a network address, which a node denies, and then
 *       stays broken; {@code OPT_OUT_TRACKING} prevents that.
 * </ul>
 *
 * The engine belongs to the JVM, not to us: of several nodes in one JVM the first decides.
 */
public final class NativeRuntime {
  private static final String ENGINE = "PyTorch";

  /** Libraries of which a process can have one. */
  static final Set<String> TORCH =
      Set.of(
          System.mapLibraryName("c10"),
          System.mapLibraryName("torch"),
          System.mapLibraryName("torch_cpu"));

  private NativeRuntime() {}

  /**
   * Starts the engine where it does not run yet.
   *
   * @return GPUs that it has found
   * @throws InferenceException.ModelUnavailable when the native library is missing, does not start,
   *     or must not because another one is loaded; it says what to do
   */
  static int start(InferenceSettings settings) {
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    thread.setContextClassLoader(NativeRuntime.class.getClassLoader());
    try {
      return start(settings.directory().resolve("djl"), settings.threads()).getGpuCount();
    } catch (InferenceException e) {
      throw e;
    } catch (IOException | JMException | RuntimeException | LinkageError e) {
      throw new InferenceException.ModelUnavailable(
          "the native PyTorch library does not start on this node: install the plugin's zip that"
              + " contains it, or set PYTORCH_LIBRARY_PATH, PYTORCH_VERSION and PYTORCH_FLAVOR"
              + " before starting the node ("
              + e
              + rootCause(e)
              + ")",
          e);
    } finally {
      thread.setContextClassLoader(before);
    }
  }

  /**
   * Starts the engine where it does not run yet, and chooses where models compute.
   *
   * @return at least one
   * @throws InferenceException.ModelUnavailable as {@link #start}, and where a GPU is required and
   *     there is none
   */
  public static List<Device> devices(InferenceSettings settings) {
    return settings.device().choose(start(settings));
  }

  private static Engine start(Path directory, int threads) throws IOException, JMException {
    // Unpacking takes seconds, during which nobody should wait for the properties.
    Libtorch found = runs() ? null : find(directory);
    synchronized (System.getProperties()) {
      boolean first = !runs();
      // Another node of this JVM may have been faster.
      Libtorch library = first ? found : running();
      if (first) {
        refuseBeside(mapped(), library.folder());
      }
      return ScopedProperties.during(
          properties(library, directory, threads), () -> Engine.getEngine(ENGINE));
    }
  }

  private static Libtorch find(Path directory) {
    return Libtorch.ofOperator(System::getenv, System::getProperty)
        .orElseGet(() -> Libtorch.unpacked(directory));
  }

  /** Returns whether this class loader's DJL has its native library. */
  private static boolean runs() {
    try {
      JniUtils.isGradMode();
      return true;
    } catch (UnsatisfiedLinkError e) {
      return false;
    }
  }

  private static Libtorch running() {
    return new Libtorch(Path.of(LibUtils.getLibtorchPath()), LibUtils.getVersion(), null);
  }

  /** Returns what DJL 0.35 reads while it starts: all that decides which code it loads. */
  private static Map<String, String> properties(Libtorch library, Path directory, int threads) {
    Map<String, String> values = new HashMap<>();
    values.put(Libtorch.PATH, library.folder().toString());
    values.put(Libtorch.VERSION, library.version());
    values.put(Libtorch.FLAVOR, library.flavor());
    // For DJL's own library beside an operator's libtorch.
    values.put("DJL_CACHE_DIR", directory.toString());
    values.put("ENGINE_CACHE_DIR", null);
    values.put("PYTORCH_PRECXX11", null);
    values.put("PYTORCH_EXTRA_LIBRARY_PATH", null);
    values.put("PYTORCH_LIBRARY_EXCLUSION", null);
    values.put("ai.djl.pytorch.native_helper", null);
    values.put("ai.djl.pytorch.num_threads", Integer.toString(threads));
    values.put("ai.djl.pytorch.num_interop_threads", null);
    values.put("ai.djl.default_engine", ENGINE);
    values.put("OPT_OUT_TRACKING", "true");
    // DJL would say that profiling is on; FusionModel turns it off.
    values.put("ai.djl.pytorch.graph_optimizer", "false");
    return values;
  }

  /**
   * Refuses to load a libtorch beside another one.
   *
   * @param mapped the files that the process has mapped
   * @param folder of the libtorch to load
   */
  static void refuseBeside(List<Path> mapped, Path folder) throws IOException {
    // As a string: a test's folder may belong to a file system around the real one.
    String own = folder.toRealPath().toString();
    for (Path file : mapped) {
      if (TORCH.contains(String.valueOf(file.getFileName()))
          && !own.equals(String.valueOf(file.getParent()))) {
        throw new InferenceException.ModelUnavailable(
            "this node's process has loaded another libtorch, ["
                + Messages.path(file)
                + "], and two of them may end it: run local models of ml-commons on other nodes"
                + " (plugins.ml_commons.only_run_on_ml_node), or give this plugin's models to other"
                + " nodes (node.attr.cross_modal.scorer, plugins.cross_modal.scoring: remote);"
                + " then restart this node",
            null);
      }
    }
  }

  /**
   * Returns the files that the process has mapped. The JVM itself is asked: a node may not read
   * /proc/self/maps.
   */
  private static List<Path> mapped() throws JMException {
    String maps =
        (String)
            ManagementFactory.getPlatformMBeanServer()
                .invoke(
                    new ObjectName("com.sun.management:type=DiagnosticCommand"),
                    "vmDynlibs",
                    null,
                    null);
    return files(maps);
  }

  /** Returns the files of a listing in the format of /proc/self/maps. */
  static List<Path> files(String maps) {
    return maps.lines()
        .filter(line -> line.indexOf('/') >= 0)
        .map(line -> line.substring(line.indexOf('/')).replaceAll(" \\(deleted\\)$", ""))
        .distinct()
        .map(Path::of)
        .toList();
  }

  private static String rootCause(Throwable thrown) {
    Throwable root = thrown;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    return root == thrown ? "" : ", because of " + root;
  }

  /** Returns bytes that nobody has taken on a GPU. */
  public static long freeMemory(Device gpu) {
    MemoryUsage memory = CudaUtils.getGpuMemory(gpu);
    return memory.getMax() - memory.getCommitted();
  }
}
