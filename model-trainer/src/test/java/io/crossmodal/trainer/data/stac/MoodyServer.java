/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.stac;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.crossmodal.trainer.cluster.Retry;
import java.io.Closeable;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** A server on the loopback interface whose misbehaviour a test says beforehand. */
public final class MoodyServer implements Closeable {
  /** Answers a request, in the place of the usual answer. */
  @FunctionalInterface
  public interface Mood {
    void answer(HttpExchange exchange, byte[] content) throws IOException;
  }

  private final HttpServer server;
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final Map<String, byte[]> contents = new ConcurrentHashMap<>();
  private final Map<String, Deque<Mood>> moods = new ConcurrentHashMap<>();
  private final Set<String> headless = ConcurrentHashMap.newKeySet();
  private final List<String> requests = Collections.synchronizedList(new ArrayList<>());

  /** Starts it, empty. */
  public MoodyServer() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(threads);
    server.createContext("/", this::answer);
    server.start();
  }

  /** Returns the address of a path. */
  public URI at(String path) {
    return URI.create("http://127.0.0.1:" + server.getAddress().getPort() + path);
  }

  /** Serves a content under a path, with a strong ETag. */
  public void put(String path, byte[] content) {
    contents.put(path, content);
  }

  /** Serves a text. */
  public void put(String path, String content) {
    put(path, content.getBytes(StandardCharsets.UTF_8));
  }

  /** Answers HEAD of a path with 405, as a signature that is good for GET alone makes it. */
  void refuseHead(String path) {
    headless.add(path);
  }

  /** Answers the next request with that path, other than HEAD, so. */
  public void once(String path, Mood mood) {
    moods.computeIfAbsent(path, key -> new ArrayDeque<>()).add(mood);
  }

  /** Answers with a status, and a header unless its name is empty. */
  static Mood status(int status, String header, String value) {
    return (exchange, content) -> {
      if (!header.isEmpty()) {
        exchange.getResponseHeaders().set(header, value);
      }
      exchange.sendResponseHeaders(status, -1);
    };
  }

  /** Answers with a part of the content and closes the connection. */
  public static Mood breaksAfter(int bytes) {
    return (exchange, content) -> {
      exchange.getResponseHeaders().set("ETag", tag(content));
      exchange.sendResponseHeaders(200, content.length);
      exchange.getResponseBody().write(content, 0, bytes);
      exchange.getResponseBody().flush();
      exchange.close();
    };
  }

  static String tag(byte[] content) {
    return "\"" + Arrays.hashCode(content) + "\"";
  }

  /** Returns what was asked for, as "GET /path bytes=3-", in order. */
  public List<String> requests() {
    synchronized (requests) {
      return List.copyOf(requests);
    }
  }

  private void answer(HttpExchange exchange) throws IOException {
    try (exchange) {
      String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
      String range = exchange.getRequestHeaders().getFirst("range");
      requests.add(
          (exchange.getRequestMethod()
                  + " "
                  + exchange.getRequestURI()
                  + " "
                  + (range == null ? "" : range)
                  + body)
              .strip());
      String path = exchange.getRequestURI().getPath();
      byte[] content = contents.get(exchange.getRequestURI().toString());
      content = content == null ? contents.get(path) : content;
      Deque<Mood> waiting = moods.get(path);
      boolean head = exchange.getRequestMethod().equals("HEAD");
      if (head && headless.contains(path)) {
        exchange.sendResponseHeaders(405, -1);
      } else if (waiting != null && !waiting.isEmpty() && !head) {
        waiting.remove().answer(exchange, content);
      } else if (content == null) {
        exchange.sendResponseHeaders(404, -1);
      } else {
        serve(exchange, content, range);
      }
    }
  }

  private static void serve(HttpExchange exchange, byte[] content, String range)
      throws IOException {
    exchange.getResponseHeaders().set("ETag", tag(content));
    if (exchange.getRequestMethod().equals("HEAD")) {
      exchange.getResponseHeaders().set("Content-Length", Integer.toString(content.length));
      exchange.sendResponseHeaders(200, -1);
      return;
    }
    int from = 0;
    if (range != null && tag(content).equals(exchange.getRequestHeaders().getFirst("if-range"))) {
      from = Integer.parseInt(range.replaceAll("\\D", ""));
      exchange
          .getResponseHeaders()
          .set(
              "Content-Range", "bytes " + from + "-" + (content.length - 1) + "/" + content.length);
    }
    exchange.sendResponseHeaders(from > 0 ? 206 : 200, content.length - from);
    exchange.getResponseBody().write(content, from, content.length - from);
  }

  /** Returns patience that does not wait, and notes what it would have waited. */
  public static Retry patience(Duration patience, List<Duration> waits) {
    return new Retry(
        Duration.ofMillis(250),
        Duration.ofSeconds(30),
        patience,
        waits::add,
        () -> waits.stream().mapToLong(Duration::toNanos).sum());
  }

  @Override
  public void close() {
    server.stop(0);
    threads.shutdownNow();
  }
}
