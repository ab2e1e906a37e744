/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.ext;

import java.io.IOException;
import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.common.io.stream.Writeable;

/**
 * What the hits of a shard are compared by with those of others, for a selection on the
 * coordinating node.
 *
 * @param byDoc by top-level document ids; without hits that have neither
 */
public record HitTraits(Map<Integer, Trait> byDoc) implements Writeable {
  /** Of hits that are not compared. */
  public static final HitTraits NONE = new HitTraits(Map.of());

  public HitTraits {
    byDoc = Map.copyOf(byDoc);
  }

  HitTraits(StreamInput in) throws IOException {
    this(in.readMap(StreamInput::readVInt, Trait::new));
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    out.writeMap(byDoc, StreamOutput::writeVInt, (to, trait) -> trait.writeTo(to));
  }

  /**
   * Of one hit.
   *
   * @param group its value of the field that hits are grouped by; null for none
   * @param embedding D values, unit length; live; null where none is needed
   */
  @SuppressWarnings("ArrayRecordComponent") // compared by content below
  public record Trait(String group, float[] embedding) implements Writeable {
    /** Of a hit that is not known. */
    public static final Trait NONE = new Trait((String) null, null);

    Trait(StreamInput in) throws IOException {
      this(in.readOptionalString(), in.readBoolean() ? in.readFloatArray() : null);
    }

    @Override
    public void writeTo(StreamOutput out) throws IOException {
      out.writeOptionalString(group);
      out.writeBoolean(embedding != null);
      if (embedding != null) {
        out.writeFloatArray(embedding);
      }
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Trait trait
          && Objects.equals(group, trait.group)
          && Arrays.equals(embedding, trait.embedding);
    }

    @Override
    public int hashCode() {
      return Objects.hash(group, Arrays.hashCode(embedding));
    }
  }
}
