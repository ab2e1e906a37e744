/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import io.crossmodal.model.image.GeoTiffWriter;
import io.crossmodal.model.image.Georeference;
import io.crossmodal.trainer.data.Split;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Writes generated scenes as pairs of GeoTIFFs, {@code s1/*.tif} and {@code s2/*.tif}, and their
 * table {@code pairs.csv}, which is written last: a folder with a table is complete.
 */
public final class ScenePairsWriter {
  /** The table's name in the folder. */
  public static final String TABLE = "pairs.csv";

  private static final int METRES = 10;
  private static final int TILES_PER_ROW = 1000;

  private final SceneDatasetWriter.Config config;
  private final SceneDatasetWriter scenes;
  private final SensorRenderer renderer;

  /**
   * A writer of the scenes that {@link SceneDatasetWriter} would write as pictures.
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
    Files.createDirectories(folder.resolve("s1"));
    Files.createDirectories(folder.resolve("s2"));
    List<String> lines = new ArrayList<>();
    lines.add("id,s1,s2,labels,group,split");
    int number = 0;
    for (Split split : Split.values()) {
      for (int n = 0; n < config.count(split); n++) {
        Scene scene = scenes.scene(split, n);
        SensorRenderer.Views views = renderer.render(scene);
        String id = String.format(Locale.ROOT, "%s_%06d", split.label(), n);
        String file = id + ".tif";
        Georeference place = place(number++);
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
                "s1/" + file,
                "s2/" + file,
                String.join(";", SensorRenderer.labels(scene)),
                split.label() + group,
                split.label()));
        onPair.run();
      }
    }
    Path temporary = folder.resolve(TABLE + ".tmp");
    Files.write(temporary, lines);
    return Files.move(
        temporary,
        folder.resolve(TABLE),
        StandardCopyOption.ATOMIC_MOVE,
        StandardCopyOption.REPLACE_EXISTING);
  }

  /** Side by side in UTM zone 33, so that no two tiles are one place. */
  private Georeference place(int number) {
    double side = METRES * config.size();
    return new Georeference(
        32633,
        config.size(),
        config.size(),
        List.of(
            400_000 + number % TILES_PER_ROW * side,
            (double) METRES,
            0.0,
            5_400_000 - number / TILES_PER_ROW * side,
            0.0,
            (double) -METRES));
  }
}
