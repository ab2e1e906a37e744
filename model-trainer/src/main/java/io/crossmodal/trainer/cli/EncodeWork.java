/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.trainer.data.InvalidDatasetException;
import io.crossmodal.trainer.encode.Archive;
import io.crossmodal.trainer.encode.ArchivePass;
import io.crossmodal.trainer.encode.DocumentFormat;
import io.crossmodal.trainer.encode.EncodeRun;
import io.crossmodal.trainer.encode.Journal;
import io.crossmodal.trainer.encode.OwnedDocuments;
import io.crossmodal.trainer.encode.Scenes;
import io.crossmodal.trainer.encode.SourceImage;
import io.crossmodal.trainer.encode.SourceImages;
import io.crossmodal.trainer.encode.StoredEmbeddings;
import io.crossmodal.trainer.encode.Sync;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;

/**
 * Runs of {@code encode}, with a bar and a report each.
 *
 * @param source what to call it in messages
 * @param say takes lines for the user
 */
record EncodeWork(String source, Consumer<String> say) {
  /** Pictures were left out, others are there. */
  static final int SOME_LEFT_OUT = 3;

  /** Every picture was left out. */
  static final int ALL_LEFT_OUT = 4;

  /** Encodes. Returns the exit status. */
  int run(EncodeJob job, DocumentFormat format, Journal known, EncodeRun.SinkFactory sinks)
      throws Exception {
    if (job.stored().isPresent()) {
      return stored(job, job.stored().get(), format, known, sinks);
    }
    if (job.archive().isPresent()) {
      return archive(job, job.archive().get(), format, known, sinks);
    }
    if (job.cutting().isEmpty()) {
      List<SourceImage> images = job.source().images();
      say.accept(source + ": " + images.size() + " " + job.source().kind());
      EncodeRun.Summary summary =
          encode(
              job, images::size, () -> "", (run, to) -> run.run(images, sinks, to), format, known);
      return report(job, summary, "pictures", job.source().problems(), List.of());
    }
    try (Scenes cut =
        Scenes.plan(
            job.source().images(),
            job.cutting().get(),
            job.bundle(),
            format.sensor(),
            job.options().look())) {
      EncodeJob left = job.after("scenes cannot be cut", cut.problems());
      String size = cut.size() + (cut.size() == 1 ? " scene" : " scenes");
      say.accept(source + ": " + size + ", " + cut.chips() + " chips");
      EncodeRun.Summary summary =
          encode(
              left, cut::chips, cut::current, (run, to) -> run.run(cut, sinks, to), format, known);
      List<String> problems = new ArrayList<>(job.source().problems());
      problems.addAll(cut.problems());
      return report(job, summary, "chips of " + size, problems, cut.unplaced());
    }
  }

  private int archive(
      EncodeJob job,
      Archive archive,
      DocumentFormat format,
      Journal known,
      EncodeRun.SinkFactory sinks)
      throws Exception {
    if (archive.size() == 0) {
      throw new IllegalArgumentException(
          archive.problems().isEmpty()
              ? source + " lists no item"
              : InvalidDatasetException.summary(
                  source + " lists no item that can be encoded", archive.problems()));
    }
    String size = archive.size() + (archive.size() == 1 ? " item" : " items");
    say.accept(source + ": " + size);
    try (ArchivePass pass = archive.pass(plan(job, format), known)) {
      EncodeRun.Summary summary =
          encode(
              job,
              pass::expected,
              pass::current,
              (run, to) -> run.run(pass, sinks, to),
              format,
              known);
      String what = job.cutting().isEmpty() ? "pictures of " + size : "chips of " + size;
      return report(job, summary, what, archive.problems(), pass.unplaced());
    }
  }

  private static Archive.Plan plan(EncodeJob job, DocumentFormat format) {
    return new Archive.Plan(job.cutting(), job.bundle(), format.sensor(), job.options().look());
  }

  private int stored(
      EncodeJob job,
      StoredEmbeddings stored,
      DocumentFormat format,
      Journal known,
      EncodeRun.SinkFactory sinks)
      throws Exception {
    stored.check(format);
    say.accept(source + ": " + stored.size() + " documents that are encoded");
    try (Interruption interruption = new Interruption();
        ProgressBar bar = bar("send", stored.size())) {
      EncodeRun.Summary summary =
          stored.run(
              format,
              known,
              job.options().allowedProblems(),
              sinks,
              done -> {
                bar.stepTo(done);
                interruption.check();
              });
      return report(job, summary, "documents taken, none", List.of(), List.of());
    }
  }

  /**
   * Keeps an index in step.
   *
   * @param index what it has of the source
   * @return the exit status
   */
  int sync(
      EncodeJob job,
      DocumentFormat format,
      SyncArguments.Mode mode,
      boolean anyway,
      OwnedDocuments index,
      EncodeRun.SinkFactory sinks)
      throws Exception {
    Archive archive = job.archive().orElseGet(() -> Archive.of(job.source(), job.cutting()));
    Sync sync = Sync.compare(archive, plan(job, format), format.tokens(), index);
    int before = archive.problems().size();
    EncodeJob left =
        job.after(
            "the source cannot be compared",
            sync.problems().subList(before, sync.problems().size()));
    if (mode == SyncArguments.Mode.PLAN) {
      sync.tell(System.out::println);
      list(", left out", sync.problems());
      return sync.problems().isEmpty() ? 0 : SOME_LEFT_OUT;
    }
    say.accept(source + ": " + sync.summary());
    Sync.Outcome outcome =
        sync.size() == 0
            ? sync.apply(
                null, format, left.options(), sinks, anyway, (done, expected, current) -> {})
            : synced(left, format, sync, anyway, sinks);
    say.accept(
        outcome.deleted()
            + " documents deleted"
            + (outcome.bare() == 0
                ? ""
                : "; "
                    + outcome.bare()
                    + " scenes of which no chip is kept are remembered, by a document without a"
                    + " picture each")
            + (outcome.spared() == 0
                ? ""
                : "; "
                    + outcome.spared()
                    + " scenes that are not in the source any more are kept, since "
                    + (archive.size() == 0 ? "it lists nothing" : "there were problems")
                    + ": --delete-anyway deletes them"));
    if (sync.size() == 0) {
      list(", left out", sync.problems());
      return sync.problems().isEmpty() ? 0 : SOME_LEFT_OUT;
    }
    String what = job.cutting().isEmpty() ? "pictures" : "chips";
    return report(job, outcome.encoded(), what, sync.problems(), outcome.unplaced());
  }

  private static Sync.Outcome synced(
      EncodeJob job, DocumentFormat format, Sync sync, boolean anyway, EncodeRun.SinkFactory sinks)
      throws Exception {
    try (Interruption interruption = new Interruption();
        BundleModel model = BundleModel.of(job.bundle());
        ProgressBar bar = bar("encode", sync.size())) {
      return sync.apply(
          model.model(),
          format,
          job.options(),
          sinks,
          anyway,
          (done, expected, current) -> {
            show(bar, done, expected, current);
            interruption.check();
          });
    }
  }

  private static ProgressBar bar(String task, long count) {
    return new ProgressBarBuilder()
        .setTaskName(task)
        .setInitialMax(count)
        .setUnit(" images", 1)
        .showSpeed()
        .build();
  }

  private static void show(ProgressBar bar, int done, long expected, String current) {
    bar.setExtraMessage(current);
    bar.maxHint(expected);
    bar.stepTo(done);
  }

  /** Runs over what is to be encoded. */
  @FunctionalInterface
  private interface Encoder {
    EncodeRun.Summary run(EncodeRun run, IntConsumer progress) throws Exception;
  }

  private static EncodeRun.Summary encode(
      EncodeJob job,
      LongSupplier count,
      Supplier<String> current,
      Encoder encoder,
      DocumentFormat format,
      Journal known)
      throws Exception {
    try (Interruption interruption = new Interruption();
        BundleModel model = BundleModel.of(job.bundle());
        ProgressBar bar = bar("encode", count.getAsLong())) {
      return encoder.run(
          new EncodeRun(model.model(), format, job.options(), known),
          done -> {
            show(bar, done, count.getAsLong(), current.get());
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
    SourceImages images = job.source();
    List<String> problems = new ArrayList<>(before);
    problems.addAll(summary.problems());
    List<String> unplaced = new ArrayList<>(unplacedScenes);
    unplaced.addAll(summary.unplaced());
    images.unreadLines().forEach(line -> say.accept(source + ", left out: " + line));
    list(", left out", problems);
    list(", kept without labels", images.unlabelled());
    list(", kept without a place", unplaced);
    int leftOut = problems.size() + images.unread().values().stream().mapToInt(i -> i).sum();
    say.accept(
        String.format(
            Locale.ROOT,
            "%d %s encoded, %d done before, %d with the bytes of another, %s%d left out",
            summary.kept(),
            what,
            summary.known(),
            summary.repeated(),
            job.cutting().isEmpty() ? "" : summary.empty() + " showing too little, ",
            leftOut));
    if (summary.kept() + summary.known() + summary.repeated() == 0) {
      return ALL_LEFT_OUT;
    }
    return leftOut == 0 ? 0 : SOME_LEFT_OUT;
  }

  private void list(String what, List<String> lines) {
    if (!lines.isEmpty()) {
      say.accept(InvalidDatasetException.summary(source + what, lines));
    }
  }
}
