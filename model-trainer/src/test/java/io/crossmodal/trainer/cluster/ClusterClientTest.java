/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cluster;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class ClusterClientTest {

  private static ClusterClient client(String node) {
    return new ClusterClient(URI.create(node), Optional.empty());
  }

  @Test
  void keepsThePathOfAProxy() throws Exception {
    List<String> paths = List.of("", "/", "/search", "/search/a%20b//");
    List<String> asked = new ArrayList<>();
    try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      String node = "http://127.0.0.1:" + server.getLocalPort();
      for (String path : paths) {
        CompletableFuture<Void> answered =
            CompletableFuture.runAsync(() -> asked.add(answered(server)));
        client(node + path).call("GET", "/index/_bulk?a=b", "", Duration.ofSeconds(30));
        answered.join();
      }
    }
    assertEquals(
        List.of(
            "/index/_bulk?a=b",
            "/index/_bulk?a=b",
            "/search/index/_bulk?a=b",
            "/search/a%20b/index/_bulk?a=b"),
        asked);
  }

  /** Takes one request and answers it: the path that it asked for. */
  private static String answered(ServerSocket server) {
    try (Socket socket = server.accept()) {
      BufferedReader in =
          new BufferedReader(
              new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII));
      String path = in.readLine().split(" ", 3)[1];
      while (!in.readLine().isEmpty()) {
        // The rest of the head does not matter.
      }
      String answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
      socket.getOutputStream().write(answer.getBytes(StandardCharsets.US_ASCII));
      return path;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void refusesAnAddressThatHoldsMore() {
    for (String odd : List.of("http://node:9200?pretty", "http://node:9200/#x", "localhost:9200")) {
      String message = assertThrows(IllegalArgumentException.class, () -> client(odd)).getMessage();
      assertTrue(message.contains("got " + odd), message);
    }
    String message =
        assertThrows(IllegalArgumentException.class, () -> client("https://me:secret@node:9200"))
            .getMessage();
    assertTrue(message.contains("--user"), message);
    assertFalse(message.contains("secret"), message);
  }
}
