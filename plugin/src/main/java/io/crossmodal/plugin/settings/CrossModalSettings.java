/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.settings;

import io.crossmodal.model.inference.DevicePolicy;
import io.crossmodal.model.inference.InferenceSettings;
import io.crossmodal.model.inference.PrecisionPolicy;
import io.crossmodal.plugin.scoring.ScoringPlace;
import io.crossmodal.plugin.ui.UiHosts;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.opensearch.common.settings.Setting;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.common.util.concurrent.OpenSearchExecutors;
import org.opensearch.core.common.unit.ByteSizeUnit;
import org.opensearch.core.common.unit.ByteSizeValue;
import org.opensearch.index.codec.CodecService;
import org.opensearch.index.engine.EngineConfig;

/**
 * All settings of the plugin, each with its default and bounds: of a node, but for the one of an
 * index. {@code PUT _cluster/settings} changes the dynamic ones. docs/operations.md lists them.
 */
public final class CrossModalSettings {
  static final String PREFIX = "plugins.cross_modal.";

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
   * Threads that one operation of the engine uses, from 1 to 1024. Default: half of the node's
   * processors, for the other half serves searches and writes.
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

  /** The largest value of {@link #MAX_WINDOW}. */
  public static final int LARGEST_WINDOW = 100_000;

  /** Most hits of a window, of a shard or of all shards together. */
  public static final Setting<Integer> MAX_WINDOW =
      Setting.intSetting(
          PREFIX + "rescore.max_window",
          1000,
          1,
          LARGEST_WINDOW,
          Setting.Property.NodeScope,
          Setting.Property.Dynamic);

  /** Most hits of a page whose heat maps are drawn. */
  public static final Setting<Integer> MAX_HEAT_MAPS =
      Setting.intSetting(
          PREFIX + "rescore.max_heat_maps",
          100,
          1,
          10_000,
          Setting.Property.NodeScope,
          Setting.Property.Dynamic);

  /** Who scores the windows of a node's shards: {@code auto}, {@code local} or {@code remote}. */
  public static final Setting<ScoringPlace> SCORING =
      new Setting<>(
          PREFIX + "scoring",
          "auto",
          text -> constant(ScoringPlace.class, "scoring", text),
          Setting.Property.NodeScope,
          Setting.Property.Dynamic);

  /** Pixels of pictures that may wait to be decoded, or be decoded, on a node at once. */
  public static final Setting<Long> MAX_PIXELS =
      Setting.longSetting(
          PREFIX + "ingest.max_pixels", 2_000_000_000L, 1, Setting.Property.NodeScope);

  /**
   * Index settings that name another plugin's codec. Core refuses an index for which two plugins
   * have a codec, when it is created and each time a node opens it, and no plugin sees the codecs
   * of the others: so their settings stand here, and those of a later neighbour in the node's
   * configuration.
   */
  public static final Setting<List<String>> OTHER_CODECS =
      Setting.listSetting(
          PREFIX + "codec.other_codecs",
          List.of("index.knn", "index.sparse"),
          Function.identity(),
          Setting.Property.NodeScope);

  /** Largest bundle that may be uploaded. */
  public static final Setting<ByteSizeValue> MODEL_MAX_SIZE =
      Setting.byteSizeSetting(
          PREFIX + "models.max_size",
          new ByteSizeValue(2, ByteSizeUnit.GB),
          new ByteSizeValue(1, ByteSizeUnit.BYTES),
          new ByteSizeValue(16, ByteSizeUnit.GB),
          Setting.Property.NodeScope);

  /** Size of the documents that hold a bundle in the system index. */
  public static final Setting<ByteSizeValue> MODEL_CHUNK_SIZE =
      Setting.byteSizeSetting(
          PREFIX + "models.chunk_size",
          new ByteSizeValue(4, ByteSizeUnit.MB),
          new ByteSizeValue(1, ByteSizeUnit.KB),
          new ByteSizeValue(64, ByteSizeUnit.MB),
          Setting.Property.NodeScope);

  /** For how long an upload waits for its next part. */
  public static final Setting<TimeValue> UPLOAD_TIMEOUT =
      Setting.timeSetting(
          PREFIX + "models.upload_timeout",
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
          PREFIX + "models.keep_unused",
          TimeValue.timeValueDays(7),
          TimeValue.ZERO,
          Setting.Property.NodeScope);

  /**
   * Whether a bundle may hold other TorchScript than this plugin's. TorchScript is code: it runs in
   * the node, with the node's rights.
   */
  public static final Setting<Boolean> ALLOW_FOREIGN_CODE =
      Setting.boolSetting(PREFIX + "models.allow_foreign_code", false, Setting.Property.NodeScope);

  /** Template of the search page's map tiles; empty for a map of coastlines alone. */
  public static final Setting<String> UI_TILE_URL = template("ui.tile_url");

  /** What the search page's map says of its tiles. */
  public static final Setting<String> UI_TILE_ATTRIBUTION =
      Setting.simpleString(PREFIX + "ui.tile_attribution", Setting.Property.NodeScope);

  /** Template of the pictures that the search page shows; empty for those of the documents. */
  public static final Setting<String> UI_PICTURE_URL = template("ui.picture_url");

  private static Setting<String> template(String name) {
    String key = PREFIX + name;
    return new Setting<>(key, "", text -> UiHosts.template(key, text), Setting.Property.NodeScope);
  }

  /** Values of {@code index.codec} whose stored fields this plugin's codec can write. */
  public static final Set<String> CODECS =
      Set.of(
          CodecService.DEFAULT_CODEC,
          CodecService.LZ4,
          CodecService.BEST_COMPRESSION_CODEC,
          CodecService.ZLIB);

  /** Whether this plugin's codec writes the index; without it the mapping decides. */
  public static final Setting<Boolean> INDEX_CROSS_MODAL =
      Setting.boolSetting(
          "index.cross_modal",
          false,
          new CodecFits(),
          Setting.Property.IndexScope,
          Setting.Property.Final);

  // A node that starts without this plugin puts settings that it does not know aside, for good.
  private static final String ARCHIVED = "archived." + INDEX_CROSS_MODAL.getKey();

  /** The settings that {@link #inference(Settings, Settings, Path)} takes from the cluster. */
  public static final List<Setting<?>> DYNAMIC_INFERENCE =
      List.of(QUEUE_SIZE, ENCODE_BATCH, SCORE_BATCH, MERGE, BATCH_WAIT, LONGEST_WAIT);

  private CrossModalSettings() {}

  /** Returns all settings of the plugin. */
  public static List<Setting<?>> all() {
    return List.of(
        EngineSettings.ENGINE,
        EngineSettings.SOCKET,
        EngineSettings.TLS_CA,
        EngineSettings.TLS_CERTIFICATE,
        EngineSettings.TLS_KEY,
        EngineSettings.MAX_SILENCE,
        DEVICE,
        PRECISION,
        THREADS,
        QUEUE_SIZE,
        ENCODE_BATCH,
        SCORE_BATCH,
        MERGE,
        BATCH_WAIT,
        QUERY_CACHE_SIZE,
        LONGEST_WAIT,
        MAX_WINDOW,
        MAX_HEAT_MAPS,
        SCORING,
        MAX_PIXELS,
        OTHER_CODECS,
        MODEL_MAX_SIZE,
        MODEL_CHUNK_SIZE,
        UPLOAD_TIMEOUT,
        KEEP_UNUSED,
        ALLOW_FOREIGN_CODE,
        UI_TILE_URL,
        UI_TILE_ATTRIBUTION,
        UI_PICTURE_URL,
        INDEX_CROSS_MODAL);
  }

  /** Refuses the request that would make an index none of whose shards could be opened. */
  private static final class CodecFits implements Setting.Validator<Boolean> {
    @Override
    public void validate(Boolean ours) {}

    @Override
    public void validate(Boolean ours, Map<Setting<?>, Object> settings) {
      if (ours) {
        checkCodec(settings.get(EngineConfig.INDEX_CODEC_SETTING));
      }
    }

    @Override
    public Iterator<Setting<?>> settings() {
      return List.<Setting<?>>of(EngineConfig.INDEX_CODEC_SETTING).iterator();
    }
  }

  /**
   * Refuses a value of {@code index.codec} that this plugin's codec does not go with.
   *
   * @throws IllegalArgumentException unless it is one of {@link #CODECS}
   */
  public static void checkCodec(Object codec) {
    if (!CODECS.contains(codec)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[index.codec: %s] does not go with [index.cross_modal: true], use %s or %s",
              codec,
              CodecService.DEFAULT_CODEC,
              CodecService.BEST_COMPRESSION_CODEC));
    }
  }

  /**
   * Returns what an index's settings say of {@link #INDEX_CROSS_MODAL}, also where a start without
   * this plugin has archived it; empty where they say nothing.
   */
  public static Optional<Boolean> indexCrossModal(Settings settings) {
    if (INDEX_CROSS_MODAL.exists(settings)) {
      return Optional.of(INDEX_CROSS_MODAL.get(settings));
    }
    return settings.hasValue(ARCHIVED)
        ? Optional.of(settings.getAsBoolean(ARCHIVED, false))
        : Optional.empty();
  }

  /**
   * Returns how a node serves its models.
   *
   * @param node the node's own settings. They hold a keystore, which no other settings take in, so
   *     the dynamic ones are not merged with them: core has done so.
   * @param dynamic values of {@link #DYNAMIC_INFERENCE}; at the start the node's
   * @param directory of the node, for native libraries and models
   */
  public static InferenceSettings inference(Settings node, Settings dynamic, Path directory) {
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

  /** Returns the hosts that the search page may ask for pictures. */
  public static UiHosts uiHosts(Settings node) {
    return new UiHosts(
        UI_TILE_URL.get(node), UI_TILE_ATTRIBUTION.get(node), UI_PICTURE_URL.get(node));
  }

  /** Reads a constant's name in lower case. */
  static <E extends Enum<E>> E constant(Class<E> type, String name, String text) {
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
