/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.trainer.deploy.ModelUpload;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.concurrent.Callable;
import me.tongfei.progressbar.ProgressBar;
import picocli.CommandLine.Command;
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

  @Option(
      names = "--node",
      defaultValue = "http://localhost:9200",
      description = "HTTP address of any node of the cluster")
  private URI node;

  @Option(names = "--id", description = "id to serve it under (default: the bundle's own)")
  private String id;

  @Option(
      names = "--user",
      paramLabel = "NAME",
      description = "user; the password comes from the environment variable CROSSMODAL_PASSWORD")
  private String user;

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
    ModelUpload upload = new ModelUpload(node, authorization(), partSize);
    // Reading it here finds a damaged file before anything is sent.
    String named = id == null ? ModelBundle.read(bundle).manifest().id() : id;
    try (ProgressBar bar = new ProgressBar("upload", upload.parts(Files.size(bundle)))) {
      System.out.println(upload.send(bundle, named, bar::stepTo));
    }
    if (!noLoad) {
      System.out.println(upload.load(named));
    }
    return 0;
  }

  private String authorization() {
    if (user == null) {
      return null;
    }
    String password = System.getenv("CROSSMODAL_PASSWORD");
    if (password == null) {
      throw new IllegalArgumentException(
          "--user " + user + " needs a password in the environment variable CROSSMODAL_PASSWORD");
    }
    byte[] pair = (user + ":" + password).getBytes(StandardCharsets.UTF_8);
    return "Basic " + Base64.getEncoder().encodeToString(pair);
  }
}
