/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.worker;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ai.djl.Device;
import io.crossmodal.model.Precision;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.text.TokenizedText;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Triton's own client asks the worker. It takes {@code pip install tritonclient[http]}, in the
 * Python that {@code -Dcrossmodal.python} names.
 */
final class ConformanceTest {
  private static final String PYTHON = System.getProperty("crossmodal.python", "python3");

  @TempDir private Path directory;

  private static String run(List<String> command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertTrue(process.waitFor(3, TimeUnit.MINUTES));
    return process.exitValue() + "\n" + said;
  }

  private static boolean hasClient() throws InterruptedException {
    try {
      return run(List.of(PYTHON, "-c", "import tritonclient.http")).startsWith("0\n");
    } catch (IOException e) {
      return false;
    }
  }

  @Test
  void aPublicClientIsServed() throws Exception {
    assumeTrue(hasClient(), PYTHON + " has no tritonclient.http: pip install 'tritonclient[http]'");
    ModelBundle bundle = ModelBundle.demo();
    byte[] zip = TestWorker.zip(bundle);
    Path script = directory.resolve("conformance.py");
    try (InputStream in = ConformanceTest.class.getResourceAsStream("conformance.py")) {
      Files.copy(in, script);
    }
    try (TestWorker worker = new TestWorker(directory, 4L << 30, Duration.ZERO, 100);
        FusionModel model = FusionModel.load(bundle, directory, Device.cpu(), Precision.FP32)) {
      assertEquals(
          200, worker.load("scenes-tiny", zip, TestWorker.sha256(zip), "").status(), "loaded");
      String said =
          run(List.of(PYTHON, script.toString(), "127.0.0.1:" + worker.port(), "scenes-tiny"));
      assertTrue(said.startsWith("0\n"), said);
      List<String> lines = said.lines().skip(1).toList();
      float[] embedding = new float[lines.size()];
      for (int i = 0; i < embedding.length; i++) {
        embedding[i] = Float.parseFloat(lines.get(i));
      }
      assertArrayEquals(
          model.encodeTexts(List.of(TokenizedText.ofIds(new int[] {1, 5, 2}))).get(0).embedding(),
          embedding,
          1e-5f);
    }
  }
}
