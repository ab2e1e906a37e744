/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.spark;

import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.trainer.cli.CrossModal;
import io.crossmodal.trainer.cli.EncodeArguments;
import io.crossmodal.trainer.cluster.ClusterClient;
import io.crossmodal.trainer.data.InvalidDatasetException;
import io.crossmodal.trainer.encode.Scenes;
import io.crossmodal.trainer.encode.SourceImage;
import io.crossmodal.trainer.encode.SourceImages;
import io.crossmodal.trainer.encode.StoredEmbeddings;
import io.crossmodal.trainer.encode.TargetIndex;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code encode} on many machines: the driver of the Spark application. */
@Command(
    name = "crossmodal-spark",
    mixinStandardHelpOptions = true,
    showDefaultValues = true,
    description = {
      "Encodes the pictures of an archive, or the chips of its scenes, on the executors of a Spark"
          + " cluster and sends them to an index, as encode does. All machines must find --data"
          + " under the same path. Run again, it sends what the index does not hold.",
      "An executor has one model, which computes with all of the executor's cores:"
          + " --conf spark.executor.cores (default: 1).",
      "Exit status: 0 all pictures are there; 3 some, and 4 all, were left out (each is named;"
          + " chips without data are counted); 2 nothing was begun or it was given up."
    })
public final class SparkEncode implements Callable<Integer> {
  /** As in {@code encode}. */
  private static final int SOME_LEFT_OUT = 3;

  private static final int ALL_LEFT_OUT = 4;

  /** Tasks that scenes are listed in, at most: enough for any cluster. */
  private static final int MOST_LISTING_TASKS = 10_000;

  @Spec private CommandSpec command;
  @Mixin private EncodeArguments arguments;

  @Option(
      names = "--index",
      required = true,
      paramLabel = "NAME",
      description = "an index, or an alias of one")
  private String index;

  @Option(
      names = "--restart",
      description = "encode everything again, without asking what the index holds")
  private boolean restart;

  @Option(
      names = "--portion",
      paramLabel = "COUNT",
      defaultValue = "512",
      description = "pictures, or chips of a scene, of one task, at most")
  private int portion;

  @Option(
      names = "--progress",
      paramLabel = "SECONDS",
      defaultValue = "10",
      description = "between two lines that say how far it is")
  private int progressSeconds;

  public static void main(String[] arguments) {
    System.exit(CrossModal.commandLine(new SparkEncode()).execute(arguments));
  }

  @Override
  public Integer call() throws Exception {
    if (portion < 1 || progressSeconds < 1) {
      throw new IllegalArgumentException(
          "--portion and --progress must be at least 1, got "
              + portion
              + " and "
              + progressSeconds);
    }
    if (arguments.data() != null && StoredEmbeddings.isNamed(arguments.data())) {
      throw new IllegalArgumentException(
          arguments.data() + " is encoded already: encode --data sends it, on one machine");
    }
    // Refuses what is none before anything is begun.
    int allowed = arguments.options(1).allowedProblems();
    boolean scenes = arguments.cutting().isPresent();
    arguments.retry();
    SourceImages source = arguments.source();
    ModelManifest manifest = arguments.bundle().manifest();
    Optional<String> authorization = arguments.authorization();
    ClusterClient cluster = arguments.client(authorization);
    TargetIndex target = arguments.index(cluster, index, manifest, this::say);
    arguments.format(manifest, target);
    SparkConf conf = ExecutorResources.configure(new SparkConf());
    try (JavaSparkContext spark = new JavaSparkContext(conf)) {
      Map<String, String> files = new TreeMap<>();
      arguments.bundleFile().ifPresent(file -> files.put(Job.BUNDLE, ship(spark, file)));
      arguments.authorities().ifPresent(file -> files.put(Job.AUTHORITIES, ship(spark, file)));
      Job job =
          new Job(
              Job.options(command.commandLine().getParseResult()),
              files,
              authorization.orElse(null),
              target,
              !restart,
              ExecutorResources.threads(conf));
      Broadcast<Job> told = spark.broadcast(job);
      Meters meters = Meters.of(spark.sc());
      source.problems().forEach(meters.problems()::add);
      String id = spark.sc().applicationId();
      List<Portion> portions =
          scenes
              ? list(spark, source.images(), new ListScenes(id, told, meters), allowed)
              : Portion.ofPictures(source.images(), portion);
      long all = scenes ? chips(portions) : source.images().size();
      say(
          String.format(
              Locale.ROOT,
              "%s: %,d %s in %,d tasks, executors of %d threads",
              arguments.data(),
              all,
              scenes ? "chips" : source.kind(),
              portions.size(),
              job.threads()));
      if (!portions.isEmpty()) {
        Progress progress =
            new Progress(
                scenes ? "chips" : "pictures", all, meters.leftOut(), meters, System.nanoTime());
        await(
            spark
                .parallelize(portions, portions.size())
                .foreachAsync(new EncodePortion(id, told, meters)),
            meters,
            allowed,
            progress::line);
        say(progress.line());
        say(progress.costs());
      }
      return report(source, meters);
    }
  }

  /** Returns the name under which executors find a file. */
  private static String ship(JavaSparkContext spark, Path file) {
    spark.addFile(file.toAbsolutePath().toString());
    return file.getFileName().toString();
  }

  private static long chips(List<Portion> portions) {
    return portions.stream().mapToLong(part -> part.to() - part.from()).sum();
  }

  /** Has executors look at the scenes; of two with the same bytes, the first counts. */
  private List<Portion> list(
      JavaSparkContext spark, List<SourceImage> images, ListScenes task, int allowed)
      throws Exception {
    say(String.format(Locale.ROOT, "%s: %,d scenes", arguments.data(), images.size()));
    int tasks = Math.min(images.size(), MOST_LISTING_TASKS);
    List<List<Scenes.Listed>> listed =
        await(
            spark.parallelize(images, tasks).map(task).collectAsync(),
            task.meters(),
            allowed,
            () ->
                String.format(
                    Locale.ROOT,
                    "%,d of %,d scenes listed",
                    task.meters().listed().value(),
                    images.size()));
    List<Portion> portions = new ArrayList<>();
    Set<String> seen = new HashSet<>();
    int repeated = 0;
    for (List<Scenes.Listed> scenes : listed) {
      for (Scenes.Listed scene : scenes) {
        if (seen.add(scene.content())) {
          portions.addAll(Portion.ofScene(scene, portion));
        } else {
          repeated++;
        }
      }
    }
    if (repeated > 0) {
      say("not cut, with the bytes of another: " + repeated + " of these scenes");
    }
    return portions;
  }

  /** Says how far it is. */
  @FunctionalInterface
  private interface Line {
    String now();
  }

  /**
   * Waits for a job of Spark's.
   *
   * @throws IllegalArgumentException when more had to be left out than is allowed; the job is given
   *     up
   * @throws IOException when a task failed as often as Spark tries it
   */
  private <T> T await(Future<T> job, Meters meters, int allowed, Line line) throws Exception {
    int waited = 0;
    while (true) {
      try {
        T result = job.get(1, TimeUnit.SECONDS);
        check(meters, allowed);
        return result;
      } catch (TimeoutException e) {
        if (meters.leftOut() > allowed) {
          job.cancel(true);
        }
        check(meters, allowed);
        if (++waited % progressSeconds == 0) {
          say(line.now());
        }
      } catch (ExecutionException e) {
        Throwable cause = e;
        while (cause.getCause() != null) {
          cause = cause.getCause();
        }
        throw new IOException(
            "given up, run again to go on: "
                + String.valueOf(cause.getMessage()).lines().findFirst().orElse(""),
            e);
      }
    }
  }

  private void check(Meters meters, int allowed) {
    if (meters.leftOut() > allowed) {
      throw new IllegalArgumentException(
          InvalidDatasetException.summary(
              arguments.data() + ", cannot be encoded (" + allowed + " problems allowed)",
              meters.problems().value()));
    }
  }

  /** Returns the exit status. */
  private int report(SourceImages source, Meters meters) {
    source.unreadLines().forEach(line -> say(arguments.data() + ", left out: " + line));
    list(", left out", meters.problems().value());
    list(", kept without labels", source.unlabelled());
    list(", kept without a place", meters.unplaced().value());
    int leftOut =
        meters.leftOut() + source.unread().values().stream().mapToInt(count -> count).sum();
    if (meters.kept().value() + meters.known().value() + meters.repeated().value() == 0) {
      return ALL_LEFT_OUT;
    }
    return leftOut == 0 ? 0 : SOME_LEFT_OUT;
  }

  private void list(String what, List<String> lines) {
    if (!lines.isEmpty()) {
      say(InvalidDatasetException.summary(arguments.data() + what, lines));
    }
  }

  private void say(String line) {
    command.commandLine().getErr().println(line);
  }
}
