/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.trainer.bench.BundleCost;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code bench bundle}: what a model costs on this machine. */
@Command(
    name = "bench",
    mixinStandardHelpOptions = true,
    description = "Measures what a model costs on this machine.",
    subcommands = BenchCommand.Bundle.class)
final class BenchCommand implements Runnable {
  @Spec private CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(),
        "bench measures one of "
            + spec.subcommands().keySet()
            + ", such as bench bundle model.zip");
  }

  /** Any bundle: ours, an imported CLIP, sensors. */
  @Command(
      name = "bundle",
      mixinStandardHelpOptions = true,
      showDefaultValues = true,
      description =
          "Prints ms a picture and a query, bytes a document, weights, memory, and the share of the"
              + " machine's fp32 peak, measured in the same run.")
  static final class Bundle implements Callable<Integer> {
    @Parameters(paramLabel = "FILE", description = "the bundle")
    private Path file;

    @Option(names = "--batch", description = "pictures in one call")
    private int batch = 16;

    @Option(names = "--rounds", description = "of each, of which the fastest counts")
    private int rounds = 5;

    @Override
    public Integer call() throws Exception {
      try (BundleModel model = BundleModel.of(ModelBundle.read(file))) {
        BundleCost.measure(model.model(), file, batch, rounds).forEach(System.out::println);
      }
      return 0;
    }
  }
}
