/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.worker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.fixtures.TestCertificates;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** Whom an https:// address serves. */
final class TlsTest {
  @TempDir private static Path made;
  private static TestCertificates certificates;
  private static TestCertificates.Pem own;

  @TempDir private Path directory;

  @BeforeAll
  static void make() throws IOException {
    certificates = new TestCertificates(made);
    own = certificates.signed("worker");
  }

  private TestWorker worker(Path clients) throws IOException {
    return new TestWorker(
        directory,
        new WorkerSettings.Tls(own.certificate(), own.key(), clients),
        new Connections.Limits(100, TestWorker.PATIENCE),
        4L << 30,
        Duration.ZERO,
        100);
  }

  /** Returns the status that curl gets; 000 where it is sent away. */
  private static String curl(TestWorker worker, TestCertificates.Pem as) throws Exception {
    List<String> command =
        new ArrayList<>(List.of("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}"));
    command.addAll(List.of("--cacert", certificates.ca().toString()));
    if (as != null) {
      command.addAll(List.of("--cert", as.certificate().toString(), "--key", as.key().toString()));
    }
    command.add("https://localhost:" + worker.server.addresses().get(1).getPort() + "/v2");
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String answer = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertTrue(process.waitFor(1, TimeUnit.MINUTES));
    return answer;
  }

  private static long untrusted(TestWorker worker) throws Exception {
    return worker.get("/v2").json().getAsJsonObject("connections").get("untrusted").getAsLong();
  }

  @Test
  void whomTheCaHasSignedIsServedAndNobodyElse() throws Exception {
    try (TestWorker worker = worker(certificates.ca())) {
      assertEquals("200", curl(worker, certificates.signed("node")));
      assertEquals(0, untrusted(worker));
      assertEquals("000", curl(worker, null));
      assertEquals("000", curl(worker, certificates.own("stranger")));
      assertEquals("000", curl(worker, certificates.expired("late")));
      assertEquals(3, untrusted(worker), "counted");
    }
  }

  @Test
  void certificatesThemselvesMayBeNamedAndExpireToo() throws Exception {
    TestCertificates.Pem named = certificates.own("named");
    TestCertificates.Pem late = certificates.ownExpired("named-late");
    Path both = directory.resolve("clients.pem");
    Files.writeString(
        both, Files.readString(named.certificate()) + Files.readString(late.certificate()));
    try (TestWorker worker = worker(both)) {
      assertEquals("200", curl(worker, named));
      assertEquals("000", curl(worker, late));
      assertEquals("000", curl(worker, certificates.signed("other")));
    }
  }

  /** Its holder is in time; the CA, whose dates the JDK does not ask for, is not. */
  @Test
  void anExpiredCaHasSignedNobody() throws Exception {
    TestCertificates.Pem signed = certificates.ofLateCa("of-late-ca");
    Path both = directory.resolve("clients.pem");
    Files.writeString(
        both, Files.readString(certificates.lateCa()) + Files.readString(certificates.ca()));
    try (TestWorker worker = worker(both)) {
      assertEquals("000", curl(worker, signed));
      assertEquals("200", curl(worker, certificates.signed("node-in-time")));
    }
    try (TestWorker worker = worker(certificates.lateCa())) {
      assertEquals("000", curl(worker, signed));
      assertEquals(1, untrusted(worker));
    }
  }

  @Test
  void filesThatAreNoneAreNamed() throws Exception {
    Path no = Files.writeString(directory.resolve("no.pem"), "no certificate");
    IOException clients = assertThrows(IOException.class, () -> worker(no));
    assertTrue(clients.getMessage().contains("no.pem"), clients.getMessage());
    IOException key =
        assertThrows(
            IOException.class,
            () ->
                Connections.context(
                    new WorkerSettings.Tls(own.certificate(), no, certificates.ca())));
    assertTrue(key.getMessage().contains("PKCS#8"), key.getMessage());
    CommandLine command = new CommandLine(new WorkerCommand());
    assertEquals(CommandLine.ExitCode.USAGE, command.execute("--listen", "https://0.0.0.0:0"));
    assertEquals(
        CommandLine.ExitCode.USAGE,
        command.execute("--listen", "https://0.0.0.0:0", "--tls-key", no.toString()));
  }
}
