/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import io.crossmodal.model.SensorCalibration;
import java.io.IOException;
import java.util.List;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;

/** Calibrations of sensor pairs on the wire. */
final class Calibrations {
  private Calibrations() {}

  static void write(StreamOutput out, List<SensorCalibration> calibrations) throws IOException {
    out.writeCollection(
        calibrations,
        (o, pair) -> {
          o.writeString(pair.query());
          o.writeString(pair.archive());
          o.writeDouble(pair.scale());
          o.writeDouble(pair.bias());
        });
  }

  static List<SensorCalibration> read(StreamInput in) throws IOException {
    return in.readList(
        i -> new SensorCalibration(i.readString(), i.readString(), i.readDouble(), i.readDouble()));
  }
}
