/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.Precision;
import io.crossmodal.trainer.fusion.FusionOptions;
import io.crossmodal.trainer.train.Recipe;
import java.util.List;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

class RecordOptionsTest {
  /** A command that does nothing but take options. */
  @CommandLine.Command(modelTransformer = RecordOptions.Transformer.class)
  private static final class Command implements Runnable, RecordOptions.Holder {
    private final RecordOptions options = new RecordOptions(FusionOptions.class, "DEFAULTS");

    @Override
    public RecordOptions recordOptions() {
      return options;
    }

    @Override
    public void run() {}
  }

  private static Precision precision(boolean bfloat16, String... given) {
    Command command = new Command();
    assertEquals(0, new CommandLine(command).execute(given));
    return command.options.applyTo(FusionOptions.defaults(), bfloat16).precision();
  }

  @Test
  void bfloat16IsForProcessorsThatHaveItUnlessSaid() {
    assertEquals(Precision.BF16, FusionOptions.defaults().precision());
    assertEquals(Precision.BF16, Recipe.AERIAL.options().precision());
    assertEquals(Precision.BF16, precision(true));
    assertEquals(Precision.FP32, precision(false));
    assertEquals(Precision.BF16, precision(false, "--precision", "BF16"));
    assertEquals(Precision.FP32, precision(true, "--precision", "FP32"));
  }

  @Test
  void processorsSayWhatTheyHave() {
    assertTrue(
        Bfloat16.isFast(List.of("model name : Xeon", "flags\t\t: fpu avx512f amx_bf16 amx_tile")));
    assertTrue(Bfloat16.isFast(List.of("flags\t\t: fpu avx512_bf16")));
    assertTrue(Bfloat16.isFast(List.of("Features\t: fp asimd bf16 i8mm")));
    assertFalse(Bfloat16.isFast(List.of("flags\t\t: fpu avx512f avx512_vnni")));
    assertFalse(Bfloat16.isFast(List.of("model name : amx_bf16")));
    assertFalse(Bfloat16.isFast(List.of()));
  }
}
