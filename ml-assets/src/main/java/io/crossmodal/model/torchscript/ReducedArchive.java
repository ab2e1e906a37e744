/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Writes an inference archive in another precision than fp32, from the same text and weights. Its
 * methods take and give 32-bit floats, as those of the original.
 */
public final class ReducedArchive {
  private static final Pattern LINEAR =
      Pattern.compile("class Linear\\(Module\\):\n.*?(?=\nclass )", Pattern.DOTALL);

  private ReducedArchive() {}

  /**
   * Writes a whole archive.
   *
   * @param out where it goes; flushed, not closed
   * @param state exactly the weights that {@code config} calls for
   * @return bytes that the weights take when the archive is loaded
   * @throws IllegalArgumentException for fp32, which the bundle's own archive has
   */
  public static long write(
      OutputStream out, ModelConfig config, StateDict state, Precision precision)
      throws IOException {
    if (precision == Precision.FP32) {
      throw new IllegalArgumentException("fp32 is not reduced");
    }
    ScriptModule model = MtgfeArchitecture.build(config, Weights.of(state));
    if (precision == Precision.INT8) {
      Map<String, String> sources = MtgfeArchitecture.packedSources(config);
      sources.put("packed", packed(packedLinear(sources.get("nn"))));
      sources.computeIfPresent("fusion", (name, source) -> packed(source));
      ScriptArchiveWriter.write(out, copy(model, false), sources, precision);
    } else {
      Map<String, String> sources =
          MtgfeArchitecture.sources(config, ReducedArchive.class, "reduced");
      String type = precision == Precision.BF16 ? "15" : "5";
      sources.compute("reduced", (name, source) -> source.replace("DTYPE", type));
      ScriptModule root = new ScriptModule("reduced.Reduced").with("model", model);
      ScriptArchiveWriter.write(out, root, sources, precision);
    }
    return bytes(state, precision);
  }

  /** The layers of nn.py once more, for the fusion encoder alone: a class is packed or is not. */
  private static String packed(String source) {
    return source.replace("__torch__.nn.", "__torch__.packed.");
  }

  private static ScriptModule copy(ScriptModule module, boolean inFusion) {
    boolean packed = inFusion || module.type().equals("fusion.FusionEncoder");
    ScriptModule copy =
        new ScriptModule(packed ? module.type().replaceFirst("^nn[.]", "packed.") : module.type());
    module
        .attributes()
        .forEach(
            (name, value) -> {
              if (value instanceof ScriptModule child) {
                copy.with(name, copy(child, packed));
              } else if (value instanceof ScriptTensor tensor) {
                copy.with(name, tensor);
              } else if (value instanceof Long number) {
                copy.with(name, number);
              } else if (value instanceof Double number) {
                copy.with(name, number);
              }
            });
    return copy;
  }

  private static String packedLinear(String source) {
    Matcher linear = LINEAR.matcher(source);
    if (!linear.find()) {
      throw new IllegalStateException("nn.py has no class Linear");
    }
    return linear.replaceFirst(
        Matcher.quoteReplacement(ScriptSources.resource(ReducedArchive.class, "linear_int8")));
  }

  private static long bytes(StateDict state, Precision precision) {
    long bytes = 0;
    for (Map.Entry<String, ScriptTensor> entry : state.tensors().entrySet()) {
      boolean packed =
          entry.getValue().shape().length == 2
              && entry.getKey().startsWith("fusion.")
              && entry.getKey().endsWith(".weight");
      long values = entry.getValue().size();
      bytes += values * (precision != Precision.INT8 ? 2 : packed ? 1 : 4);
    }
    return bytes;
  }
}
