/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.image.Stretch;
import io.crossmodal.trainer.encode.Clouds;
import io.crossmodal.trainer.encode.Cutting;
import io.crossmodal.trainer.encode.Look;
import io.crossmodal.trainer.raster.Rasters;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Option;

/** How {@code encode} cuts scenes and shows pictures. */
final class SceneArguments {
  @Option(
      names = "--chip",
      paramLabel = "PIXELS",
      description =
          "--data holds scenes, TIFF files of any size: encode them in squares of so many pixels,"
              + " each a document with scene, window, footprint, centre and resolution")
  private Double chip;

  @Option(
      names = "--chip-metres",
      paramLabel = "METRES",
      description = "likewise, in squares of so many metres on the ground")
  private Double chipMetres;

  @Option(
      names = "--stride",
      paramLabel = "LENGTH",
      description = "from a chip to the next, in the chip's unit (default: the chip's side)")
  private Double stride;

  @Option(
      names = "--resolution",
      paramLabel = "METRES",
      description =
          "of the pixels that --chip counts; the overview of a scene that suffices is read"
              + " (default: the scene's own)")
  private Double resolution;

  @Option(
      names = "--skip-nodata",
      paramLabel = "SHARE",
      description = "leave out chips with a larger share of pixels without data (default: 0.5)")
  private Double skipNoData;

  @Option(
      names = "--skip-cloud",
      paramLabel = "SHARE",
      description =
          "leave out chips of which a larger share is cloud, by Sentinel-2's scene classification"
              + " beside the scene, the asset scl of a STAC item, or --cloud-band; documents have the field cloud. 1 leaves out"
              + " none")
  private Double skipCloud;

  @Option(
      names = "--scl",
      paramLabel = "PATTERN",
      description =
          "--skip-cloud: the scene classification, from the scene's folder, such as"
              + " ../R20m/*_SCL_20m.jp2, or with --stac the asset's name (default: where"
              + " Sentinel-2's products, COGs and catalogues have it)")
  private String classes;

  @Option(
      names = "--cloud-band",
      paramLabel = "NUMBER",
      description =
          "--skip-cloud: the scene's own band, counted from 1, that is above 0 where there is"
              + " cloud")
  private Integer cloudBand;

  @Option(
      names = "--reader",
      paramLabel = "NAME",
      description =
          "of scenes: builtin reads TIFF; gdal everything that GDAL's programs read, also"
              + " /vsicurl/https://..., /vsis3/..., /vsizip/...; auto is builtin, and gdal for what"
              + " that does not read (default: auto)")
  private Rasters.Choice reader;

  @Option(
      names = "--stretch",
      paramLabel = "MIN:MAX",
      description =
          "TIFF files of measured values, as of 16 bits: the values that are shown black and white,"
              + " such as 0:3000, or percentiles of each scene, such as 2%%:98%%")
  private String stretch;

  @Option(
      names = "--rgb",
      paramLabel = "R,G,B",
      split = ",",
      showDefaultValue = CommandLine.Help.Visibility.NEVER,
      description =
          "bands of TIFF files that are red, green and blue, counted from 1, such as 3,2,1"
              + " (default: as the file says)")
  private List<Integer> rgb = new ArrayList<>();

  @Option(
      names = "--thumbnail",
      paramLabel = "PIXELS",
      defaultValue = "" + Look.THUMBNAIL,
      description =
          "longest side of the JPEG that a document keeps for the search page, about 5 kB; 0 for"
              + " none")
  private int thumbnail;

  /** Returns how scenes are cut; empty where --data holds pictures. */
  Optional<Cutting> cutting() {
    if (chip != null && chipMetres != null) {
      throw new IllegalArgumentException(
          "--chip and --chip-metres are two ways to say one thing; give one of them");
    }
    Double side = chip == null ? chipMetres : chip;
    if (side == null) {
      if (Stream.of(stride, resolution, skipNoData, skipCloud, classes, cloudBand, reader)
          .anyMatch(Objects::nonNull)) {
        throw new IllegalArgumentException(
            "--stride, --resolution, --skip-nodata, --skip-cloud, --scl, --cloud-band and --reader"
                + " are for scenes: --chip or --chip-metres says how large their chips are");
      }
      return Optional.empty();
    }
    if (skipCloud == null && (classes != null || cloudBand != null)) {
      throw new IllegalArgumentException(
          "--scl and --cloud-band say what is cloud for --skip-cloud, which is missing");
    }
    if (cloudBand != null && cloudBand < 1) {
      throw new IllegalArgumentException("--cloud-band counts from 1, got " + cloudBand);
    }
    return Optional.of(
        new Cutting(
            side,
            stride == null ? side : stride,
            chip == null,
            resolution == null ? OptionalDouble.empty() : OptionalDouble.of(resolution),
            skipNoData == null ? 0.5 : skipNoData,
            Optional.ofNullable(skipCloud)
                .map(
                    most ->
                        new Clouds(
                            most,
                            Optional.ofNullable(classes),
                            cloudBand == null ? -1 : cloudBand - 1)),
            reader()));
  }

  /** Returns whether a path is taken for a scene, though it has no suffix of a picture. */
  boolean takes(Path path) {
    return (chip != null || chipMetres != null) && Rasters.of(reader()).takes(path);
  }

  private Rasters.Choice reader() {
    return reader == null ? Rasters.Choice.AUTO : reader;
  }

  Look look() {
    return new Look(
        thumbnail,
        Optional.ofNullable(stretch).map(Stretch::of),
        rgb.stream().map(band -> band - 1).toList());
  }
}
