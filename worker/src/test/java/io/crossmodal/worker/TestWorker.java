/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.worker;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.inference.DevicePolicy;
import io.crossmodal.model.inference.InferenceSettings;
import io.crossmodal.model.inference.PrecisionPolicy;
import io.crossmodal.model.inference.protocol.InferMessage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/** A worker in this process, on its socket and on a loopback port, and who asks it. */
final class TestWorker implements AutoCloseable {
  /** Longer than any test takes. */
  static final Duration PATIENCE = Duration.ofMinutes(10);

  final WorkerServer server;
  final Path socket;
  private final HttpClient client = HttpClient.newHttpClient();

  TestWorker(Path directory, long memory, Duration batchWait, int queueSize) throws IOException {
    this(directory, null, new Connections.Limits(100, PATIENCE), memory, batchWait, queueSize);
  }

  /**
   * @param tls for a second address; null for none
   */
  TestWorker(
      Path directory,
      WorkerSettings.Tls tls,
      Connections.Limits limits,
      long memory,
      Duration batchWait,
      int queueSize)
      throws IOException {
    socket = directory.resolve("w.sock");
    InetSocketAddress any = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    List<WorkerSettings.Listen> listen = new ArrayList<>();
    listen.add(new WorkerSettings.Listen(any, false));
    if (tls != null) {
      listen.add(new WorkerSettings.Listen(any, true));
    }
    server =
        WorkerServer.start(
            new WorkerSettings(
                socket,
                listen,
                tls,
                limits,
                memory,
                Duration.ZERO,
                false,
                new InferenceSettings(
                    DevicePolicy.CPU,
                    PrecisionPolicy.FP32,
                    1,
                    queueSize,
                    32,
                    128,
                    true,
                    batchWait,
                    0,
                    Duration.ofMinutes(10),
                    directory)),
            () -> {});
  }

  /** An answer. */
  @SuppressWarnings("ArrayRecordComponent") // read once, never compared
  record Answer(int status, byte[] body, int jsonLength) {
    JsonObject json() {
      return JsonParser.parseString(text()).getAsJsonObject();
    }

    String text() {
      return new String(body, StandardCharsets.UTF_8);
    }

    String type() {
      return json().get("type").getAsString();
    }

    InferMessage message() {
      return InferMessage.readResponse(body, jsonLength, 0);
    }
  }

  int port() {
    return server.addresses().get(0).getPort();
  }

  private HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port() + path))
        .timeout(Duration.ofMinutes(2));
  }

  private Answer send(HttpRequest request) throws IOException, InterruptedException {
    HttpResponse<byte[]> response = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
    int jsonLength = (int) response.headers().firstValueAsLong(InferMessage.JSON_LENGTH).orElse(-1);
    return new Answer(response.statusCode(), response.body(), jsonLength);
  }

  Answer get(String path) throws IOException, InterruptedException {
    return send(request(path).GET().build());
  }

  Answer post(String path, String json) throws IOException, InterruptedException {
    return send(request(path).POST(HttpRequest.BodyPublishers.ofString(json)).build());
  }

  Answer post(String path, InferMessage.Body body) throws IOException, InterruptedException {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    all.writeBytes(body.json());
    for (ByteBuffer part : body.data()) {
      byte[] bytes = new byte[part.remaining()];
      part.duplicate().get(bytes);
      all.writeBytes(bytes);
    }
    return send(
        request(path)
            .header(InferMessage.JSON_LENGTH, Integer.toString(body.json().length))
            .POST(HttpRequest.BodyPublishers.ofByteArray(all.toByteArray()))
            .build());
  }

  static byte[] zip(ModelBundle bundle) throws IOException {
    ByteArrayOutputStream zip = new ByteArrayOutputStream();
    bundle.writeTo(zip);
    return zip.toByteArray();
  }

  static String sha256(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }

  static String parameters(String sha256, String owner) {
    JsonObject parameters = new JsonObject();
    parameters.addProperty("sha256", sha256);
    parameters.addProperty("precision", "fp32");
    parameters.addProperty("owner", owner);
    JsonObject json = new JsonObject();
    json.add("parameters", parameters);
    return json.toString();
  }

  /** Sends a bundle and has it loaded. */
  Answer load(String id, byte[] zip, String sha256, String owner)
      throws IOException, InterruptedException {
    return post(
        "/v2/repository/models/" + id + "/load",
        new InferMessage.Body(
            parameters(sha256, owner).getBytes(StandardCharsets.UTF_8),
            List.of(ByteBuffer.wrap(zip))));
  }

  @Override
  public void close() {
    server.close();
  }
}
