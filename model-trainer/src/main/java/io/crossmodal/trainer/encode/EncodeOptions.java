/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

/**
 * How to encode.
 *
 * @param batch pictures in one call of the model, at least 1
 * @param threads that read and decode, at least 1
 * @param allowedProblems pictures that may be left out, broken or refused
 */
public record EncodeOptions(int batch, int threads, int allowedProblems) {
  public EncodeOptions {
    atLeast("batch", batch, 1);
    atLeast("threads", threads, 1);
    atLeast("allowedProblems", allowedProblems, 0);
  }

  /** Returns what is left to an archive of which so many pictures are left out already. */
  public EncodeOptions after(int problems) {
    return new EncodeOptions(batch, threads, allowedProblems - problems);
  }

  private static void atLeast(String name, int value, int least) {
    if (value < least) {
      throw new IllegalArgumentException(name + " must be at least " + least + ", got " + value);
    }
  }
}
