/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.spark;

import io.crossmodal.trainer.cli.CrossModal;
import io.crossmodal.trainer.cli.EncodeArguments;
import io.crossmodal.trainer.cluster.ClusterClient;
import io.crossmodal.trainer.encode.TargetIndex;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.spark.SparkFiles;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;

/**
 * What every executor is told.
 *
 * @param options that were given, as {@link EncodeArguments} takes them, but for the user's and
 *     those that name files
 * @param files names under which Spark brings the files of options, by option
 * @param authorization value of that header; null for none
 * @param index that documents go to
 * @param ask whether the index is asked what it holds already
 * @param threads that read and decode, and that the model computes with, in an executor
 */
record Job(
    List<String> options,
    Map<String, String> files,
    String authorization,
    TargetIndex index,
    boolean ask,
    int threads)
    implements Serializable {
  static final String BUNDLE = "--bundle";
  static final String AUTHORITIES = "--ca";

  /** Options that stay with the driver: secrets, and files that executors do not have. */
  private static final Set<String> OWN = Set.of("--user", "--password", BUNDLE, AUTHORITIES);

  Job {
    options = List.copyOf(options);
    files = Map.copyOf(files);
  }

  /** The options alone, as an executor reads them. */
  @Command(name = "executor")
  private static final class Options {
    @Mixin private EncodeArguments arguments;
  }

  /**
   * Returns the options that executors are told, of all that were given, a word each.
   *
   * @param given to a command that has those of {@link EncodeArguments} among its own
   */
  static List<String> options(ParseResult given) {
    CommandLine known = new CommandLine(new Options());
    List<String> told = new ArrayList<>();
    for (OptionSpec option : given.matchedOptions()) {
      String name = option.longestName();
      if (OWN.contains(name) || known.getCommandSpec().findOption(name) == null) {
        continue;
      }
      if (option.arity().max() == 0) {
        told.add(name);
      } else {
        option.originalStringValues().forEach(value -> told.add(name + "=" + value));
      }
    }
    return told;
  }

  /** Reads the options; to be called in an executor. */
  EncodeArguments arguments() {
    List<String> all = new ArrayList<>(options);
    files.forEach((option, file) -> all.add(option + "=" + SparkFiles.get(file)));
    Options read = new Options();
    CrossModal.commandLine(read).parseArgs(all.toArray(String[]::new));
    return read.arguments;
  }

  ClusterClient client(EncodeArguments arguments) throws IOException {
    return arguments.client(Optional.ofNullable(authorization));
  }

  /** Says nothing of the user: it may end up in a log. */
  @Override
  public String toString() {
    return "job for [" + index.name() + "]";
  }
}
