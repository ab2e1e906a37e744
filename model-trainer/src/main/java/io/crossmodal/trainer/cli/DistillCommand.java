/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.trainer.bundle.BundleWriter;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.distill.DistillationOptions;
import io.crossmodal.trainer.distill.Distiller;
import io.crossmodal.trainer.evaluate.EncodedSplit;
import io.crossmodal.trainer.train.TrainingLoop;
import io.crossmodal.trainer.train.TrainingRun;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import me.tongfei.progressbar.ProgressBar;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code distill}: bi-encoder and MLP pre-ranker of a trained model, from its fusion encoder. */
@Command(
    name = "distill",
    mixinStandardHelpOptions = true,
    modelTransformer = RecordOptions.Transformer.class,
    showDefaultValues = true,
    description =
        "Distils the fusion encoder of a bundle into its bi-encoder (a dot product, for the kNN"
            + " field) and into the paper's MLP pre-ranker. Run again with"
            + " the same options, it resumes. Calibrate the result with export.")
final class DistillCommand implements Callable<Integer>, RecordOptions.Holder {
  @Mixin private DatasetArguments data;

  @Option(names = "--bundle", required = true, description = "the teacher's bundle")
  private Path bundle;

  @Option(names = "--out", required = true, description = "the bundle to write")
  private Path out;

  @Option(
      names = "--run",
      description =
          "run folder, from which an interrupted distillation goes on; default: <out>.run")
  private Path run;

  private final RecordOptions given = new RecordOptions(DistillationOptions.class, "DEFAULTS");

  @Override
  public RecordOptions recordOptions() {
    return given;
  }

  @Override
  public Integer call() throws Exception {
    DistillationOptions options = given.applyTo(DistillationOptions.defaults());
    CaptionedDataset dataset = data.read();
    List<CaptionedImage> split = sampled(dataset.split(Split.TRAIN), options);
    try (Interruption interruption = new Interruption();
        BundleModel teacher = BundleModel.withFusion(bundle)) {
      EncodedSplit encoded =
          teacher.encode(data, dataset, split, null, EncodedSplit.Change.NONE, interruption::check);
      Distiller distiller =
          new Distiller(
              teacher.model(),
              encoded.pictures(),
              encoded.texts(),
              matches(dataset, encoded),
              options);
      Calibration ranking = teacher.calibration(data, dataset, interruption::check);
      Path folder = run == null ? out.resolveSibling(out.getFileName() + ".run") : run;
      int steps = distiller.stepsAnEpoch() * options.epochs();
      ModelBundle distilled;
      try (ProgressBar scored = new ProgressBar("teach", encoded.images().size());
          ProgressBar learnt = new ProgressBar("learn", steps)) {
        distilled =
            distiller.distil(
                folder,
                ranking,
                texts -> {
                  scored.stepTo(texts);
                  interruption.check();
                },
                new TrainingLoop.Progress() {
                  @Override
                  public void measured(TrainingLoop.Metrics metrics) {
                    learnt.setExtraMessage(metrics.brief());
                  }

                  @Override
                  public void stepped(int taken) {
                    learnt.stepTo(taken);
                    interruption.check();
                  }
                });
      }
      BundleWriter.write(distilled, out, TrainingRun.goldenTexts(dataset));
      System.out.println("wrote " + out + "; calibrate it with export");
    }
    return 0;
  }

  /** Returns a seeded choice of images, each with one of its captions. */
  private static List<CaptionedImage> sampled(
      List<CaptionedImage> split, DistillationOptions options) {
    Random random = new Random(options.seed());
    List<CaptionedImage> shuffled = new ArrayList<>(split);
    Collections.shuffle(shuffled, random);
    return shuffled.stream()
        .limit(options.sample())
        .map(
            image -> {
              String caption = image.captions().get(random.nextInt(image.captions().size()));
              return new CaptionedImage(
                  image.filename(), image.file(), image.imageId(), image.split(), List.of(caption));
            })
        .toList();
  }

  /** Matches by all captions of an image, not the sampled one alone. */
  private static Distiller.Matches matches(CaptionedDataset dataset, EncodedSplit encoded) {
    var captions =
        dataset.images().stream()
            .collect(Collectors.toMap(CaptionedImage::imageId, DistillCommand::keys));
    List<Set<String>> ofImage =
        encoded.images().stream().map(image -> captions.get(image.imageId())).toList();
    List<String> ofText =
        encoded.images().stream()
            .map(image -> CaptionedDataset.captionKey(image.captions().get(0)))
            .toList();
    return (image, text) -> ofImage.get(image).contains(ofText.get(text));
  }

  private static Set<String> keys(CaptionedImage image) {
    return image.captions().stream().map(CaptionedDataset::captionKey).collect(Collectors.toSet());
  }
}
