/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.worker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.fixtures.Seeds;
import io.crossmodal.model.inference.Deadline;
import io.crossmodal.model.inference.batching.Job;
import io.crossmodal.model.inference.batching.Operation;
import io.crossmodal.model.inference.memory.BoundedMemory;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.protocol.InferMessage;
import io.crossmodal.model.inference.protocol.JobSender;
import io.crossmodal.model.text.TokenizedText;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What comes from whoever means harm, or does it: refused in words, bounded, counted. */
final class HostileRequestsTest {
  private static final String INFER = "/v2/models/scenes-tiny.encode_text/infer";
  private static final ModelBundle BUNDLE = ModelBundle.demo();
  private static final int ROUNDS = 400;
  private static final int ENDS_MILLIS = 60_000;

  /** As many as give an answer of several megabytes. */
  private static final int TEXTS = 1000;

  private static final long ANSWER = 2 << 20;

  @TempDir private Path directory;

  private TestWorker worker(int connections, Duration patience) throws Exception {
    TestWorker worker =
        new TestWorker(
            directory,
            null,
            new Connections.Limits(connections, patience),
            4L << 30,
            Duration.ZERO,
            100);
    return worker;
  }

  private TestWorker loaded() throws Exception {
    TestWorker worker = worker(100, TestWorker.PATIENCE);
    byte[] zip = TestWorker.zip(BUNDLE);
    assertEquals(200, worker.load("scenes-tiny", zip, TestWorker.sha256(zip), "n").status());
    return worker;
  }

  private static InferMessage.Body valid() {
    return JobSender.request(
        Job.Priority.SEARCH,
        new Job<>(
            new Operation.EncodeTexts(null),
            List.of(BUNDLE.tokenizer().tokenize("a red lake")),
            Deadline.none()),
        true);
  }

  private static JsonObject server(TestWorker worker) throws Exception {
    return worker.get("/v2").json();
  }

  private static long heap(TestWorker worker) throws Exception {
    return server(worker).getAsJsonObject("heap").get("used_in_bytes").getAsLong();
  }

  private static long connections(TestWorker worker, String count) throws Exception {
    return server(worker).getAsJsonObject("connections").get(count).getAsLong();
  }

  private static void await(Check check) throws Exception {
    long end = System.nanoTime() + TimeUnit.MINUTES.toNanos(2);
    while (!check.holds()) {
      assertTrue(System.nanoTime() < end, "waited two minutes");
      Thread.onSpinWait();
    }
  }

  /** What a test waits for. */
  private interface Check {
    boolean holds() throws Exception;
  }

  private static Socket connect(TestWorker worker, String text) throws IOException {
    Socket socket = new Socket(InetAddress.getLoopbackAddress(), worker.port());
    // A worker that does not end it would hold up the test for ever.
    socket.setSoTimeout(ENDS_MILLIS);
    socket.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
    return socket;
  }

  /** Reads what is answered until the worker closes; whether by an end or a reset. */
  private static String rest(Socket socket) throws IOException {
    StringBuilder text = new StringBuilder();
    InputStream in = socket.getInputStream();
    try {
      for (int b = in.read(); b >= 0; b = in.read()) {
        text.append((char) b);
      }
    } catch (SocketException e) {
      text.append("reset");
    }
    return text.toString();
  }

  @Test
  void whatIsNoTensorIsSaidToBeNone() throws Exception {
    try (TestWorker worker = loaded()) {
      String ids = "{\"name\":\"input_ids\",\"datatype\":\"INT32\",\"shape\":[1,2],\"data\":[1,2]}";
      String deep = "[".repeat(100_000);
      for (String bad :
          List.of(
              ids.replace("INT32", "FP64"),
              ids.replace("INT32", "x".repeat(100_000)),
              ids.replace("\"INT32\"", "7"),
              ids.replace("\"INT32\"", "[]"),
              ids.replace("[1,2],", "[-1,-2],"),
              ids.replace("[1,2],", "[0,1099511627776],"),
              ids.replace("[1,2],", "[1099511627776,1099511627776],"),
              ids.replace("[1,2],", "[9223372036854775807,2],"),
              ids.replace("[1,2],", "[1.5,2],"),
              ids.replace("[1,2],", "[1e999999999,2],"),
              ids.replace("[1,2],", "[\"a\",2],"),
              ids.replace("[1,2],", "[[1],2],"),
              ids.replace("[1,2],", "[1,1,1,1,1,1,1,1,2],"),
              ids.replace("[1,2],", "{},"),
              ids.replace("\"data\":[1,2]", "\"data\":[1]"),
              ids.replace("\"data\":[1,2]", "\"data\":[1,2,3]"),
              ids.replace("\"data\":[1,2]", "\"data\":[1,\"NaN\"]"),
              ids.replace("\"data\":[1,2]", "\"data\":[1,[[[[2],3]]]]"),
              ids.replace("\"data\":[1,2]", "\"data\":" + deep),
              ids.replace("\"data\":[1,2]", "\"parameters\":{\"binary_data_size\":8}"),
              ids.replace("\"data\":[1,2]", "\"parameters\":{\"binary_data_size\":-8}"),
              ids.replace("\"data\":[1,2]", "\"parameters\":{\"binary_data_size\":1e30}"),
              ids.replace("\"data\":[1,2]", "\"parameters\":7"),
              ids.replace("input_ids", "y".repeat(1_000_000)),
              ids.replace("\"name\":\"input_ids\"", "\"name\":{}"),
              "null",
              "7")) {
        TestWorker.Answer answer = worker.post(INFER, "{\"inputs\":[" + bad + "]}");
        String shown = bad.substring(0, Math.min(200, bad.length()));
        assertEquals(400, answer.status(), shown + " -> " + answer.text());
        assertEquals("bad_request", answer.type(), shown);
        assertTrue(answer.text().length() < 2000, answer.text());
      }
      String mask = ids.replace("input_ids", "attention_mask");
      for (String odd :
          List.of(
              "\"id\":[[[]]],",
              "\"parameters\":[],",
              "\"parameters\":{\"timeout\":{}},",
              "\"parameters\":{\"priority\":\"x\"},",
              "\"parameters\":{\"binary_data_output\":[]},",
              "\"outputs\":7,")) {
        int status =
            worker
                .post(
                    INFER,
                    "{" + odd + "\"inputs\":[" + ids + "," + mask.replace("2]}", "1]}") + "]}")
                .status();
        assertTrue(status == 200 || status == 400, odd + " -> " + status);
      }
      assertEquals(200, worker.post(INFER, valid()).status(), "it still computes");
      assertEquals(0, heap(worker));
      worker.post(
          "/v2/repository/models/scenes-tiny/unload",
          TestWorker.parameters(TestWorker.sha256(TestWorker.zip(BUNDLE)), "n"));
      JsonObject memory = server(worker).getAsJsonObject("native_memory");
      assertEquals(0, memory.get("used_in_bytes").getAsLong(), "no refused request keeps weights");
    }
  }

  /** Two thousand million images of no values take no byte of a request. */
  @Test
  void countsAreRefusedBeforeThereAreObjectsOfThem() throws Exception {
    String of = "{\"name\":\"asking_of\",\"datatype\":\"INT32\",\"shape\":[1],\"data\":[0]}";
    String none = "\"datatype\":\"FP32\",\"shape\":[2000000000,1,0],\"data\":[]}";
    String image =
        "{\"name\":\"image_tokens\",\"datatype\":\"FP32\",\"shape\":[1,1,1],\"data\":[0]}";
    try (TestWorker worker = loaded()) {
      for (String bad :
          List.of(
              of + ",{\"name\":\"image_tokens\"," + none,
              of + "," + image,
              of.replace("[1]", "[0]").replace("[0]}", "[]}") + "," + image)) {
        TestWorker.Answer answer =
            worker.post("/v2/models/scenes-tiny.score/infer", "{\"inputs\":[" + bad + "]}");
        assertEquals(400, answer.status(), answer.text());
        assertEquals("bad_request", answer.type());
      }
    }
  }

  @Test
  void aSecondRequestIsNotTakenForTheFirst() throws Exception {
    // Calls that are not full wait longer than this test runs.
    try (TestWorker worker = new TestWorker(directory, 4L << 30, Duration.ofHours(1), 100)) {
      byte[] zip = TestWorker.zip(BUNDLE);
      assertEquals(200, worker.load("scenes-tiny", zip, TestWorker.sha256(zip), "n").status());
      String ids = "{\"name\":\"input_ids\",\"datatype\":\"INT32\",\"shape\":[1,2],\"data\":[1,2]}";
      String json =
          "{\"inputs\":["
              + ids
              + ","
              + ids.replace("input_ids", "attention_mask").replace("2]}", "1]}")
              + "]}";
      String request =
          "POST "
              + INFER
              + " HTTP/1.1\r\nHost: w\r\nContent-Length: "
              + json.length()
              + "\r\n\r\n"
              + json;
      try (Socket socket = connect(worker, request + request)) {
        String answer = rest(socket);
        assertTrue(answer.isEmpty() || answer.equals("reset"), answer);
      }
      await(() -> heap(worker) == 0 && server(worker).get("queued").getAsInt() == 0);
    }
  }

  @Test
  void memoryIsGivenBackOnce() {
    BoundedMemory memory = new BoundedMemory("a test's", 100);
    MemoryBudget.Reservation other = memory.reserve("another", 30);
    MemoryBudget.Reservation reserved = memory.reserve("one", 50);
    reserved.close();
    reserved.close();
    assertEquals(30, memory.used());
    other.close();
    assertEquals(0, memory.used());
  }

  /**
   * Whatever is changed in a request, the answer is one of the request, never the model's fault.
   */
  @Test
  void noByteOfARequestBreaksAnything() throws Exception {
    Random random = new Random(Seeds.next());
    try (TestWorker worker = loaded()) {
      InferMessage.Body body = valid();
      for (int round = 0; round < ROUNDS; round++) {
        byte[] json = body.json().clone();
        List<ByteBuffer> data = new ArrayList<>();
        for (ByteBuffer part : body.data()) {
          byte[] bytes = new byte[part.remaining()];
          part.duplicate().get(bytes);
          data.add(ByteBuffer.wrap(bytes));
        }
        byte[] target =
            random.nextInt(4) == 0 ? data.get(random.nextInt(data.size())).array() : json;
        for (int edits = 1 + random.nextInt(3); edits > 0; edits--) {
          target[random.nextInt(target.length)] =
              (byte)
                  (random.nextBoolean()
                      ? random.nextInt(256)
                      : "0123456789,:{}[]\"-e".charAt(random.nextInt(19)));
        }
        TestWorker.Answer answer = worker.post(INFER, new InferMessage.Body(json, data));
        assertTrue(
            answer.status() == 200 || answer.status() == 400 || answer.status() == 504,
            () -> answer.text() + " to " + new String(json, StandardCharsets.ISO_8859_1));
      }
      assertEquals(200, worker.post(INFER, body).status());
      assertEquals(0, heap(worker));
    }
  }

  @Test
  void lengthsThatLieAreRefusedAndHoldNoMemory() throws Exception {
    try (TestWorker worker = loaded()) {
      String head = "POST " + INFER + " HTTP/1.1\r\nHost: w\r\n";
      for (String lie :
          List.of(
              "Content-Length: 10\r\n" + InferMessage.JSON_LENGTH + ": 11\r\n\r\n0123456789",
              "Content-Length: 10\r\n" + InferMessage.JSON_LENGTH + ": -1\r\n\r\n0123456789",
              "Content-Length: 10\r\n" + InferMessage.JSON_LENGTH + ": 1e9\r\n\r\n0123456789",
              "Content-Length: -10\r\n\r\n",
              "Content-Length: 10\r\nContent-Length: 11\r\n\r\n0123456789",
              "Content-Length: ten\r\n\r\n",
              "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
              "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
              "X: " + "x".repeat(100_000) + "\r\n\r\n")) {
        try (Socket socket = connect(worker, head + lie)) {
          String answer = rest(socket);
          assertTrue(answer.contains(" 400 ") || answer.equals("reset"), lie + " -> " + answer);
        }
      }
      for (String path : List.of("/v2/%zz", "/" + "v".repeat(100_000), "\u0001")) {
        try (Socket socket = connect(worker, "GET " + path + " HTTP/1.1\r\n\r\n")) {
          socket.shutdownOutput();
          String answer = rest(socket);
          assertTrue(answer.isEmpty() || answer.equals("reset") || answer.contains(" 40"), answer);
        }
      }
      // 2 GiB are more than the heap gives, 9 EB more than a request has.
      for (String length : List.of("2000000000", "9000000000000000000")) {
        try (Socket socket =
            connect(worker, head + InferMessage.JSON_LENGTH + ": 2\r\nContent-Length: " + length)) {
          socket.getOutputStream().write("\r\n\r\n{}".getBytes(StandardCharsets.US_ASCII));
          assertEquals(0, heap(worker), length);
        }
      }
      // Ended in the middle: by both sides, or by the half that sends.
      try (Socket socket = connect(worker, head + "Content-Length: 1000\r\n\r\n{")) {
        await(() -> heap(worker) > 0);
        socket.shutdownOutput();
        assertEquals("", rest(socket));
      }
      await(() -> heap(worker) == 0);
      assertEquals(200, worker.post(INFER, valid()).status());
    }
  }

  @Test
  void aHundredMegabytesOfJsonAreNotRead() throws Exception {
    try (TestWorker worker = loaded()) {
      int length = 100 << 20;
      String head = "POST " + INFER + " HTTP/1.1\r\nHost: w\r\nContent-Length: " + length;
      try (Socket socket = connect(worker, head + "\r\n\r\n")) {
        byte[] part = "1,".repeat(1 << 19).getBytes(StandardCharsets.US_ASCII);
        for (int sent = 0; sent < length; sent += part.length) {
          socket.getOutputStream().write(part);
        }
        String answer = rest(socket);
        assertTrue(answer.contains(" 400 ") && answer.contains("in binary"), answer);
      }
      assertEquals(0, heap(worker));
    }
  }

  private static boolean isEmpty(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.findAny().isEmpty();
    }
  }

  @Test
  void whoeverSendsTooSlowlyIsSentAway() throws Exception {
    try (TestWorker worker = worker(100, Duration.ofMillis(500))) {
      for (String slow :
          List.of(
              "",
              "POST " + INFER,
              "POST " + INFER + " HTTP/1.1\r\nHost: w\r\nContent-Length: 1000\r\n\r\n{",
              "POST /v2/repository/models/a/load HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
                  + InferMessage.JSON_LENGTH
                  + ": 2\r\n\r\n2\r\n{}\r\n")) {
        try (Socket socket = connect(worker, slow)) {
          assertEquals("", rest(socket), slow);
        }
      }
      assertEquals(4, connections(worker, "too_slow"));
      // The worker ends a connection before it frees what came of its request.
      await(() -> heap(worker) == 0 && isEmpty(directory.resolve("bundles")));
    }
  }

  /** Sends a request whose answer has more bytes than a socket keeps, and reads nothing of it. */
  private SocketChannel unread(TestWorker worker) throws Exception {
    TokenizedText text = BUNDLE.tokenizer().tokenize("red lake ".repeat(50));
    InferMessage.Body body =
        JobSender.request(
            Job.Priority.SEARCH,
            new Job<>(
                new Operation.EncodeTexts(null), Collections.nCopies(TEXTS, text), Deadline.none()),
            true);
    String head =
        "POST "
            + INFER
            + " HTTP/1.1\r\nHost: w\r\nContent-Length: "
            + body.length()
            + "\r\n"
            + InferMessage.JSON_LENGTH
            + ": "
            + body.json().length
            + "\r\n\r\n";
    SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(worker.socket));
    channel.write(ByteBuffer.wrap(head.getBytes(StandardCharsets.US_ASCII)));
    channel.write(ByteBuffer.wrap(body.json()));
    for (ByteBuffer part : body.data()) {
      channel.write(part.duplicate());
    }
    return channel;
  }

  @Test
  void anAnswerTakesMemoryUntilItIsRead() throws Exception {
    try (TestWorker worker = loaded()) {
      try (SocketChannel channel = unread(worker)) {
        await(() -> heap(worker) > ANSWER);
        assertTrue(channel.isOpen());
      }
      await(() -> heap(worker) == 0);
      assertEquals(0, connections(worker, "too_slow"));
    }
  }

  @Test
  void whoeverReadsNothingIsSentAway() throws Exception {
    try (TestWorker worker = worker(100, Duration.ofMillis(500))) {
      byte[] zip = TestWorker.zip(BUNDLE);
      assertEquals(200, worker.load("scenes-tiny", zip, TestWorker.sha256(zip), "n").status());
      try (SocketChannel channel = unread(worker)) {
        await(() -> connections(worker, "too_slow") == 1);
        await(() -> heap(worker) == 0);
        assertTrue(channel.isOpen());
      }
    }
  }

  @Test
  void moreConnectionsThanAreAdmittedAreToldSo() throws Exception {
    try (TestWorker worker = worker(8, TestWorker.PATIENCE)) {
      List<Socket> open = new ArrayList<>();
      try {
        for (int i = 0; i < 7; i++) {
          open.add(connect(worker, ""));
        }
        await(() -> connections(worker, "open") == 8);
        for (int i = 0; i < 50; i++) {
          try (Socket more = new Socket(InetAddress.getLoopbackAddress(), worker.port())) {
            String answer = rest(more);
            assertTrue(answer.startsWith("HTTP/1.1 429 ") || answer.equals("reset"), answer);
          }
        }
        assertEquals(50, connections(worker, "too_many"), "whoever was there is served on");
      } finally {
        for (Socket each : open) {
          each.close();
        }
      }
      await(() -> connections(worker, "open") == 1);
    }
  }

  @Test
  void aBundleHasAnEnd() throws Exception {
    BundleFiles files = new BundleFiles(directory.resolve("small"), false, 1000);
    try (BundleFiles.Arriving arriving = files.receive()) {
      arriving.take(Unpooled.wrappedBuffer(new byte[1000]));
      RequestException refused =
          assertThrows(
              RequestException.class, () -> arriving.take(Unpooled.wrappedBuffer(new byte[1])));
      assertTrue(refused.getMessage().contains("at most 1000 bytes"), refused.getMessage());
    }
  }
}
