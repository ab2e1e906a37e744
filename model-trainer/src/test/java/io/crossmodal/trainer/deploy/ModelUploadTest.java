/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.deploy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.trainer.cluster.ClusterClient;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What needs no node; ModelUploadIT deploys to a real one. */
class ModelUploadTest {
  private static final ClusterClient NODE =
      new ClusterClient(URI.create("http://localhost:9200"), Optional.empty());

  @TempDir Path folder;

  @Test
  void countsParts() {
    ModelUpload upload = new ModelUpload(NODE, 1000);
    assertEquals(1, upload.parts(0));
    assertEquals(1, upload.parts(1000));
    assertEquals(3, upload.parts(2001));
    assertThrows(ArithmeticException.class, () -> upload.parts(Long.MAX_VALUE / 2));
  }

  @Test
  void saysWhichNodeDoesNotAnswer() throws Exception {
    Path bundle = Files.write(folder.resolve("model.zip"), new byte[] {1});
    int port;
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    URI nobody = URI.create("http://127.0.0.1:" + port);
    IOException gone =
        assertThrows(
            IOException.class,
            () ->
                new ModelUpload(new ClusterClient(nobody, Optional.empty()), 10)
                    .send(bundle, "mine", done -> {}));
    assertTrue(gone.getMessage().startsWith(nobody + " does not answer"), gone.getMessage());
  }

  @Test
  void namesTheNodesThatHaveNotLoaded() throws Exception {
    String loaded = "\"x1\":{\"name\":\"node-1\",\"state\":\"loaded\",\"version\":1}";
    ModelUpload.requireLoaded(
        "mine", "{\"models\":[{\"id\":\"mine\",\"nodes\":{" + loaded + "}}]}");
    String failed = "\"x2\":{\"name\":\"node-2\",\"state\":\"failed\",\"error\":\"no memory\"}";
    String answer = "{\"models\":[{\"id\":\"mine\",\"nodes\":{" + loaded + "," + failed + "}}]}";
    String message =
        assertThrows(IOException.class, () -> ModelUpload.requireLoaded("mine", answer))
            .getMessage();
    assertTrue(
        message.contains("[mine]") && message.contains("node-2: failed, no memory"), message);
    assertFalse(message.contains("node-1"), message);
    assertThrows(IOException.class, () -> ModelUpload.requireLoaded("mine", "{\"models\":[]}"));
  }

  @Test
  void refusesWhatCannotBeSent() {
    assertThrows(
        IllegalArgumentException.class,
        () -> new ClusterClient(URI.create("localhost"), Optional.empty()));
    assertThrows(IllegalArgumentException.class, () -> new ModelUpload(NODE, 0));
    assertThrows(IllegalArgumentException.class, () -> new ModelUpload(NODE, 1).load("a/../b"));
  }
}
