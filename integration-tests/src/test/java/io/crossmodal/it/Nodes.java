/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.it;

import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.KarpathyReader;
import io.crossmodal.trainer.data.scene.SceneDatasetWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.opensearch.client.Request;

/** What the tests of this package share. */
final class Nodes {
  private Nodes() {}

  /**
   * Makes an empty folder for a test's home and nodes. It stays there for whoever looks into a
   * failure; the next mvn clean removes it.
   */
  static Path folder(String test) throws IOException {
    Path work = Path.of(System.getProperty("crossmodal.work", "target/nodes"));
    return Files.createTempDirectory(Files.createDirectories(work), test + "-");
  }

  /** Generates pictures with captions, the same ones each time. */
  static List<CaptionedImage> scenes(Path folder, int count)
      throws IOException, InterruptedException {
    return KarpathyReader.read(
            new SceneDatasetWriter(new SceneDatasetWriter.Config(0, 0, count, 77, 128, 0.3))
                .write(folder.resolve("scenes"), 2, () -> {}))
        .images();
  }

  /** Sends a request and returns the answer's body. */
  static String call(OpenSearchNode node, String method, String path, String json)
      throws IOException {
    Request request = new Request(method, path);
    if (json != null) {
      request.setJsonEntity(json);
    }
    try (var body = node.client().performRequest(request).getEntity().getContent()) {
      return new String(body.readAllBytes(), StandardCharsets.UTF_8);
    }
  }
}
