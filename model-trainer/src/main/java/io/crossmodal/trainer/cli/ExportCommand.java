/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.bundle.Fingerprints;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.trainer.bundle.BundleWriter;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.evaluate.Depths;
import io.crossmodal.trainer.evaluate.EvaluationTable;
import io.crossmodal.trainer.evaluate.Evaluator;
import io.crossmodal.trainer.report.ModelCard;
import io.crossmodal.trainer.train.TrainingRun;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code export}: a trained bundle with its score calibrated and its figures measured. */
@Command(
    name = "export",
    mixinStandardHelpOptions = true,
    showDefaultValues = true,
    description =
        "Fits lambda and the calibration on the validation split, measures the bundle there, and"
            + " writes it under its final id.")
final class ExportCommand implements Callable<Integer> {
  @Mixin private DatasetArguments data;

  @Option(names = "--bundle", required = true, description = "the trained bundle")
  private Path bundle;

  @Option(names = "--out", required = true, description = "the bundle to write")
  private Path out;

  @Option(names = "--id", required = true, description = "id under which it will be served")
  private String id;

  @Option(
      names = "--k",
      defaultValue = "" + BundleModel.CANDIDATES,
      description = "candidates a query")
  private int k;

  @Option(
      names = "--licence",
      defaultValue = "not stated",
      description = "of data and weights, for the model card")
  private String licence;

  @Override
  public Integer call() throws Exception {
    ModelManifest.checkId(id);
    CaptionedDataset dataset = data.read();
    List<CaptionedImage> images = dataset.split(Split.VAL);
    if (images.isEmpty()) {
      throw new IllegalArgumentException(data.path() + " has no validation split to calibrate on");
    }
    ModelBundle trained;
    Calibration calibration;
    List<ModelManifest.Metric> metrics = new ArrayList<>();
    EvaluationTable table;
    try (BundleModel model = BundleModel.withFusion(bundle)) {
      trained = model.bundle();
      Evaluator evaluator = new Evaluator(model.model(), model.encode(data, dataset, images));
      calibration = BundleModel.calibrate(evaluator, k, () -> {});
      Depths depths = new Depths(List.of(k), false);
      table =
          EvaluateCommand.table(
              model, evaluator, dataset, Split.VAL, depths, calibration, List.of());
      List<EvaluationTable.Row> rows = table.rows();
      metrics.add(metric("val.filter.t2i.r@1", rows.get(0).textToImage().aware().r1()));
      metrics.add(metric("val.filter.mr", rows.get(0).meanRecallAware()));
      metrics.add(metric("val.fusion.t2i.r@1", rows.get(1).textToImage().aware().r1()));
      metrics.add(metric("val.fusion.mr", rows.get(1).meanRecallAware()));
    }
    ModelManifest manifest = trained.manifest();
    ModelBundle written =
        BundleWriter.write(
            ModelBundle.of(
                    id,
                    manifest.config(),
                    trained.tokenizerEntries(),
                    trained.weights(),
                    manifest.storedPrecision(),
                    calibration,
                    manifest.training(),
                    metrics)
                .withPrompts(manifest.prompts())
                .withSensorCalibrations(manifest.sensorCalibrations(), manifest.fittedMaxSims()),
            out,
            TrainingRun.goldenTexts(dataset));
    Path card =
        out.resolveSibling(
            out.getFileName().toString().replaceFirst("\\.zip$", "") + "." + ModelCard.FILE);
    Files.writeString(card, ModelCard.markdown(written.manifest(), dataset, table, licence));
    System.out.println("wrote " + card);
    System.out.println("wrote " + out + " with " + calibration + " and " + metrics);
    Fingerprints spaces = written.manifest().fingerprints();
    System.out.println(
        String.format(
            Locale.ROOT,
            "embeddings %.12s, tokens %.12s: under the id of a model that has the same it is that"
                + " model's next version, and what an index keeps is encoded no second time",
            spaces.embeddingSpace(),
            spaces.tokenSpace()));
    return 0;
  }

  private static ModelManifest.Metric metric(String name, double value) {
    return new ModelManifest.Metric(name, Math.round(100 * value) / 100.0);
  }
}
