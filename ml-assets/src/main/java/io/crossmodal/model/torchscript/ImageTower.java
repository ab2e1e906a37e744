/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.torchscript.Weights.Init;
import java.util.List;
import java.util.stream.IntStream;

/** Image towers, one for each sensor: the trees of {@code vit.py} and of {@code grid.py}. */
final class ImageTower {
  private final ModelConfig config;
  private final ImageTowerConfig image;
  private final Weights weights;

  ImageTower(ModelConfig config, Weights weights) {
    this.config = config;
    this.image = config.image();
    this.weights = weights;
  }

  /** Returns the resources that make the module {@code image} of a kind of tower. */
  static List<String> resources(ImageTowerConfig.Kind kind) {
    return switch (kind) {
      case VISION_TRANSFORMER -> List.of("vit");
      case CONVOLUTIONAL -> List.of("convnet", "grid");
      case RESNET -> List.of("resnet", "grid");
      case EFFICIENTNET_LITE -> List.of("efficientnet");
      case CLIP -> List.of("clip_vision");
    };
  }

  /** Returns the TorchScript class of a kind of tower. */
  static String type(ImageTowerConfig.Kind kind) {
    return switch (kind) {
      case VISION_TRANSFORMER -> "VisionTransformer";
      case CONVOLUTIONAL, RESNET -> "ConvolutionalTower";
      case EFFICIENTNET_LITE -> "EfficientNetLite";
      case CLIP -> "ClipVision";
    };
  }

  /** See {@link MtgfeArchitecture#isOfPatchesAlone}. */
  static boolean ofPatchesAlone(ImageTowerConfig.Kind kind, String tower, String name) {
    List<String> parts =
        switch (kind) {
          case VISION_TRANSFORMER, CLIP -> List.of();
          case CONVOLUTIONAL, RESNET -> List.of("project.weight", "project.bias", "position");
          case EFFICIENTNET_LITE ->
              List.of("fine.weight", "fine.bias", "position", "norm.weight", "norm.bias");
        };
    return parts.stream().anyMatch(part -> name.endsWith(tower + "." + part));
  }

  /** Returns the declarations of a tower's stages, as its resource needs them. */
  static List<String> stages(ImageTowerConfig image) {
    return IntStream.range(0, image.stages().size())
        .mapToObj(i -> "stage" + i + " : __torch__.image." + stageType(image, i))
        .toList();
  }

  private static String stageType(ImageTowerConfig image, int stage) {
    if (image.kind() == ImageTowerConfig.Kind.RESNET) {
      return image.projects(stage) ? "ReducingBottleneck" : "Bottleneck";
    }
    if (image.kind() == ImageTowerConfig.Kind.EFFICIENTNET_LITE) {
      String inverted = image.projects(stage) ? "Inverted" : "InvertedResidual";
      return image.stages().get(stage).expansion() == 1 ? "Separable" : inverted;
    }
    if (image.hasShortcuts()) {
      return image.projects(stage) ? "ReducingBlock" : "ResidualBlock";
    }
    return "Stage";
  }

  /** Returns the tower of a sensor, whose tensors lie below {@code path}. */
  ScriptModule build(String path, SensorConfig sensor) {
    ScriptModule tower = new ScriptModule("image." + type(image.kind()));
    return switch (image.kind()) {
      case VISION_TRANSFORMER -> visionTransformer(tower, path, sensor);
      case CONVOLUTIONAL, RESNET -> convolutional(tower, path, sensor);
      case EFFICIENTNET_LITE -> efficientNet(tower, path, sensor);
      case CLIP -> new ClipTower(config, weights).image(tower, path, sensor);
    };
  }

  private ScriptModule visionTransformer(ScriptModule tower, String path, SensorConfig sensor) {
    int h = config.hidden();
    int p = image.patch();
    Init init = Init.normal(0.02);
    tower
        .with("patch", p)
        .with("patch_weight", weights.get(path + ".patch_weight", init, h, sensor.channels(), p, p))
        .with("patch_bias", weights.get(path + ".patch_bias", Init.constant(0), h))
        .with("cls", weights.get(path + ".cls", init, 1, 1, h))
        .with("position", weights.get(path + ".position", init, 1, config.towerTokens(sensor), h));
    Layers.repeat(
        tower,
        path,
        image.layers(),
        layer ->
            new ScriptModule("image.VisionLayer")
                .with("norm1", layerNorm(layer + ".norm1"))
                .with("attention", Layers.attention(weights, layer + ".attention", config, 0))
                .with("norm2", layerNorm(layer + ".norm2"))
                .with(
                    "feed_forward",
                    Layers.feedForward(weights, layer + ".feed_forward", config, 0)));
    return tower.with("norm", layerNorm(path + ".norm"));
  }

  private ScriptModule convolutional(ScriptModule tower, String path, SensorConfig sensor) {
    int h = config.hidden();
    int width = sensor.channels();
    int kernel = image.kind() == ImageTowerConfig.Kind.RESNET ? 7 : 3;
    for (int i = 0; i < image.stems().size(); i++) {
      int out = image.stems().get(i);
      tower.with("stem" + i, convolution(path + ".stem" + i, width, out, 2, kernel, 1));
      width = out;
    }
    for (int i = 0; i < image.stages().size(); i++) {
      tower.with("stage" + i, stage(path + ".stage" + i, width, i));
      width = image.stages().get(i).width();
    }
    int cells = image.cells(sensor.imageSize());
    if (image.hasCells()) {
      tower.with("cells", cells);
    }
    int places = config.towerTokens(sensor) - 1;
    return tower
        .with("project", Layers.linear(weights, path + ".project", width, h))
        .with("pool", Layers.linear(weights, path + ".pool", width * cells * cells, h))
        .with("position", weights.get(path + ".position", Init.normal(0.02), 1, places, h))
        .with("norm", layerNorm(path + ".norm"));
  }

  /** Each block starts as its shortcut alone (Goyal et al. 2017, section 5.1), but in a Stage. */
  private ScriptModule stage(String path, int in, int number) {
    int out = image.stages().get(number).width();
    int stride = image.stages().get(number).stride();
    ScriptModule stage = new ScriptModule("image." + stageType(image, number));
    if (image.kind() == ImageTowerConfig.Kind.RESNET) {
      int inner = out / 4;
      stage
          .with("first", convolution(path + ".first", in, inner, 1, 1, 1))
          .with("second", convolution(path + ".second", inner, inner, stride, 3, 1))
          .with("third", convolution(path + ".third", inner, out, 1, 1, 0));
      return image.projects(number)
          ? stage.with("shortcut", convolution(path + ".shortcut", in, out, stride, 1, 1))
          : stage;
    }
    if (image.hasShortcuts()) {
      stage
          .with("first", convolution(path + ".first", in, out, stride, 3, 1))
          .with("second", convolution(path + ".second", out, out, 1, 3, 0));
      return image.projects(number)
          ? stage.with("shortcut", convolution(path + ".shortcut", in, out, 1, 1, 1))
          : stage;
    }
    return stage
        .with("reduce", convolution(path + ".reduce", in, out, stride, 3, 1))
        .with(
            "block",
            new ScriptModule("image.ResidualBlock")
                .with("first", convolution(path + ".block.first", out, out, 1, 3, 1))
                .with("second", convolution(path + ".block.second", out, out, 1, 3, 1)));
  }

  /** A square convolution and its batch norm, whose gain starts at {@code gain}. */
  private ScriptModule convolution(
      String path, int in, int out, int stride, int kernel, double gain) {
    // He et al. 2015, fan out: keeps the variance of the gradient through ReLU.
    Init init = Init.normal(Math.sqrt(2.0 / ((double) kernel * kernel * out)));
    return new ScriptModule("image.Convolution")
        .with("weight", weights.get(path + ".weight", init, out, in, kernel, kernel))
        .with("stride", stride)
        .with("norm", Layers.batchNorm(weights, path + ".norm", out, gain));
  }

  private ScriptModule efficientNet(ScriptModule tower, String path, SensorConfig sensor) {
    int h = config.hidden();
    int width = image.stems().get(0);
    tower.with("stem", normed(path + ".stem", sensor.channels(), width, 3, 2, 1));
    for (int i = 0; i < image.stages().size(); i++) {
      ImageTowerConfig.Stage stage = image.stages().get(i);
      String block = path + ".stage" + i;
      int inner = width * stage.expansion();
      ScriptModule module = new ScriptModule("image." + stageType(image, i));
      if (inner != width) {
        module.with("expand", pointwise(block + ".expand", width, inner));
      }
      tower.with(
          "stage" + i,
          module
              .with(
                  "depthwise",
                  normed(block + ".depthwise", inner, inner, stage.kernel(), stage.stride(), inner))
              .with("project", pointwise(block + ".project", inner, stage.width())));
      width = stage.width();
    }
    tower
        .with("head", pointwise(path + ".head", width, image.head()))
        .with("embed", Layers.readout(weights, path + ".embed", image.head(), h));
    if (image.hasFineTokens()) {
      int finer = image.stages().get(image.lastReduction() - 1).width();
      tower.with("fine", Layers.linear(weights, path + ".fine", 4 * finer, h));
    }
    int places = config.towerTokens(sensor) - 1;
    return tower
        .with("position", weights.get(path + ".position", Init.normal(0.02), 1, places, h))
        .with("norm", layerNorm(path + ".norm"));
  }

  /** A square convolution of {@code efficientnet.py} and its norm. */
  private ScriptModule normed(String path, int in, int out, int kernel, int stride, int groups) {
    Init init = Init.normal(Math.sqrt(2.0 * groups / ((double) kernel * kernel * out)));
    return new ScriptModule("image.Convolution")
        .with("weight", weights.get(path + ".weight", init, out, in / groups, kernel, kernel))
        .with("stride", stride)
        .with("groups", groups)
        .with("norm", norm(path + ".norm", out));
  }

  private ScriptModule pointwise(String path, int in, int out) {
    return new ScriptModule("image.Pointwise")
        .with("weight", weights.get(path + ".weight", Init.normal(Math.sqrt(2.0 / out)), out, in))
        .with("norm", norm(path + ".norm", out));
  }

  private ScriptModule norm(String path, int width) {
    return Layers.normTensors(new ScriptModule("image.Norm"), weights, path, width, 1);
  }

  private ScriptModule layerNorm(String path) {
    return Layers.layerNorm(weights, path, config.hidden(), config.imageLayerNormEpsilon());
  }
}
