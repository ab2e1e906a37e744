/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.settings;

import io.crossmodal.plugin.inference.process.WorkerAddress;
import io.crossmodal.plugin.inference.process.WorkerTls;
import java.nio.file.Path;
import java.util.List;
import org.opensearch.common.settings.Setting;
import org.opensearch.common.settings.Settings;
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

  /** Where the workers listen: sockets' files, loopback addresses, or https://HOST:PORT. */
  public static final Setting<List<WorkerAddress>> SOCKET =
      Setting.listSetting(
          CrossModalSettings.PREFIX + "engine.socket",
          List.of("/run/cross-modal/worker.sock"),
          WorkerAddress::of,
          Setting.Property.NodeScope);

  /** A file below the node's configuration: whom {@code https://} addresses must belong to. */
  public static final Setting<String> TLS_CA = file("ca");

  /** A file there: the certificate that this node shows to workers. */
  public static final Setting<String> TLS_CERTIFICATE = file("certificate");

  /** A file there: the private key of that certificate. */
  public static final Setting<String> TLS_KEY = file("key");

  /** For how long a worker may not respond before nothing is sent to it. */
  public static final Setting<TimeValue> MAX_SILENCE =
      Setting.timeSetting(
          CrossModalSettings.PREFIX + "engine.max_silence",
          TimeValue.timeValueSeconds(5),
          TimeValue.timeValueMillis(100),
          TimeValue.timeValueMinutes(10),
          Setting.Property.NodeScope);

  private EngineSettings() {}

  private static Setting<String> file(String name) {
    return Setting.simpleString(
        CrossModalSettings.PREFIX + "engine.tls." + name, Setting.Property.NodeScope);
  }

  /**
   * Returns the files that {@code https://} addresses take; null where there is no such address.
   *
   * @param configuration the node's folder of that name, below which they are
   * @throws IllegalArgumentException when one is not named
   */
  public static WorkerTls tls(Settings settings, Path configuration) {
    if (SOCKET.get(settings).stream().noneMatch(WorkerAddress::tls)) {
      return null;
    }
    return new WorkerTls(
        file(settings, TLS_CA, configuration),
        file(settings, TLS_CERTIFICATE, configuration),
        file(settings, TLS_KEY, configuration));
  }

  private static Path file(Settings settings, Setting<String> setting, Path configuration) {
    String name = setting.get(settings);
    if (name.isEmpty()) {
      throw new IllegalArgumentException(
          "["
              + setting.getKey()
              + "] is missing: an https:// address in ["
              + SOCKET.getKey()
              + "] takes a file in PEM form below "
              + configuration);
    }
    return configuration.resolve(name);
  }
}
