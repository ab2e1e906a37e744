/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.Fingerprints;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.trainer.cluster.ClusterClient;
import io.crossmodal.trainer.cluster.Retry;
import io.crossmodal.trainer.data.InvalidDatasetException;
import io.crossmodal.trainer.encode.BulkSink;
import io.crossmodal.trainer.encode.DocumentFormat;
import io.crossmodal.trainer.encode.EncodeRun;
import io.crossmodal.trainer.encode.Journal;
import io.crossmodal.trainer.encode.NdjsonSink;
import io.crossmodal.trainer.encode.SourceImages;
import io.crossmodal.trainer.encode.TargetIndex;
import io.crossmodal.trainer.encode.TokenForm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import picocli.CommandLine;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code encode}: from an archive of pictures to documents that a cluster need not encode. */
@Command(
    name = "encode",
    mixinStandardHelpOptions = true,
    showDefaultValues = true,
    description = {
      "Encodes the pictures of an archive and sends them to an index, or writes them as lines for"
          + " _bulk. Run again, it goes on where it was stopped, and sends what is new.",
      "Exit status: 0 all pictures are there; 3 some, and 4 all, were left out (each is named); 2"
          + " nothing was begun or it was given up; 130 interrupted.",
      "Beside the field, a document has what is known of its picture: path, caption, class (the"
          + " name of its folder), labels and acquired (BigEarthNet), footprint and centre"
          + " (GeoTIFF). Its id comes from the picture's bytes and the field's name, so"
          + " that a picture is never there twice."
    })
final class EncodeCommand implements Callable<Integer> {
  /** For one request: a node that is busy answers late. */
  private static final Duration TIMEOUT = Duration.ofMinutes(5);

  private static final String STANDARD_OUTPUT = "-";

  /** Pictures were left out, others are there. */
  static final int SOME_LEFT_OUT = 3;

  /** Every picture was left out. */
  static final int ALL_LEFT_OUT = 4;

  @Spec private CommandSpec command;

  @Option(
      names = "--data",
      required = true,
      paramLabel = "PATH",
      description =
          "a folder of pictures, however deep, or of BigEarthNet patches (Sentinel-2, seen in true"
              + " colours); a caption file (JSON of Karpathy, COCO or PIR, _caps.txt)"
              + " or a folder of such files; or a list, a path a line, a caption behind a tab")
  private Path data;

  @Option(
      names = "--images",
      paramLabel = "DIR",
      description =
          "captions: folder of the images (default: \"images\" beside the caption file, or beside"
              + " it)")
  private Path images;

  @Option(
      names = "--bundle",
      paramLabel = "FILE",
      description = "the field's model (default: the shipped scenes-tiny)")
  private Path bundle;

  @ArgGroup(multiplicity = "1")
  private Target target;

  /** Destination of the documents: one of the two. */
  private static final class Target {
    @Option(names = "--index", paramLabel = "NAME", description = "an index, or an alias of one")
    private String index;

    @Option(
        names = "--out",
        paramLabel = "FILE",
        description = "a file of lines for _bulk; " + STANDARD_OUTPUT + " for standard output")
    private Path out;
  }

  @Mixin private NodeArguments node;

  @Option(names = "--field", defaultValue = "image", description = "field of type cross_modal")
  private String field;

  @Option(names = "--create-index", description = "make the index where there is none")
  private boolean createIndex;

  @Option(
      names = "--model",
      paramLabel = "ID",
      description =
          "--create-index: id under which the cluster serves the bundle (default: the bundle's"
              + " own)")
  private String model;

  @Option(
      names = "--tokens",
      defaultValue = "INT8",
      description =
          "--create-index, --out: what is kept for the fusion encoder (${COMPLETION-CANDIDATES});"
              + " an index that is there says it itself")
  private TokenForm tokens;

  @Option(
      names = "--sensor",
      paramLabel = "NAME",
      description = "that took the pictures (default: the bundle's only one)")
  private String sensor;

  @Option(
      names = "--allow-problems",
      defaultValue = "100",
      description = "leave out up to so many pictures that are broken, missing or refused")
  private int allowedProblems;

  @Option(
      names = "--journal",
      paramLabel = "FILE",
      description =
          "what is done already (default: INDEX.FIELD.SENSOR.journal here, or FILE.journal beside"
              + " --out)")
  private Path journal;

  @Option(names = "--restart", description = "forget the journal, encode everything again")
  private boolean restart;

  @Option(names = "--batch", defaultValue = "32", description = "pictures in a call of the model")
  private int batch;

  @Option(
      names = "--threads",
      description = "that read and decode (default: one per processor)",
      showDefaultValue = CommandLine.Help.Visibility.NEVER)
  private int threads = Runtime.getRuntime().availableProcessors();

  @Option(names = "--connections", defaultValue = "2", description = "_bulk requests at a time")
  private int connections;

  @Option(
      names = "--retry-for",
      paramLabel = "SECONDS",
      defaultValue = "600",
      description = "patience with a cluster that is full or away")
  private int retrySeconds;

  @Override
  public Integer call() throws Exception {
    EncodeRun.Options all = new EncodeRun.Options(batch, threads, allowedProblems);
    Retry retry = Retry.lasting(Duration.ofSeconds(retrySeconds));
    SourceImages source = SourceImages.read(data, Optional.ofNullable(images), allowedProblems);
    EncodeRun.Options options = all.after(source.problems().size());
    ModelBundle read = bundle == null ? ModelBundle.demo() : ModelBundle.read(bundle);
    Job job = new Job(source, read, options);
    if (target.index != null) {
      return toIndex(job, retry);
    } else if (createIndex || model != null) {
      throw new IllegalArgumentException("--create-index and --model are for --index only");
    } else if (target.out.toString().equals(STANDARD_OUTPUT)) {
      DocumentFormat format = format(read.manifest(), tokens, true);
      try (Journal none = Journal.none()) {
        return run(job, format, none, r -> new NdjsonSink(System.out, 0, format, r));
      }
    }
    return toFile(job);
  }

  /** Pictures to encode, with the model and the options. */
  private record Job(SourceImages source, ModelBundle bundle, EncodeRun.Options options) {}

  private int toIndex(Job job, Retry retry) throws Exception {
    ClusterClient cluster = node.client();
    ModelManifest manifest = job.bundle().manifest();
    if (createIndex) {
      String served = model == null ? manifest.id() : model;
      if (TargetIndex.create(cluster, target.index, field, manifest, served, tokens)) {
        say("made the index " + target.index);
      }
    }
    TargetIndex index = TargetIndex.of(cluster, target.index, field, manifest);
    if (!index.places()) {
      say(
          target.index
              + " has no geo_shape footprint and geo_point centre: documents do not say where their"
              + " picture lies");
    }
    DocumentFormat format = format(manifest, index.tokens(), index.places());
    Path file =
        journal == null
            ? Path.of(target.index + "." + field + "." + format.sensor() + ".journal")
            : journal;
    String name = index.name() + " " + index.incarnation();
    try (Journal known = open(file, name, format, 0)) {
      return run(
          job,
          format,
          known,
          listener ->
              new BulkSink(
                  lines -> cluster.send("POST", index.bulkPath(), lines, TIMEOUT),
                  format,
                  connections,
                  retry,
                  listener));
    }
  }

  private int toFile(Job job) throws Exception {
    DocumentFormat format = format(job.bundle().manifest(), tokens, true);
    Path out = target.out;
    Path file = journal == null ? out.resolveSibling(out.getFileName() + ".journal") : journal;
    // What the journal does not know is cut off, once it is known that no other run writes it.
    long written = Files.exists(out) ? Files.size(out) : 0;
    try (Journal known = open(file, "file", format, written)) {
      return run(
          job, format, known, listener -> NdjsonSink.file(out, known.position(), format, listener));
    }
  }

  private DocumentFormat format(ModelManifest manifest, TokenForm form, boolean places) {
    List<String> sensors = manifest.config().sensors().stream().map(SensorConfig::name).toList();
    if (sensor == null && sensors.size() > 1) {
      throw new IllegalArgumentException("--sensor is missing, this bundle has " + sensors);
    }
    String named = sensor == null ? sensors.get(0) : sensor;
    return new DocumentFormat(field, named, manifest, form, places);
  }

  private Journal open(Path file, String sink, DocumentFormat format, long written)
      throws IOException {
    Fingerprints spaces = format.model().fingerprints();
    return Journal.open(
        file,
        String.join(
            " ",
            sink,
            format.field(),
            format.sensor(),
            format.tokens().name(),
            spaces.embeddingSpace(),
            spaces.tokenSpace()),
        written,
        restart);
  }

  /** Returns the exit status. */
  private int run(Job job, DocumentFormat format, Journal known, EncodeRun.SinkFactory sinks)
      throws Exception {
    SourceImages source = job.source();
    say(data + ": " + source.images().size() + " " + source.kind());
    EncodeRun.Summary summary;
    try (Interruption interruption = new Interruption();
        BundleModel encoder = BundleModel.of(job.bundle());
        ProgressBar bar =
            new ProgressBarBuilder()
                .setTaskName("encode")
                .setInitialMax(source.images().size())
                .setUnit(" images", 1)
                .showSpeed()
                .build()) {
      summary =
          new EncodeRun(encoder.model(), format, job.options(), known)
              .run(
                  source.images(),
                  sinks,
                  done -> {
                    bar.stepTo(done);
                    interruption.check();
                  });
    }
    List<String> problems = new ArrayList<>(source.problems());
    problems.addAll(summary.problems());
    source.unreadLines().forEach(line -> say(data + ", left out: " + line));
    if (!problems.isEmpty()) {
      say(InvalidDatasetException.summary(data + ", left out", problems));
    }
    if (!source.unlabelled().isEmpty()) {
      say(InvalidDatasetException.summary(data + ", kept without labels", source.unlabelled()));
    }
    if (!summary.unplaced().isEmpty()) {
      say(InvalidDatasetException.summary(data + ", kept without a place", summary.unplaced()));
    }
    int leftOut = problems.size() + source.unread().values().stream().mapToInt(i -> i).sum();
    say(
        String.format(
            Locale.ROOT,
            "%d pictures encoded, %d done before, %d with the bytes of another, %d left out",
            summary.kept(),
            summary.known(),
            summary.repeated(),
            leftOut));
    if (leftOut == 0) {
      return 0;
    }
    int there = summary.kept() + summary.known() + summary.repeated();
    return there > 0 ? SOME_LEFT_OUT : ALL_LEFT_OUT;
  }

  /** Prints to standard error: standard output may be where the documents go. */
  private void say(String line) {
    command.commandLine().getErr().println(line);
  }
}
