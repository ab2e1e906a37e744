/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import ai.djl.engine.EngineException;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.fixtures.TestBundles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

class BundleModelTest {
  private static final ModelBundle BUNDLE = TestBundles.random("micro", ModelConfig.micro(), 1);

  private final AtomicReference<Path> scratch = new AtomicReference<>();

  /** What the loader left behind must neither stay nor be what the user reads of. */
  private void assertThrown(Exception failure) {
    Exception thrown =
        assertThrows(
            failure.getClass(),
            () ->
                BundleModel.of(
                    BUNDLE,
                    (bundle, folder) -> {
                      scratch.set(folder);
                      Files.createFile(folder.resolve("model-1.pt"));
                      if (failure instanceof IOException e) {
                        throw e;
                      }
                      throw (RuntimeException) failure;
                    }));
    assertSame(failure, thrown);
    assertFalse(Files.exists(scratch.get()));
  }

  @Test
  void aFailureToLoadIsToldAsItIs() {
    assertThrown(new EngineException("no native library"));
    assertThrown(new IOException("No space left on device"));
  }

  @Test
  void itsFolderIsGoneWithIt() throws Exception {
    try (BundleModel model = BundleModel.of(BUNDLE)) {
      scratch.set(model.scratch());
      Files.createFile(Files.createDirectory(scratch.get().resolve("of")).resolve("training.pt"));
    }
    assertFalse(Files.exists(scratch.get()));
  }
}
