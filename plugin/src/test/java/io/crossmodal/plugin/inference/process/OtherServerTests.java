/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.process;

import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.instanceOf;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.fixtures.TestBundles;
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
 * Public servers of the protocol in the worker's place: Triton's, which nvidia-pytriton brings, and
 * MLServer. They take {@code pip install nvidia-pytriton mlserver}, in the Python that {@code
 * -Dcrossmodal.python} names; where one is missing, or does not start, its test says so and is
 * skipped.
 */
public class OtherServerTests extends OpenSearchTestCase {
  private static final String PYTHON = System.getProperty("crossmodal.python", "python3");
  private static final ModelBundle MODEL = ModelBundle.demo();

  private static boolean has(String module) throws Exception {
    try {
      return new ProcessBuilder(PYTHON, "-c", "import " + module)
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
    takesTheWorkersPlace("pytriton.triton", "nvidia-pytriton", "triton_server.py");
  }

  /** It knows no binary tensors: it is sent numbers in JSON. */
  public void testMlserverTakesTheWorkersPlace() throws Exception {
    takesTheWorkersPlace("mlserver", "mlserver", "mlserver_server.py");
  }

  private static void skip(String why, boolean goesOn) {
    if (!goesOn) {
      System.out.println("skipped: " + why);
    }
    assumeTrue(why, goesOn);
  }

  private static Path script(String name, Path folder) throws IOException {
    Path script = folder.resolve(name);
    try (InputStream in = OtherServerTests.class.getResourceAsStream(name)) {
      Files.copy(in, script);
    }
    return script;
  }

  private void takesTheWorkersPlace(String module, String distribution, String server)
      throws Exception {
    skip(PYTHON + " has no " + distribution + ": pip install it", has(module));
    Path folder = createTempDir();
    Path unused = script("sums.py", folder);
    Path script = script(server, folder);
    Path errors = folder.resolve("errors.txt");
    ModelBundle micro =
        TestBundles.write(TestModels.micro(), folder.resolve("micro.zip"), List.of("a b"));
    ModelConfig config = MODEL.manifest().config();
    int port = 20_000 + randomInt(10_000);
    ExecutorService helpers = Executors.newFixedThreadPool(2);
    Process process =
        new ProcessBuilder(
                PYTHON,
                script.toString(),
                Integer.toString(port),
                Integer.toString(config.embeddingDimension()),
                Integer.toString(config.hidden()))
            .redirectError(errors.toFile())
            .start();
    try (BufferedReader said = process.inputReader(StandardCharsets.UTF_8);
        NodeInference node =
            new NodeInference(
                new ProcessEngine(
                    new ModelCatalog(() -> List.of(MODEL, micro)),
                    TestService.settings(createTempDir(), 100, 8, true, Duration.ZERO),
                    List.of(WorkerAddress.of("127.0.0.1:" + port)),
                    null,
                    "node",
                    helpers,
                    60_000),
                (what, bytes) -> () -> {},
                new EncodingService.Threads(helpers, helpers, 2))) {
      boolean starts = said.lines().anyMatch(line -> line.equals("listens"));
      skip(distribution + " does not start here: " + Files.readString(errors), starts);
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
      process.getOutputStream().close();
      process.onExit().join();
      helpers.shutdownNow();
    }
  }
}
