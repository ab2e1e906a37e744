/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.trainer.data.InvalidDatasetException;
import io.crossmodal.trainer.encode.Archive;
import io.crossmodal.trainer.encode.Cutting;
import io.crossmodal.trainer.encode.EncodeRun;
import io.crossmodal.trainer.encode.SourceImages;
import io.crossmodal.trainer.encode.StoredEmbeddings;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * Pictures to encode, with the model and the options.
 *
 * @param archive that is brought here as it is encoded; empty where the source has all
 * @param stored what is encoded already; empty otherwise
 * @param cutting of scenes; empty where the source has pictures
 */
record EncodeJob(
    SourceImages source,
    Optional<Archive> archive,
    Optional<StoredEmbeddings> stored,
    Optional<Cutting> cutting,
    ModelBundle bundle,
    EncodeRun.Options options) {
  EncodeJob(
      SourceImages source,
      Optional<Archive> archive,
      Optional<Cutting> cutting,
      ModelBundle bundle,
      EncodeRun.Options options) {
    this(source, archive, Optional.empty(), cutting, bundle, options);
  }

  /** Returns the job of taking what is encoded. */
  static EncodeJob of(StoredEmbeddings stored, ModelBundle bundle, EncodeRun.Options options) {
    SourceImages none = new SourceImages("", List.of(), List.of(), List.of(), Map.of());
    return new EncodeJob(
        none, Optional.empty(), Optional.of(stored), Optional.empty(), bundle, options);
  }

  EncodeJob withoutThumbnails() {
    return new EncodeJob(source, archive, stored, cutting, bundle, options.withoutThumbnails());
  }

  /**
   * Returns what is left to do after scenes had to be left out.
   *
   * @param what happened
   * @throws IllegalArgumentException when they are more than are allowed
   */
  EncodeJob after(String what, List<String> problems) {
    if (problems.size() > options.allowedProblems()) {
      throw new IllegalArgumentException(
          InvalidDatasetException.summary(
              what + " (" + options.allowedProblems() + " problems allowed)", problems));
    }
    return new EncodeJob(source, archive, stored, cutting, bundle, options.after(problems.size()));
  }

  /** Returns what the pixels depend on, in words for a journal; nothing where it is the usual. */
  String shown() {
    OptionalDouble resolution =
        cutting.isEmpty() ? OptionalDouble.empty() : cutting.get().resolution();
    return options.look().key()
        + (resolution.isEmpty() ? "" : " resolution=" + resolution.getAsDouble());
  }
}
