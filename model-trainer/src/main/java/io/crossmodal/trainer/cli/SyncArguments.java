/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.trainer.cluster.ClusterClient;
import io.crossmodal.trainer.cluster.Retry;
import io.crossmodal.trainer.encode.OwnedDocuments;
import io.crossmodal.trainer.encode.TargetIndex;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Options of {@code encode} that keep an index in step with a source. */
final class SyncArguments {
  /** What is done with what differs. */
  enum Mode {
    APPLY,
    PLAN
  }

  @Option(
      names = "--sync",
      arity = "0..1",
      fallbackValue = "APPLY",
      paramLabel = "apply|plan",
      description =
          "add what came, replace what changed (by name and checksum) and delete what went, of the"
              + " documents that --sync sent of this source; plan only says what would be done")
  private Mode mode;

  @Option(
      names = "--source",
      paramLabel = "NAME",
      description = "--sync: who owns the documents (default: the path of --data, or --stac)")
  private String source;

  @Option(
      names = "--delete-anyway",
      description =
          "--sync: delete what went although nothing was listed, or there were problems; else it is"
              + " kept then")
  private boolean deleteAnyway;

  /** Returns what is done; empty without {@code --sync}. */
  Optional<Mode> mode() {
    if (mode == null && (source != null || deleteAnyway)) {
      throw new IllegalArgumentException("--source and --delete-anyway are for --sync only");
    }
    return Optional.ofNullable(mode);
  }

  boolean deletesAnyway() {
    return deleteAnyway;
  }

  /** Returns what an index has of the source. */
  OwnedDocuments owned(
      ClusterClient cluster,
      TargetIndex index,
      String field,
      Retry retry,
      Optional<String> catalogue,
      Path data)
      throws IOException, InterruptedException {
    if (mode == Mode.APPLY) {
      index.addProvenance(cluster);
    }
    return new OwnedDocuments(cluster, index, name(catalogue, data), field, retry);
  }

  /** Returns what an index that is yet to be made has of it: nothing. */
  OwnedDocuments none(String field, Retry retry, Optional<String> catalogue, Path data) {
    return OwnedDocuments.none(name(catalogue, data), field, retry);
  }

  private String name(Optional<String> catalogue, Path data) {
    return source != null
        ? source
        : catalogue.orElseGet(() -> data.toAbsolutePath().normalize().toString());
  }
}
