/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import io.crossmodal.plugin.codec.CrossModalCodecService;
import io.crossmodal.plugin.inference.DevicePolicy;
import io.crossmodal.plugin.inference.InferenceSettings;
import io.crossmodal.plugin.inference.ModelService;
import io.crossmodal.plugin.inference.PrecisionPolicy;
import io.crossmodal.plugin.ingest.DecodingBudget;
import io.crossmodal.plugin.mapper.CrossModalFieldMapper;
import io.crossmodal.plugin.models.ModelSettings;
import io.crossmodal.plugin.rescore.RescoreLimits;
import io.crossmodal.plugin.scoring.Scorers;
import io.crossmodal.plugin.scoring.ScoringPlace;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.opensearch.common.settings.ClusterSettings;
import org.opensearch.common.settings.Setting;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.common.util.concurrent.OpenSearchExecutors;
import org.opensearch.core.common.unit.ByteSizeUnit;
import org.opensearch.core.common.unit.ByteSizeValue;

/**
 * The plugin's settings, all of a node but the one of an index. Those that are dynamic can be
 * changed by {@code PUT _cluster/settings}.
 */
public final class CrossModalSettings {
  private static final String PREFIX = "plugins.cross_modal.";

  /** Where models compute: {@code auto}, {@code cpu} or {@code gpu}. */
  public static final Setting<DevicePolicy> DEVICE =
      new Setting<>(
          PREFIX + "device",
          "auto",
          text -> constant(DevicePolicy.class, "device", text),
          Setting.Property.NodeScope);

  /** In which precision models are loaded: {@code auto} or one of those that there are. */
  public static final Setting<PrecisionPolicy> PRECISION =
      new Setting<>(
          PREFIX + "precision",
          "auto",
          text -> constant(PrecisionPolicy.class, "precision", text),
          Setting.Property.NodeScope);

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

  /**
   * Jobs that may wait for the model, of searches and of documents each; a rescored shard and a
   * batch of documents are one each. As many shards' searches may wait for a search thread.
   */
  public static final Setting<Integer> QUEUE_SIZE =
      Setting.intSetting(
          PREFIX + "inference.queue_size",
          200,
          1,
          100_000,
          Setting.Property.NodeScope,
          Setting.Property.Dynamic);

  /** Most texts or images in one call of the model. */
  public static final Setting<Integer> ENCODE_BATCH =
      Setting.intSetting(
          PREFIX + "inference.encode_batch_size",
          32,
          1,
          512,
          Setting.Property.NodeScope,
          Setting.Property.Dynamic);

  /** Most text-image pairs in one call of the model. */
  public static final Setting<Integer> SCORE_BATCH =
      Setting.intSetting(
          PREFIX + "inference.score_batch_size",
          128,
          1,
          4096,
          Setting.Property.NodeScope,
          Setting.Property.Dynamic);

  /** Whether a call of the model may serve several shards and requests. */
  public static final Setting<Boolean> MERGE =
      Setting.boolSetting(
          PREFIX + "inference.batch_across_requests",
          true,
          Setting.Property.NodeScope,
          Setting.Property.Dynamic);

  /** How long a call of the model that is not full waits for other requests. */
  public static final Setting<TimeValue> BATCH_WAIT =
      Setting.timeSetting(
          PREFIX + "inference.batch_wait",
          TimeValue.timeValueMillis(1),
          TimeValue.ZERO,
          TimeValue.timeValueMinutes(1),
          Setting.Property.NodeScope,
          Setting.Property.Dynamic);

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
          Setting.Property.NodeScope,
          Setting.Property.Dynamic);

  /** Most hits of a window, of a shard or of all shards together. */
  public static final Setting<Integer> MAX_WINDOW =
      Setting.intSetting(
          RescoreLimits.MAX_WINDOW,
          1000,
          1,
          RescoreLimits.LARGEST_WINDOW,
          Setting.Property.NodeScope,
          Setting.Property.Dynamic);

  /** Most hits of a page whose heat maps are drawn. */
  public static final Setting<Integer> MAX_HEAT_MAPS =
      Setting.intSetting(
          RescoreLimits.MAX_HEAT_MAPS,
          100,
          1,
          10_000,
          Setting.Property.NodeScope,
          Setting.Property.Dynamic);

  private static final List<Setting<?>> DYNAMIC =
      List.of(QUEUE_SIZE, ENCODE_BATCH, SCORE_BATCH, MERGE, BATCH_WAIT, LONGEST_WAIT);

  /** Who scores the windows of a node's shards: {@code auto}, {@code local} or {@code remote}. */
  public static final Setting<ScoringPlace> SCORING =
      new Setting<>(
          PREFIX + "scoring",
          "auto",
          text -> constant(ScoringPlace.class, "scoring", text),
          Setting.Property.NodeScope,
          Setting.Property.Dynamic);

  private CrossModalSettings() {}

  static List<Setting<?>> all() {
    List<Setting<?>> all = new ArrayList<>(DYNAMIC);
    all.addAll(ModelSettings.all());
    all.addAll(
        List.of(
            DEVICE,
            PRECISION,
            THREADS,
            QUERY_CACHE_SIZE,
            SCORING,
            CrossModalCodecService.OTHER_CODECS,
            DecodingBudget.MAX_PIXELS,
            MAX_WINDOW,
            MAX_HEAT_MAPS,
            CrossModalFieldMapper.INDEX_CROSS_MODAL));
    return all;
  }

  /** Has the service follow the cluster's settings. */
  static void follow(
      ClusterSettings cluster,
      Settings node,
      Path directory,
      ModelService service,
      Scorers scorers,
      RescoreLimits limits) {
    // Not merged with the node's own: those hold a keystore, which no other settings take in, and
    // a consumer that throws costs the cluster its manager. Core has merged the dynamic ones.
    cluster.addSettingsUpdateConsumer(
        dynamic -> service.update(inference(node, dynamic, directory)), DYNAMIC);
    cluster.addSettingsUpdateConsumer(SCORING, scorers::update);
    cluster.addSettingsUpdateConsumer(MAX_WINDOW, limits::maxWindow);
    cluster.addSettingsUpdateConsumer(MAX_HEAT_MAPS, limits::maxHeatMaps);
    cluster.addSettingsUpdateConsumer(QUEUE_SIZE, limits::maxWaiting);
  }

  /** What one search may ask of a node when it starts. */
  static RescoreLimits limits(Settings node) {
    return new RescoreLimits(MAX_WINDOW.get(node), MAX_HEAT_MAPS.get(node), QUEUE_SIZE.get(node));
  }

  /**
   * What a node starts with.
   *
   * @param directory of the node, for native libraries and models
   */
  static InferenceSettings inference(Settings node, Path directory) {
    return inference(node, node, directory);
  }

  private static InferenceSettings inference(Settings node, Settings dynamic, Path directory) {
    return new InferenceSettings(
        DEVICE.get(node),
        PRECISION.get(node),
        THREADS.get(node),
        QUEUE_SIZE.get(dynamic),
        ENCODE_BATCH.get(dynamic),
        SCORE_BATCH.get(dynamic),
        MERGE.get(dynamic),
        duration(BATCH_WAIT.get(dynamic)),
        QUERY_CACHE_SIZE.get(node).getBytes(),
        duration(LONGEST_WAIT.get(dynamic)),
        directory);
  }

  private static <E extends Enum<E>> E constant(Class<E> type, String name, String text) {
    List<String> accepted = new ArrayList<>();
    for (E constant : type.getEnumConstants()) {
      String key = constant.name().toLowerCase(Locale.ROOT);
      if (key.equals(text)) {
        return constant;
      }
      accepted.add(key);
    }
    throw new IllegalArgumentException(
        "[" + PREFIX + name + "] must be one of " + accepted + ", got [" + text + "]");
  }

  private static Duration duration(TimeValue time) {
    return Duration.ofNanos(time.nanos());
  }
}
