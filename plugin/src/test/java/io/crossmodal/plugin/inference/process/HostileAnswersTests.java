/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.process;

import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.equalTo;
import static org.hamcrest.Matchers.greaterThan;
import static org.hamcrest.Matchers.instanceOf;
import static org.hamcrest.Matchers.lessThan;

import com.google.gson.JsonObject;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.fixtures.TestCertificates;
import io.crossmodal.model.inference.Deadline;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.batching.Job;
import io.crossmodal.model.inference.batching.Operation;
import io.crossmodal.model.inference.protocol.InferMessage;
import io.crossmodal.model.inference.protocol.JobSender;
import io.crossmodal.model.inference.protocol.PeerTrust;
import io.crossmodal.model.inference.protocol.Tensor;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.plugin.TestService;
import io.crossmodal.plugin.inference.encoding.Encoded;
import io.crossmodal.plugin.inference.encoding.EncodingService;
import io.crossmodal.plugin.inference.encoding.QueryInput;
import io.crossmodal.plugin.inference.node.NodeInference;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.JdkSslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import javax.net.ssl.SSLServerSocket;
import org.opensearch.test.OpenSearchTestCase;

/** Answers of a worker that means harm, or is broken: refused in words, bounded, counted. */
public class HostileAnswersTests extends OpenSearchTestCase {
  private static final ModelBundle MODEL = ModelBundle.demo();
  private static final String WORDS = "a red lake";
  private static final byte[] OURS =
      "{\"name\":\"crossmodal-worker\"}".getBytes(StandardCharsets.US_ASCII);

  private final EventLoopGroup group =
      new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
  private final ExecutorService helpers = Executors.newFixedThreadPool(2);

  @Override
  public void tearDown() throws Exception {
    helpers.shutdownNow();
    group.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
    super.tearDown();
  }

  private static Throwable failure(CompletableFuture<?> future) {
    return expectThrows(ExecutionException.class, () -> future.get(3, TimeUnit.MINUTES)).getCause();
  }

  private WorkerHttp http(String address, WorkerTls tls) {
    return http(address, tls, helpers);
  }

  private WorkerHttp http(String address, WorkerTls tls, Executor lookups) {
    return new WorkerHttp(
        WorkerAddress.of(address),
        new WorkerHttp.Trust("root", tls == null ? null : tls.context()),
        group,
        lookups);
  }

  /** Returns why a GET fails that is answered so. */
  private Throwable get(FakeWorker.Answer answer) throws IOException {
    try (FakeWorker worker = new FakeWorker(answer);
        WorkerHttp http = http(worker.address(), null)) {
      return failure(http.get("/v2"));
    }
  }

  private static FakeWorker.Answer text(String text) {
    return (path, out) -> out.write(text.getBytes(StandardCharsets.ISO_8859_1));
  }

  public void testWhatIsNoAnswer() throws Exception {
    for (String garbage :
        List.of(
            "what?\r\n\r\n",
            "HTTP/1.1 abc\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: " + "x".repeat(100_000) + "\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -7\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")) {
      Throwable why = get(text(garbage));
      assertThat(garbage.split("\r\n", 2)[0], why, instanceOf(WorkerException.Unreadable.class));
      assertThat(why.getMessage(), containsString("no HTTP"));
    }
    Throwable moved =
        get(text("HTTP/1.1 302 Found\r\nLocation: http://x/\r\nContent-Length: 0\r\n\r\n"));
    assertThat(moved, instanceOf(WorkerException.Refused.class));
    assertThat(moved.getMessage(), containsString("status 302"));
    Throwable early = get(text("HTTP/1.1 100 Continue\r\n\r\n"));
    assertThat(early, instanceOf(WorkerException.Refused.class));
    Throwable words =
        get(
            (path, out) ->
                FakeWorker.answer(
                    out,
                    "500 No",
                    "",
                    ("{\"error\":\"" + "e".repeat(100_000) + "\"}")
                        .getBytes(StandardCharsets.US_ASCII)));
    assertTrue(words.getMessage(), words.getMessage().length() < 1200);
  }

  public void testABodyThatEndsTooEarlyOrNever() throws Exception {
    Throwable cut =
        get(
            (path, out) -> {
              out.write(
                  "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
                      .getBytes(StandardCharsets.US_ASCII));
              throw new IOException("it ends here");
            });
    assertThat(cut, instanceOf(WorkerException.Gone.class));
    byte[] chunk = ("10000\r\n" + "x".repeat(1 << 16) + "\r\n").getBytes(StandardCharsets.US_ASCII);
    for (String head :
        List.of("Transfer-Encoding: chunked", "Content-Length: 9000000000000000000")) {
      Throwable endless =
          get(
              (path, out) -> {
                out.write(
                    ("HTTP/1.1 200 OK\r\n" + head + "\r\n\r\n")
                        .getBytes(StandardCharsets.US_ASCII));
                // Until the node hangs up.
                while (true) {
                  out.write(chunk);
                }
              });
      assertThat(head, endless, instanceOf(WorkerException.Unreadable.class));
      assertThat(endless.getMessage(), containsString("more than the 1048576 bytes"));
    }
  }

  private static void answerNothing(OutputStream out) throws IOException {
    FakeWorker.answer(out, "200 OK", "", "{}".getBytes(StandardCharsets.US_ASCII));
  }

  /** As one that was idle for long is, just as the next request is sent. */
  public void testAKeptConnectionThatEndsIsReplacedOnce() throws Exception {
    AtomicInteger requests = new AtomicInteger();
    Set<Integer> ends = Set.of(2, 5, 6);
    try (FakeWorker worker =
            new FakeWorker(
                (path, out) -> {
                  if (ends.contains(requests.incrementAndGet())) {
                    throw new IOException("it ends without an answer");
                  }
                  answerNothing(out);
                });
        WorkerHttp http = http(worker.address(), null)) {
      for (int i = 0; i < 3; i++) {
        assertEquals("{}", http.get("/v2").get(3, TimeUnit.MINUTES).json().toString());
      }
      assertEquals("one of them was sent twice", 4, requests.get());
      assertThat(failure(http.get("/v2")), instanceOf(WorkerException.Gone.class));
      assertEquals("over the kept connection and over a new one", 6, requests.get());
      assertThat(
          "no other connection is kept, so that this is one that is new",
          http.get("/v2").get(3, TimeUnit.MINUTES).json().toString(),
          equalTo("{}"));
    }
  }

  public void testWhatTheNodeEndsIsNotSentAgain() throws Exception {
    AtomicInteger requests = new AtomicInteger();
    CountDownLatch second = new CountDownLatch(1);
    try (FakeWorker worker =
            new FakeWorker(
                (path, out) -> {
                  if (requests.incrementAndGet() == 1) {
                    answerNothing(out);
                  } else {
                    second.countDown();
                  }
                });
        WorkerHttp http = http(worker.address(), null)) {
      assertEquals("{}", http.get("/v2").get(3, TimeUnit.MINUTES).json().toString());
      CompletableFuture<?> unanswered = http.get("/v2");
      assertTrue(second.await(3, TimeUnit.MINUTES));
      http.disconnect();
      assertThat(failure(unanswered), instanceOf(WorkerException.Gone.class));
      assertEquals(2, requests.get());
    }
  }

  public void testAHostIsLookedUpByAThreadThatMayWait() throws Exception {
    TestCertificates certificates = new TestCertificates(createTempDir());
    TestCertificates.Pem node = certificates.signed("node");
    WorkerTls tls = new WorkerTls(certificates.ca(), node.certificate(), node.key());
    Queue<Runnable> lookups = new ConcurrentLinkedQueue<>();
    try (FakeWorker worker = secure(certificates.signed("worker"), certificates.ca());
        WorkerHttp http = http("https://" + worker.address(), tls, lookups::add);
        WorkerHttp nowhere = http("https://nowhere.invalid:1", tls, lookups::add);
        FakeWorker other = new FakeWorker((path, out) -> answerNothing(out));
        WorkerHttp beside = http(other.address(), null, lookups::add)) {
      CompletableFuture<WorkerHttp.Reply> waits = http.get("/v2");
      CompletableFuture<WorkerHttp.Reply> unknown = nowhere.get("/v2");
      assertEquals("{}", beside.get("/v2").get(3, TimeUnit.MINUTES).json().toString());
      assertEquals("a loopback address is none to look up", 2, lookups.size());
      assertFalse(waits.isDone());
      lookups.remove().run();
      assertEquals("{}", waits.get(3, TimeUnit.MINUTES).json().toString());
      lookups.remove().run();
      assertThat(failure(unknown).getMessage(), containsString("UnknownHostException"));
      assertEquals("{}", http.get("/v2").get(3, TimeUnit.MINUTES).json().toString());
      assertEquals("the connection is kept", 0, lookups.size());
    }
  }

  /** A worker that loads what it is told to, and answers a job as a test says. */
  private FakeWorker loading(FakeWorker.Answer infer) throws IOException {
    byte[] held =
        "{\"version\":\"1\",\"precision\":\"fp32\",\"bytes\":1,\"devices\":[],\"trials\":[]}"
            .getBytes(StandardCharsets.US_ASCII);
    return new FakeWorker(
        (path, out) -> {
          if (path.endsWith("/infer")) {
            infer.write(path, out);
          } else {
            FakeWorker.answer(out, "200 OK", "", path.endsWith("/load") ? held : OURS);
          }
        });
  }

  private NodeInference node(FakeWorker... workers) {
    return new NodeInference(
        new ProcessEngine(
            new ModelCatalog(() -> List.of(MODEL)),
            TestService.settings(createTempDir(), 100, 8, true, Duration.ZERO),
            Stream.of(workers).map(worker -> WorkerAddress.of(worker.address())).toList(),
            null,
            "node",
            helpers,
            60_000),
        (what, bytes) -> () -> {},
        new EncodingService.Threads(helpers, helpers, 2));
  }

  private static CompletableFuture<Encoded.Success> encode(NodeInference node) {
    return node.encoding().encodeQuery("scenes-tiny", new QueryInput.Text(WORDS));
  }

  private static FakeWorker.Answer outputs(Tensor... tensors) {
    InferMessage.Body body = new InferMessage(new JsonObject(), List.of(tensors)).response(true);
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    all.writeBytes(body.json());
    for (ByteBuffer part : body.data()) {
      byte[] bytes = new byte[part.remaining()];
      part.duplicate().get(bytes);
      all.writeBytes(bytes);
    }
    String header = InferMessage.JSON_LENGTH + ": " + body.json().length + "\r\n";
    return (path, out) -> FakeWorker.answer(out, "200 OK", header, all.toByteArray());
  }

  private static Tensor filled(String name, float value, long... shape) {
    int count = (int) Arrays.stream(shape).reduce(1, (a, b) -> a * b);
    float[] values = new float[count];
    Arrays.fill(values, value);
    return Tensor.of(name, values, shape);
  }

  public void testAnswersThatDoNotFitTheModel() throws Exception {
    ModelConfig config = MODEL.manifest().config();
    int d = config.embeddingDimension();
    int h = config.hidden();
    int n = MODEL.tokenizer().tokenize(WORDS).length();
    Tensor embedding = filled("embedding", 1, 1, d);
    Tensor tokens = filled("tokens", 1, 1, n, h);
    Map<String, FakeWorker.Answer> hostile =
        Map.of(
            "must hold numbers, got NaN",
            outputs(filled("embedding", Float.NaN, 1, d), tokens),
            "must hold numbers, got Infinity",
            outputs(embedding, filled("tokens", Float.POSITIVE_INFINITY, 1, n, h)),
            "tensor [embedding] must have the shape",
            outputs(filled("embedding", 1, 2, d), tokens),
            "tensor [tokens] must have the shape",
            outputs(embedding, filled("tokens", 1, 1, n, h + 1)),
            "there is no tensor [tokens]",
            outputs(embedding),
            "the body must begin with a JSON object",
            (path, out) -> FakeWorker.answer(out, "200 OK", "", new byte[100]),
            "but the body has 10 bytes",
            (path, out) ->
                FakeWorker.answer(
                    out, "200 OK", InferMessage.JSON_LENGTH + ": 11\r\n", new byte[10]),
            "more than the",
            (path, out) ->
                FakeWorker.answer(
                    out, "200 OK", "", new byte[InferMessage.LONGEST_JSON + (1 << 20)]));
    for (Map.Entry<String, FakeWorker.Answer> each : hostile.entrySet()) {
      try (FakeWorker worker = loading(each.getValue());
          NodeInference node = node(worker)) {
        Throwable why = failure(encode(node));
        assertThat(each.getKey(), why, instanceOf(InferenceException.ModelFailed.class));
        assertThat(why.getMessage(), containsString(each.getKey()));
        assertThat(why.getMessage(), containsString(worker.address()));
        assertEquals(each.getKey(), 1, node.workers().get(0).badAnswers());
        assertEquals(0, node.workers().get(0).inFlight());
      }
    }
    try (FakeWorker worker = loading(outputs(embedding, tokens));
        NodeInference node = node(worker)) {
      assertEquals(n, encode(node).get(3, TimeUnit.MINUTES).encoding().tokens().count());
      assertEquals(0, node.workers().get(0).badAnswers());
    }
  }

  /** One that knows no binary tensors answers a large job in as long a JSON, and no longer one. */
  public void testNumbersInJsonAreAsManyAsWereAskedFor() throws Exception {
    ModelConfig config = MODEL.manifest().config();
    TokenizedText text = MODEL.tokenizer().tokenize(WORDS);
    int count = 1000;
    Job<TokenizedText, Encoding> job =
        new Job<>(
            new Operation.EncodeTexts(null), Collections.nCopies(count, text), Deadline.none());
    // As long as a float is where it is written as a float64 (Python does).
    float value = -1.1754944e-38f;
    InferMessage.Body given =
        new InferMessage(
                new JsonObject(),
                List.of(
                    filled("embedding", value, count, config.embeddingDimension()),
                    filled("tokens", value, count, text.length(), config.hidden())))
            .response(false);
    byte[] body =
        new String(given.json(), StandardCharsets.US_ASCII)
            .replace(Float.toString(value), " " + (double) value)
            .getBytes(StandardCharsets.US_ASCII);
    long numbers = JobSender.numbers(job, config);
    assertThat(body.length, greaterThan(InferMessage.LONGEST_JSON));
    assertThat((long) body.length, lessThan(JobSender.longestAnswer(numbers, false)));
    JobSender.complete(job, config, InferMessage.readResponse(body, -1, numbers));
    assertEquals(value, job.result().join().get(count - 1).embedding()[0], 0);

    byte[] many =
        ("{\"outputs\":[" + "1,".repeat(body.length / 2)).getBytes(StandardCharsets.US_ASCII);
    IllegalArgumentException refused =
        expectThrows(
            IllegalArgumentException.class, () -> InferMessage.readResponse(many, -1, numbers));
    assertThat(refused.getMessage(), containsString("more values than the " + numbers));
    refused =
        expectThrows(
            IllegalArgumentException.class, () -> InferMessage.readResponse(body, -1, numbers / 2));
    assertThat(refused.getMessage(), containsString("has at most"));
  }

  public void testAWorkerThatLoadsForEverHoldsUpNobody() throws Exception {
    ModelConfig config = MODEL.manifest().config();
    int n = MODEL.tokenizer().tokenize(WORDS).length();
    FakeWorker.Answer outputs =
        outputs(
            filled("embedding", 1, 1, config.embeddingDimension()),
            filled("tokens", 1, 1, n, config.hidden()));
    CountDownLatch ended = new CountDownLatch(1);
    try (FakeWorker stuck =
            new FakeWorker(
                (path, out) -> {
                  if (path.endsWith("/load")) {
                    try {
                      ended.await();
                    } catch (InterruptedException e) {
                      throw new IOException(e);
                    }
                  }
                  FakeWorker.answer(out, "200 OK", "", OURS);
                });
        FakeWorker worker = loading(outputs);
        NodeInference node = node(stuck, worker)) {
      assertEquals(n, encode(node).get(3, TimeUnit.MINUTES).encoding().tokens().count());
      assertEquals(0, node.workers().get(0).loads());
      assertEquals(1, node.workers().get(1).loads());
    } finally {
      ended.countDown();
    }
  }

  /** A worker's address of TLS, in this process: its certificate, and whom it believes. */
  private FakeWorker secure(TestCertificates.Pem own, Path clients) throws Exception {
    JdkSslContext context =
        (JdkSslContext)
            SslContextBuilder.forServer(own.certificate().toFile(), own.key().toFile())
                .sslProvider(SslProvider.JDK)
                .trustManager(PeerTrust.of(clients))
                .clientAuth(ClientAuth.REQUIRE)
                .build();
    SSLServerSocket server =
        (SSLServerSocket)
            context
                .context()
                .getServerSocketFactory()
                .createServerSocket(0, 50, InetAddress.getLoopbackAddress());
    server.setNeedClientAuth(true);
    return new FakeWorker(
        server,
        (path, out) ->
            FakeWorker.answer(out, "200 OK", "", "{}".getBytes(StandardCharsets.US_ASCII)));
  }

  private Throwable untrusted(FakeWorker worker, WorkerTls tls) {
    try (WorkerHttp http = http("https://" + worker.address(), tls)) {
      Throwable why = failure(http.get("/v2"));
      assertThat(why, instanceOf(WorkerException.Gone.class));
      return why;
    }
  }

  public void testOnlyTheRightCertificatesAreTrusted() throws Exception {
    TestCertificates certificates = new TestCertificates(createTempDir());
    TestCertificates.Pem node = certificates.signed("node");
    TestCertificates.Pem stranger = certificates.own("stranger");
    WorkerTls right = new WorkerTls(certificates.ca(), node.certificate(), node.key());
    try (FakeWorker worker = secure(certificates.signed("worker"), certificates.ca())) {
      try (WorkerHttp http = http("https://" + worker.address(), right)) {
        assertEquals("{}", http.get("/v2").get(3, TimeUnit.MINUTES).json().toString());
      }
      Throwable ca =
          untrusted(worker, new WorkerTls(stranger.certificate(), node.certificate(), node.key()));
      assertThat(ca.getMessage(), containsString("do not trust each other"));
      assertThat(ca.getMessage(), containsString("engine.tls"));
      // The worker may hang up before the node has read why.
      Throwable unused =
          untrusted(
              worker, new WorkerTls(certificates.ca(), stranger.certificate(), stranger.key()));
      TestCertificates.Pem late = certificates.expired("late");
      unused = untrusted(worker, new WorkerTls(certificates.ca(), late.certificate(), late.key()));
    }
    for (TestCertificates.Pem wrong :
        List.of(certificates.expired("worker-late"), certificates.elsewhere("worker-there"))) {
      try (FakeWorker worker = secure(wrong, certificates.ca())) {
        assertThat(
            untrusted(worker, right).getMessage(), containsString("do not trust each other"));
      }
    }
    TestCertificates.Pem own = certificates.ownExpired("worker-own-late");
    try (FakeWorker worker = secure(own, certificates.ca())) {
      WorkerTls named = new WorkerTls(own.certificate(), node.certificate(), node.key());
      assertThat(untrusted(worker, named).getMessage(), containsString("do not trust each other"));
    }
  }

  public void testFilesThatAreNoneAreNamed() throws Exception {
    Path folder = createTempDir();
    TestCertificates.Pem node = new TestCertificates(folder).signed("node");
    Path none = folder.resolve("none.pem");
    IllegalArgumentException ca =
        expectThrows(
            IllegalArgumentException.class,
            () -> new WorkerTls(none, node.certificate(), node.key()).context());
    assertThat(ca.getMessage(), containsString("[plugins.cross_modal.engine.tls.ca]"));
    assertThat(ca.getMessage(), containsString("none.pem"));
    IllegalArgumentException key =
        expectThrows(
            IllegalArgumentException.class,
            () ->
                new WorkerTls(folder.resolve("ca.pem"), node.certificate(), node.certificate())
                    .context());
    assertThat(key.getMessage(), containsString("[plugins.cross_modal.engine.tls.key]"));
  }
}
