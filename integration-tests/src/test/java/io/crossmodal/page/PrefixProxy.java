/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.page;

import com.sun.net.httpserver.BasicAuthenticator;
import com.sun.net.httpserver.HttpContext;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;

/** A proxy that gives a node a prefix and a password, as organisations' proxies do. */
public final class PrefixProxy implements AutoCloseable {
  private static final List<String> HEADERS =
      List.of("content-type", "content-security-policy", "warning", "location", "cache-control");

  private final HttpServer server;
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final HttpClient client = HttpClient.newHttpClient();
  private final URI node;
  private final String prefix;
  private final AtomicInteger refused = new AtomicInteger();

  private PrefixProxy(URI node, String prefix, String user, String password) throws IOException {
    this.node = node;
    this.prefix = prefix;
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(threads);
    HttpContext context = server.createContext(prefix, this::pass);
    context.setAuthenticator(
        new BasicAuthenticator("archive") {
          @Override
          public boolean checkCredentials(String name, String secret) {
            return user.equals(name) && password.equals(secret);
          }

          @Override
          public Result authenticate(HttpExchange exchange) {
            Result result = super.authenticate(exchange);
            if (!(result instanceof Success)) {
              refused.incrementAndGet();
            }
            return result;
          }
        });
    server.start();
  }

  /** Starts a proxy on a free port of this machine. */
  public static PrefixProxy start(URI node, String prefix, String user, String password)
      throws IOException {
    return new PrefixProxy(node, prefix, user, password);
  }

  /** Returns its address, without the prefix. */
  public URI root() {
    return URI.create("http://localhost:" + server.getAddress().getPort());
  }

  /** Returns how many requests came without the password. */
  public int refused() {
    return refused.get();
  }

  private void pass(HttpExchange exchange) throws IOException {
    String path = exchange.getRequestURI().toString().substring(prefix.length());
    byte[] body = exchange.getRequestBody().readAllBytes();
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create(node + path))
            .method(exchange.getRequestMethod(), HttpRequest.BodyPublishers.ofByteArray(body));
    if (body.length > 0) {
      request.header("content-type", "application/json");
    }
    try {
      HttpResponse<byte[]> answer =
          client.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
      for (String header : HEADERS) {
        answer
            .headers()
            .firstValue(header)
            .ifPresent(value -> exchange.getResponseHeaders().set(header, value));
      }
      int length = answer.body().length;
      exchange.sendResponseHeaders(answer.statusCode(), length == 0 ? -1 : length);
      exchange.getResponseBody().write(answer.body());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      exchange.close();
    }
  }

  @Override
  public void close() {
    server.stop(0);
    threads.shutdownNow();
  }
}
