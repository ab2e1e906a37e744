/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.models;

import java.util.List;
import org.opensearch.common.settings.Setting;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.core.common.unit.ByteSizeUnit;
import org.opensearch.core.common.unit.ByteSizeValue;

/** The registry's settings, all of a node's {@code opensearch.yml}. */
public final class ModelSettings {
  private static final String PREFIX = "plugins.cross_modal.models.";

  /** Largest bundle that may be uploaded. */
  public static final Setting<ByteSizeValue> MAX_SIZE =
      Setting.byteSizeSetting(
          PREFIX + "max_size",
          new ByteSizeValue(2, ByteSizeUnit.GB),
          new ByteSizeValue(1, ByteSizeUnit.BYTES),
          new ByteSizeValue(16, ByteSizeUnit.GB),
          Setting.Property.NodeScope);

  /** Size of the documents that hold a bundle in the system index. */
  public static final Setting<ByteSizeValue> CHUNK_SIZE =
      Setting.byteSizeSetting(
          PREFIX + "chunk_size",
          new ByteSizeValue(4, ByteSizeUnit.MB),
          new ByteSizeValue(1, ByteSizeUnit.KB),
          new ByteSizeValue(64, ByteSizeUnit.MB),
          Setting.Property.NodeScope);

  /** For how long an upload waits for its next part. */
  public static final Setting<TimeValue> UPLOAD_TIMEOUT =
      Setting.timeSetting(
          PREFIX + "upload_timeout",
          TimeValue.timeValueHours(1),
          TimeValue.timeValueSeconds(1),
          Setting.Property.NodeScope);

  /**
   * For how long a bundle that no model needs any more is kept, on the nodes' disks and in the
   * system index: a cluster that was started once without the plugin has forgotten its models, and
   * a node may still serve the version before.
   */
  public static final Setting<TimeValue> KEEP_UNUSED =
      Setting.timeSetting(
          PREFIX + "keep_unused",
          TimeValue.timeValueDays(7),
          TimeValue.ZERO,
          Setting.Property.NodeScope);

  /**
   * Whether a bundle may hold other TorchScript than this plugin's. TorchScript is code: it runs in
   * the node, with the node's rights.
   */
  public static final Setting<Boolean> ALLOW_FOREIGN_CODE =
      Setting.boolSetting(PREFIX + "allow_foreign_code", false, Setting.Property.NodeScope);

  private ModelSettings() {}

  /** Returns all of the settings. */
  public static List<Setting<?>> all() {
    return List.of(MAX_SIZE, CHUNK_SIZE, UPLOAD_TIMEOUT, KEEP_UNUSED, ALLOW_FOREIGN_CODE);
  }
}
