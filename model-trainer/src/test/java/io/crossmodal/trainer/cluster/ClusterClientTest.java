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
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

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

  /** A node with a certificate of its own, as the security plugin's demo has it. */
  @Test
  void trustsWhomItIsTold(@TempDir Path folder) throws Exception {
    Path store = folder.resolve("node.p12");
    Path certificate = folder.resolve("node.pem");
    keytool(
        "-genkeypair",
        "-alias",
        "node",
        "-keyalg",
        "EC",
        "-dname",
        "CN=node",
        "-ext",
        "san=ip:127.0.0.1",
        "-keystore",
        store.toString(),
        "-storepass",
        "secret");
    keytool(
        "-exportcert",
        "-rfc",
        "-alias",
        "node",
        "-file",
        certificate.toString(),
        "-keystore",
        store.toString(),
        "-storepass",
        "secret");
    KeyStore keys = KeyStore.getInstance(store.toFile(), "secret".toCharArray());
    KeyManagerFactory factory =
        KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    factory.init(keys, "secret".toCharArray());
    SSLContext own = SSLContext.getInstance("TLS");
    own.init(factory.getKeyManagers(), null, null);
    try (ServerSocket server =
        own.getServerSocketFactory().createServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      URI node = URI.create("https://127.0.0.1:" + server.getLocalPort());
      for (SSLContext trust : List.of(Trust.only(certificate), Trust.everyone())) {
        CompletableFuture<String> asked = CompletableFuture.supplyAsync(() -> answered(server));
        new ClusterClient(node, Optional.empty(), Optional.of(trust))
            .call("GET", "/_bulk", "", Duration.ofSeconds(30));
        assertEquals("/_bulk", asked.join());
      }
      CompletableFuture<String> asked = CompletableFuture.supplyAsync(() -> answered(server));
      IOException e =
          assertThrows(
              IOException.class,
              () ->
                  new ClusterClient(node, Optional.empty())
                      .call("GET", "/", "", Duration.ofSeconds(30)));
      assertTrue(e.getMessage().contains("not trusted") && e.getMessage().contains("--ca"), "" + e);
      assertThrows(CompletionException.class, asked::join);
    }
  }

  private static void keytool(String... arguments) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "keytool").toString());
    command.addAll(List.of(arguments));
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.INHERIT)
            .start();
    assertEquals(0, process.waitFor());
  }

  @Test
  void trustIsForHttpsAndOfCertificates(@TempDir Path folder) throws Exception {
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () ->
                    new ClusterClient(
                        URI.create("http://node:9200"),
                        Optional.empty(),
                        Optional.of(Trust.everyone())))
            .getMessage();
    assertTrue(message.contains("for https"), message);
    Path none = Files.writeString(folder.resolve("none.pem"), "no certificate");
    message = assertThrows(IllegalArgumentException.class, () -> Trust.only(none)).getMessage();
    assertTrue(message.contains("none.pem holds no certificate"), message);
  }
}
