/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.trainer.data.InvalidDatasetException;
import io.crossmodal.trainer.train.TrainingException;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** The trainer's command line: {@code java -jar crossmodal.jar <command>}. */
@Command(
    name = "crossmodal",
    description = "Makes and measures models for cross-modal retrieval.",
    mixinStandardHelpOptions = true,
    subcommands = {
      GenerateCommand.class,
      GeneratePairsCommand.class,
      TrainCommand.class,
      TrainSensorsCommand.class,
      DistillCommand.class,
      EvaluateCommand.class,
      EvaluateSensorsCommand.class,
      ExportCommand.class,
      DeployCommand.class,
      EncodeCommand.class,
      ImportCommand.class,
      ReportCommand.class
    })
public final class CrossModal {
  /** What the user gave cannot be used: bad option, data or bundle. */
  static final int USER_ERROR = 2;

  private CrossModal() {}

  public static void main(String[] args) {
    System.exit(commandLine().execute(args));
  }

  /** Exit codes: 0 done, 2 the user's error in one line, 1 anything else with its stack trace. */
  static CommandLine commandLine() {
    CommandLine commandLine = new CommandLine(new CrossModal());
    commandLine.setCaseInsensitiveEnumValuesAllowed(true);
    commandLine.setExecutionExceptionHandler(
        (e, line, parsed) -> {
          if (e instanceof NoSuchFileException missing) {
            // Its message is the bare path.
            line.getErr()
                .println(line.getColorScheme().errorText("no such file: " + missing.getFile()));
            return USER_ERROR;
          }
          if (e instanceof IllegalArgumentException
              || e instanceof InvalidDatasetException
              || e instanceof IOException
              || e instanceof BundleException
              || e instanceof TrainingException) {
            line.getErr().println(line.getColorScheme().errorText(String.valueOf(e.getMessage())));
            return USER_ERROR;
          }
          throw e;
        });
    return commandLine;
  }
}
