/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.evaluate.Depths;
import io.crossmodal.trainer.evaluate.EvaluationTable;
import io.crossmodal.trainer.evaluate.Evaluator;
import io.crossmodal.trainer.report.ModelCard;
import io.crossmodal.trainer.report.ReportMaker;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code report}: a run as one HTML file. */
@Command(
    name = "report",
    mixinStandardHelpOptions = true,
    showDefaultValues = true,
    description =
        "Writes report.html into a run folder: options, curves and, with a data set, retrieval,"
            + " examples and heat maps, ranked as export will calibrate it, and MODEL_CARD.md. The"
            + " report needs no network and no other file.")
final class ReportCommand implements Callable<Integer> {
  @Option(names = "--run", required = true, description = "run folder of train")
  private Path run;

  /** Null where no data set is given. */
  @ArgGroup(exclusive = false)
  private DatasetArguments data;

  @Option(names = "--split", defaultValue = "VAL", description = "${COMPLETION-CANDIDATES}")
  private Split split;

  @Mixin private EvaluateCommand.DepthArguments depth;

  @Option(
      names = "--licence",
      defaultValue = "not stated",
      description = "of data and weights, for the model card")
  private String licence;

  @Option(names = "--seed", defaultValue = "1", description = "of the choice of examples")
  private long seed;

  @Override
  public Integer call() throws Exception {
    ReportMaker maker = new ReportMaker(run);
    System.out.println("wrote " + (data == null ? maker.write() : withRetrieval(maker)));
    return 0;
  }

  private Path withRetrieval(ReportMaker maker) throws IOException, BundleException {
    Depths depths = depth.depths();
    CaptionedDataset dataset = data.read();
    List<CaptionedImage> images = data.images(dataset, split);
    try (BundleModel model = BundleModel.withFusion(run.resolve("model.zip"))) {
      Evaluator evaluator = new Evaluator(model.model(), model.encode(data, dataset, images));
      Calibration calibration = model.calibration(data, dataset, () -> {});
      EvaluationTable table =
          EvaluateCommand.table(model, evaluator, dataset, split, depths, calibration, List.of());
      Files.writeString(
          run.resolve(ModelCard.FILE),
          ModelCard.markdown(model.bundle().manifest(), dataset, table, licence));
      return maker.write(model.model(), evaluator, table, depths, seed);
    }
  }
}
