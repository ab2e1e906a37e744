/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.it;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.KarpathyReader;
import io.crossmodal.trainer.data.scene.SceneDatasetWriter;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import org.opensearch.client.Request;

/** What the tests of this package share. */
public final class Nodes {
  private Nodes() {}

  /**
   * Makes an empty folder for a test's home and nodes. It stays there for whoever looks into a
   * failure; the next mvn clean removes it.
   */
  public static Path folder(String test) throws IOException {
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

  /** The body of a new index of pictures and captions. */
  static final String PICTURES =
      "{\"settings\":{\"number_of_replicas\":0},\"mappings\":{\"properties\":"
          + "{\"image\":{\"type\":\"cross_modal\"},\"caption\":{\"type\":\"text\"}}}}";

  /** Lays out an OpenSearch with our plugin. */
  static OpenSearchHome home(Path folder) throws IOException {
    OpenSearchHome home = OpenSearchHome.create(folder.resolve("home"));
    home.install(PluginNode.zip());
    return home;
  }

  /** Describes a node that computes where the system property {@link Engines} reads says. */
  static OpenSearchNode.Builder builder(OpenSearchHome home, Path folder) {
    return Engines.chosen(embedded(home, folder));
  }

  /**
   * Describes a node that computes itself whatever the property says, for its own native code is
   * what matters; its libtorch does not keep processors busy with waiting.
   */
  static OpenSearchNode.Builder embedded(OpenSearchHome home, Path folder) {
    return OpenSearchNode.builder(home, folder)
        .heapMegabytes(1024)
        .environment("OMP_WAIT_POLICY", "passive");
  }

  /** Returns a small PNG, another one for each number. */
  static byte[] picture(int number) throws IOException {
    BufferedImage image = new BufferedImage(20, 20, BufferedImage.TYPE_INT_RGB);
    image.createGraphics().fillRect(number % 10, number % 7, 5 + number, 3);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ImageIO.write(image, "png", out);
    return out.toByteArray();
  }

  /** Sends a request and returns the answer, a JSON object. */
  public static JsonObject json(OpenSearchNode node, String method, String path, String json)
      throws IOException {
    return JsonParser.parseString(call(node, method, path, json)).getAsJsonObject();
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

  /**
   * Runs the trainer's command line as a process of its own.
   *
   * @param expected exit status
   * @param folder that it works in
   * @return all that it printed
   */
  static String trainer(int expected, Path folder, List<String> arguments) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(OpenSearchHome.java());
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-Dai.djl.offline=true"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add("io.crossmodal.trainer.cli.CrossModal");
    command.addAll(arguments);
    Process process =
        new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true).start();
    process.getOutputStream().close();
    String printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(expected, process.waitFor(), printed);
    return printed;
  }
}
