/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.window;

import java.io.IOException;
import java.util.Set;
import java.util.TreeSet;
import org.apache.lucene.document.Document;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.IndexWriterConfig;
import org.apache.lucene.index.NoMergePolicy;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.Query;
import org.apache.lucene.search.ScoreDoc;
import org.apache.lucene.store.Directory;
import org.opensearch.common.io.stream.BytesStreamOutput;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.test.OpenSearchTestCase;

public class DocIdsQueryTests extends OpenSearchTestCase {
  public void testMatchesTheDocumentsOfAllSegments() throws IOException {
    int count = randomIntBetween(1, 200);
    try (Directory directory = newDirectory()) {
      try (IndexWriter writer =
          new IndexWriter(
              directory, new IndexWriterConfig().setMergePolicy(NoMergePolicy.INSTANCE))) {
        for (int i = 0; i < count; i++) {
          writer.addDocument(new Document());
          if (randomInt(9) == 0) {
            writer.commit();
          }
        }
      }
      Set<Integer> chosen = new TreeSet<>();
      for (int i = 0; i < randomIntBetween(0, 20); i++) {
        chosen.add(randomInt(count - 1));
      }
      int[] docs = chosen.stream().mapToInt(doc -> doc).toArray();
      DocIdsQueryBuilder builder;
      try (BytesStreamOutput out = new BytesStreamOutput()) {
        new DocIdsQueryBuilder(docs).writeTo(out);
        try (StreamInput in = out.bytes().streamInput()) {
          builder = new DocIdsQueryBuilder(in);
        }
      }
      try (DirectoryReader reader = DirectoryReader.open(directory)) {
        Query query = builder.doToQuery(null);
        Set<Integer> found = new TreeSet<>();
        for (ScoreDoc hit : new IndexSearcher(reader).search(query, count).scoreDocs) {
          assertEquals(1, hit.score, 0);
          assertTrue("once", found.add(hit.doc));
        }
        assertEquals(chosen, found);
      }
    }
  }
}
