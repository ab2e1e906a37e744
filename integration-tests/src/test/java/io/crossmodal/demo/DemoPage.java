/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.demo;

import io.crossmodal.it.CrossModalClient.Hit;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.Sha256;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.trainer.data.CaptionedImage;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import javax.imageio.ImageIO;

/** Writes the demo's page: per search, the first hits before and after the rescore. */
final class DemoPage {
  private static final int SHOWN = 6;

  /** Of a picture on the page, in pixels. */
  private static final int SIDE = 224;

  private static final String HEAD =
      """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>Cross-modal search: before and after the fusion rescore</title>
      <style>
      body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem;
             color: #1c2733; background: #f6f7f9; }
      h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 0 0 .5rem; }
      section { background: #fff; border: 1px solid #dde2e8; border-radius: 8px; padding: 1rem; margin: 1rem 0; }
      .row { display: grid; grid-template-columns: 6rem repeat(6, 1fr); gap: .5rem; align-items: start; margin: .5rem 0; }
      .row > b { font-size: .85rem; align-self: center; }
      figure { margin: 0; font-size: .8rem; text-align: center; }
      img { width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 4px; border: 4px solid transparent; }
      .target img { border-color: #0a7d4b; }
      .target figcaption { color: #0a7d4b; font-weight: 600; }
      .moved { color: #556; }
      </style>
      </head>
      <body>
      <h1>Text finds pictures: kNN recall, then the fusion rescore</h1>
      """;

  private DemoPage() {}

  static Path write(Path folder, Archive archive, List<Example> examples, PairsSection pairs)
      throws IOException {
    Path images = Files.createDirectories(folder.resolve("images"));
    Map<String, Path> files = new HashMap<>();
    for (CaptionedImage image : archive.images()) {
      files.put(image.filename(), image.file());
    }
    StringBuilder html = new StringBuilder(HEAD);
    html.append("<p>").append(archive.images().size()).append(" pictures in an OpenSearch index. ");
    if (archive.captioned()) {
      html.append(
          "Each query is a picture's own caption; that picture has a green frame. The searches"
              + " shown are the four largest gains, one that changed little, and the two largest"
              + " losses.");
    }
    html.append("</p>\n");
    for (Example example : examples) {
      html.append("<section>\n<h2>").append(escape(example.text())).append("</h2>\n");
      if (archive.captioned()) {
        html.append("<p class=\"moved\">rank of its picture: ")
            .append(Example.text(example.rankBefore()))
            .append(" &rarr; ")
            .append(Example.text(example.rankAfter()))
            .append("</p>\n");
      }
      row(html, "kNN", example.recalled(), example, images, files);
      row(html, "fusion", example.rescored(), example, images, files);
      html.append("</section>\n");
    }
    pairs.append(html, images);
    html.append("</body>\n</html>\n");
    return Files.writeString(folder.resolve("index.html"), html);
  }

  private static void row(
      StringBuilder html,
      String name,
      List<Hit> hits,
      Example example,
      Path images,
      Map<String, Path> files)
      throws IOException {
    html.append("<div class=\"row\"><b>").append(name).append("</b>\n");
    for (Hit hit : hits.subList(0, Math.min(SHOWN, hits.size()))) {
      int before = Example.rank(example.recalled(), hit.id());
      html.append(hit.id().equals(example.target()) ? "<figure class=\"target\">" : "<figure>")
          .append("<img alt=\"")
          .append(escape(hit.id()))
          .append("\" src=\"images/")
          .append(shown(files.get(hit.id()), images))
          .append("\"><figcaption>")
          .append(String.format(Locale.ROOT, "%.3f", hit.score()))
          .append(" <span class=\"moved\">was ")
          .append(Example.text(before))
          .append("</span></figcaption></figure>\n");
    }
    html.append("</div>\n");
  }

  /**
   * Writes a picture as the model sees it, which also shows files that no browser does, under a
   * name that needs no quoting.
   */
  private static String shown(Path file, Path images) throws IOException {
    String name = Sha256.hex(file.toString().getBytes(StandardCharsets.UTF_8)) + ".png";
    byte[] rgb =
        new ImagePreprocessor(SensorConfig.rgb(SIDE)).decode(Files.readAllBytes(file)).rgb();
    BufferedImage picture = new BufferedImage(SIDE, SIDE, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < SIDE * SIDE; i++) {
      int colour =
          (rgb[3 * i] & 0xff) << 16 | (rgb[3 * i + 1] & 0xff) << 8 | (rgb[3 * i + 2] & 0xff);
      picture.setRGB(i % SIDE, i / SIDE, colour);
    }
    ImageIO.write(picture, "png", images.resolve(name).toFile());
    return name;
  }

  private static String escape(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;");
  }
}
