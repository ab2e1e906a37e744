/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.trainer.deploy.ModelUpload;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import me.tongfei.progressbar.ProgressBar;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code deploy}: from a bundle to a cluster that serves it. */
@Command(
    name = "deploy",
    mixinStandardHelpOptions = true,
    showDefaultValues = true,
    description =
        "Uploads a bundle to a cluster, in parts, and has every node load it. The same id takes"
            + " the next version of a model with the same towers; nothing is indexed again.")
final class DeployCommand implements Callable<Integer> {
  @Option(names = "--bundle", required = true, description = "what export has written")
  private Path bundle;

  @Mixin private NodeArguments node;

  @Option(names = "--id", description = "id to serve it under (default: the bundle's own)")
  private String id;

  @Option(
      names = "--part-size",
      paramLabel = "BYTES",
      defaultValue = "" + ModelUpload.PART_BYTES,
      description = "bytes in one request, before base64")
  private int partSize;

  @Option(names = "--no-load", description = "leave loading to the first use")
  private boolean noLoad;

  @Override
  public Integer call() throws Exception {
    ModelUpload upload = new ModelUpload(node.client(), partSize);
    // Reading it here finds a damaged file before anything is sent.
    ModelManifest manifest = ModelBundle.read(bundle).manifest();
    String named = id == null ? manifest.id() : id;
    try (ProgressBar bar = new ProgressBar("upload", upload.parts(Files.size(bundle)))) {
      System.out.println(upload.send(bundle, named, bar::stepTo));
    }
    if (!noLoad) {
      System.out.println(upload.load(named));
    }
    return 0;
  }
}
