/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.action;

import io.crossmodal.model.Precision;
import io.crossmodal.model.inference.engine.ModelEngine.WorkerStatus;
import io.crossmodal.model.inference.memory.DeviceBudgets.GpuMemory;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.registry.ModelStatus;
import io.crossmodal.model.inference.registry.ModelStatus.PrecisionTrial;
import io.crossmodal.plugin.inference.node.NodeInference;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.opensearch.action.support.nodes.BaseNodeResponse;
import org.opensearch.cluster.node.DiscoveryNode;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.common.io.stream.Writeable;

/** The counters of one node and the states of its models. */
public final class NodeReport extends BaseNodeResponse {
  private final int queued;
  private final Usage usage;
  private final MemoryBudget.Level nativeMemory;
  private final Map<String, GpuMemory> gpus;
  private final List<WorkerStatus> workers;
  private final Map<String, Model> models;

  /** Status and usage of a model. */
  public record Model(ModelStatus status, Usage usage) implements Writeable {
    private static Model read(StreamInput in) throws IOException {
      return new Model(
          new ModelStatus(
              in.readEnum(ModelStatus.State.class),
              in.readVLong(),
              in.readStringList(),
              in.readString(),
              in.readVLong(),
              in.readList(Model::readTrial),
              in.readString()),
          Usage.read(in));
    }

    private static PrecisionTrial readTrial(StreamInput in) throws IOException {
      return new PrecisionTrial(
          in.readEnum(Precision.class),
          in.readDouble(),
          in.readDouble(),
          in.readVLong(),
          in.readString());
    }

    private static void writeTrial(StreamOutput out, PrecisionTrial trial) throws IOException {
      out.writeEnum(trial.precision());
      out.writeDouble(trial.embedding());
      out.writeDouble(trial.logit());
      out.writeVLong(trial.micros());
      out.writeString(trial.error());
    }

    @Override
    public void writeTo(StreamOutput out) throws IOException {
      out.writeEnum(status.state());
      out.writeVLong(status.version());
      out.writeStringCollection(status.devices());
      out.writeString(status.precision());
      out.writeVLong(status.bytes());
      out.writeCollection(status.trials(), Model::writeTrial);
      out.writeString(status.error());
      usage.writeTo(out);
    }
  }

  NodeReport(DiscoveryNode node, NodeInference inference) {
    super(node);
    queued = inference.queued();
    usage = Usage.of(inference.stats());
    nativeMemory = inference.nativeMemory().orElse(null);
    gpus = inference.gpus();
    workers = inference.workers();
    models = new LinkedHashMap<>();
    for (String id : inference.catalog().ids()) {
      models.put(id, new Model(inference.models().status(id), Usage.of(inference.stats().of(id))));
    }
  }

  NodeReport(StreamInput in) throws IOException {
    super(in);
    queued = in.readVInt();
    usage = Usage.read(in);
    nativeMemory =
        in.readBoolean()
            ? new MemoryBudget.Level(in.readVLong(), in.readZLong(), in.readVLong())
            : null;
    gpus =
        in.readOrderedMap(
            StreamInput::readString, from -> new GpuMemory(from.readVLong(), from.readVLong()));
    workers = in.readList(NodeReport::readWorker);
    models = in.readOrderedMap(StreamInput::readString, Model::read);
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    super.writeTo(out);
    out.writeVInt(queued);
    usage.writeTo(out);
    out.writeBoolean(nativeMemory != null);
    if (nativeMemory != null) {
      out.writeVLong(nativeMemory.used());
      out.writeZLong(nativeMemory.limit());
      out.writeVLong(nativeMemory.refusals());
    }
    out.writeMap(
        gpus,
        StreamOutput::writeString,
        (to, memory) -> {
          to.writeVLong(memory.used());
          to.writeVLong(memory.limit());
        });
    out.writeCollection(workers, NodeReport::writeWorker);
    out.writeMap(models, StreamOutput::writeString, (to, model) -> model.writeTo(to));
  }

  private static WorkerStatus readWorker(StreamInput in) throws IOException {
    return new WorkerStatus(
        in.readString(),
        in.readString(),
        in.readString(),
        in.readVInt(),
        in.readVLong(),
        in.readVLong(),
        in.readVLong());
  }

  private static void writeWorker(StreamOutput out, WorkerStatus worker) throws IOException {
    out.writeString(worker.address());
    out.writeString(worker.state());
    out.writeString(worker.error());
    out.writeVInt(worker.inFlight());
    out.writeVLong(worker.loads());
    out.writeVLong(worker.losses());
    out.writeVLong(worker.badAnswers());
  }

  /** Returns the processes that compute for the node; empty where it computes itself. */
  public List<WorkerStatus> workers() {
    return workers;
  }

  /** Returns how many jobs wait for the worker. */
  public int queued() {
    return queued;
  }

  /** Returns the counters of all models together. */
  public Usage usage() {
    return usage;
  }

  /** Returns where the circuit breaker of the models stands; empty where workers compute. */
  public Optional<MemoryBudget.Level> nativeMemory() {
    return Optional.ofNullable(nativeMemory);
  }

  /** Returns the memory of the GPUs in use, by their names. */
  public Map<String, GpuMemory> gpus() {
    return gpus;
  }

  /** Returns each model by its id. */
  public Map<String, Model> models() {
    return models;
  }
}
