/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Whether the processor computes in bfloat16; without instructions for it that is slower than fp32.
 */
final class Bfloat16 {
  private static final Path PROCESSOR = Path.of("/proc/cpuinfo");

  private Bfloat16() {}

  /** Returns whether it does; false where the system does not say. */
  static boolean isFast() {
    try {
      return isFast(Files.readAllLines(PROCESSOR));
    } catch (IOException e) {
      return false;
    }
  }

  /**
   * Returns whether a processor does.
   *
   * @param lines of Linux's {@code /proc/cpuinfo}
   */
  static boolean isFast(List<String> lines) {
    return lines.stream()
        .filter(line -> line.startsWith("flags") || line.startsWith("Features"))
        .map(line -> List.of(line.split("[\\s:]+")))
        .anyMatch(
            flags ->
                flags.contains("amx_bf16")
                    || flags.contains("avx512_bf16")
                    || flags.contains("bf16"));
  }
}
