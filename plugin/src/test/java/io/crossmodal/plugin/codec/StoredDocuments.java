/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.codec;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.model.tokens.TokenEncoding;
import io.crossmodal.plugin.TestModels;
import io.crossmodal.plugin.mapper.Embeddings;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.lucene.codecs.StoredFieldsReader;
import org.apache.lucene.document.DocumentStoredFieldVisitor;
import org.apache.lucene.index.CodecReader;
import org.apache.lucene.index.FilterLeafReader;
import org.apache.lucene.index.LeafReader;
import org.apache.lucene.index.LeafReaderContext;
import org.apache.lucene.util.BytesRef;
import org.opensearch.index.engine.Engine;
import org.opensearch.index.shard.IndexShard;

/** Documents to store, and what of them is found in segments. */
final class StoredDocuments {
  private static final ModelBundle MODEL = TestModels.micro();

  private StoredDocuments() {}

  /** A picture, or an embedding and tokens that somebody made beforehand, in one of their forms. */
  static Map<String, Object> image(Random random, boolean encoded) {
    Map<String, Object> image = new LinkedHashMap<>();
    if (encoded) {
      float[] embedding = TestModels.vector(random, MODEL.manifest().config().embeddingDimension());
      List<Object> numbers = new ArrayList<>();
      for (float value : embedding) {
        // Python's floats have more digits than a float32.
        numbers.add(value + 1e-12);
      }
      image.put(
          "embedding",
          random.nextBoolean() ? numbers : bytes(random, Embeddings.toBytes(embedding)));
      image.put(
          "tokens",
          bytes(
              random,
              TokenBlockFormat.write(
                  TestModels.tokens(random, MODEL, TestModels.imageTokens(MODEL)),
                  random.nextBoolean() ? TokenEncoding.FP16 : TokenEncoding.INT8,
                  MODEL.manifest().fingerprints().tokenSpace())));
    } else {
      image.put("bytes", TestModels.base64(TestModels.png(random, 20)));
    }
    image.put("sensor", "rgb");
    return image;
  }

  private static Object bytes(Random random, byte[] bytes) {
    return random.nextBoolean() ? bytes : TestModels.base64(bytes);
  }

  /**
   * Whatever numbers a format gives back, as the float32 that they stand for, and bytes as base64,
   * which is what JSON has for them.
   */
  static Object normal(Object value) {
    if (value instanceof Map<?, ?> map) {
      Map<String, Object> result = new LinkedHashMap<>();
      map.forEach((key, entry) -> result.put(String.valueOf(key), normal(entry)));
      return result;
    }
    if (value instanceof List<?> list) {
      return list.stream().map(StoredDocuments::normal).toList();
    }
    if (value instanceof byte[] bytes) {
      return TestModels.base64(bytes);
    }
    return value instanceof Double number ? number.floatValue() : value;
  }

  /** What the stored fields of a shard's live documents hold under a name, as they are on disk. */
  static List<BytesRef> onDisk(IndexShard shard, String field) throws IOException {
    List<BytesRef> values = new ArrayList<>();
    try (Engine.Searcher searcher = shard.acquireSearcher("test")) {
      for (LeafReaderContext leaf : searcher.getIndexReader().leaves()) {
        CodecReader segment = (CodecReader) FilterLeafReader.unwrap(leaf.reader());
        StoredFieldsReader stored = segment.getFieldsReader();
        if (stored instanceof DerivedSourceReader thin) {
          stored = thin.stored();
        }
        LeafReader live = leaf.reader();
        for (int doc = 0; doc < live.maxDoc(); doc++) {
          if (live.getLiveDocs() == null || live.getLiveDocs().get(doc)) {
            DocumentStoredFieldVisitor visitor = new DocumentStoredFieldVisitor(field);
            stored.document(doc, visitor);
            BytesRef value = visitor.getDocument().getBinaryValue(field);
            if (value != null) {
              values.add(value);
            }
          }
        }
      }
    }
    return values;
  }
}
