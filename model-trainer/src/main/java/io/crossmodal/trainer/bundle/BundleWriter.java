/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.bundle;

import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.FusionModel;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;

/** Writes a model's bundle. */
public final class BundleWriter {
  private BundleWriter() {}

  /**
   * Adds golden outputs, computed here and now, and writes the file; whole or not at all.
   *
   * @param file replaced where it exists
   * @param goldenTexts inputs of the golden outputs, at least one; none for a model without text
   * @return the bundle as it was written
   * @throws IllegalArgumentException when there is no golden text, or a blank one
   */
  public static ModelBundle write(ModelBundle bundle, Path file, List<String> goldenTexts)
      throws IOException, BundleException {
    Path folder = file.toAbsolutePath().getParent();
    Files.createDirectories(folder);
    ModelBundle complete;
    try (FusionModel model = FusionModel.load(bundle, folder)) {
      complete = bundle.withGolden(model.golden(goldenTexts));
    }
    // Not createTempFile: only its owner could read the bundle, and a node is another user.
    Path temporary = folder.resolve(file.getFileName() + ".tmp");
    try {
      complete.writeTo(new BufferedOutputStream(Files.newOutputStream(temporary)));
      Files.move(
          temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(temporary);
    }
    return complete;
  }
}
