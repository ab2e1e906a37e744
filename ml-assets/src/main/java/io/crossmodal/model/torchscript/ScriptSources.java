/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * TorchScript text with its layers unrolled.
 *
 * <p>Serialised TorchScript has neither module lists nor loops over them. So a line that ends in
 * {@code # [i < NAME]} stands for one line per index, with <code>{i}</code> replaced, and one that
 * ends in {@code # [sensor in SENSORS]} for one line per sensor. A consecutive run of such lines
 * with the same ending is repeated as a block.
 */
public final class ScriptSources {
  private static final Pattern REPEATED =
      Pattern.compile("(.*?)\\s*# \\[(\\w+) (?:<|in) (\\w+)]\\s*");

  private ScriptSources() {}

  /** Reads the resource {@code name.py} that lies beside {@code anchor}. */
  public static String resource(Class<?> anchor, String name) {
    try (InputStream in = anchor.getResourceAsStream(name + ".py")) {
      if (in == null) {
        throw new IllegalStateException("missing resource " + name + ".py");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Repeats the marked lines of a source.
   *
   * @param ranges what each NAME stands for: the values that replace the loop variable, in order
   */
  static String unroll(String source, Map<String, List<String>> ranges) {
    StringBuilder out = new StringBuilder();
    StringBuilder block = new StringBuilder();
    String blockEnd = "";
    UnaryOperator<String> expand = text -> text;
    for (String line : source.split("\n", -1)) {
      Matcher repeated = REPEATED.matcher(line);
      boolean matches = repeated.matches();
      String end = matches ? repeated.group(2) + " " + repeated.group(3) : "";
      if (!end.equals(blockEnd)) {
        out.append(expand.apply(block.toString()));
        block.setLength(0);
        blockEnd = end;
        if (matches) {
          expand = repeat("{" + repeated.group(2) + "}", range(ranges, repeated.group(3)));
        } else {
          expand = text -> text;
        }
      }
      block.append(matches ? repeated.group(1) : line).append('\n');
    }
    return out.append(expand.apply(block.toString())).toString();
  }

  private static List<String> range(Map<String, List<String>> ranges, String name) {
    List<String> range = ranges.get(name);
    if (range == null) {
      throw new IllegalStateException("a source repeats over " + name + ", which is not defined");
    }
    return range;
  }

  private static UnaryOperator<String> repeat(String variable, List<String> values) {
    return text -> {
      StringBuilder all = new StringBuilder();
      values.forEach(value -> all.append(text.replace(variable, value)));
      return all.toString();
    };
  }
}
