/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.trainer.checkpoint.CheckpointImport;
import io.crossmodal.trainer.checkpoint.InitialModel;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code import}: from published checkpoints to the folder that {@code train --init} takes. */
@Command(
    name = "import",
    mixinStandardHelpOptions = true,
    showDefaultValues = true,
    description =
        "Makes the starting weights of the base model: BERT's layers in text tower and fusion"
            + " encoder, a ViT-B/16 or DeiT-B/16 at 224 pixels in the image tower. Reads"
            + " safetensors and zips of torch.save.")
final class ImportCommand implements Callable<Integer> {
  @Option(
      names = "--bert",
      required = true,
      description = "bert-base-uncased: model.safetensors or pytorch_model.bin")
  private Path bert;

  @Option(
      names = "--vit",
      required = true,
      description = "ViT or DeiT without distillation, by Hugging Face's or timm's names")
  private Path vit;

  @Option(names = "--vocab", required = true, description = "vocab.txt of that BERT")
  private Path vocab;

  @Option(names = "--out", required = true, description = "the folder to write")
  private Path out;

  @Option(
      names = "--pixels",
      defaultValue = "IMAGENET",
      description =
          "how the ViT's pixels were normalised: IMAGENET (DeiT) or HALF, mean and deviation 0.5"
              + " (Google's ViT)")
  private CheckpointImport.PixelNormalisation pixels;

  @Override
  public Integer call() throws Exception {
    InitialModel model = CheckpointImport.base().run(bert, vit, vocab, pixels, out);
    System.out.print(model.origin());
    System.out.println(
        "pixels: "
            + pixels
            + ", epsilon of the image tower's layer norms: "
            + model.config().imageLayerNormEpsilon());
    System.out.println("wrote " + out);
    return 0;
  }
}
