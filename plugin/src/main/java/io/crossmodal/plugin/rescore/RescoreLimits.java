/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.plugin.settings.CrossModalSettings;
import java.util.Locale;
import org.opensearch.common.settings.ClusterSettings;
import org.opensearch.common.settings.Settings;

/**
 * Limits of what one search may ask of a node, beside OpenSearch's {@code
 * index.max_rescore_window}, and of how many of its searches may wait. Follows the cluster's
 * settings. Thread-safe.
 */
public final class RescoreLimits {
  private volatile int maxWindow;
  private volatile int maxHeatMaps;
  private volatile int maxWaiting;

  /**
   * @param maxWindow hits of a window, of a shard or of all shards together
   * @param maxHeatMaps hits of a page with heat maps
   * @param maxWaiting searches of shards that may wait for a search thread that rescores
   */
  public RescoreLimits(int maxWindow, int maxHeatMaps, int maxWaiting) {
    this.maxWindow = maxWindow;
    this.maxHeatMaps = maxHeatMaps;
    this.maxWaiting = maxWaiting;
  }

  /** Returns limits that follow a cluster's settings. */
  public static RescoreLimits following(ClusterSettings cluster, Settings node) {
    RescoreLimits limits =
        new RescoreLimits(
            CrossModalSettings.MAX_WINDOW.get(node),
            CrossModalSettings.MAX_HEAT_MAPS.get(node),
            CrossModalSettings.QUEUE_SIZE.get(node));
    cluster.addSettingsUpdateConsumer(
        CrossModalSettings.MAX_WINDOW, changed -> limits.maxWindow = changed);
    cluster.addSettingsUpdateConsumer(
        CrossModalSettings.MAX_HEAT_MAPS, changed -> limits.maxHeatMaps = changed);
    cluster.addSettingsUpdateConsumer(
        CrossModalSettings.QUEUE_SIZE, changed -> limits.maxWaiting = changed);
    return limits;
  }

  int maxWaiting() {
    return maxWaiting;
  }

  /**
   * Refuses a window that is too large.
   *
   * @param parameter that gave it, for the message
   * @throws IllegalArgumentException when it is
   */
  public void checkWindow(int window, String parameter) {
    if (window > maxWindow) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[%s] must be at most %d, got %d: ask for fewer, or raise the setting [%s] of the"
                  + " cluster",
              parameter,
              maxWindow,
              window,
              CrossModalSettings.MAX_WINDOW.getKey()));
    }
  }

  /**
   * Refuses heat maps for a page that is too long.
   *
   * @param hits of the page
   * @throws IllegalArgumentException when it is
   */
  public void checkHeatMaps(int hits) {
    if (hits > maxHeatMaps) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[ext.cross_modal.heat_map] is drawn for at most %d hits, [size] is %d: ask for a"
                  + " shorter page, or raise the setting [%s] of the cluster",
              maxHeatMaps,
              hits,
              CrossModalSettings.MAX_HEAT_MAPS.getKey()));
    }
  }
}
