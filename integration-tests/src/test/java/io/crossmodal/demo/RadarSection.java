/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.demo;

import io.crossmodal.it.CrossModalClient;
import io.crossmodal.it.CrossModalClient.Hit;
import io.crossmodal.it.SensorArchive;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.trainer.data.InvalidDatasetException;
import io.crossmodal.trainer.train.TrainingException;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import javax.imageio.ImageIO;
import me.tongfei.progressbar.ProgressBar;

/** The part of the demo in which radar tiles find optical ones. */
final class RadarSection {
  private static final String INDEX = "tiles";
  private static final int PLACES = 100;
  private static final int SHOWN = 4;
  private static final int COLUMNS = 5;

  /** Blue, green and red are the first bands of Sentinel-2. */
  private static final int[] TRUE_COLOUR = {2, 1, 0};

  private static final int[] RADAR = {0, 0, 0};

  private final SensorArchive archive;
  private final List<Search> searches;

  /** One radar tile, searched by twice. */
  private record Search(int place, List<Hit> recalled, List<Hit> rescored) {
    private int rank(boolean after) {
      return Example.rank(after ? rescored : recalled, SensorArchive.id("s2", place));
    }
  }

  private RadarSection(SensorArchive archive, List<Search> searches) {
    this.archive = archive;
    this.searches = searches;
  }

  /** Trains the model, which takes some seconds, indexes the tiles and searches. */
  static RadarSection of(Path work, CrossModalClient client)
      throws IOException, InvalidDatasetException, BundleException, TrainingException {
    Path folder = Files.createTempDirectory(work, "tiles-");
    SensorArchive archive;
    try (ProgressBar bar = new ProgressBar("train radar and optical", SensorArchive.steps())) {
      archive = SensorArchive.create(folder, client, INDEX, PLACES, bar::stepTo);
    }
    List<Search> searches = new ArrayList<>();
    for (int place = 0; place < archive.places(); place++) {
      byte[] tile = archive.mirrored("s1", place);
      searches.add(
          new Search(
              place,
              archive.search(tile, "s1", "s2", false),
              archive.search(tile, "s1", "s2", true)));
    }
    return new RadarSection(archive, searches);
  }

  /** Writes the first few searches; nobody chose them. */
  void append(StringBuilder html, Path images) throws IOException {
    html.append("<h1>Radar finds optical: kNN recall, then patch by patch</h1>\n<p>")
        .append(archive.places())
        .append(
            " generated places, each seen by both sensors; the query is the radar tile, mirrored.")
        .append(" A model trained on 200 others for some seconds finds the place first in ")
        .append(first(false))
        .append(" of them by kNN, in ")
        .append(first(true))
        .append(" with the rescore.</p>\n");
    for (Search search : searches.subList(0, Math.min(SHOWN, searches.size()))) {
      html.append("<section>\n<p class=\"moved\">rank of its place: ")
          .append(Example.text(search.rank(false)))
          .append(" &rarr; ")
          .append(Example.text(search.rank(true)))
          .append("</p>\n");
      row(html, "kNN", search, search.recalled, images);
      row(html, "fusion", search, search.rescored, images);
      html.append("</section>\n");
    }
  }

  private long first(boolean after) {
    return searches.stream().filter(search -> search.rank(after) == 1).count();
  }

  private void row(StringBuilder html, String name, Search search, List<Hit> hits, Path images)
      throws IOException {
    html.append("<div class=\"row\"><b>").append(name).append("</b>\n");
    figure(html, "s1", search.place, "radar", false, images);
    for (Hit hit : hits.subList(0, Math.min(COLUMNS, hits.size()))) {
      int place = Integer.parseInt(hit.id().substring(hit.id().indexOf('-') + 1));
      figure(
          html,
          "s2",
          place,
          String.format(Locale.ROOT, "%.3f", hit.score()),
          place == search.place,
          images);
    }
    html.append("</div>\n");
  }

  private void figure(
      StringBuilder html, String sensor, int place, String caption, boolean target, Path images)
      throws IOException {
    String file = SensorArchive.id(sensor, place) + ".png";
    ImageIO.write(
        picture(archive.tile(sensor, place), sensor.equals("s1") ? RADAR : TRUE_COLOUR),
        "png",
        images.resolve(file).toFile());
    html.append(target ? "<figure class=\"target\">" : "<figure>")
        .append("<img alt=\"")
        .append(SensorArchive.id(sensor, place))
        .append("\" src=\"images/")
        .append(file)
        .append("\"><figcaption>")
        .append(caption)
        .append("</figcaption></figure>\n");
  }

  /** Returns three bands as red, green and blue, each from its least value to its largest. */
  private static BufferedImage picture(BandImage tile, int[] bands) {
    BufferedImage picture =
        new BufferedImage(tile.width(), tile.height(), BufferedImage.TYPE_INT_RGB);
    for (int band : bands) {
      float least = Float.POSITIVE_INFINITY;
      float most = Float.NEGATIVE_INFINITY;
      for (float value : tile.select(band).values()) {
        least = Math.min(least, value);
        most = Math.max(most, value);
      }
      float range = Math.max(most - least, Float.MIN_NORMAL);
      for (int y = 0; y < tile.height(); y++) {
        for (int x = 0; x < tile.width(); x++) {
          int level = Math.round(255 * (tile.value(band, x, y) - least) / range);
          picture.setRGB(x, y, picture.getRGB(x, y) << 8 | level);
        }
      }
    }
    return picture;
  }
}
