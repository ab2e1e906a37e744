/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.mapper;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Locale;
import org.apache.lucene.index.FloatVectorValues;
import org.apache.lucene.index.KnnVectorValues.DocIndexIterator;

/** Reads, checks and scales what users give as an embedding. */
public final class Embeddings {
  // A unit vector that went through JSON or float32 is off by less.
  private static final double UNIT_TOLERANCE = 1e-6;

  private Embeddings() {}

  /**
   * Returns a copy of a document's embedding.
   *
   * @param values of one segment; null where it has none
   * @param doc in this segment
   * @return null where the document has none
   */
  public static float[] read(FloatVectorValues values, int doc) throws IOException {
    if (values == null) {
      return null;
    }
    DocIndexIterator documents = values.iterator();
    return documents.advance(doc) == doc ? values.vectorValue(documents.index()).clone() : null;
  }

  /** Returns an embedding as bytes: its values one after the other as float32, little-endian. */
  public static byte[] toBytes(float[] embedding) {
    ByteBuffer bytes =
        ByteBuffer.allocate(embedding.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(embedding);
    return bytes.array();
  }

  /**
   * Returns what {@link #toBytes} was given.
   *
   * @param name the key that the bytes came in, for the message
   * @param dimension D of the model
   * @throws IllegalArgumentException when there are not 4 x D bytes
   */
  static float[] ofBytes(String name, byte[] bytes, int dimension) {
    if (bytes.length != dimension * Float.BYTES) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[%s] as bytes must have %d of them, which are %d float32 values, little-endian, got"
                  + " %d",
              name,
              dimension * Float.BYTES,
              dimension,
              bytes.length));
    }
    float[] values = new float[dimension];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
    return values;
  }

  /**
   * Returns the direction of a vector.
   *
   * @param name the parameter or key it came in, for the message
   * @param dimension D of the model
   * @return the vector itself, or a copy of unit length where it has another
   * @throws IllegalArgumentException when its length is not D, a value is not finite, or it is zero
   */
  public static float[] unit(String name, float[] vector, int dimension) {
    if (vector.length != dimension) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT, "[%s] must have %d values, got %d", name, dimension, vector.length));
    }
    double squares = 0;
    for (int i = 0; i < vector.length; i++) {
      if (!Float.isFinite(vector[i])) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT, "[%s] must be finite, got %s at position %d", name, vector[i], i));
      }
      squares += (double) vector[i] * vector[i];
    }
    double norm = Math.sqrt(squares);
    if (vector.length == 0) {
      throw new IllegalArgumentException("[" + name + "] must not be empty");
    }
    if (norm == 0) {
      throw new IllegalArgumentException("[" + name + "] must not be zero: it has no direction");
    }
    if (Math.abs(norm - 1) <= UNIT_TOLERANCE) {
      return vector;
    }
    float[] scaled = new float[vector.length];
    for (int i = 0; i < vector.length; i++) {
      scaled[i] = (float) (vector[i] / norm);
    }
    return scaled;
  }
}
