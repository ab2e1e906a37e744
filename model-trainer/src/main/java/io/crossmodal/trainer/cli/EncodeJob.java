/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.trainer.data.InvalidDatasetException;
import io.crossmodal.trainer.encode.Cutting;
import io.crossmodal.trainer.encode.EncodeRun;
import io.crossmodal.trainer.encode.SourceImages;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * Pictures to encode, with the model and the options.
 *
 * @param cutting of scenes; empty where the source has pictures
 */
record EncodeJob(
    SourceImages source, Optional<Cutting> cutting, ModelBundle bundle, EncodeRun.Options options) {
  EncodeJob withoutThumbnails() {
    return new EncodeJob(source, cutting, bundle, options.withoutThumbnails());
  }

  /**
   * Returns what is left to do after scenes had to be left out.
   *
   * @throws IllegalArgumentException when they are more than are allowed
   */
  EncodeJob after(List<String> problems) {
    if (problems.size() > options.allowedProblems()) {
      throw new IllegalArgumentException(
          InvalidDatasetException.summary(
              "scenes cannot be cut (" + options.allowedProblems() + " problems allowed)",
              problems));
    }
    return new EncodeJob(source, cutting, bundle, options.after(problems.size()));
  }

  /** Returns what the pixels depend on, in words for a journal; nothing where it is the usual. */
  String shown() {
    OptionalDouble resolution =
        cutting.isEmpty() ? OptionalDouble.empty() : cutting.get().resolution();
    return options.look().key()
        + (resolution.isEmpty() ? "" : " resolution=" + resolution.getAsDouble());
  }
}
