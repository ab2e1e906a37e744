/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import java.util.List;
import java.util.regex.Pattern;

/**
 * An EfficientNet-Lite (Tan and Le 2019) by the names of lukemelas' port, whose Lite variant it is,
 * or of timm's {@code tf_efficientnet_lite}, which pads as it does. It gives all of a tower but
 * what makes tokens of its features.
 */
final class EfficientNetMapping {
  static final String ROLE = "EfficientNet-Lite";

  private static final int RGB = 3;

  /** The classifier, and how often each batch norm was called. */
  private static final Pattern IGNORABLE =
      Pattern.compile("(_fc|classifier)\\..*|.*\\.num_batches_tracked");

  private final ImageTowerConfig image;
  private final SensorConfig sensor;
  private final TensorConsumer tensors;
  private final String tower;

  private EfficientNetMapping(ModelConfig config, SensorConfig sensor, TensorConsumer tensors) {
    this.image = config.image();
    this.sensor = sensor;
    this.tensors = tensors;
    this.tower = "model.image_" + sensor.name();
  }

  /** Returns whether a checkpoint has one of the two kinds of names. */
  static boolean knows(TensorConsumer tensors) {
    return isTimm(tensors) || tensors.has("_conv_stem.weight");
  }

  private static boolean isTimm(TensorConsumer tensors) {
    return tensors.has("conv_stem.weight");
  }

  /**
   * Maps a whole checkpoint to the tower of one sensor. The first convolution is adapted to the
   * sensor's channels: to one as if a grey picture were given three times, to others by its mean
   * over red, green and blue, so that its output keeps its size.
   *
   * @throws CheckpointException when it is no such thing, or listing what is missing, of another
   *     shape or unknown
   */
  static InitialModel.ImportReport.Source map(
      ModelConfig config, SensorConfig sensor, TensorConsumer tensors) throws CheckpointException {
    EfficientNetMapping mapping = new EfficientNetMapping(config, sensor, tensors);
    if (isTimm(tensors)) {
      mapping.timm();
    } else {
      tensors.requireKind(ROLE, "_conv_stem.weight");
      mapping.lukemelas();
    }
    return tensors.finish(ROLE, name -> IGNORABLE.matcher(name).matches());
  }

  private void lukemelas() {
    ends("_conv_stem", "_bn0", "_conv_head", "_bn1");
    for (int i = 0; i < image.stages().size(); i++) {
      String block = "_blocks." + i + ".";
      block(
          i,
          List.of(block + "_expand_conv", block + "_depthwise_conv", block + "_project_conv"),
          List.of(block + "_bn0", block + "_bn1", block + "_bn2"));
    }
  }

  private void timm() {
    ends("conv_stem", "bn1", "conv_head", "bn2");
    int row = -1;
    int inRow = 0;
    int width = -1;
    for (int i = 0; i < image.stages().size(); i++) {
      ImageTowerConfig.Stage stage = image.stages().get(i);
      inRow++;
      if (stage.width() != width) {
        row++;
        inRow = 0;
        width = stage.width();
      }
      String block = "blocks." + row + "." + inRow + ".";
      boolean expands = stage.expansion() > 1;
      // A block that does not expand has its parts numbered from the depthwise convolution on.
      block(
          i,
          List.of(block + "conv_pw", block + "conv_dw", block + (expands ? "conv_pwl" : "conv_pw")),
          List.of(
              block + "bn1", block + (expands ? "bn2" : "bn1"), block + (expands ? "bn3" : "bn2")));
    }
  }

  private void ends(String stem, String stemNorm, String head, String headNorm) {
    int width = image.stems().get(0);
    firstConvolution(stem + ".weight", width);
    norm(tower + ".stem.norm", stemNorm, width);
    int last = image.stages().get(image.stages().size() - 1).width();
    pointwise(tower + ".head", head, headNorm, last, image.head());
  }

  private void firstConvolution(String source, int width) {
    if (!tensors.want(source, "", width, RGB, 3, 3)) {
      return;
    }
    int channels = sensor.channels();
    tensors.put(
        tower + ".stem.weight",
        new long[] {width, channels, 3, 3},
        () -> adapted(tensors.get(source).values(), width, channels));
  }

  /** Returns (width, channels, 3, 3) of (width, 3, 3, 3). */
  static float[] adapted(float[] rgb, int width, int channels) {
    if (channels == RGB) {
      return rgb;
    }
    int area = 3 * 3;
    float[] out = new float[width * channels * area];
    for (int w = 0; w < width; w++) {
      for (int i = 0; i < area; i++) {
        float sum = 0;
        for (int c = 0; c < RGB; c++) {
          sum += rgb[(w * RGB + c) * area + i];
        }
        for (int c = 0; c < channels; c++) {
          out[(w * channels + c) * area + i] = sum / channels;
        }
      }
    }
    return out;
  }

  /**
   * Maps a block.
   *
   * @param convolutions names of expansion, depthwise convolution and projection
   * @param norms names of their norms
   */
  private void block(int number, List<String> convolutions, List<String> norms) {
    ImageTowerConfig.Stage stage = image.stages().get(number);
    String target = tower + ".stage" + number;
    int in = number == 0 ? image.stems().get(0) : image.stages().get(number - 1).width();
    int inner = in * stage.expansion();
    if (stage.expansion() > 1) {
      pointwise(target + ".expand", convolutions.get(0), norms.get(0), in, inner);
    }
    tensors.copy(
        target + ".depthwise.weight",
        convolutions.get(1) + ".weight",
        inner,
        1,
        stage.kernel(),
        stage.kernel());
    norm(target + ".depthwise.norm", norms.get(1), inner);
    pointwise(target + ".project", convolutions.get(2), norms.get(2), inner, stage.width());
  }

  /** Maps a 1x1 convolution, a matrix here, and its norm. */
  private void pointwise(String target, String source, String norm, int in, int out) {
    String weight = source + ".weight";
    if (tensors.want(weight, "", out, in, 1, 1)) {
      tensors.put(target + ".weight", new long[] {out, in}, () -> tensors.get(weight).values());
    }
    norm(target + ".norm", norm, out);
  }

  private void norm(String target, String source, int width) {
    for (String part : List.of("weight", "bias", "running_mean", "running_var")) {
      tensors.copy(target + "." + part, source + "." + part, width);
    }
  }
}
