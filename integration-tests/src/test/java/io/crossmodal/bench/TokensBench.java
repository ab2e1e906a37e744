/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.bench;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.model.tokens.TokenEncoding;
import io.crossmodal.model.tokens.TokenPooling;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.evaluate.Depths;
import io.crossmodal.trainer.evaluate.EncodedSplit;
import io.crossmodal.trainer.evaluate.EvaluationTable;
import io.crossmodal.trainer.evaluate.Evaluator;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** What a stored picture's tokens take, and what recall is lost by storing fewer bytes of them. */
final class TokensBench {
  private static final int CANDIDATES = 16;

  /** The seed of the shipped model's training scenes: its test split shares no scene with them. */
  private static final long SEED = 1;

  private TokensBench() {}

  static void run() throws Exception {
    int scenes = Integer.getInteger("bench.scenes", 1000);
    int captions = Integer.getInteger("bench.captions", 5);
    Path work = Path.of(System.getProperty("crossmodal.work", "target/bench")).toAbsolutePath();
    List<CaptionedImage> images = ofFewerCaptions(Scenes.generate(work, scenes, SEED), captions);
    ModelBundle bundle = bundle();
    Path scratch = Files.createTempDirectory(work, "tokens-");
    Report report = new Report("tokens");
    report.table(
        images.size() + " scenes, " + captions + " captions each, best " + CANDIDATES + " fused",
        "tokens | stored | pooled by | bytes an image | mR | duplicate-aware mR");
    try (FusionModel model = FusionModel.load(bundle, scratch)) {
      EncodedSplit split =
          EncodedSplit.encode(model, images, 0, EncodedSplit.Change.NONE, done -> {});
      measure(report, model, split, null, 1);
      measure(report, model, split, TokenEncoding.FP16, 1);
      for (int pooling : new int[] {1, 2, 3, 6}) {
        measure(report, model, split, TokenEncoding.INT8, pooling);
        measure(report, model, split, TokenEncoding.INT4, pooling);
      }
    } finally {
      Files.delete(scratch);
    }
    report.publish();
  }

  /** Returns the bundle that {@code -Dbench.model} names, or the shipped one. */
  static ModelBundle bundle() throws Exception {
    String file = System.getProperty("bench.model", "");
    return file.isEmpty() ? ModelBundle.demo() : ModelBundle.read(Path.of(file));
  }

  /** Returns images with the first so many of their captions. */
  static List<CaptionedImage> ofFewerCaptions(List<CaptionedImage> images, int captions) {
    return images.stream()
        .map(
            image ->
                new CaptionedImage(
                    image.filename(),
                    image.file(),
                    image.imageId(),
                    image.split(),
                    image.captions().stream().limit(captions).toList()))
        .toList();
  }

  /**
   * Adds a row.
   *
   * @param encoding null for the tokens as the tower makes them
   */
  private static void measure(
      Report report, FusionModel model, EncodedSplit split, TokenEncoding encoding, int pooling) {
    String space = model.bundle().manifest().fingerprints().tokenSpace();
    int[] bytes = new int[1];
    List<Encoding> stored =
        split.pictures().stream()
            .map(
                picture -> {
                  TokenBlock tokens = picture.tokens();
                  if (encoding != null) {
                    byte[] block =
                        TokenBlockFormat.write(
                            TokenPooling.pool(tokens, pooling), encoding, space, pooling);
                    bytes[0] = block.length;
                    tokens = TokenBlockFormat.read(block, 0, block.length);
                  }
                  return new Encoding(tokens, picture.embedding());
                })
            .toList();
    List<EvaluationTable.Row> rows =
        new Evaluator(
                model, new EncodedSplit(split.images(), stored, split.texts(), split.problems()))
            .evaluate(
                new Depths(List.of(CANDIDATES), false),
                model.bundle().manifest().calibration(),
                pairs -> {});
    if (encoding == null) {
      EvaluationTable.Row filter = rows.get(0);
      report.row("none", "", "", 0, filter.meanRecall(), filter.meanRecallAware());
    }
    EvaluationTable.Row fused = rows.get(1);
    report.row(
        stored.get(0).tokens().count(),
        encoding == null ? "float32, as made" : encoding.name(),
        pooling,
        encoding == null ? 4 * stored.get(0).tokens().values().length : bytes[0],
        fused.meanRecall(),
        fused.meanRecallAware());
  }
}
