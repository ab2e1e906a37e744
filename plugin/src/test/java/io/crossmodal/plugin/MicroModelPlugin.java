/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import io.crossmodal.plugin.settings.CrossModalSettings;
import java.util.List;
import org.opensearch.common.settings.Settings;

/** The plugin with a model small enough for tests. */
public final class MicroModelPlugin extends CrossModalPlugin {
  public MicroModelPlugin() {
    super(() -> List.of(TestModels.micro()));
  }

  /**
   * Tests compare scores: what a machine is fastest in must not decide about them. A busy one may
   * take a minute to unpack and start the engine.
   */
  @Override
  public Settings additionalSettings() {
    return Settings.builder()
        .put(super.additionalSettings())
        .put(CrossModalSettings.PRECISION.getKey(), "fp32")
        .put(CrossModalSettings.LONGEST_WAIT.getKey(), "10m")
        .build();
  }
}
