/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import io.crossmodal.plugin.inference.InferenceSettings;
import io.crossmodal.plugin.mapper.CrossModalFieldMapper;
import io.crossmodal.plugin.models.ModelSettings;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.opensearch.common.settings.Setting;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.common.util.concurrent.OpenSearchExecutors;
import org.opensearch.core.common.unit.ByteSizeUnit;
import org.opensearch.core.common.unit.ByteSizeValue;

/** The plugin's settings, all of a node's {@code opensearch.yml} but the one of an index. */
public final class CrossModalSettings {
  private static final String PREFIX = "plugins.cross_modal.";

  /**
   * Threads that one operation of the engine uses. Default: half of the node's processors, for the
   * other half serves searches and writes.
   */
  public static final Setting<Integer> THREADS =
      new Setting<>(
          PREFIX + "inference.threads",
          settings ->
              Integer.toString(Math.max(1, OpenSearchExecutors.allocatedProcessors(settings) / 2)),
          text -> Setting.parseInt(text, 1, 1024, PREFIX + "inference.threads"),
          Setting.Property.NodeScope);

  /** Jobs that may wait for the model; a rescored shard and a batch of documents are one each. */
  public static final Setting<Integer> QUEUE_SIZE =
      Setting.intSetting(
          PREFIX + "inference.queue_size", 200, 1, 100_000, Setting.Property.NodeScope);

  /** Most texts or images in one call of the model. */
  public static final Setting<Integer> ENCODE_BATCH =
      Setting.intSetting(
          PREFIX + "inference.encode_batch_size", 32, 1, 4096, Setting.Property.NodeScope);

  /** Most text-image pairs in one call of the model. */
  public static final Setting<Integer> SCORE_BATCH =
      Setting.intSetting(
          PREFIX + "inference.score_batch_size", 128, 1, 16_384, Setting.Property.NodeScope);

  /** Memory for encoded queries. */
  public static final Setting<ByteSizeValue> QUERY_CACHE_SIZE =
      Setting.byteSizeSetting(
          PREFIX + "query_cache.size",
          new ByteSizeValue(32, ByteSizeUnit.MB),
          Setting.Property.NodeScope);

  /** How long a search waits for its scores at most, whatever it asked for. */
  public static final Setting<TimeValue> LONGEST_WAIT =
      Setting.timeSetting(
          PREFIX + "rescore.longest_wait",
          TimeValue.timeValueSeconds(60),
          TimeValue.timeValueMillis(1),
          Setting.Property.NodeScope);

  private CrossModalSettings() {}

  static List<Setting<?>> all() {
    List<Setting<?>> all = new ArrayList<>(ModelSettings.all());
    all.addAll(
        List.of(
            THREADS,
            QUEUE_SIZE,
            ENCODE_BATCH,
            SCORE_BATCH,
            QUERY_CACHE_SIZE,
            LONGEST_WAIT,
            CrossModalFieldMapper.INDEX_CROSS_MODAL));
    return all;
  }

  /**
   * @param directory of the node, for native libraries and models
   */
  static InferenceSettings inference(Settings settings, Path directory) {
    return new InferenceSettings(
        THREADS.get(settings),
        QUEUE_SIZE.get(settings),
        ENCODE_BATCH.get(settings),
        SCORE_BATCH.get(settings),
        QUERY_CACHE_SIZE.get(settings).getBytes(),
        Duration.ofNanos(LONGEST_WAIT.get(settings).nanos()),
        directory);
  }
}
