/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.ext;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.common.io.stream.Writeable;
import org.opensearch.core.xcontent.ToXContentObject;
import org.opensearch.core.xcontent.XContentBuilder;

/**
 * Report of one fusion rescore of a search, on one shard or on several.
 *
 * @param field as the request names it
 * @param model id of the model; null where no shard has the field
 * @param global whether the shards had one window together
 * @param shards that rescored
 * @param hits in the window
 * @param rescored hits that have a fusion score
 * @param missing hits without stored tokens
 * @param belowMinP hits that the request's {@code min_p} cut
 * @param grouped hits for which another of their group stands
 * @param degraded hits that kept the first pass's score although they should not have
 * @param times of the slowest shard, each
 */
public record RescoreReport(
    String field,
    String model,
    boolean global,
    int shards,
    int hits,
    int rescored,
    int missing,
    int belowMinP,
    int grouped,
    List<Degraded> degraded,
    Times times)
    implements Writeable, ToXContentObject {
  public RescoreReport {
    degraded = List.copyOf(degraded);
  }

  /**
   * Hits that lack their fusion score.
   *
   * @param reason the counter's name in the stats
   * @param message of the first failure
   */
  public record Degraded(String reason, String message, int hits) implements Writeable {
    /** Returns the sum of both, which have one reason. */
    public Degraded and(Degraded other) {
      return new Degraded(reason, message, hits + other.hits);
    }

    private Degraded(StreamInput in) throws IOException {
      this(in.readString(), in.readString(), in.readVInt());
    }

    @Override
    public void writeTo(StreamOutput out) throws IOException {
      out.writeString(reason);
      out.writeString(message);
      out.writeVInt(hits);
    }
  }

  /**
   * Nanoseconds.
   *
   * @param rescore all of it
   * @param read of tokens from the index
   * @param queue until a call took the window up
   * @param copy of calls' inputs and outputs into and out of the device
   * @param model of calls, but for the copies
   */
  public record Times(long rescore, long read, long queue, long copy, long model)
      implements Writeable {
    public static final Times NONE = new Times(0, 0, 0, 0, 0);

    private Times(StreamInput in) throws IOException {
      this(in.readVLong(), in.readVLong(), in.readVLong(), in.readVLong(), in.readVLong());
    }

    @Override
    public void writeTo(StreamOutput out) throws IOException {
      out.writeVLong(rescore);
      out.writeVLong(read);
      out.writeVLong(queue);
      out.writeVLong(copy);
      out.writeVLong(model);
    }

    /** Returns the sum of two times, one after the other. */
    public Times plus(Times other) {
      return new Times(
          rescore + other.rescore,
          read + other.read,
          queue + other.queue,
          copy + other.copy,
          model + other.model);
    }

    /** Returns the larger of both, each. */
    public Times slower(Times other) {
      return new Times(
          Math.max(rescore, other.rescore),
          Math.max(read, other.read),
          Math.max(queue, other.queue),
          Math.max(copy, other.copy),
          Math.max(model, other.model));
    }
  }

  RescoreReport(StreamInput in) throws IOException {
    this(
        in.readString(),
        in.readOptionalString(),
        in.readBoolean(),
        in.readVInt(),
        in.readVInt(),
        in.readVInt(),
        in.readVInt(),
        in.readVInt(),
        in.readVInt(),
        in.readList(Degraded::new),
        new Times(in));
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    out.writeString(field);
    out.writeOptionalString(model);
    out.writeBoolean(global);
    out.writeVInt(shards);
    out.writeVInt(hits);
    out.writeVInt(rescored);
    out.writeVInt(missing);
    out.writeVInt(belowMinP);
    out.writeVInt(grouped);
    out.writeList(degraded);
    times.writeTo(out);
  }

  /** Reads a report from another node. */
  public static RescoreReport read(StreamInput in) throws IOException {
    return new RescoreReport(in);
  }

  /** Returns the same, of a search of one shard, whose window is that of all. */
  public RescoreReport ofGlobalWindow() {
    return new RescoreReport(
        field, model, true, shards, hits, rescored, missing, belowMinP, grouped, degraded, times);
  }

  /** Returns what both did together: other shards of the same rescore. */
  public RescoreReport and(RescoreReport other) {
    Map<String, Degraded> byReason = new LinkedHashMap<>();
    List<Degraded> both = new ArrayList<>(degraded);
    both.addAll(other.degraded);
    for (Degraded one : both) {
      byReason.merge(one.reason(), one, Degraded::and);
    }
    return new RescoreReport(
        field,
        model == null ? other.model : model,
        global || other.global,
        shards + other.shards,
        hits + other.hits,
        rescored + other.rescored,
        missing + other.missing,
        belowMinP + other.belowMinP,
        grouped + other.grouped,
        List.copyOf(byReason.values()),
        times.slower(other.times));
  }

  @Override
  public XContentBuilder toXContent(XContentBuilder builder, Params params) throws IOException {
    builder.startObject().field("field", field);
    if (model != null) {
      builder.field("model", model);
    }
    builder
        .field("window", global ? "global" : "shard")
        .field("shards", shards)
        .field("hits", hits)
        .field("rescored", rescored)
        .field("missing", missing)
        .field("below_min_p", belowMinP)
        .field("grouped", grouped)
        .startArray("degraded");
    for (Degraded one : degraded) {
      builder
          .startObject()
          .field("reason", one.reason())
          .field("hits", one.hits())
          .field("message", one.message())
          .endObject();
    }
    return builder
        .endArray()
        .startObject("micros")
        .field("rescore", TimeUnit.NANOSECONDS.toMicros(times.rescore()))
        .field("read", TimeUnit.NANOSECONDS.toMicros(times.read()))
        .field("queue", TimeUnit.NANOSECONDS.toMicros(times.queue()))
        .field("copy", TimeUnit.NANOSECONDS.toMicros(times.copy()))
        .field("model", TimeUnit.NANOSECONDS.toMicros(times.model()))
        .endObject()
        .endObject();
  }
}
