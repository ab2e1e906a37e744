/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.tools.attach.AttachNotSupportedException;
import com.sun.tools.attach.VirtualMachine;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipInputStream;
import org.junit.jupiter.api.Test;
import org.opensearch.client.ResponseException;

/**
 * In the process of another plugin with a DJL and a libtorch of its own, as ml-commons has them.
 */
final class OtherLibtorchIT {
  private static final String ENCODE = "/_plugins/_cross_modal/models/scenes-tiny/_encode";
  private static final String TEXT = "{\"text\":[\"a pond\"]}";

  /** What ml-commons 3.6 sets when it deploys a local model, and what else misleads a DJL. */
  private static final List<String> OF_OTHERS =
      List.of(
          "-DPYTORCH_VERSION=2.5.1",
          "-DPYTORCH_PRECXX11=true",
          "-DPYTORCH_FLAVOR=cu121",
          "-DPYTORCH_LIBRARY_PATH=/nowhere/libtorch",
          "-DDJL_CACHE_DIR=/nowhere/djl",
          "-DENGINE_CACHE_DIR=/nowhere/engines",
          "-Dai.djl.pytorch.num_threads=1",
          "-Dai.djl.pytorch.num_interop_threads=1",
          "-Dai.djl.default_engine=OnnxRuntime",
          "-Dai.djl.offline=false");

  private static OpenSearchNode.Builder node(Path folder) throws IOException {
    return Nodes.embedded(Nodes.home(folder), folder.resolve("node"));
  }

  private static Properties properties(OpenSearchNode node)
      throws IOException, AttachNotSupportedException {
    VirtualMachine machine = VirtualMachine.attach(Long.toString(node.process().pid()));
    try {
      return machine.getSystemProperties();
    } finally {
      machine.detach();
    }
  }

  @Test
  void startsWhateverOthersHaveSetAndLeavesItAsItWas() throws Exception {
    OpenSearchNode.Builder builder = node(Nodes.folder("others-settings"));
    OF_OTHERS.forEach(builder::jvmOption);
    // The environment goes before system properties in DJL.
    builder.environment("PYTORCH_VERSION", "2.5.1").environment("DJL_CACHE_DIR", "/nowhere/djl");
    try (OpenSearchNode node = builder.start()) {
      Properties before = properties(node);
      assertEquals("2.5.1", before.getProperty("PYTORCH_VERSION"));
      String encoded = Nodes.call(node, "POST", ENCODE, TEXT);
      assertTrue(encoded.contains("embedding"), encoded);
      assertEquals(before, properties(node));
      assertTrue(node.log().contains("Number of intra-op threads"), "DJL speaks to the node's log");
    }
  }

  @Test
  void staysOutOfAProcessWithAnotherLibtorch() throws Exception {
    Path folder = Nodes.folder("others-libtorch");
    Path other = Files.createDirectories(folder.resolve("ml_cache")).resolve("libc10.so");
    unpack("pytorch/cpu/linux-x86_64/libc10.so", other);
    try (OpenSearchNode node =
        node(folder).environment("LD_PRELOAD", other.toAbsolutePath().toString()).start()) {
      ResponseException refused =
          assertThrows(ResponseException.class, () -> Nodes.call(node, "POST", ENCODE, TEXT));
      assertEquals(503, refused.getResponse().getStatusLine().getStatusCode());
      assertTrue(
          refused.getMessage().contains("has loaded another libtorch, [" + other.toRealPath()),
          refused.getMessage());
      assertTrue(refused.getMessage().contains("cross_modal.scorer"), refused.getMessage());
      assertTrue(Nodes.call(node, "GET", "/_cluster/health", null).contains("\"green\""));
    }
  }

  /** Takes a file out of the jar with libtorch in the plugin's zip. */
  private static void unpack(String name, Path file) throws IOException {
    try (ZipFile zip = new ZipFile(PluginNode.zip().toFile())) {
      ZipEntry jar =
          zip.stream()
              .map(ZipEntry.class::cast)
              .filter(entry -> entry.getName().contains("pytorch-native-cpu"))
              .findFirst()
              .orElseThrow();
      try (InputStream bytes = zip.getInputStream(jar);
          ZipInputStream inside = new ZipInputStream(bytes)) {
        ZipEntry entry = inside.getNextEntry();
        while (entry != null && !entry.getName().equals(name)) {
          entry = inside.getNextEntry();
        }
        Files.copy(inside, file);
      }
    }
  }
}
