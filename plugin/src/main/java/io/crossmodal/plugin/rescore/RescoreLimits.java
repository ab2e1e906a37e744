/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import java.util.Locale;

/**
 * What one search may ask of a node, beside OpenSearch's {@code index.max_rescore_window}, and how
 * many of its searches may wait. Follows the cluster's settings. Thread-safe.
 */
public final class RescoreLimits {
  public static final String MAX_WINDOW = "plugins.cross_modal.rescore.max_window";

  /** The most that {@link #MAX_WINDOW} may be. */
  public static final int LARGEST_WINDOW = 100_000;

  public static final String MAX_HEAT_MAPS = "plugins.cross_modal.rescore.max_heat_maps";

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

  /** Follows {@link #MAX_WINDOW}. */
  public void maxWindow(int changed) {
    maxWindow = changed;
  }

  /** Follows {@link #MAX_HEAT_MAPS}. */
  public void maxHeatMaps(int changed) {
    maxHeatMaps = changed;
  }

  /** Follows {@code plugins.cross_modal.inference.queue_size}. */
  public void maxWaiting(int changed) {
    maxWaiting = changed;
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
              MAX_WINDOW));
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
              MAX_HEAT_MAPS));
    }
  }
}
