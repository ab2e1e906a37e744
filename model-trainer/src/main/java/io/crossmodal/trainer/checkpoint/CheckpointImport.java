/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.text.WordPieceTokenizer;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.trainer.checkpoint.InitialModel.ImportReport;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * Makes the starting weights of the paper's model (sections 3.1 and 3.2) from two published
 * checkpoints, BERT and a vision transformer.
 *
 * <p>Cross-attention with its layer norm, matching head and the bi-encoder's heads are in neither;
 * training initialises them anew.
 */
public final class CheckpointImport {
  /** What no vocabulary of lower-cased texts holds; {@code [CLS]} and {@code [unused1]} may be. */
  private static final Pattern CASED = Pattern.compile("(?!\\[).*[A-Z].*");

  private final ModelConfig shape;

  CheckpointImport(ModelConfig shape) {
    this.shape = shape;
  }

  /** Returns an import for the preset {@code base}. */
  public static CheckpointImport base() {
    return new CheckpointImport(ModelConfig.base());
  }

  /**
   * Reads two checkpoints and writes a folder for {@code train --init}.
   *
   * @param bert BERT, uncased, with or without its masked language head
   * @param vision vision transformer of the model's patch and image size
   * @param vocabulary the BERT's {@code vocab.txt}
   * @param pixels what the vision transformer was trained on
   * @param out the folder, made where it is absent
   * @throws CheckpointException listing every tensor that is missing, unknown or of another shape
   */
  public InitialModel run(
      Path bert, Path vision, Path vocabulary, PixelNormalisation pixels, Path out)
      throws IOException {
    List<String> words = vocabulary(vocabulary);
    TensorConsumer text = new TensorConsumer(Checkpoint.open(bert), "bert.");
    TensorConsumer image = new TensorConsumer(Checkpoint.open(vision), "vit.", "deit.");
    ModelConfig config = config(words.size(), pixels, VisionMapping.layerNormEpsilon(image));
    List<ImportReport.Source> sources =
        List.of(BertMapping.map(config, text), VisionMapping.map(config, image));
    Map<String, LazyTensor> taken = new LinkedHashMap<>(text.taken());
    taken.putAll(image.taken());
    return InitialModel.write(
        out, config, words, taken, new ImportReport(sources, anew(config, taken)));
  }

  private List<String> vocabulary(Path file) throws IOException {
    List<String> words = InitialModel.readVocabulary(file);
    try {
      new WordPieceTokenizer(words, shape.text().maxTokens());
    } catch (IllegalArgumentException e) {
      throw new CheckpointException(file + ": " + e.getMessage(), e);
    }
    for (String word : words) {
      if (CASED.matcher(word).matches()) {
        throw new CheckpointException(
            String.format(
                Locale.ROOT,
                "%s is a cased vocabulary, it holds [%s]; texts are lower-cased here, so take an"
                    + " uncased BERT",
                file,
                word));
      }
    }
    return words;
  }

  private ModelConfig config(int vocabulary, PixelNormalisation pixels, double imageEpsilon) {
    ImageTowerConfig image = shape.image();
    return shape
        .withVocabularySize(vocabulary)
        .withImage(
            imageEpsilon == shape.layerNormEpsilon()
                ? image
                : image.withLayerNormEpsilon(imageEpsilon))
        .withSensors(List.of(pixels.of(shape.sensors().get(0))));
  }

  /**
   * Returns the model's tensors that are not taken; a taken one that the model lacks is our own
   * mistake.
   */
  private static List<String> anew(ModelConfig config, Map<String, LazyTensor> taken) {
    Map<String, List<Long>> expected = new LinkedHashMap<>();
    Weights nothing =
        (name, init, extents) -> {
          expected.put("model." + name, Arrays.stream(extents).boxed().toList());
          return ScriptTensor.parameter(new float[0], 0);
        };
    StateDict.of(MtgfeArchitecture.build(config, nothing));
    List<String> anew = new ArrayList<>();
    expected.forEach(
        (name, extents) -> {
          LazyTensor tensor = taken.get(name);
          if (tensor == null) {
            anew.add(name);
          } else if (!tensor.shape().equals(extents)) {
            throw new IllegalStateException(name + " is " + tensor.shape() + ", not " + extents);
          }
        });
    for (String name : taken.keySet()) {
      if (name.startsWith("model.") && !expected.containsKey(name)) {
        throw new IllegalStateException("the model has no " + name);
      }
    }
    if (!taken.containsKey("mlm.bias")) {
      anew.add("mlm");
    }
    return anew;
  }

  /**
   * Normalisation of the pixels that an image tower was trained on; its checkpoint does not say.
   */
  public enum PixelNormalisation {
    /** ImageNet's means and deviations: DeiT, DINO, most of timm. */
    IMAGENET,
    /** Mean and deviation 0.5: Google's ViT, and timm's {@code augreg} weights made from it. */
    HALF;

    /** Returns that sensor with these means and deviations. */
    SensorConfig of(SensorConfig sensor) {
      if (this == IMAGENET) {
        SensorConfig rgb = SensorConfig.rgb(sensor.imageSize());
        return new SensorConfig(sensor.name(), sensor.imageSize(), rgb.mean(), rgb.std());
      }
      List<Double> half = List.of(0.5, 0.5, 0.5);
      return new SensorConfig(sensor.name(), sensor.imageSize(), half, half);
    }
  }
}
