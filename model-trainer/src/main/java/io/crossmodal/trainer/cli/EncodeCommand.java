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
import io.crossmodal.trainer.encode.Cutting;
import io.crossmodal.trainer.encode.DocumentFormat;
import io.crossmodal.trainer.encode.EncodeRun;
import io.crossmodal.trainer.encode.Journal;
import io.crossmodal.trainer.encode.NdjsonSink;
import io.crossmodal.trainer.encode.Scenes;
import io.crossmodal.trainer.encode.SourceImage;
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
import java.util.function.IntConsumer;
import java.util.function.Supplier;
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
      "Exit status: 0 all pictures are there; 3 some, and 4 all, were left out (each is named;"
          + " chips without data, or under clouds, are counted); 2 nothing was begun or it was"
          + " given up; 130 interrupted.",
      "Beside the field, a document has what is known of its picture: path, caption, class (the"
          + " name of its folder), labels and acquired (BigEarthNet), footprint and centre"
          + " (GeoTIFF), thumbnail; a chip of a scene has scene, window, resolution, no_data and"
          + " cloud."
          + " Its id comes from the picture's bytes, or the scene's and the window, and the field's"
          + " name, so that a picture is never there twice."
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
          "a picture, a folder of pictures, however deep, or of BigEarthNet patches (Sentinel-2,"
              + " seen in true colours); a caption file (JSON of Karpathy, COCO or PIR, _caps.txt)"
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
  @Mixin private SceneArguments scenes;

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
    EncodeRun.Options all = new EncodeRun.Options(batch, threads, allowedProblems, scenes.look());
    Optional<Cutting> cutting = scenes.cutting();
    Retry retry = Retry.lasting(Duration.ofSeconds(retrySeconds));
    SourceImages source =
        SourceImages.read(data, Optional.ofNullable(images), allowedProblems, scenes::takes);
    EncodeRun.Options options = all.after(source.problems().size());
    ModelBundle read = bundle == null ? ModelBundle.demo() : ModelBundle.read(bundle);
    EncodeJob job = new EncodeJob(source, cutting, read, options);
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

  private int toIndex(EncodeJob job, Retry retry) throws Exception {
    ClusterClient cluster = node.client();
    ModelManifest manifest = job.bundle().manifest();
    if (createIndex) {
      String served = model == null ? manifest.id() : model;
      if (TargetIndex.create(
          cluster, target.index, field, manifest, served, tokens, job.options().look())) {
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
    EncodeJob kept = job;
    if (!index.thumbnails() && job.options().look().thumbnail() > 0) {
      kept = job.withoutThumbnails();
      say(
          target.index
              + " has no binary thumbnail: documents have none. PUT "
              + target.index
              + "/_mapping {\"properties\": {\"thumbnail\": {\"type\": \"binary\"}}} adds it");
    }
    Path file =
        journal == null
            ? Path.of(target.index + "." + field + "." + format.sensor() + ".journal")
            : journal;
    String name = index.name() + " " + index.incarnation();
    try (Journal known = open(file, name, kept, format, 0)) {
      return run(
          kept,
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

  private int toFile(EncodeJob job) throws Exception {
    DocumentFormat format = format(job.bundle().manifest(), tokens, true);
    Path out = target.out;
    Path file = journal == null ? out.resolveSibling(out.getFileName() + ".journal") : journal;
    // What the journal does not know is cut off, once it is known that no other run writes it.
    long written = Files.exists(out) ? Files.size(out) : 0;
    try (Journal known = open(file, "file", job, format, written)) {
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

  private Journal open(Path file, String sink, EncodeJob job, DocumentFormat format, long written)
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
            spaces.tokenSpace() + job.shown()),
        written,
        restart);
  }

  /** Returns the exit status. */
  private int run(EncodeJob job, DocumentFormat format, Journal known, EncodeRun.SinkFactory sinks)
      throws Exception {
    if (job.cutting().isEmpty()) {
      List<SourceImage> images = job.source().images();
      say(data + ": " + images.size() + " " + job.source().kind());
      EncodeRun.Summary summary =
          encode(
              job, images.size(), () -> "", (run, to) -> run.run(images, sinks, to), format, known);
      return report(job, summary, "pictures", job.source().problems(), List.of());
    }
    try (Scenes cut =
        Scenes.plan(
            job.source().images(),
            scenes.rasters(),
            job.cutting().get(),
            job.bundle(),
            format.sensor(),
            job.options().look())) {
      EncodeJob left = job.after(cut.problems());
      String size = cut.size() + (cut.size() == 1 ? " scene" : " scenes");
      say(data + ": " + size + ", " + cut.chips() + " chips");
      EncodeRun.Summary summary =
          encode(
              left, cut.chips(), cut::current, (run, to) -> run.run(cut, sinks, to), format, known);
      List<String> problems = new ArrayList<>(job.source().problems());
      problems.addAll(cut.problems());
      return report(job, summary, "chips of " + size, problems, cut.unplaced());
    }
  }

  /** Runs over what is to be encoded. */
  @FunctionalInterface
  private interface Encoder {
    EncodeRun.Summary run(EncodeRun run, IntConsumer progress) throws Exception;
  }

  private static EncodeRun.Summary encode(
      EncodeJob job,
      long count,
      Supplier<String> current,
      Encoder encoder,
      DocumentFormat format,
      Journal known)
      throws Exception {
    try (Interruption interruption = new Interruption();
        BundleModel model = BundleModel.of(job.bundle());
        ProgressBar bar =
            new ProgressBarBuilder()
                .setTaskName("encode")
                .setInitialMax(count)
                .setUnit(" images", 1)
                .showSpeed()
                .build()) {
      return encoder.run(
          new EncodeRun(model.model(), format, job.options(), known),
          done -> {
            bar.setExtraMessage(current.get());
            bar.stepTo(done);
            interruption.check();
          });
    }
  }

  private int report(
      EncodeJob job,
      EncodeRun.Summary summary,
      String what,
      List<String> before,
      List<String> unplacedScenes) {
    SourceImages source = job.source();
    List<String> problems = new ArrayList<>(before);
    problems.addAll(summary.problems());
    List<String> unplaced = new ArrayList<>(unplacedScenes);
    unplaced.addAll(summary.unplaced());
    source.unreadLines().forEach(line -> say(data + ", left out: " + line));
    list(", left out", problems);
    list(", kept without labels", source.unlabelled());
    list(", kept without a place", unplaced);
    int leftOut = problems.size() + source.unread().values().stream().mapToInt(i -> i).sum();
    say(
        String.format(
            Locale.ROOT,
            "%d %s encoded, %d done before, %d with the bytes of another, %s%d left out",
            summary.kept(),
            what,
            summary.known(),
            summary.repeated(),
            job.cutting().isEmpty() ? "" : summary.empty() + " without enough to see, ",
            leftOut + summary.damaged()));
    if (summary.kept() + summary.known() + summary.repeated() == 0) {
      return ALL_LEFT_OUT;
    }
    return leftOut == 0 ? 0 : SOME_LEFT_OUT;
  }

  private void list(String what, List<String> lines) {
    if (!lines.isEmpty()) {
      say(InvalidDatasetException.summary(data + what, lines));
    }
  }

  /** Prints to standard error: standard output may be where the documents go. */
  private void say(String line) {
    command.commandLine().getErr().println(line);
  }
}
