/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.registry;

import io.crossmodal.model.Precision;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.PrecisionPolicy;
import io.crossmodal.model.inference.registry.ModelStatus.PrecisionTrial;
import java.util.List;

/** Brings models to where they compute: this process's native memory, or workers beside it. */
public interface ModelLoader {
  /** A model where it computes; closing it gives its memory back. */
  interface Loaded extends AutoCloseable {
    /** Returns where it computes, such as {@code cpu()} or {@code gpu(0)}; not empty. */
    List<String> devices();

    /** Returns what it computes in. */
    Precision precision();

    /** Returns memory that the weights of all copies take, in bytes. */
    long bytes();

    /** Returns the precisions that were compared; empty where there was no choice. */
    List<PrecisionTrial> trials();

    @Override
    void close();
  }

  /**
   * Loads a model; for one thread.
   *
   * @throws BundleException when the bundle is to blame
   * @throws InferenceException when the process that computes is
   */
  Loaded load(ModelBundle bundle, PrecisionPolicy policy) throws BundleException;
}
