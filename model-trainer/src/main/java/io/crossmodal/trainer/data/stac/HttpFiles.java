/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.stac;

import io.crossmodal.trainer.cluster.Retry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.channels.FileChannel;
import java.nio.channels.UnresolvedAddressException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import javax.net.ssl.SSLException;

/**
 * Fetches over HTTP. A server that is full (429), failing (5xx) or away is asked again, after as
 * long as it asks for (Retry-After) or later and later; a file whose connection broke is gone on
 * with from there, where the server says by ETag or date that it is still the same. Thread-safe.
 */
public final class HttpFiles {
  private static final Duration CONNECT = Duration.ofSeconds(10);
  private static final Set<Integer> PASSING = Set.of(408, 425, 429, 500, 502, 503, 504);
  private static final int NOT_SATISFIABLE = 416;
  private static final int NOT_FOUND = 404;
  private static final int GONE = 410;

  private final HttpClient client =
      HttpClient.newBuilder()
          .version(HttpClient.Version.HTTP_1_1)
          .connectTimeout(CONNECT)
          .followRedirects(HttpClient.Redirect.NORMAL)
          .build();

  private final Retry retry;
  private final Duration idle;

  /**
   * Makes one.
   *
   * @param retry patience with a server, counted from the last bytes that came
   * @param idle how long nothing may come on an open connection
   */
  public HttpFiles(Retry retry, Duration idle) {
    this.retry = Objects.requireNonNull(retry, "retry");
    this.idle = Objects.requireNonNull(idle, "idle");
  }

  static boolean isHttp(URI address) {
    String scheme = address.getScheme();
    return "http".equalsIgnoreCase(scheme) || "https".equalsIgnoreCase(scheme);
  }

  /** Returns an address for messages: without a query, in which signatures stand. */
  static String shown(URI address) {
    String whole = address.toString();
    return whole.indexOf('?') < 0 ? whole : whole.substring(0, whole.indexOf('?')) + "?...";
  }

  /**
   * A request that may be sent again.
   *
   * @param body JSON to POST; empty for GET
   * @param headers beside those of HTTP itself
   */
  record Request(URI address, String body, Map<String, String> headers) {
    Request {
      headers = Map.copyOf(headers);
    }

    static Request get(URI address) {
      return new Request(address, "", Map.of());
    }

    HttpRequest.Builder builder() {
      HttpRequest.Builder builder = HttpRequest.newBuilder(address);
      headers.forEach(builder::setHeader);
      if (!body.isEmpty()) {
        builder.setHeader("content-type", "application/json");
        builder.POST(HttpRequest.BodyPublishers.ofString(body));
      }
      return builder;
    }
  }

  /** What may pass: asked again after that time, or later. */
  private static final class Passing extends Exception {
    private static final long serialVersionUID = 1L;
    private final Duration after;

    Passing(String message, Duration after, Throwable cause) {
      super(message, cause);
      this.after = after;
    }
  }

  @FunctionalInterface
  private interface Attempt<T> {
    T run() throws IOException, Passing, InterruptedException;
  }

  /**
   * Fetches a document.
   *
   * @param most bytes that it may have
   * @param location told where it was found in the end
   * @throws IOException when it cannot, saying why
   */
  byte[] fetch(Request request, int most, Consumer<URI> location)
      throws IOException, InterruptedException {
    return patiently(
        request.address,
        () -> {
          ByteArrayOutputStream whole = new ByteArrayOutputStream();
          ResponseBody body =
              new ResponseBody() {
                @Override
                void begin(HttpResponse.ResponseInfo info) {}

                @Override
                void take(byte[] bytes) throws IOException {
                  if (whole.size() + bytes.length > most) {
                    throw new IOException(
                        shown(request.address) + " has more than " + most + " bytes");
                  }
                  whole.writeBytes(bytes);
                }
              };
          HttpResponse<Void> response = send(request.builder().build(), body);
          location.accept(response.uri());
          return whole.toByteArray();
        });
  }

  /**
   * What a server says of a file.
   *
   * @param length bytes
   * @param validator changes with its content: ETag or date; empty where it says none
   */
  record Head(OptionalLong length, String validator) {}

  /**
   * Asks for what is known of a file.
   *
   * @throws IOException when there is none, or the server does not answer
   */
  Head head(URI address) throws IOException, InterruptedException {
    return patiently(
        address,
        () -> {
          HttpRequest request =
              HttpRequest.newBuilder(address)
                  .method("HEAD", HttpRequest.BodyPublishers.noBody())
                  .build();
          HttpResponse<Void> response = answer(request, new ResponseBody.Discarded());
          int status = response.statusCode();
          if (status == NOT_FOUND || status == GONE) {
            throw refused(address, status);
          }
          checkPassing(address, response);
          if (status != ResponseBody.OK) {
            // A signature that is good for GET alone, say.
            return new Head(OptionalLong.empty(), "");
          }
          HttpHeaders headers = response.headers();
          String validator =
              headers.firstValue("etag").or(() -> ResponseBody.date(headers)).orElse("");
          return new Head(headers.firstValueAsLong("content-length"), validator);
        });
  }

  /**
   * Fetches a file.
   *
   * @param to written anew
   * @throws IOException when it cannot, saying why; what was written is left
   */
  void download(URI address, Path to, ResponseBody.Growth growth)
      throws IOException, InterruptedException {
    try (FileChannel file =
        FileChannel.open(
            to,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      ResponseBody.OfFile body = new ResponseBody.OfFile(file, growth);
      patiently(
          address,
          () -> {
            HttpRequest.Builder request = HttpRequest.newBuilder(address);
            if (file.position() > 0) {
              if (body.validator().isEmpty()) {
                file.truncate(0).position(0);
              } else {
                request.header("range", "bytes=" + file.position() + "-");
                request.header("if-range", body.validator());
              }
            }
            send(request.build(), body);
            return null;
          },
          body);
    }
  }

  private <T> T patiently(URI address, Attempt<T> attempt)
      throws IOException, InterruptedException {
    return patiently(address, attempt, null);
  }

  /**
   * Tries until it works, does not pass, or patience ends.
   *
   * @param body whose bytes renew patience; null where a document comes whole or not
   */
  private <T> T patiently(URI address, Attempt<T> attempt, ResponseBody body)
      throws IOException, InterruptedException {
    Retry.Backoff waits = retry.new Backoff();
    long before = 0;
    while (true) {
      Passing why;
      try {
        return attempt.run();
      } catch (Passing e) {
        why = e;
      }
      if (body != null && body.taken() > before) {
        before = body.taken();
        waits = retry.new Backoff();
      }
      if (!waits.another(why.after)) {
        throw new IOException(
            String.format(
                Locale.ROOT,
                "%s: given up after %d s: %s%s",
                shown(address),
                waits.passed().toSeconds(),
                why.getMessage(),
                why.after.isZero() ? "" : ", asked to wait " + why.after.toSeconds() + " s"),
            why);
      }
    }
  }

  private HttpResponse<Void> send(HttpRequest request, ResponseBody body)
      throws IOException, Passing, InterruptedException {
    HttpResponse<Void> response = answer(request, body);
    checkPassing(request.uri(), response);
    if (response.statusCode() == NOT_SATISFIABLE && body instanceof ResponseBody.OfFile file) {
      // What is there is longer than the file is now: from the beginning.
      file.forget();
      throw new Passing("the file was changed meanwhile", Duration.ZERO, null);
    }
    if (response.statusCode() != ResponseBody.OK && response.statusCode() != ResponseBody.PARTIAL) {
      throw refused(request.uri(), response.statusCode());
    }
    return response;
  }

  private static IOException refused(URI address, int status) {
    return new IOException(shown(address) + " answered " + status);
  }

  private static void checkPassing(URI address, HttpResponse<Void> response) throws Passing {
    if (PASSING.contains(response.statusCode())) {
      throw new Passing(
          shown(address) + " answered " + response.statusCode(),
          response.headers().firstValue("retry-after").map(HttpFiles::after).orElse(Duration.ZERO),
          null);
    }
  }

  /** Seconds or a date. */
  private static Duration after(String value) {
    try {
      if (value.matches("\\d{1,9}")) {
        return Duration.ofSeconds(Long.parseLong(value));
      }
      Instant then = ZonedDateTime.parse(value, DateTimeFormatter.RFC_1123_DATE_TIME).toInstant();
      Duration left = Duration.between(Instant.now(), then);
      return left.isNegative() ? Duration.ZERO : left;
    } catch (DateTimeException e) {
      return Duration.ZERO;
    }
  }

  /** Returns whether no server has that name, which does not pass. */
  private static boolean isUnknown(Throwable failure) {
    Throwable cause = failure;
    while (cause != null && !(cause instanceof UnresolvedAddressException)) {
      cause = cause.getCause();
    }
    return cause != null;
  }

  /** Waits for a response and its bytes, for as long as some come. */
  private HttpResponse<Void> answer(HttpRequest request, ResponseBody body)
      throws IOException, Passing, InterruptedException {
    body.touch();
    CompletableFuture<HttpResponse<Void>> coming = client.sendAsync(request, body::subscriber);
    try {
      while (true) {
        try {
          return coming.get(Math.min(1000, idle.toMillis()), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
          if (body.isIdleFor(idle)) {
            throw new Passing("nothing came for " + idle.toSeconds() + " s", Duration.ZERO, e);
          }
        }
      }
    } catch (ExecutionException e) {
      if (body.failure() != null) {
        throw body.failure();
      }
      if (e.getCause() instanceof SSLException || isUnknown(e)) {
        throw new IOException(shown(request.uri()) + " cannot be reached: " + e.getCause(), e);
      }
      if (e.getCause() instanceof IOException broken) {
        throw new Passing("the connection failed: " + broken, Duration.ZERO, broken);
      }
      throw new IOException(shown(request.uri()) + " cannot be asked: " + e.getCause(), e);
    } finally {
      coming.cancel(true);
    }
  }
}
