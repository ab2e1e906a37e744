/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.bundle.Fingerprints;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.trainer.cluster.ClusterClient;
import io.crossmodal.trainer.cluster.Retry;
import io.crossmodal.trainer.data.stac.AssetFiles;
import io.crossmodal.trainer.encode.Archive;
import io.crossmodal.trainer.encode.Cutting;
import io.crossmodal.trainer.encode.DocumentFormat;
import io.crossmodal.trainer.encode.EncodeRun;
import io.crossmodal.trainer.encode.GeoParquetSink;
import io.crossmodal.trainer.encode.Journal;
import io.crossmodal.trainer.encode.NdjsonSink;
import io.crossmodal.trainer.encode.OwnedDocuments;
import io.crossmodal.trainer.encode.SourceImages;
import io.crossmodal.trainer.encode.StoredEmbeddings;
import io.crossmodal.trainer.encode.TargetIndex;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
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
          + " chips without data are counted); 2 nothing was begun or it was given up; 130"
          + " interrupted.",
      "Beside the field, a document has what is known of its picture: path, caption, class (the"
          + " name of its folder), labels and acquired (BigEarthNet), footprint and centre"
          + " (GeoTIFF), thumbnail; a chip of a scene has scene, window, resolution, no_data and"
          + " cloud; what comes from a STAC item has stac. Its id comes from the picture's bytes,"
          + " or the scene's and the window, and the field's name, so that a picture is never there"
          + " twice."
    })
final class EncodeCommand implements Callable<Integer> {
  private static final String STANDARD_OUTPUT = "-";

  @Spec private CommandSpec command;

  @Mixin private EncodeArguments arguments;
  @Mixin private StacArguments stac;
  @Mixin private SyncArguments sync;

  @ArgGroup(multiplicity = "1")
  private Target target;

  /** Destination of the documents: one of the two. */
  private static final class Target {
    @Option(names = "--index", paramLabel = "NAME", description = "an index, or an alias of one")
    private String index;

    @Option(
        names = "--out",
        paramLabel = "FILE",
        description =
            "a file of lines for _bulk; "
                + STANDARD_OUTPUT
                + " for standard output; FILE.parquet is written as GeoParquet, which --data takes"
                + " back")
    private Path out;
  }

  @Option(
      names = "--journal",
      paramLabel = "FILE",
      description =
          "what is done already (default: INDEX.FIELD.SENSOR.journal here, or FILE.journal beside"
              + " --out)")
  private Path journal;

  @Option(names = "--restart", description = "forget the journal, encode everything again")
  private boolean restart;

  @Option(
      names = "--threads",
      description = "that read and decode (default: one per processor)",
      showDefaultValue = CommandLine.Help.Visibility.NEVER)
  private int threads = Runtime.getRuntime().availableProcessors();

  @Override
  public Integer call() throws Exception {
    EncodeRun.Options all = arguments.options(threads);
    Optional<Cutting> cutting = arguments.cutting();
    Optional<SyncArguments.Mode> syncing = sync.mode();
    // Refuses what is none before anything is read.
    Retry retry = arguments.retry();
    checkContradictions(syncing.isPresent(), cutting.isPresent() || !all.look().key().isEmpty());
    if (stac.catalogue().isPresent()) {
      try (AssetFiles files = stac.files(retry)) {
        Archive archive = stac.archive(retry, cutting.flatMap(Cutting::clouds), files);
        SourceImages none =
            new SourceImages("items", List.of(), archive.problems(), List.of(), Map.of());
        return deliver(
            new EncodeJob(none, Optional.of(archive), cutting, arguments.bundle(), all)
                .after("items cannot be encoded", archive.problems()));
      }
    }
    if (StoredEmbeddings.isNamed(arguments.data())) {
      try (StoredEmbeddings stored = StoredEmbeddings.open(arguments.data())) {
        return deliver(EncodeJob.of(stored, arguments.bundle(), all));
      }
    }
    SourceImages source = arguments.source(syncing.isPresent());
    return deliver(
        new EncodeJob(source, Optional.empty(), cutting, arguments.bundle(), all)
            .after("pictures cannot be read", source.problems()));
  }

  private void checkContradictions(boolean syncing, boolean shown) {
    boolean given = arguments.isGiven();
    if (given == stac.catalogue().isPresent()) {
      throw new IllegalArgumentException(
          given ? "--data and --stac are two sources; give one" : "--data or --stac is missing");
    }
    if (!given) {
      arguments.refuseImages();
    } else if (StoredEmbeddings.isNamed(arguments.data()) && (shown || syncing)) {
      throw new IllegalArgumentException(
          arguments.data()
              + " is encoded already: --chip, --stretch, --rgb and --sync are for pictures");
    }
    if (target.index == null && arguments.namesIndex()) {
      throw new IllegalArgumentException("--create-index and --model are for --index only");
    }
    if (syncing && (target.index == null || journal != null || restart)) {
      throw new IllegalArgumentException(
          "--sync compares with an index: it needs --index, and no --out, --journal or --restart");
    }
  }

  private int deliver(EncodeJob job) throws Exception {
    if (target.index != null) {
      return toIndex(job);
    } else if (target.out.toString().equals(STANDARD_OUTPUT)) {
      DocumentFormat format = arguments.format(job.bundle().manifest());
      try (Journal none = Journal.none()) {
        return work().run(job, format, none, r -> new NdjsonSink(System.out, 0, format, r));
      }
    }
    return StoredEmbeddings.isNamed(target.out) ? toParquet(job) : toFile(job);
  }

  private EncodeWork work() {
    return new EncodeWork(stac.catalogue().orElseGet(() -> arguments.data().toString()), this::say);
  }

  private int toIndex(EncodeJob job) throws Exception {
    ClusterClient cluster = arguments.client(arguments.authorization());
    ModelManifest manifest = job.bundle().manifest();
    boolean planned = sync.mode().filter(mode -> mode == SyncArguments.Mode.PLAN).isPresent();
    if (planned && arguments.isYetToBeMade(cluster, target.index)) {
      // A plan changes nothing, so it makes no index either.
      DocumentFormat format = arguments.format(manifest);
      OwnedDocuments none =
          sync.none(format.field(), arguments.retry(), stac.catalogue(), arguments.data());
      return work()
          .sync(
              job,
              format,
              SyncArguments.Mode.PLAN,
              false,
              none,
              listener -> {
                throw new IllegalStateException("a plan sends nothing");
              });
    }
    TargetIndex index = arguments.index(cluster, target.index, manifest, this::say);
    DocumentFormat format = arguments.format(manifest, index);
    EncodeJob kept = index.thumbnails() ? job : job.withoutThumbnails();
    EncodeRun.SinkFactory sinks = arguments.bulk(index.bulk(cluster), format);
    if (sync.mode().isPresent()) {
      OwnedDocuments owned =
          sync.owned(
              cluster,
              index,
              format.field(),
              arguments.retry(),
              stac.catalogue(),
              arguments.data());
      return work().sync(kept, format, sync.mode().get(), sync.deletesAnyway(), owned, sinks);
    }
    if (job.archive().isPresent() || job.stored().isPresent()) {
      index.addProvenance(cluster);
    }
    Path file =
        journal == null
            ? Path.of(target.index + "." + format.field() + "." + format.sensor() + ".journal")
            : journal;
    String name = index.name() + " " + index.incarnation();
    try (Journal known = open(file, name, kept, format, 0)) {
      return work().run(kept, format, known, sinks);
    }
  }

  private int toFile(EncodeJob job) throws Exception {
    DocumentFormat format = arguments.format(job.bundle().manifest());
    Path out = target.out;
    Path file = journal == null ? out.resolveSibling(out.getFileName() + ".journal") : journal;
    // What the journal does not know is cut off, once it is known that no other run writes it.
    long written = Files.exists(out) ? Files.size(out) : 0;
    try (Journal known = open(file, "file", job, format, written)) {
      return work()
          .run(
              job,
              format,
              known,
              listener -> NdjsonSink.file(out, known.position(), format, listener));
    }
  }

  /** Such a file cannot be gone on with: its end says where all else lies. */
  private int toParquet(EncodeJob job) throws Exception {
    if (journal != null) {
      throw new IllegalArgumentException(
          "--journal is not for a file of Parquet, which is written from its beginning or not");
    }
    if (Files.exists(target.out) && !restart) {
      throw new IllegalArgumentException(
          target.out + " is there already; --restart replaces it, when the new one is whole");
    }
    DocumentFormat format = arguments.format(job.bundle().manifest());
    try (Journal none = Journal.none()) {
      return work()
          .run(job, format, none, listener -> new GeoParquetSink(target.out, format, listener));
    }
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

  /** Prints to standard error: standard output may be where the documents go. */
  private void say(String line) {
    command.commandLine().getErr().println(line);
  }
}
