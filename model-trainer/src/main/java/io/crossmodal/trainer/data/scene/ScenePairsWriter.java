/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import io.crossmodal.trainer.data.GeoTiffWriter;
import io.crossmodal.trainer.data.Georeference;
import io.crossmodal.trainer.data.Split;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import javax.imageio.ImageIO;
import javax.imageio.stream.ImageOutputStream;
import javax.imageio.stream.MemoryCacheImageOutputStream;

/**
 * Writes generated scenes as two sensors and a camera see them: GeoTIFFs {@code s1/*.tif} and
 * {@code s2/*.tif}, pictures {@code rgb/*.png}; for each of the three its captions in Karpathy
 * style, {@code s1.json} and so on; and their table {@code pairs.csv}, which is written last: a
 * folder with a table is complete.
 */
public final class ScenePairsWriter {
  /** The table's name in the folder. */
  public static final String TABLE = "pairs.csv";

  /** Each with a folder of its name, and the extension of what lies there. */
  private static final Map<String, String> SENSORS =
      new TreeMap<>(Map.of("rgb", ".png", "s1", ".tif", "s2", ".tif"));

  private static final int METRES = 10;
  private static final int TILES_PER_ROW = 1000;

  private final SceneDatasetWriter.Config config;
  private final SceneDatasetWriter scenes;
  private final SensorRenderer renderer;

  /**
   * Makes a writer of the scenes that {@link SceneDatasetWriter} would write as pictures.
   *
   * @param config its size is that of a tile
   */
  public ScenePairsWriter(SceneDatasetWriter.Config config) {
    this.config = config;
    this.scenes = new SceneDatasetWriter(config);
    this.renderer = new SensorRenderer(config.size());
  }

  /**
   * Writes the pairs.
   *
   * @param onPair called once per pair written
   * @return the table
   */
  public Path write(Path folder, Runnable onPair) throws IOException {
    for (String sensor : SENSORS.keySet()) {
      Files.createDirectories(folder.resolve(sensor));
    }
    List<String> lines = new ArrayList<>();
    lines.add("id,rgb,s1,s2,labels,group,split");
    List<List<SceneCaption>> captions = new ArrayList<>();
    int number = 0;
    for (Split split : Split.values()) {
      for (int n = 0; n < config.count(split); n++) {
        Scene scene = scenes.scene(split, n);
        SensorRenderer.Views views = renderer.render(scene);
        captions.add(SceneCaptions.describe(scene));
        String id = SceneDatasetWriter.name(split, n);
        String file = id + ".tif";
        Georeference place = place(number++);
        String picture = id + ".png";
        Files.write(folder.resolve("rgb").resolve(picture), png(scenes.picture(scene)));
        Files.write(
            folder.resolve("s1").resolve(file),
            GeoTiffWriter.write(views.radar(), GeoTiffWriter.Values.FLOAT32, place));
        Files.write(
            folder.resolve("s2").resolve(file),
            GeoTiffWriter.write(views.optical(), GeoTiffWriter.Values.UINT16, place));
        int group = scene.twin().map(Scene.Twin::of).orElse(scene.index());
        lines.add(
            String.join(
                ",",
                id,
                "rgb/" + picture,
                "s1/" + file,
                "s2/" + file,
                String.join(";", SensorRenderer.labels(scene)),
                split.label() + group,
                split.label()));
        onPair.run();
      }
    }
    for (Map.Entry<String, String> sensor : SENSORS.entrySet()) {
      Path json = folder.resolve(sensor.getKey() + ".json");
      scenes.writeJson(json, sensor.getKey(), sensor.getValue(), captions);
    }
    Path temporary = folder.resolve(TABLE + ".tmp");
    Files.write(temporary, lines);
    return Files.move(
        temporary,
        folder.resolve(TABLE),
        StandardCopyOption.ATOMIC_MOVE,
        StandardCopyOption.REPLACE_EXISTING);
  }

  private static byte[] png(BufferedImage picture) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    // A memory stream: ImageIO's default would make a temporary file for each image.
    try (ImageOutputStream out = new MemoryCacheImageOutputStream(bytes)) {
      ImageIO.write(picture, "png", out);
    }
    return bytes.toByteArray();
  }

  /** Places tiles side by side in UTM zone 33, so that no two tiles are one place. */
  private Georeference place(int number) {
    int side = METRES * config.size();
    int row = number / TILES_PER_ROW;
    return new Georeference(
        32633,
        config.size(),
        config.size(),
        List.of(
            400_000.0 + number % TILES_PER_ROW * side,
            (double) METRES,
            0.0,
            5_400_000.0 - row * side,
            0.0,
            (double) -METRES));
  }
}
