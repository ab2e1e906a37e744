/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.action;

import io.crossmodal.model.inference.stats.InferenceStats;
import io.crossmodal.model.inference.stats.InferenceStats.Bucket;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.model.inference.stats.InferenceStats.Summary;
import io.crossmodal.model.inference.stats.InferenceStats.Timing;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.common.io.stream.Writeable;
import org.opensearch.core.xcontent.ToXContentFragment;
import org.opensearch.core.xcontent.XContentBuilder;

/**
 * Counts and times of a node or of one of its models.
 *
 * @param counts by name, in the order in which they are printed
 * @param times summaries of the timings by name
 */
public record Usage(Map<String, Long> counts, Map<String, Summary> times)
    implements Writeable, ToXContentFragment {

  static Usage of(InferenceStats stats) {
    Map<String, Long> counts = new LinkedHashMap<>();
    for (Counter counter : Counter.values()) {
      counts.put(counter.name().toLowerCase(Locale.ROOT), stats.get(counter));
    }
    Map<String, Summary> times = new LinkedHashMap<>();
    for (Timing timing : Timing.values()) {
      times.put(timing.name().toLowerCase(Locale.ROOT), stats.get(timing));
    }
    return new Usage(counts, times);
  }

  static Usage read(StreamInput in) throws IOException {
    return new Usage(
        in.readOrderedMap(StreamInput::readString, StreamInput::readLong),
        in.readOrderedMap(StreamInput::readString, Usage::readSummary));
  }

  private static Summary readSummary(StreamInput in) throws IOException {
    return new Summary(
        in.readVLong(),
        in.readVLong(),
        in.readVLong(),
        in.readVLong(),
        in.readVLong(),
        in.readVLong(),
        in.readList(from -> new Bucket(from.readVLong(), from.readVLong(), from.readVLong())));
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    out.writeMap(counts, StreamOutput::writeString, StreamOutput::writeLong);
    out.writeMap(times, StreamOutput::writeString, Usage::writeSummary);
  }

  private static void writeSummary(StreamOutput out, Summary summary) throws IOException {
    out.writeVLong(summary.count());
    out.writeVLong(summary.mean());
    out.writeVLong(summary.p50());
    out.writeVLong(summary.p95());
    out.writeVLong(summary.p99());
    out.writeVLong(summary.max());
    out.writeCollection(
        summary.histogram(),
        (to, bucket) -> {
          to.writeVLong(bucket.ge());
          to.writeVLong(bucket.lt());
          to.writeVLong(bucket.count());
        });
  }

  @Override
  public XContentBuilder toXContent(XContentBuilder builder, Params params) throws IOException {
    builder.mapContents(counts);
    builder.startObject("micros");
    for (Map.Entry<String, Summary> time : times.entrySet()) {
      Summary summary = time.getValue();
      builder
          .startObject(time.getKey())
          .field("count", summary.count())
          .field("mean", summary.mean())
          .field("p50", summary.p50())
          .field("p95", summary.p95())
          .field("p99", summary.p99())
          .field("max", summary.max())
          .startArray("histogram");
      for (Bucket bucket : summary.histogram()) {
        builder
            .startObject()
            .field("ge", bucket.ge())
            .field("lt", bucket.lt())
            .field("count", bucket.count())
            .endObject();
      }
      builder.endArray().endObject();
    }
    return builder.endObject();
  }
}
