/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import java.util.List;

/** The plugin with a model small enough for tests. */
public final class MicroModelPlugin extends CrossModalPlugin {
  public MicroModelPlugin() {
    super(() -> List.of(TestModels.micro()));
  }
}
