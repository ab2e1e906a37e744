/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.worker;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ai.djl.Device;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.Precision;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.TokenProjection;
import io.crossmodal.model.WordPatchWeights;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.inference.Deadline;
import io.crossmodal.model.inference.batching.Job;
import io.crossmodal.model.inference.batching.Operation;
import io.crossmodal.model.inference.protocol.InferMessage;
import io.crossmodal.model.inference.protocol.JobSender;
import io.crossmodal.model.inference.protocol.RemoteOperation;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.model.tokens.StoredTokens;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.model.tokens.TokenEncoding;
import io.crossmodal.model.tokens.Tokens;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class WorkerServerTest {
  private static final String ID = "scenes-tiny";
  private static ModelBundle bundle;
  private static byte[] zip;
  private static String sha256;

  @TempDir private Path directory;

  @BeforeAll
  static void open() throws IOException {
    bundle = ModelBundle.demo();
    zip = TestWorker.zip(bundle);
    sha256 = TestWorker.sha256(zip);
  }

  private TestWorker worker() throws IOException {
    return new TestWorker(directory, 4L << 30, Duration.ZERO, 100);
  }

  @Test
  void answersItsOwnerOverItsSocket() throws Exception {
    try (TestWorker worker = worker()) {
      assertEquals(
          "rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(worker.socket)));
      assertTrue(raw(worker.socket).startsWith("HTTP/1.1 200 "));
    }
    assertFalse(Files.exists(directory.resolve("w.sock")), "the socket goes with the worker");
  }

  @Test
  void doesNotDeleteASuccessorsSocket() throws Exception {
    Path file = directory.resolve("w.sock");
    OwnSocket first = published(file);
    OwnSocket second = published(file);
    first.close();
    assertTrue(Files.exists(file));
    second.close();
    assertFalse(Files.exists(file));
    second.close();
  }

  /** Its listener has ended already, as that of a worker that is closing. */
  private static OwnSocket published(Path file) throws IOException {
    OwnSocket socket = new OwnSocket(file);
    try (ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      listener.bind(socket.address());
      socket.publish();
    }
    return socket;
  }

  private static String raw(Path socket) throws IOException {
    try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
      channel.write(
          ByteBuffer.wrap(
              "GET /v2/health/live HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n"
                  .getBytes(StandardCharsets.US_ASCII)));
      ByteBuffer answer = ByteBuffer.allocate(1000);
      while (channel.read(answer) >= 0 && answer.hasRemaining()) {
        // Until the worker closes.
      }
      return new String(answer.array(), 0, answer.position(), StandardCharsets.US_ASCII);
    }
  }

  /** The mode alone would keep others out; here it is loosened, so that the worker must. */
  @Test
  void refusesWhoeverIsNotItsOwner() throws Exception {
    assumeTrue(
        System.getProperty("user.name").equals("root") && Files.exists(Path.of("/usr/bin/setpriv")),
        "to be another user takes root and setpriv");
    Path open = Files.createTempDirectory(Path.of("/tmp"), "cm");
    Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
    try (TestWorker worker = new TestWorker(open, 4L << 30, Duration.ZERO, 100)) {
      Files.setPosixFilePermissions(worker.socket, PosixFilePermissions.fromString("rw-rw-rw-"));
      assertEquals("200", curl(worker.socket, List.of()));
      assertEquals(
          "000", curl(worker.socket, List.of("setpriv", "--reuid=65534", "--clear-groups")));
    }
  }

  private static String curl(Path socket, List<String> as) throws Exception {
    List<String> command = new ArrayList<>(as);
    command.addAll(
        List.of(
            "curl",
            "-s",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "--unix-socket",
            socket.toString(),
            "http://w/v2/health/ready"));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String answer = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertTrue(process.waitFor(60, TimeUnit.SECONDS));
    return answer;
  }

  @Test
  void replacesASocketThatIsLeftAndNothingElse() throws Exception {
    Path socket = directory.resolve("w.sock");
    try (ServerSocketChannel left = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      left.bind(UnixDomainSocketAddress.of(socket));
      IOException listens = assertThrows(IOException.class, this::worker);
      assertTrue(listens.getMessage().contains("another process listens"), listens.getMessage());
    }
    try (TestWorker worker = worker()) {
      assertTrue(raw(worker.socket).startsWith("HTTP/1.1 200 "));
    }
    Files.writeString(socket, "a file");
    IOException other = assertThrows(IOException.class, this::worker);
    assertTrue(other.getMessage().contains("is no socket"), other.getMessage());
    assertEquals("a file", Files.readString(socket));
  }

  @Test
  void computesWhatTheModelDoes() throws Exception {
    try (TestWorker worker = worker();
        FusionModel model = FusionModel.load(bundle, directory, Device.cpu(), Precision.FP32)) {
      TestWorker.Answer missing =
          worker.post(
              "/v2/repository/models/scenes-tiny/load", TestWorker.parameters(sha256, "n1"));
      assertEquals(404, missing.status());
      assertEquals("bundle_missing", missing.type());
      TestWorker.Answer loaded = worker.load(ID, zip, sha256, "n1");
      assertEquals(200, loaded.status(), loaded.text());
      assertEquals("READY", loaded.json().get("state").getAsString());
      assertEquals("fp32", loaded.json().get("precision").getAsString());
      assertEquals(
          200,
          worker
              .post("/v2/repository/models/scenes-tiny/load", TestWorker.parameters(sha256, "n2"))
              .status(),
          "the bundle is kept");

      List<TokenizedText> texts =
          List.of(
              bundle.tokenizer().tokenize("a red lake"),
              bundle.tokenizer().tokenize("two roads beside a green field"));
      Job<TokenizedText, Encoding> encode = job(new Operation.EncodeTexts(null), texts);
      complete(worker, encode);
      List<Encoding> expected = model.encodeTexts(texts);
      for (int i = 0; i < 2; i++) {
        assertArrayEquals(
            expected.get(i).embedding(), encode.result().join().get(i).embedding(), 1e-5f);
        assertArrayEquals(
            expected.get(i).tokens().values(),
            encode.result().join().get(i).tokens().values(),
            1e-5f);
      }

      Random random = new Random(4);
      int m = bundle.manifest().config().imageTokens(bundle.manifest().config().sensors().get(0));
      List<Tokens> images = new ArrayList<>();
      List<Operation.Pair> pairs = new ArrayList<>();
      for (int i = 0; i < 5; i++) {
        images.add(stored(random, m));
        pairs.add(new Operation.Pair(expected.get(i % 2).tokens(), images.get(i)));
      }
      Job<Operation.Pair, Operation.PairLogit> score =
          job(new Operation.Score(null, m, null), pairs);
      complete(worker, score);
      PairLogits logits =
          model.score(
              expected.stream().map(Encoding::tokens).toList(), new int[] {0, 1, 0, 1, 0}, images);
      for (int i = 0; i < 5; i++) {
        assertEquals(logits.itm()[i], score.result().join().get(i).itm(), 1e-4f);
        assertEquals(logits.biEncoder()[i], score.result().join().get(i).biEncoder(), 1e-4f);
      }

      List<Operation.Pair> shared =
          pairs.stream().map(pair -> new Operation.Pair(pair.asking(), images.get(0))).toList();
      Job<Operation.Pair, Operation.PairLogit> oneImage =
          job(new Operation.Score(null, m, images.get(0)), shared);
      complete(worker, oneImage);
      assertEquals(logits.itm()[0], oneImage.result().join().get(0).itm(), 1e-4f);

      Job<Operation.Pair, Float> maxSim = job(new Operation.MaxSim(null, m), selfPairs(images));
      complete(worker, maxSim);
      maxSim.result().join().forEach(similarity -> assertEquals(1, similarity, 1e-4f));

      Job<Operation.Pair, WordPatchWeights> attention =
          job(new Operation.Attention(null, m), pairs.subList(0, 2));
      complete(worker, attention);
      assertArrayEquals(
          model
              .attention(List.of(expected.get(1).tokens()), List.of(images.get(1)))
              .get(0)
              .values(),
          attention.result().join().get(1).values(),
          1e-4f);
    }
  }

  private static List<Operation.Pair> selfPairs(List<Tokens> images) {
    return images.stream().map(image -> new Operation.Pair(image, image)).toList();
  }

  private static StoredTokens stored(Random random, int m) {
    int h = bundle.manifest().config().hidden();
    float[] values = new float[m * h];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    String space = bundle.manifest().fingerprints().tokenSpace();
    byte[] block = TokenBlockFormat.write(new TokenBlock(m, h, values), TokenEncoding.INT8, space);
    // Not at an array's beginning: blocks of a window share arrays.
    byte[] padded = new byte[block.length + 7];
    System.arraycopy(block, 0, padded, 3, block.length);
    return StoredTokens.of(padded, 3, block.length);
  }

  private static <I, O> Job<I, O> job(Operation<I, O> operation, List<I> items) {
    return new Job<>(operation, items, Deadline.none());
  }

  private static void complete(TestWorker worker, Job<?, ?> job) throws Exception {
    complete(worker, ID, bundle.manifest().config(), job);
  }

  private static void complete(TestWorker worker, String id, ModelConfig config, Job<?, ?> job)
      throws Exception {
    String name = RemoteOperation.of(job.operation()).of(id);
    TestWorker.Answer answer =
        worker.post(
            "/v2/models/" + name + "/infer", JobSender.request(Job.Priority.SEARCH, job, true));
    assertEquals(200, answer.status(), answer.text());
    JobSender.complete(job, config, answer.message());
  }

  /** A model that stores fewer values of a picture's token answers with so many, and reads them. */
  @Test
  void projectedTokensAreAsNarrowHereAsThere() throws Exception {
    ModelConfig config = ModelConfig.micro().withTokenProjection(new TokenProjection(5, 2));
    Path file = directory.resolve("narrow.zip");
    ModelBundle narrow =
        TestBundles.write(TestBundles.random("narrow", config, 1), file, List.of("a b"));
    SensorConfig sensor = config.sensors().get(0);
    int side = sensor.imageSize();
    float[] values = new float[sensor.channels() * side * side];
    for (int i = 0; i < values.length; i++) {
      values[i] = (i % 7) / 7f;
    }
    List<PixelTensor> pictures = List.of(new PixelTensor(sensor.channels(), side, values));
    List<TokenizedText> texts = List.of(narrow.tokenizer().tokenize("a b"));
    try (FusionModel model = FusionModel.load(narrow, directory, Device.cpu(), Precision.FP32);
        TestWorker worker = worker()) {
      byte[] bytes = Files.readAllBytes(file);
      assertEquals(200, worker.load("narrow", bytes, TestWorker.sha256(bytes), "n1").status());
      Job<PixelTensor, Encoding> seen =
          job(new Operation.EncodeImages(null, sensor.name()), pictures);
      complete(worker, "narrow", config, seen);
      Encoding expected = model.encodeImages(sensor.name(), pictures).get(0);
      Encoding found = seen.result().join().get(0);
      assertEquals(List.of(5, 5), List.of(found.tokens().count(), found.tokens().hidden()));
      assertArrayEquals(expected.tokens().values(), found.tokens().values(), 1e-6f);
      assertArrayEquals(expected.embedding(), found.embedding(), 1e-6f);
      Tokens asking = model.encodeTexts(texts).get(0).tokens();
      Job<Operation.Pair, Operation.PairLogit> scored =
          job(
              new Operation.Score(null, 5, null),
              List.of(new Operation.Pair(asking, found.tokens())));
      complete(worker, "narrow", config, scored);
      PairLogits logits = model.score(List.of(asking), new int[1], List.of(found.tokens()));
      assertEquals(logits.itm()[0], scored.result().join().get(0).itm(), 1e-5);
    }
  }

  @Test
  void tellsWhatItIs() throws Exception {
    try (TestWorker worker = worker()) {
      assertEquals("crossmodal-worker", worker.get("/v2").json().get("name").getAsString());
      assertEquals(200, worker.load(ID, zip, sha256, "n1").status());
      TestWorker.Answer metadata = worker.get("/v2/models/scenes-tiny.score");
      assertEquals("pytorch_libtorch", metadata.json().get("platform").getAsString());
      assertEquals(5, metadata.json().getAsJsonArray("inputs").size());
      String version = sha256.substring(0, 16) + "-fp32";
      assertEquals(
          200, worker.get("/v2/models/scenes-tiny.score/versions/" + version + "/ready").status());
      assertEquals(404, worker.get("/v2/models/scenes-tiny.score/versions/0/ready").status());
      assertEquals(404, worker.get("/v2/models/scenes-other.score").status());
      assertEquals(
          version,
          worker
              .get("/v2/models/stats")
              .json()
              .getAsJsonArray("model_stats")
              .get(0)
              .getAsJsonObject()
              .get("version")
              .getAsString());

      worker.load(ID, zip, sha256, "n2");
      String unload = "/v2/repository/models/scenes-tiny/unload";
      worker.post(unload, TestWorker.parameters(sha256, "n1"));
      assertTrue(worker.post("/v2/repository/index", "").text().contains("READY"));
      worker.post(unload, TestWorker.parameters(sha256, "n2"));
      assertEquals("[]", worker.post("/v2/repository/index", "").text());
      JsonObject memory = worker.get("/v2").json().getAsJsonObject("native_memory");
      assertEquals(0, memory.get("used_in_bytes").getAsLong(), "weights are freed");
    }
  }

  @Test
  void anOwnersModelsAreLetGoBesideThoseItNeeds() throws Exception {
    try (TestWorker worker = worker()) {
      for (String owner : List.of("n1", "n2")) {
        assertEquals(200, worker.load(ID, zip, sha256, owner).status());
        assertEquals(200, worker.load("other", zip, sha256, owner).status());
      }
      String other = "{\"name\":\"other\",\"version\":\"" + sha256.substring(0, 16) + "-fp32\"}";
      retain(worker, "n1", other);
      retain(worker, "stranger", "");
      assertEquals(List.of("other", ID), index(worker), "the other owner's stay");
      retain(worker, "n2", "");
      assertEquals(List.of("other"), index(worker));
      retain(worker, "n1", "");
      assertEquals(List.of(), index(worker));
      for (String bad :
          List.of("{}", "{\"owner\":\"n\"}", "{\"owner\":{},\"models\":[7]}", "{\"models\":[]}")) {
        assertFailure(400, "bad_request", worker.post("/v2/repository/retain", bad));
      }
    }
  }

  private static void retain(TestWorker worker, String owner, String models) throws Exception {
    String request = "{\"owner\":\"" + owner + "\",\"models\":[" + models + "]}";
    assertEquals(200, worker.post("/v2/repository/retain", request).status());
  }

  private static List<String> index(TestWorker worker) throws Exception {
    List<String> names = new ArrayList<>();
    JsonParser.parseString(worker.post("/v2/repository/index", "").text())
        .getAsJsonArray()
        .forEach(model -> names.add(model.getAsJsonObject().get("name").getAsString()));
    return names;
  }

  @Test
  void twoWorkersDoNotShareAFolder() throws Exception {
    try (TestWorker worker = worker()) {
      IOException second = assertThrows(IOException.class, this::worker);
      assertTrue(second.getMessage().contains("[" + directory + "]"), second.getMessage());
      assertTrue(second.getMessage().contains("--data"), second.getMessage());
      assertTrue(raw(worker.socket).startsWith("HTTP/1.1 200 "), "the first one goes on");
    }
    worker().close();
  }

  @Test
  void bundlesThatNobodyHasUsedForAWeekGoWithTheNextModelThatIsLetGo() throws Exception {
    Path bundles = directory.resolve("bundles");
    FileTime old = FileTime.from(Instant.now().minus(Duration.ofDays(8)));
    Path loaded = bundles.resolve(sha256 + ".zip");
    byte[] other = Files.readAllBytes(narrow(directory.resolve("narrow.zip")));
    Path letGo = bundles.resolve(TestWorker.sha256(other) + ".zip");
    try (TestWorker worker = worker()) {
      assertEquals(200, worker.load(ID, zip, sha256, "n1").status());
      assertEquals(200, worker.load("narrow", other, TestWorker.sha256(other), "n1").status());
      Path unused = Files.createFile(bundles.resolve("0".repeat(64) + ".zip"));
      Path recent = Files.createFile(bundles.resolve("1".repeat(64) + ".zip"));
      for (Path each : List.of(loaded, letGo, unused)) {
        Files.setLastModifiedTime(each, old);
      }
      worker.post(
          "/v2/repository/models/narrow/unload",
          TestWorker.parameters(TestWorker.sha256(other), "n1"));
      assertFalse(Files.exists(unused));
      for (Path kept : List.of(loaded, letGo, recent)) {
        assertTrue(Files.exists(kept), kept.toString());
      }
    }
  }

  private static Path narrow(Path file) throws Exception {
    ModelConfig config = ModelConfig.micro().withTokenProjection(new TokenProjection(5, 2));
    ModelBundle unused =
        TestBundles.write(TestBundles.random("narrow", config, 1), file, List.of("a b"));
    return file;
  }

  @Test
  void aKeptBundleThatIsDamagedIsAskedForAgain() throws Exception {
    String load = "/v2/repository/models/scenes-tiny/load";
    try (TestWorker worker = worker()) {
      assertEquals(200, worker.load(ID, zip, sha256, "n1").status());
      worker.post("/v2/repository/models/scenes-tiny/unload", TestWorker.parameters(sha256, "n1"));
      Path kept = directory.resolve("bundles").resolve(sha256 + ".zip");
      Files.write(kept, Arrays.copyOf(zip, 5000));
      assertFailure(404, "bundle_missing", worker.post(load, TestWorker.parameters(sha256, "n1")));
      assertFalse(Files.exists(kept));
      assertEquals(200, worker.load(ID, zip, sha256, "n1").status());
    }
  }

  @Test
  void aLoadWithoutADigestIsToldSo() throws Exception {
    String load = "/v2/repository/models/scenes-tiny/load";
    try (TestWorker worker = worker()) {
      for (String body : List.of("", "{}", "{\"parameters\":{\"sha256\":\"\"}}")) {
        TestWorker.Answer answer = worker.post(load, body);
        assertFailure(400, "bad_request", answer);
        assertTrue(answer.text().contains("[sha256] is missing"), answer.text());
      }
      assertEquals(200, worker.load(ID, zip, sha256, "n1").status());
      String other = sha256.substring(0, 16) + "x".repeat(48);
      assertFailure(400, "bad_request", worker.post(load, TestWorker.parameters(other, "n1")));
    }
  }

  @Test
  void whatIsUnloadedLeavesNoStatistics() throws Exception {
    try (TestWorker worker = worker()) {
      assertEquals(200, worker.load(ID, zip, sha256, "n1").status());
      complete(
          worker,
          job(new Operation.EncodeTexts(null), List.of(bundle.tokenizer().tokenize("a lake"))));
      assertEquals(1, executions(worker));
      worker.post("/v2/repository/models/scenes-tiny/unload", TestWorker.parameters(sha256, "n1"));
      assertEquals(200, worker.load(ID, zip, sha256, "n1").status());
      assertEquals(0, executions(worker));
    }
  }

  private static long executions(TestWorker worker) throws Exception {
    return worker
        .get("/v2/models/scenes-tiny/stats")
        .json()
        .getAsJsonArray("model_stats")
        .get(0)
        .getAsJsonObject()
        .get("execution_count")
        .getAsLong();
  }

  @Test
  void aThreadThatFailsEndsTheWorker() throws Exception {
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    List<Integer> ended = new ArrayList<>();
    Thread thread =
        new Thread(
            () -> {
              throw new OutOfMemoryError("made by a test");
            },
            "device");
    thread.setUncaughtExceptionHandler(
        WorkerCommand.ending(new PrintStream(printed, true, StandardCharsets.UTF_8), ended::add));
    thread.start();
    thread.join();
    assertEquals(List.of(WorkerCommand.BROKEN), ended);
    String text = printed.toString(StandardCharsets.UTF_8);
    assertTrue(text.contains("[device]") && text.contains("made by a test"), text);
  }

  @Test
  void saysWhatIsWrongWithARequest() throws Exception {
    try (TestWorker worker = worker()) {
      assertEquals(200, worker.load(ID, zip, sha256, "n1").status());
      String infer = "/v2/models/scenes-tiny.encode_text/infer";
      assertFailure(400, "bad_request", worker.post(infer, "{"));
      assertFailure(400, "bad_request", worker.post(infer, "[]"));
      assertFailure(400, "bad_request", worker.post(infer, "{}"));
      assertFailure(
          400, "bad_request", worker.post("/v2/models/scenes-tiny.hum/infer", "{\"inputs\":[]}"));
      assertFailure(404, "not_found", worker.post("/v2/models/ponds.score/infer", "{}"));
      assertFailure(404, "not_found", worker.get("/v2/etwas"));
      assertFailure(404, "not_found", worker.post("/v3", "{}"));
      // Ids beyond the vocabulary would reach the engine's memory.
      String wrong =
          "{\"inputs\":[{\"name\":\"input_ids\",\"datatype\":\"INT32\",\"shape\":[1,2],"
              + "\"data\":[1,99999999]},{\"name\":\"attention_mask\",\"datatype\":\"INT32\","
              + "\"shape\":[1,2],\"data\":[1,1]}]}";
      assertFailure(400, "bad_request", worker.post(infer, wrong));
      assertFailure(
          400, "bad_request", worker.post(infer, wrong.replace("[1,2]", "[1,2000000000]")));
      assertFailure(400, "bad_request", worker.post(infer, wrong.replace("[1,2]", "[-1,2]")));
      String right = wrong.replace("99999999", "2");
      TestWorker.Answer answer = worker.post(infer, right);
      assertEquals(200, answer.status(), answer.text());
      assertEquals(
          bundle.manifest().config().embeddingDimension(),
          answer.message().tensor("embedding").floats().length,
          "numbers in JSON where binary was not asked for");
      assertFailure(400, "bad_request", worker.load(ID, zip, "0".repeat(64), "n1"));
      byte[] damaged = Arrays.copyOf(zip, 5000);
      assertFailure(
          422, "bundle_refused", worker.load(ID, damaged, TestWorker.sha256(damaged), "n1"));
    }
  }

  private static void assertFailure(int status, String type, TestWorker.Answer answer) {
    assertEquals(status, answer.status(), answer.text());
    assertEquals(type, answer.type(), answer.text());
  }

  @Test
  void whatDoesNotFitItsMemoryIsRefused() throws Exception {
    try (TestWorker worker = new TestWorker(directory, 1000, Duration.ZERO, 100)) {
      assertFailure(429, "memory_exceeded", worker.load(ID, zip, sha256, "n1"));
      assertEquals("[]", worker.post("/v2/repository/index", "").text());
    }
  }

  @Test
  void whoeverHangsUpIsNotComputedForAndAFullQueueRefuses() throws Exception {
    // Calls that are not full wait longer than this test runs.
    try (TestWorker worker = new TestWorker(directory, 4L << 30, Duration.ofHours(1), 1)) {
      assertEquals(200, worker.load(ID, zip, sha256, "n1").status());
      Job<?, ?> job =
          job(new Operation.EncodeTexts(null), List.of(bundle.tokenizer().tokenize("a lake")));
      InferMessage.Body body = JobSender.request(Job.Priority.SEARCH, job, true);
      String infer = "/v2/models/scenes-tiny.encode_text/infer";
      try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), worker.port())) {
        socket
            .getOutputStream()
            .write(
                ("POST "
                        + infer
                        + " HTTP/1.1\r\nHost: w\r\nContent-Length: "
                        + body.length()
                        + "\r\n"
                        + InferMessage.JSON_LENGTH
                        + ": "
                        + body.json().length
                        + "\r\n\r\n")
                    .getBytes(StandardCharsets.US_ASCII));
        socket.getOutputStream().write(body.json());
        for (ByteBuffer part : body.data()) {
          byte[] bytes = new byte[part.remaining()];
          part.duplicate().get(bytes);
          socket.getOutputStream().write(bytes);
        }
        awaitQueued(worker, 1);
        assertFailure(429, "queue_full", worker.post(infer, body));
      }
      awaitQueued(worker, 0);
      Job<?, ?> late =
          new Job<>(
              new Operation.EncodeTexts(null),
              List.of(bundle.tokenizer().tokenize("a lake")),
              Deadline.after(Duration.ofMillis(20)));
      assertFailure(
          504,
          "deadline_exceeded",
          worker.post(infer, JobSender.request(Job.Priority.SEARCH, late, true)));
    }
  }

  private static void awaitQueued(TestWorker worker, int count) throws Exception {
    long end = System.nanoTime() + TimeUnit.MINUTES.toNanos(2);
    while (worker.get("/v2").json().get("queued").getAsInt() != count) {
      assertTrue(System.nanoTime() < end, "waited two minutes");
      Thread.onSpinWait();
    }
  }
}
