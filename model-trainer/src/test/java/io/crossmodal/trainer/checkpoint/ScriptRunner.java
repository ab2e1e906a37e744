/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptArchiveWriter;
import io.crossmodal.model.torchscript.Weights;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/** A model's archive by its methods, for values that no bundle shows. */
final class ScriptRunner implements AutoCloseable {
  private final Model model;

  private ScriptRunner(Model model) {
    this.model = model;
  }

  static ScriptRunner of(ModelConfig config, Weights weights, Path folder)
      throws IOException, MalformedModelException {
    try (OutputStream out = Files.newOutputStream(folder.resolve("script.pt"))) {
      ScriptArchiveWriter.write(
          out, MtgfeArchitecture.build(config, weights), MtgfeArchitecture.sources(config));
    }
    Model model = Model.newInstance("script", "PyTorch");
    model.load(folder, "script");
    return new ScriptRunner(model);
  }

  static float[] identity(int side) {
    float[] identity = new float[side * side];
    for (int i = 0; i < side; i++) {
      identity[i * (side + 1)] = 1;
    }
    return identity;
  }

  float[] run(String method, float[] input, long... shape) {
    try (NDManager manager = model.getNDManager().newSubManager()) {
      return run(manager, method, manager.create(input, new Shape(shape)));
    }
  }

  /** Runs {@code encode_text} on one text without padding. */
  float[] encodeText(int[] ids) {
    return encodeTexts(ids, 1, ids.length);
  }

  /** Runs {@code encode_text} on texts of the same length without padding. */
  float[] encodeTexts(int[] ids, int texts, int length) {
    try (NDManager manager = model.getNDManager().newSubManager()) {
      long[] whole = Arrays.stream(ids).asLongStream().toArray();
      Shape shape = new Shape(texts, length);
      return run(
          manager,
          "encode_text",
          manager.create(whole, shape),
          manager.ones(shape, DataType.INT64));
    }
  }

  /** Runs {@code filter_logits} on class tokens, H wide. */
  float[] filterLogits(float[] texts, float[] images, int h) {
    try (NDManager manager = model.getNDManager().newSubManager()) {
      return run(
          manager,
          "filter_logits",
          manager.create(texts, new Shape(texts.length / h, h)),
          manager.create(images, new Shape(images.length / h, h)));
    }
  }

  private float[] run(NDManager manager, String method, NDArray... inputs) {
    NDArray selector = manager.create(0f);
    selector.setName("module_method:" + method);
    NDList arguments = new NDList(inputs);
    arguments.add(selector);
    NDList result = model.getBlock().forward(new ParameterStore(manager, false), arguments, false);
    result.attach(manager);
    return result.singletonOrThrow().toFloatArray();
  }

  @Override
  public void close() {
    model.close();
  }
}
