/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import io.crossmodal.model.text.WordSpan;
import java.io.IOException;
import java.util.List;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;

/** The words of a query's text between nodes, for heat maps. */
public final class WordSpans {
  private WordSpans() {}

  public static void write(StreamOutput out, List<WordSpan> words) throws IOException {
    out.writeCollection(words, WordSpans::write);
  }

  private static void write(StreamOutput out, WordSpan word) throws IOException {
    out.writeString(word.word());
    out.writeVInt(word.from());
    out.writeVInt(word.to());
  }

  public static List<WordSpan> read(StreamInput in) throws IOException {
    return List.copyOf(
        in.readList(item -> new WordSpan(item.readString(), item.readVInt(), item.readVInt())));
  }
}
