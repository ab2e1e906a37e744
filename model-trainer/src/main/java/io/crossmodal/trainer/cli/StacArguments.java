/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.trainer.cluster.Retry;
import io.crossmodal.trainer.data.stac.AssetChoice;
import io.crossmodal.trainer.data.stac.AssetFiles;
import io.crossmodal.trainer.data.stac.HttpFiles;
import io.crossmodal.trainer.data.stac.Spool;
import io.crossmodal.trainer.data.stac.StacReader;
import io.crossmodal.trainer.encode.Archive;
import io.crossmodal.trainer.encode.Clouds;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.Option;

/** Options that name a STAC catalogue and what is taken of it. */
final class StacArguments {
  /** How long nothing may come on an open connection. */
  private static final Duration IDLE = Duration.ofSeconds(60);

  private static final double BYTES = 1e9;

  @Option(
      names = "--stac",
      paramLabel = "FILE|URL",
      description =
          "in the place of --data: a STAC catalogue, collection, item or file of items, or the"
              + " address of one or of a search API; its items are fetched one after another")
  private String catalogue;

  @Option(
      names = "--stac-search",
      paramLabel = "JSON",
      description = "--stac is a search API: send it this by POST")
  private String search;

  @Option(
      names = "--asset",
      paramLabel = "NAME",
      split = ",",
      showDefaultValue = Visibility.NEVER,
      description =
          "--stac: asset that is encoded, by its name or role; several are the bands of one scene,"
              + " three red, green and blue (default: visual, data, overview or thumbnail, the"
              + " first that an item has once)")
  private List<String> assets = new ArrayList<>();

  @Option(
      names = "--spool",
      paramLabel = "DIR",
      description = "--stac: folder for files while they are used (default: the system's own)")
  private Path spool;

  @Option(
      names = "--spool-limit",
      paramLabel = "GB",
      description = "--stac: what they have at most, together (default: 20)")
  private Double spoolLimit;

  /** Returns the catalogue, for messages; empty where none is given. */
  Optional<String> catalogue() {
    if (catalogue == null
        && (search != null || !assets.isEmpty() || spool != null || spoolLimit != null)) {
      throw new IllegalArgumentException(
          "--stac-search, --asset, --spool and --spool-limit are for --stac only");
    }
    return Optional.ofNullable(catalogue);
  }

  /** Makes what brings files here, which whoever asks for it closes. */
  AssetFiles files(Retry retry) throws IOException {
    Path folder = spool == null ? Path.of(System.getProperty("java.io.tmpdir")) : spool;
    long limit = Math.round((spoolLimit == null ? 20 : spoolLimit) * BYTES);
    return new AssetFiles(http(retry), Spool.in(folder, limit));
  }

  private static HttpFiles http(Retry retry) {
    return new HttpFiles(retry, IDLE);
  }

  /**
   * Lists the catalogue.
   *
   * @param clouds how they are told in its scenes
   */
  Archive archive(Retry retry, Optional<Clouds> clouds, AssetFiles files)
      throws IOException, InterruptedException {
    // Refuses what is none before anything is read.
    AssetChoice choice = new AssetChoice(assets);
    StacReader.Listing listing =
        StacReader.read(catalogue, Optional.ofNullable(search), http(retry), files.items());
    return Archive.of(listing, choice, clouds, files);
  }
}
