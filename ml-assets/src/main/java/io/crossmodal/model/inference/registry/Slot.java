/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.registry;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.PrecisionPolicy;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.function.Predicate;
import java.util.stream.Stream;

/** Versions of the model of an id on this node; guarded by the {@link LoadedModels} it is of. */
final class Slot {
  PrecisionPolicy policy;

  /** The version that jobs get. */
  LoadedModel serving;

  /** The one that is to take its place. */
  LoadedModel next;

  /** One that could not. */
  LoadedModel refused;

  Slot(PrecisionPolicy policy) {
    this.policy = policy;
  }

  /**
   * Takes both versions out, so that the next one, when it is warm, finds no place to take.
   *
   * @return those to retire, which may take as long as freeing their memory does
   */
  List<LoadedModel> end() {
    List<LoadedModel> versions = Stream.of(serving, next).filter(Objects::nonNull).toList();
    next = null;
    return versions;
  }

  /**
   * Returns a version that can do what is asked: the one that serves, or, where it cannot, the one
   * that is to take its place.
   *
   * @param able whether a version can
   * @param current the version that the id stands for
   * @return the one that serves where the current one cannot either
   * @throws InferenceException.ModelUnavailable when the current one can and is not on its way
   */
  LoadedModel able(Predicate<ModelConfig> able, ModelVersion current) {
    if (able.test(config(serving)) || !able.test(current.manifest().config())) {
      return serving;
    }
    if (next != null && able.test(config(next))) {
      return next;
    }
    throw new InferenceException.ModelUnavailable(
        String.format(
            Locale.ROOT,
            "%s can do this and is not loaded, %s serves and cannot: %s",
            current,
            serving.version(),
            refused != null && refused.version() == current
                ? refused.failure().getMessage()
                : "another version is being loaded before it, retry later"),
        null);
  }

  private static ModelConfig config(LoadedModel version) {
    return version.version().manifest().config();
  }
}
