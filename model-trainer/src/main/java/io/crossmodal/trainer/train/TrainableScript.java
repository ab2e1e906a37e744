/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import io.crossmodal.model.torchscript.ScriptArchiveWriter;
import io.crossmodal.model.torchscript.ScriptModule;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/**
 * A TorchScript module in native memory with its live tensors by name.
 *
 * <p>Whoever makes it owns it. A module with buffers has a method {@code buffers} that lists them;
 * in its source stands {@code BUFFERS} for the list.
 */
public final class TrainableScript implements AutoCloseable {
  /**
   * Whether TorchScript's profiling executor runs (docs/decisions/0003); DJL reads it at every
   * call. A trainer has its JVM for itself, so the property may stay.
   */
  private static final String GRAPH_OPTIMIZER = "ai.djl.pytorch.graph_optimizer";

  private final Model model;
  private final PtSymbolBlock block;
  private final StateDict initial;

  /** Parameters that have no gradient. */
  private final List<NDArray> offGraph = new ArrayList<>();

  /** Whether there was a forward pass. */
  private boolean passed;

  /**
   * Loads a module in training mode.
   *
   * @param sources by module name; the root's class lies in one of them
   * @param scratch an existing folder for a copy of the archive, which is gone when this returns
   */
  public TrainableScript(ScriptModule root, Map<String, String> sources, Path scratch)
      throws IOException {
    this(root, sources, scratch, true);
  }

  /** Loads a module in evaluation mode. */
  public static TrainableScript evaluating(
      ScriptModule root, Map<String, String> sources, Path scratch) throws IOException {
    return new TrainableScript(root, sources, scratch, false);
  }

  private TrainableScript(
      ScriptModule root, Map<String, String> sources, Path scratch, boolean learning)
      throws IOException {
    if (System.getProperty(GRAPH_OPTIMIZER) == null) {
      System.setProperty(GRAPH_OPTIMIZER, "false");
    }
    this.initial = StateDict.of(root);
    this.model = Model.newInstance("training", "PyTorch");
    Path folder = Files.createTempDirectory(scratch, "training-");
    Path archive = folder.resolve("training.pt");
    try (OutputStream out = Files.newOutputStream(archive)) {
      Map<String, String> complete = new LinkedHashMap<>(sources);
      complete.replaceAll((name, source) -> source.replace("BUFFERS", bufferList()));
      ScriptArchiveWriter.write(out, root, complete);
    }
    try {
      model.load(folder, "training", Map.of("trainParam", "true"));
    } catch (MalformedModelException e) {
      throw new IllegalStateException("the training archive does not load", e);
    } finally {
      Files.delete(archive);
      Files.delete(folder);
    }
    this.block = (PtSymbolBlock) model.getBlock();
    // DJL leaves it in evaluation mode, in which batch norms do not learn their statistics.
    if (learning) {
      JniUtils.enableTrainingMode(block);
    }
  }

  /**
   * Puts values in place of the words that stand for them in one module's source.
   *
   * @param sources by module name
   * @param values by the word
   * @throws IllegalStateException where a word does not stand there
   */
  public static Map<String, String> filledIn(
      Map<String, String> sources, String module, Map<String, String> values) {
    Map<String, String> complete = new LinkedHashMap<>(sources);
    values.forEach(
        (word, value) -> {
          String source = complete.get(module);
          if (source == null || !source.contains(word)) {
            throw new IllegalStateException("no " + word + " in the source of " + module);
          }
          complete.put(module, source.replace(word, value));
        });
    return complete;
  }

  private String bufferList() {
    List<String> names = new ArrayList<>();
    initial
        .tensors()
        .forEach(
            (name, tensor) -> {
              if (!tensor.trainable()) {
                names.add("self." + name);
              }
            });
    return names.isEmpty() ? "annotate(List[Tensor], [])" : "[" + String.join(", ", names) + "]";
  }

  public PtSymbolBlock block() {
    return block;
  }

  public PtNDManager manager() {
    return (PtNDManager) model.getNDManager();
  }

  /** Takes parameters off the graph, so that no backward pass but the first runs into them. */
  public void freeze(Predicate<String> frozen) {
    parameters()
        .forEach(
            (name, parameter) -> {
              if (frozen.test(name)) {
                parameter.setRequiresGradient(false);
                offGraph.add(parameter);
              }
            });
  }

  /**
   * Runs a method, and the backward pass from its loss.
   *
   * @param owner of the outputs
   * @param method whose first output begins with the loss
   * @return what the method gave; the gradients are with the parameters
   */
  public NDList backward(NDManager owner, String method, NDList inputs) {
    NDArray selector = owner.create(0f);
    selector.setName("module_method:" + method);
    NDList arguments = new NDList(inputs);
    arguments.add(selector);
    try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
      NDList outputs = block.forward(new ParameterStore(owner, false), arguments, true);
      outputs.attach(owner);
      collector.backward(outputs.get(0).get(0));
      if (!passed) {
        // DJL has asked for gradients of all parameters again with its first forward pass.
        passed = true;
        offGraph.forEach(parameter -> parameter.setRequiresGradient(false));
      }
      return outputs;
    }
  }

  /** Returns what the module was made of. */
  public StateDict initial() {
    return initial;
  }

  /** Returns the live parameters by name. */
  public Map<String, NDArray> parameters() {
    Map<String, NDArray> parameters = new LinkedHashMap<>();
    block
        .getParameters()
        .forEach(pair -> parameters.put(pair.getKey(), pair.getValue().getArray()));
    return parameters;
  }

  /** Returns the live buffers by name. */
  public Map<String, NDArray> buffers() {
    Map<String, NDArray> buffers = new LinkedHashMap<>();
    try (IValue value = IValueUtils.runMethod(block, "buffers")) {
      int i = 0;
      NDList live = value.toNDList(manager());
      for (Map.Entry<String, ScriptTensor> entry : initial.tensors().entrySet()) {
        if (!entry.getValue().trainable()) {
          buffers.put(entry.getKey(), live.get(i++));
        }
      }
    }
    return buffers;
  }

  /** Returns the tensors with the values of {@code current} where it has them. */
  public StateDict state(Map<String, NDArray> current) {
    Map<String, ScriptTensor> tensors = new LinkedHashMap<>(initial.tensors());
    current.forEach(
        (name, array) ->
            tensors.computeIfPresent(
                name,
                (key, tensor) ->
                    tensor.trainable()
                        ? ScriptTensor.parameter(array.toFloatArray(), tensor.shape())
                        : ScriptTensor.buffer(array.toFloatArray(), tensor.shape())));
    return new StateDict(tensors);
  }

  @Override
  public void close() {
    model.close();
  }
}
