/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.trainer.data.InvalidDatasetException;
import io.crossmodal.trainer.train.TrainingException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.util.concurrent.CancellationException;
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
      TrainFusionCommand.class,
      TrainSensorsCommand.class,
      DistillCommand.class,
      EvaluateCommand.class,
      EvaluateSensorsCommand.class,
      ExportCommand.class,
      DeployCommand.class,
      EncodeCommand.class,
      ImportCommand.class,
      BenchCommand.class,
      ReportCommand.class
    })
public final class CrossModal {
  /** What the user gave cannot be used: bad option, data or bundle. */
  static final int USER_ERROR = 2;

  /** As a shell has it for a process that Ctrl-C ended. */
  static final int INTERRUPTED = 130;

  private CrossModal() {}

  public static void main(String[] args) {
    System.exit(commandLine().execute(args));
  }

  static CommandLine commandLine() {
    return commandLine(new CrossModal());
  }

  /**
   * Makes the command line of a command. Exit codes: 0 done, 2 the user's error in one line, 3 and
   * 4 of {@code encode} where pictures were left out, 130 interrupted, 1 anything else with its
   * stack trace.
   */
  public static CommandLine commandLine(Object command) {
    CommandLine commandLine = new CommandLine(command);
    commandLine.setCaseInsensitiveEnumValuesAllowed(true);
    commandLine.setExecutionExceptionHandler(
        (e, line, parsed) -> {
          if (e instanceof CancellationException) {
            line.getErr().println(e.getMessage());
            return INTERRUPTED;
          }
          if (e instanceof IllegalArgumentException
              || e instanceof InvalidDatasetException
              || e instanceof IOException
              || e instanceof UncheckedIOException
              || e instanceof BundleException
              || e instanceof TrainingException) {
            line.getErr().println(line.getColorScheme().errorText(message(e)));
            return USER_ERROR;
          }
          throw e;
        });
    return commandLine;
  }

  private static String message(Exception e) {
    if (e instanceof FileSystemException failed && failed.getReason() == null) {
      // Its message is the bare path.
      String what =
          e instanceof NoSuchFileException
              ? "no such file"
              : e instanceof FileAlreadyExistsException
                  ? "a file is in the way, name another path"
                  : e instanceof AccessDeniedException
                      ? "permission denied"
                      : e.getClass().getSimpleName();
      return what + ": " + failed.getFile();
    }
    return String.valueOf(e.getMessage());
  }
}
