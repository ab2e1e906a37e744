/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.process;

import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.either;
import static org.hamcrest.Matchers.instanceOf;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.fixtures.WorkerProcess;
import io.crossmodal.model.fixtures.Zips;
import io.crossmodal.model.inference.Deadline;
import io.crossmodal.model.inference.Futures;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.InferenceSettings;
import io.crossmodal.model.inference.PrecisionPolicy;
import io.crossmodal.model.inference.engine.ModelEngine.WorkerStatus;
import io.crossmodal.model.inference.protocol.InferMessage;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.model.inference.registry.ModelStatus;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
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
import io.crossmodal.plugin.inference.scoring.ScoringService.Scores;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.lucene.tests.util.LuceneTestCase.SuppressFileSystems;
import org.opensearch.test.OpenSearchTestCase;

/** Against real workers, each in a process of its own. */
@SuppressFileSystems("WindowsFS") // a bundle on its way is a file that is deleted while it is open
public class ProcessEngineTests extends OpenSearchTestCase {
  private static final String ID = "scenes-tiny";
  private static final ModelBundle MODEL = ModelBundle.demo();

  private final ExecutorService helpers = Executors.newFixedThreadPool(2);
  private Path directory;

  @Override
  public void setUp() throws Exception {
    super.setUp();
    // Short, for a socket's path has at most 107 characters.
    directory = createTempDir("w");
  }

  @Override
  public void tearDown() throws Exception {
    helpers.shutdownNow();
    super.tearDown();
  }

  private Path socket(String name) {
    return Path.of("/tmp", "cm-" + name + randomInt(1 << 30) + ".sock");
  }

  private WorkerProcess worker(Path socket, String... options) throws Exception {
    return WorkerProcess.start(
        WorkerProcess.fromClassPath(), directory.resolve("worker"), socket, options);
  }

  private NodeInference node(int silenceMillis, Path... sockets) {
    return node(MODEL, "node", silenceMillis, sockets);
  }

  private NodeInference node(ModelBundle bundle, String owner, int silenceMillis, Path... sockets) {
    InferenceSettings settings =
        TestService.settings(directory.resolve("node"), 1000, 8, true, Duration.ZERO);
    return new NodeInference(
        new ProcessEngine(
            new ModelCatalog(() -> List.of(bundle)),
            settings,
            Stream.of(sockets).map(socket -> WorkerAddress.of(socket.toString())).toList(),
            null,
            owner,
            helpers,
            silenceMillis),
        (what, bytes) -> () -> {},
        new EncodingService.Threads(helpers, helpers, 2));
  }

  private static <T> T get(CompletableFuture<T> future) throws Exception {
    return future.get(3, TimeUnit.MINUTES);
  }

  /** Waits until a worker computes what is asked of it. */
  private static void becomesServed(NodeInference node) throws Exception {
    assertBusy(
        () -> {
          Throwable why = get(score(node, Deadline.none()).handle((done, failure) -> failure));
          assertNull(String.valueOf(why), why);
        },
        60,
        TimeUnit.SECONDS);
  }

  private static Throwable failure(CompletableFuture<?> future) {
    return expectThrows(ExecutionException.class, () -> get(future)).getCause();
  }

  private static CompletableFuture<Scores> score(NodeInference node, Deadline deadline) {
    return score(node, deadline, random());
  }

  private static CompletableFuture<Scores> score(
      NodeInference node, Deadline deadline, Random random) {
    TokenBlock text = TestModels.tokens(random, MODEL, 3);
    List<StoredTokens> images = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      TokenBlock image = TestModels.tokens(random, MODEL, TestModels.imageTokens(MODEL));
      byte[] block =
          TokenBlockFormat.write(
              image, TokenEncoding.INT8, MODEL.manifest().fingerprints().tokenSpace());
      images.add(StoredTokens.of(block, 0, block.length));
    }
    return node.scoring().score(new ScoringService.Request(ID, List.of(text), images, deadline));
  }

  public void testAWorkerComputesWhatTheNodeWould() throws Exception {
    Path socket = socket("a");
    try (WorkerProcess worker = worker(socket);
        NodeInference remote = node(60_000, socket);
        NodeInference local =
            TestService.inference(
                new ModelCatalog(() -> List.of(MODEL)),
                TestService.settings(createTempDir(), 100, 8, true, Duration.ZERO),
                (what, bytes) -> () -> {},
                (what, bytes) -> () -> {},
                helpers)) {
      QueryInput text = new QueryInput.Text("a red lake beside a road");
      Encoded.Success there = get(remote.encoding().encodeQuery(ID, text));
      Encoded.Success here = get(local.encoding().encodeQuery(ID, text));
      assertArrayEquals(here.encoding().embedding(), there.encoding().embedding(), 1e-5f);
      QueryInput image = new QueryInput.Image("rgb", TestModels.png(random(), 64));
      there = get(remote.encoding().encodeQuery(ID, image));
      here = get(local.encoding().encodeQuery(ID, image));
      assertArrayEquals(
          here.encoding().tokens().values(), there.encoding().tokens().values(), 1e-4f);
      long seed = randomLong();
      Scores farScores = get(score(remote, Deadline.none(), new Random(seed)));
      Scores nearScores = get(score(local, Deadline.none(), new Random(seed)));
      assertArrayEquals(nearScores.itm(), farScores.itm(), 1e-4f);
      assertArrayEquals(nearScores.biEncoder(), farScores.biEncoder(), 1e-4f);
      assertTrue("the worker tells its times", farScores.times().modelNanos() > 0);
      assertEquals(20, remote.stats().get(Counter.PAIRS));
      ModelStatus status = remote.models().status(ID);
      assertEquals(ModelStatus.State.LOADED, status.state());
      assertEquals(local.models().status(ID).bytes(), status.bytes());
      WorkerStatus known = remote.workers().get(0);
      assertEquals("ready", known.state());
      assertEquals(0, known.inFlight());
      assertEquals(1, known.loads());
      get(remote.models().verify(MODEL));
      get(score(remote, Deadline.none()));
      assertEquals("it stays loaded beside what was tried", 2, remote.workers().get(0).loads());
      assertTrue(worker.process().isAlive());
    }
  }

  public void testAWorkerMayComeLaterAndComeAgain() throws Exception {
    Path socket = socket("b");
    try (NodeInference node = node(60_000, socket)) {
      Throwable absent = failure(score(node, Deadline.none()));
      assertThat(absent, instanceOf(InferenceException.ModelUnavailable.class));
      assertThat(absent.getMessage(), containsString("no worker listens on [" + socket + "]"));
      try (WorkerProcess worker = worker(socket)) {
        becomesServed(node);
        List<CompletableFuture<Scores>> underWay = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
          underWay.add(score(node, Deadline.none()));
        }
        worker.kill();
        for (CompletableFuture<Scores> each : underWay) {
          // Either it was done, or it says what has become of it.
          Throwable why = get(each.handle((done, failure) -> failure));
          assertTrue(
              String.valueOf(why),
              why == null || Futures.unwrap(why) instanceof InferenceException.ModelUnavailable);
        }
        assertThat(
            failure(score(node, Deadline.none())),
            instanceOf(InferenceException.ModelUnavailable.class));
        assertBusy(() -> assertEquals("unreachable", node.workers().get(0).state()));
        assertEquals(0, node.workers().get(0).inFlight());
        worker.restart();
        // By itself, without a search that asks for it.
        assertBusy(() -> assertEquals(2, node.workers().get(0).loads()), 60, TimeUnit.SECONDS);
        get(score(node, Deadline.none()));
        assertEquals(
            "when it was not there yet, and when killed", 2, node.workers().get(0).losses());
      }
    }
  }

  public void testAWorkerThatHangsHoldsUpNobody() throws Exception {
    Path socket = socket("c");
    try (WorkerProcess worker = worker(socket);
        NodeInference node = node(500, socket)) {
      becomesServed(node);
      worker.freeze();
      Throwable late = failure(score(node, Deadline.after(Duration.ofMillis(100))));
      assertTrue(
          late.toString(),
          late instanceof InferenceException.DeadlineExceeded
              || late instanceof InferenceException.ModelUnavailable);
      // A bulk waits for ever by itself.
      assertThat(
          failure(score(node, Deadline.none())),
          instanceOf(InferenceException.ModelUnavailable.class));
      assertBusy(() -> assertEquals("unreachable", node.workers().get(0).state()));
      assertEquals(0, node.queued());
      worker.thaw();
      becomesServed(node);
    }
  }

  public void testAWorkerForgetsAndIsToldAgain() throws Exception {
    Path socket = socket("d");
    try (WorkerProcess worker = worker(socket);
        NodeInference one = node(60_000, socket);
        NodeInference other = node(60_000, socket)) {
      get(score(one, Deadline.none()));
      get(score(other, Deadline.none()));
      // Both are one owner to the worker, so it lets the model go.
      other.models().unload(ID);
      assertBusy(
          () -> {
            get(score(one, Deadline.none()));
            assertEquals(2, one.workers().get(0).loads());
          });
      assertTrue(worker.process().isAlive());
    }
  }

  public void testAWorkersMemoryIsItsOwnLimit() throws Exception {
    Path socket = socket("e");
    try (WorkerProcess worker = worker(socket, "--memory", "1m");
        NodeInference node = node(60_000, socket)) {
      Throwable refused = failure(score(node, Deadline.none()));
      assertThat(refused, instanceOf(InferenceException.MemoryExceeded.class));
      assertThat(refused.getMessage(), containsString("--memory"));
      assertTrue(worker.process().isAlive());
    }
  }

  public void testTwoWorkersShareAndOneGoesOnAlone() throws Exception {
    Path first = socket("f");
    Path second = socket("g");
    try (WorkerProcess one = worker(first);
        WorkerProcess two =
            WorkerProcess.start(
                WorkerProcess.fromClassPath(), directory.resolve("worker2"), second);
        NodeInference node = node(60_000, first, second)) {
      get(score(node, Deadline.none()));
      assertBusy(
          () -> {
            // Nobody waited for the slower one.
            assertEquals(1, node.workers().get(0).loads());
            assertEquals(1, node.workers().get(1).loads());
          },
          60,
          TimeUnit.SECONDS);
      List<CompletableFuture<Scores>> underWay = new ArrayList<>();
      for (int i = 0; i < 50; i++) {
        underWay.add(score(node, Deadline.none()));
      }
      one.kill();
      for (CompletableFuture<Scores> each : underWay) {
        assertEquals(20, get(each).itm().length);
      }
      assertTrue(two.process().isAlive());
    }
  }

  /** It has the fewest jobs under way, for all that it gets fail at once. */
  public void testAWorkerThatCannotLoadAModelGetsNoJobsOfIt() throws Exception {
    Path first = socket("h");
    Path second = socket("i");
    try (WorkerProcess small = worker(first, "--memory", "1m");
        WorkerProcess large =
            WorkerProcess.start(
                WorkerProcess.fromClassPath(), directory.resolve("worker2"), second);
        NodeInference node = node(60_000, first, second)) {
      List<CompletableFuture<Scores>> underWay = new ArrayList<>();
      for (int i = 0; i < 20; i++) {
        underWay.add(score(node, Deadline.none()));
      }
      for (CompletableFuture<Scores> each : underWay) {
        assertEquals(20, get(each).itm().length);
      }
      assertEquals(0, node.workers().get(0).loads());
      assertEquals(1, node.workers().get(1).loads());
      assertEquals(0, node.workers().get(0).losses());
      assertTrue(small.process().isAlive() && large.process().isAlive());
    }
  }

  /** What one node lets go the other one keeps, and both are computed for. */
  public void testSeveralNodesShareAWorker() throws Exception {
    Path socket = socket("i");
    try (WorkerProcess worker = worker(socket);
        NodeInference first = node(MODEL, "first", 60_000, socket)) {
      List<CompletableFuture<Scores>> both = new ArrayList<>();
      try (NodeInference second = node(MODEL, "second", 60_000, socket)) {
        for (int i = 0; i < 20; i++) {
          both.add(score(i % 2 == 0 ? first : second, Deadline.none()));
        }
        for (CompletableFuture<Scores> each : both) {
          assertEquals(20, get(each).itm().length);
        }
        second.models().unload(ID);
      }
      assertEquals(20, get(score(first, Deadline.none())).itm().length);
      assertEquals("it was not loaded again", 1, first.workers().get(0).loads());
      assertTrue(worker.process().isAlive());
    }
  }

  /** Who asks a worker what it holds, as an operator does. */
  private final class Operator implements AutoCloseable {
    private final EventLoopGroup group =
        new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    private final WorkerHttp http;

    private Operator(Path socket) throws Exception {
      Path own = Files.createTempFile(directory, "own", "");
      http =
          new WorkerHttp(
              WorkerAddress.of(socket.toString()),
              new WorkerHttp.Trust(Files.getOwner(own).getName(), null),
              group,
              helpers);
    }

    private List<String> held() throws Exception {
      InferMessage.Body none = new InferMessage.Body(new byte[0], List.of());
      byte[] index = get(http.post("/v2/repository/index", none)).body();
      List<String> held = new ArrayList<>();
      JsonParser.parseString(new String(index, StandardCharsets.UTF_8))
          .getAsJsonArray()
          .forEach(model -> held.add(model.getAsJsonObject().get("name").getAsString()));
      return held;
    }

    @Override
    public void close() {
      http.close();
      group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }
  }

  public void testWhatIsLetGoWhileAWorkerIsSilentIsLetGoWhenItIsBack() throws Exception {
    Path socket = socket("k");
    try (WorkerProcess worker = worker(socket);
        Operator operator = new Operator(socket);
        NodeInference node = node(500, socket)) {
      becomesServed(node);
      assertEquals(List.of(ID), operator.held());
      worker.freeze();
      assertBusy(() -> assertEquals("unreachable", node.workers().get(0).state()));
      node.models().unload(ID);
      worker.thaw();
      assertBusy(() -> assertEquals(List.of(), operator.held()), 60, TimeUnit.SECONDS);
    }
  }

  public void testANodeThatIsStartedAgainHasItsFormerModelsLetGo() throws Exception {
    Path socket = socket("l");
    Files.createDirectories(directory);
    ModelBundle micro =
        TestBundles.write(TestModels.micro(), directory.resolve("micro.zip"), List.of("a b"));
    try (WorkerProcess worker = worker(socket);
        Operator operator = new Operator(socket)) {
      // As the node has left it that was killed.
      ByteArrayOutputStream zip = new ByteArrayOutputStream();
      MODEL.writeUncompressedTo(zip);
      String sha256 =
          HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(zip.toByteArray()));
      RemoteModel former = new RemoteModel(MODEL, sha256, PrecisionPolicy.FP32, any -> {});
      byte[] request = former.request("node").toString().getBytes(StandardCharsets.UTF_8);
      get(
          operator.http.post(
              former.loadPath(), request, new ByteArrayInputStream(zip.toByteArray())));
      assertEquals(List.of(ID), operator.held());
      try (NodeInference node = node(micro, "node", 60_000, socket)) {
        get(node.encoding().encodeQuery(TestModels.ID, new QueryInput.Text("a b")));
        assertBusy(
            () -> assertEquals(List.of(TestModels.ID), operator.held()), 60, TimeUnit.SECONDS);
      }
      assertEquals("a node that stops in order takes its models along", List.of(), operator.held());
      assertTrue(worker.process().isAlive());
    }
  }

  /** A model whose code loops for ever on a text of three tokens, as a driver may hang. */
  private static ModelBundle looping(Path directory) throws Exception {
    ByteArrayOutputStream zip = new ByteArrayOutputStream();
    MODEL.writeTo(zip);
    Map<String, byte[]> entries = Zips.read(zip.toByteArray());
    Map<String, byte[]> archive = Zips.read(entries.get("model.pt"));
    String bias = "    bias = self.bias(mask)";
    byte[] before =
        archive.computeIfPresent(
            "model/code/__torch__/mtgfe.py",
            (name, code) ->
                new String(code, StandardCharsets.UTF_8)
                    .replace(
                        bias,
                        "    n = text.size(1)\n"
                            + "    while n == 3:\n"
                            + "      n = n + text.size(1) - 3\n"
                            + bias
                            + " + n * 0")
                    .getBytes(StandardCharsets.UTF_8));
    assertNotNull(before);
    byte[] changed = Zips.store(archive);
    entries.put("model.pt", changed);
    JsonObject manifest =
        JsonParser.parseString(new String(entries.get("manifest.json"), StandardCharsets.UTF_8))
            .getAsJsonObject();
    manifest.addProperty(
        "weights_sha256",
        HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(changed)));
    entries.put("manifest.json", manifest.toString().getBytes(StandardCharsets.UTF_8));
    Path file = directory.resolve("looping.zip");
    Files.write(file, Zips.write(entries));
    return ModelBundle.read(file).allowingForeignCode();
  }

  public void testAWorkerWhoseEngineHangsEndsItself() throws Exception {
    Path socket = socket("j");
    Files.createDirectories(directory);
    try (WorkerProcess worker = worker(socket, "--allow-foreign-code", "--hang-seconds", "2");
        NodeInference node = node(looping(directory), "node", 60_000, socket)) {
      Throwable late = failure(score(node, Deadline.after(Duration.ofSeconds(90))));
      assertThat(
          late,
          either(instanceOf(InferenceException.DeadlineExceeded.class))
              .or(instanceOf(InferenceException.ModelUnavailable.class)));
      assertEquals(70, worker.awaitExit());
      assertThat(worker.said(), containsString("the engine hangs, and the worker ends itself"));
      assertThat(worker.said(), containsString("a call of model [" + ID + "@"));
      // As its service manager does.
      worker.restart();
      assertBusy(() -> assertEquals(2, node.workers().get(0).loads()), 60, TimeUnit.SECONDS);
      assertEquals("ready", node.workers().get(0).state());
    }
  }

  public void testAForeignUsersWorkerIsNotTrusted() throws Exception {
    Path socket = socket("h");
    EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    try (WorkerProcess worker = worker(socket);
        WorkerHttp http =
            new WorkerHttp(
                WorkerAddress.of(socket.toString()),
                new WorkerHttp.Trust("somebody-else", null),
                group,
                helpers)) {
      Throwable refused = failure(http.get("/v2/health/live"));
      assertThat(refused, instanceOf(WorkerException.Gone.class));
      assertThat(refused.getMessage(), containsString("run the worker as the node's user"));
      assertTrue(worker.process().isAlive());
    } finally {
      group.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
    }
  }

  public void testAddresses() {
    assertTrue(WorkerAddress.of("/run/cross-modal/worker.sock").isFile());
    assertFalse(WorkerAddress.of("127.0.0.1:8000").isFile());
    assertFalse(WorkerAddress.of("[::1]:8000").isFile());
    assertFalse(WorkerAddress.of("127.0.0.1:8000").tls());
    for (String tls :
        List.of("https://gpu-1.example:8443", "https://10.0.0.1:8443", "https://[fe80::1]:8443")) {
      assertTrue(tls, WorkerAddress.of(tls).tls());
    }
    for (String bad :
        List.of(
            "worker.sock",
            "",
            "10.0.0.1:8000",
            "127.0.0.1",
            "127.0.0.1:99999",
            "https://10.0.0.1",
            "https://10.0.0.1:99999",
            "https://user@host:1",
            "https://host:1/path",
            "http://host:1",
            "/" + "s".repeat(107))) {
      IllegalArgumentException refused =
          expectThrows(IllegalArgumentException.class, () -> WorkerAddress.of(bad));
      assertThat(refused.getMessage(), containsString("[plugins.cross_modal.engine.socket]"));
    }
  }
}
