/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cluster;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;

/** Talks to one node of a cluster. Thread-safe. */
public final class ClusterClient {
  private static final Duration CONNECT = Duration.ofSeconds(10);

  private final HttpClient http;
  private final URI node;
  private final String base;
  private final Optional<String> authorization;

  /**
   * The response of a node.
   *
   * @param status of HTTP
   */
  public record Response(int status, String body) {}

  /** Makes a client that trusts whom the JVM trusts, see the other constructor. */
  public ClusterClient(URI node, Optional<String> authorization) {
    this(node, authorization, Optional.empty());
  }

  /**
   * Makes a client of one node.
   *
   * @param node its HTTP address, such as {@code http://localhost:9200}, with a path where a proxy
   *     serves it under one
   * @param authorization value of that header, as {@link #basic} makes it
   * @param trust for https, as {@link Trust} makes it; empty: the JVM's own trust store counts
   * @throws IllegalArgumentException when it is none, or holds more than that
   */
  public ClusterClient(URI node, Optional<String> authorization, Optional<SSLContext> trust) {
    this.node = Objects.requireNonNull(node, "node");
    this.authorization = Objects.requireNonNull(authorization, "authorization");
    if (node.getHost() == null || !String.valueOf(node.getScheme()).startsWith("http")) {
      throw new IllegalArgumentException(
          "the node must be an address such as http://localhost:9200, got " + node);
    }
    if (node.getRawUserInfo() != null) {
      // Not repeated: a password may be in it.
      throw new IllegalArgumentException(
          "the address of " + node.getHost() + " must not hold a user; give --user instead");
    }
    if (node.getRawQuery() != null || node.getRawFragment() != null) {
      throw new IllegalArgumentException("the node's address must end with its path, got " + node);
    }
    if (trust.isPresent() && !"https".equals(node.getScheme())) {
      throw new IllegalArgumentException(
          "--ca and --insecure are for https, the node's address is " + node);
    }
    HttpClient.Builder builder =
        HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(CONNECT);
    trust.ifPresent(builder::sslContext);
    this.http = builder.build();
    this.base = node.toString().replaceFirst("/+$", "");
  }

  /** Returns the header {@code Authorization} of a user and his password. */
  public static String basic(String user, String password) {
    byte[] pair = (user + ":" + password).getBytes(StandardCharsets.UTF_8);
    return "Basic " + Base64.getEncoder().encodeToString(pair);
  }

  public URI node() {
    return node;
  }

  /**
   * Sends JSON and takes whatever comes back.
   *
   * @param path begins with a slash
   * @param body JSON, or lines of JSON for {@code _bulk}
   * @param timeout how long to wait for the response
   * @throws IOException when the node does not answer
   */
  public Response send(String method, String path, byte[] body, Duration timeout)
      throws IOException, InterruptedException {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create(base + path))
            .timeout(timeout)
            .header("content-type", "application/json")
            .method(
                method,
                body.length == 0
                    ? HttpRequest.BodyPublishers.noBody()
                    : HttpRequest.BodyPublishers.ofByteArray(body));
    authorization.ifPresent(value -> request.header("authorization", value));
    try {
      HttpResponse<String> response =
          http.send(request.build(), HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8));
      return new Response(response.statusCode(), response.body());
    } catch (SSLException e) {
      throw new IOException(
          node
              + " is not trusted, or does not speak TLS: "
              + e.getMessage()
              + "; --ca FILE names the authority that signed its certificate",
          e);
    } catch (IOException e) {
      throw new IOException(node + " does not answer: " + e, e);
    }
  }

  /**
   * Sends JSON that the node has to accept.
   *
   * @param json empty for none
   * @return the response's body
   * @throws IOException when the node refuses it, with the node's reason, or does not answer
   */
  public String call(String method, String path, String json, Duration timeout)
      throws IOException, InterruptedException {
    Response response = send(method, path, json.getBytes(StandardCharsets.UTF_8), timeout);
    if (response.status() >= 300) {
      throw refused(method, path, response);
    }
    return response.body();
  }

  /** Makes what to throw for a response that is a refusal. */
  public IOException refused(String method, String path, Response response) {
    return new IOException(
        String.format(
            Locale.ROOT,
            "%s refused %s %s with %d: %s",
            node,
            method,
            path,
            response.status(),
            response.body()));
  }
}
