/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.settings;

import io.crossmodal.plugin.inference.process.WorkerAddress;
import java.util.List;
import org.opensearch.common.settings.Setting;
import org.opensearch.common.unit.TimeValue;

/** The settings that say which process computes (docs/decisions/0050). */
public final class EngineSettings {
  /** Whose memory models are in. */
  public enum Engine {
    /** The node's. */
    EMBEDDED,
    /** That of workers beside the node. */
    PROCESS
  }

  /**
   * Whether the node computes itself, or workers beside it: {@code embedded} or {@code process}.
   */
  public static final Setting<Engine> ENGINE =
      new Setting<>(
          CrossModalSettings.PREFIX + "engine",
          "embedded",
          text -> CrossModalSettings.constant(Engine.class, "engine", text),
          Setting.Property.NodeScope);

  /** Where the workers listen: sockets' files, or loopback addresses. */
  public static final Setting<List<WorkerAddress>> SOCKET =
      Setting.listSetting(
          CrossModalSettings.PREFIX + "engine.socket",
          List.of("/run/cross-modal/worker.sock"),
          WorkerAddress::of,
          Setting.Property.NodeScope);

  /** For how long a worker may not respond before nothing is sent to it. */
  public static final Setting<TimeValue> MAX_SILENCE =
      Setting.timeSetting(
          CrossModalSettings.PREFIX + "engine.max_silence",
          TimeValue.timeValueSeconds(5),
          TimeValue.timeValueMillis(100),
          TimeValue.timeValueMinutes(10),
          Setting.Property.NodeScope);

  private EngineSettings() {}
}
