/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.process;

import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.instanceOf;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.inference.Deadline;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.model.tokens.StoredTokens;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.model.tokens.TokenEncoding;
import io.crossmodal.plugin.TestModels;
import io.crossmodal.plugin.TestService;
import io.crossmodal.plugin.inference.encoding.Encoded;
import io.crossmodal.plugin.inference.encoding.EncodingService;
import io.crossmodal.plugin.inference.encoding.QueryInput;
import io.crossmodal.plugin.inference.node.NodeInference;
import io.crossmodal.plugin.inference.scoring.ScoringService;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.opensearch.test.OpenSearchTestCase;

/**
 * A public server of the protocol in the worker's place: Triton's. It takes {@code pip install
 * nvidia-pytriton}, which brings it, in the Python that {@code -Dcrossmodal.python} names.
 */
public class OtherServerTests extends OpenSearchTestCase {
  private static final String PYTHON = System.getProperty("crossmodal.python", "python3");
  private static final ModelBundle MODEL = ModelBundle.demo();

  private static boolean hasTriton() throws Exception {
    try {
      return new ProcessBuilder(PYTHON, "-c", "import pytriton.triton")
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start()
              .waitFor()
          == 0;
    } catch (IOException e) {
      return false;
    }
  }

  public void testTritonsServerTakesTheWorkersPlace() throws Exception {
    assumeTrue(PYTHON + " has no pytriton: pip install nvidia-pytriton", hasTriton());
    Path script = createTempDir().resolve("triton_server.py");
    try (InputStream in = OtherServerTests.class.getResourceAsStream("triton_server.py")) {
      Files.copy(in, script);
    }
    ModelConfig config = MODEL.manifest().config();
    int port = 20_000 + randomInt(10_000);
    ExecutorService helpers = Executors.newFixedThreadPool(2);
    Process triton =
        new ProcessBuilder(
                PYTHON,
                script.toString(),
                Integer.toString(port),
                Integer.toString(config.embeddingDimension()),
                Integer.toString(config.hidden()))
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    try (BufferedReader said = triton.inputReader(StandardCharsets.UTF_8);
        NodeInference node =
            new NodeInference(
                new ProcessEngine(
                    new ModelCatalog(() -> List.of(MODEL, TestModels.micro())),
                    TestService.settings(createTempDir(), 100, 8, true, Duration.ZERO),
                    List.of(WorkerAddress.of("127.0.0.1:" + port)),
                    "node",
                    helpers,
                    60_000),
                (what, bytes) -> () -> {},
                new EncodingService.Threads(helpers, helpers, 2))) {
      assertTrue("it starts", said.lines().anyMatch(line -> line.equals("listens")));
      String words = "a red lake";
      Encoded.Success encoded =
          node.encoding()
              .encodeQuery("scenes-tiny", new QueryInput.Text(words))
              .get(3, TimeUnit.MINUTES);
      int sum = Arrays.stream(MODEL.tokenizer().tokenize(words).ids()).sum();
      assertEquals(sum, encoded.encoding().embedding()[0], 0);
      assertEquals(MODEL.tokenizer().tokenize(words).length(), encoded.encoding().tokens().count());

      TokenBlock image = TestModels.tokens(random(), MODEL, TestModels.imageTokens(MODEL));
      byte[] block =
          TokenBlockFormat.write(
              image, TokenEncoding.INT8, MODEL.manifest().fingerprints().tokenSpace());
      List<StoredTokens> images =
          Stream.generate(() -> StoredTokens.of(block, 0, block.length)).limit(4).toList();
      ScoringService.Request pairs =
          new ScoringService.Request(
              "scenes-tiny", List.of(encoded.encoding().tokens()), images, Deadline.none());
      float[] itm = node.scoring().score(pairs).get(3, TimeUnit.MINUTES).itm();
      assertArrayEquals(
          new float[] {block.length, block.length, block.length, block.length}, itm, 0);

      Throwable unknown =
          expectThrows(
                  ExecutionException.class,
                  () ->
                      node.encoding()
                          .encodeQuery(TestModels.ID, new QueryInput.Text("a b"))
                          .get(3, TimeUnit.MINUTES))
              .getCause();
      assertThat(unknown, instanceOf(InferenceException.ModelUnavailable.class));
      assertThat(unknown.getMessage(), containsString("serves no such model"));
    } finally {
      // It has a server of its own, which it ends when its input does.
      triton.getOutputStream().close();
      triton.onExit().join();
      helpers.shutdownNow();
    }
  }
}
