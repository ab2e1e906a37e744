/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.codec;

import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.model.tokens.TokenEncoding;
import io.crossmodal.plugin.mapper.CrossModalFieldType;
import io.crossmodal.plugin.mapper.DerivedSourceFieldMapper;
import io.crossmodal.plugin.mapper.HnswParameters;
import io.crossmodal.plugin.mapper.VectorEncoding;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;
import org.apache.lucene.codecs.KnnVectorsFormat;
import org.apache.lucene.codecs.lucene104.Lucene104Codec;
import org.apache.lucene.document.BinaryDocValuesField;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.DocumentStoredFieldVisitor;
import org.apache.lucene.document.KnnFloatVectorField;
import org.apache.lucene.document.StoredField;
import org.apache.lucene.index.BinaryDocValues;
import org.apache.lucene.index.CodecReader;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.FilterCodecReader;
import org.apache.lucene.index.FloatVectorValues;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.IndexWriterConfig;
import org.apache.lucene.index.LeafReader;
import org.apache.lucene.index.LeafReaderContext;
import org.apache.lucene.index.MergePolicy;
import org.apache.lucene.index.NoMergePolicy;
import org.apache.lucene.index.OneMergeWrappingMergePolicy;
import org.apache.lucene.index.TieredMergePolicy;
import org.apache.lucene.index.VectorSimilarityFunction;
import org.apache.lucene.store.ByteBuffersDirectory;
import org.apache.lucene.store.Directory;
import org.apache.lucene.store.FSDirectory;
import org.apache.lucene.util.BytesRef;
import org.opensearch.OpenSearchException;
import org.opensearch.index.fieldvisitor.FieldsVisitor;
import org.opensearch.test.OpenSearchTestCase;

/**
 * Today's code reads the segments that earlier code wrote. The samples lie zipped in the test
 * resources; {@code -Dtests.crossmodal.samples=FOLDER} has {@link #testWriteSamples} write those of
 * today's code there. A new version of a format gets a sample of its own, the old ones stay.
 */
public class SegmentCompatibilityTests extends OpenSearchTestCase {
  private static final String[] SAMPLES = {"segments-1"};
  private static final int DOCUMENTS = 8;
  private static final String SPACE = "0123456789abcdef".repeat(4);

  /** Exact in binary, so that every format gives it back as it is. */
  private static float[] embedding(int doc) {
    return switch (doc % 4) {
      case 0 -> new float[] {1, 0, 0, 0};
      case 1 -> new float[] {0.5f, 0.5f, 0.5f, 0.5f};
      case 2 -> new float[] {0, -1, 0, 0};
      default -> new float[] {0.5f, -0.5f, 0.5f, -0.5f};
    };
  }

  /** One segment int8, one fp16, both with plain blocks and with pooled ones. */
  private static byte[] block(int doc) {
    int pooling = doc % 2 + 1;
    float[] values = new float[(pooling == 1 ? 5 : 2) * 3];
    for (int i = 0; i < values.length; i++) {
      values[i] = (i + doc) % 3 == 0 ? 127 : i - doc;
    }
    return TokenBlockFormat.write(
        new TokenBlock(values.length / 3, 3, values),
        doc < DOCUMENTS / 2 ? TokenEncoding.INT8 : TokenEncoding.FP16,
        SPACE,
        pooling);
  }

  private static String source(int doc) {
    if (doc == 3) {
      return "{\"label\":\"none\"}";
    }
    StringBuilder numbers = new StringBuilder();
    for (float value : embedding(doc)) {
      numbers.append(numbers.isEmpty() ? "" : ",").append(value);
    }
    return String.format(
        Locale.ROOT,
        "{\"label\":\"l%d\",\"site\":{\"image\":{\"bytes\":\"AAAA\",\"embedding\":[%s],\"tokens\":\"%s\"}}}",
        doc,
        numbers,
        Base64.getEncoder().encodeToString(block(doc)));
  }

  private static void write(Directory directory) throws IOException {
    Lucene104Codec lucene =
        new Lucene104Codec() {
          @Override
          public KnnVectorsFormat getKnnVectorsFormatForField(String field) {
            return new HnswParameters(16, 100, VectorEncoding.INT8).format();
          }
        };
    IndexWriterConfig config =
        new IndexWriterConfig()
            .setCodec(new CrossModalCodec(lucene))
            .setMergePolicy(NoMergePolicy.INSTANCE);
    try (IndexWriter writer = new IndexWriter(directory, config)) {
      for (int doc = 0; doc < DOCUMENTS; doc++) {
        byte[] source = source(doc).getBytes(StandardCharsets.UTF_8);
        Document document = new Document();
        document.add(new StoredField("_source", source));
        if (doc != 3) {
          document.add(
              new KnnFloatVectorField(
                  "site.image", embedding(doc), VectorSimilarityFunction.DOT_PRODUCT));
          document.add(
              new BinaryDocValuesField(
                  CrossModalFieldType.tokensField("site.image"), new BytesRef(block(doc))));
          document.add(DerivedSourceFieldMapper.mark("site.image", "embedding"));
          document.add(DerivedSourceFieldMapper.mark("site.image", "tokens"));
        }
        writer.addDocument(document);
        if (doc == DOCUMENTS / 2 - 1) {
          writer.commit();
        }
      }
    }
  }

  public void testReadsWhatEarlierCodeWrote() throws IOException {
    for (String sample : SAMPLES) {
      Path folder = createTempDir(sample);
      try (InputStream resource = getClass().getResourceAsStream("/" + sample + ".zip");
          ZipInputStream zip = new ZipInputStream(resource)) {
        for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
          Files.copy(zip, folder.resolve(entry.getName()));
        }
      }
      try (Directory directory = FSDirectory.open(folder)) {
        assertReads(directory);
        // What is merged by today's code is the same again.
        IndexWriterConfig config = new IndexWriterConfig().setCodec(new CrossModalCodec());
        try (IndexWriter writer = new IndexWriter(directory, config)) {
          writer.forceMerge(1);
        }
        assertReads(directory);
      }
    }
  }

  public void testReadsWhatItWrites() throws IOException {
    try (Directory directory = newDirectory()) {
      write(directory);
      assertReads(directory);
    }
  }

  /**
   * A value that is lost costs its document: no reader gets what stands in its place, core does not
   * take the store for corrupt, and a merge takes the others along.
   */
  public void testAMissingValueFailsItsDocumentAlone() throws IOException {
    // Not the framework's directory, which checks the index and finds the same.
    try (Directory directory = new ByteBuffersDirectory()) {
      IndexWriterConfig config =
          new IndexWriterConfig()
              .setCodec(new CrossModalCodec())
              .setMergePolicy(NoMergePolicy.INSTANCE);
      try (IndexWriter writer = new IndexWriter(directory, config)) {
        for (String key : List.of("embedding", "tokens", "none")) {
          Document document = new Document();
          document.add(
              new StoredField(
                  "_source",
                  ("{\"site\":{\"image\":{\"" + key + "\":true}}}")
                      .getBytes(StandardCharsets.UTF_8)));
          document.add(DerivedSourceFieldMapper.mark("site.image", key));
          writer.addDocument(document);
        }
        Document sound = new Document();
        sound.add(new StoredField("_source", "{}".getBytes(StandardCharsets.UTF_8)));
        writer.addDocument(sound);
        writer.commit();
      }
      assertOnlyTheLastIsRead(directory);
      // Through the writer that merges document by document, as where segments come wrapped.
      IndexWriterConfig wrapped =
          new IndexWriterConfig()
              .setCodec(new CrossModalCodec())
              .setMergePolicy(
                  new OneMergeWrappingMergePolicy(
                      new TieredMergePolicy(),
                      merge ->
                          new MergePolicy.OneMerge(merge.segments) {
                            @Override
                            public CodecReader wrapForMerge(CodecReader reader) {
                              return new FilterCodecReader(reader) {
                                @Override
                                public CacheHelper getCoreCacheHelper() {
                                  return null;
                                }

                                @Override
                                public CacheHelper getReaderCacheHelper() {
                                  return null;
                                }
                              };
                            }
                          }));
      try (IndexWriter writer = new IndexWriter(directory, wrapped)) {
        Document sound = new Document();
        sound.add(new StoredField("_source", "{}".getBytes(StandardCharsets.UTF_8)));
        writer.addDocument(sound);
        writer.forceMerge(1);
      }
      assertOnlyTheLastIsRead(directory);
    }
  }

  private static void assertOnlyTheLastIsRead(Directory directory) throws IOException {
    try (DirectoryReader reader = DirectoryReader.open(directory)) {
      for (int doc = 0; doc < 3; doc++) {
        int lost = doc;
        OpenSearchException e =
            expectThrows(
                OpenSearchException.class,
                () -> reader.storedFields().document(lost, Set.of("_source")));
        assertTrue(e.getMessage(), e.getMessage().contains("lacks the value of [site.image."));
        // What a request leaves out is not even looked for.
        FieldsVisitor lean = new FieldsVisitor(true, null, new String[] {"site.image.*"});
        reader.storedFields().document(lost, lean);
        assertNotNull(lean.source());
      }
      for (int doc = 3; doc < reader.maxDoc(); doc++) {
        assertEquals(
            new BytesRef("{}"),
            reader.storedFields().document(doc, Set.of("_source")).getBinaryValue("_source"));
      }
    }
  }

  /** As a tombstone's reason, or what a later format of documents may be. */
  public void testASourceThatIsNoXContentStaysAsItIs() throws IOException {
    try (Directory directory = newDirectory()) {
      IndexWriterConfig config = new IndexWriterConfig().setCodec(new CrossModalCodec());
      byte[] source = randomBoolean() ? "a reason".getBytes(StandardCharsets.UTF_8) : new byte[7];
      try (IndexWriter writer = new IndexWriter(directory, config)) {
        Document document = new Document();
        document.add(new StoredField("_source", source));
        document.add(DerivedSourceFieldMapper.mark("site.image", "embedding"));
        writer.addDocument(document);
        Document plain = new Document();
        plain.add(new StoredField("_source", source));
        writer.addDocument(plain);
        writer.forceMerge(1);
      }
      try (DirectoryReader reader = DirectoryReader.open(directory)) {
        for (int doc = 0; doc < reader.maxDoc(); doc++) {
          assertEquals(
              new BytesRef(source),
              reader.storedFields().document(doc, Set.of("_source")).getBinaryValue("_source"));
        }
      }
    }
  }

  /** What users can bring to a stored field of that name: none of it is an instruction. */
  public void testMarksOfUsersAreNone() throws IOException {
    try (Directory directory = newDirectory()) {
      IndexWriterConfig config = new IndexWriterConfig().setCodec(new CrossModalCodec());
      byte[] source =
          "{\"o\":{\"embedding\":\"my text\"},\"nodot\":1}".getBytes(StandardCharsets.UTF_8);
      try (IndexWriter writer = new IndexWriter(directory, config)) {
        for (String mark : List.of("o.embedding", "nodot", "", ".", "o.", ".embedding")) {
          Document document = new Document();
          document.add(new StoredField("_source", source));
          document.add(new StoredField(DerivedSourceFieldMapper.NAME, mark));
          writer.addDocument(document);
          writer.commit();
        }
        writer.forceMerge(1);
      }
      try (DirectoryReader reader = DirectoryReader.open(directory)) {
        for (int doc = 0; doc < reader.maxDoc(); doc++) {
          assertEquals(
              new BytesRef(source),
              reader.storedFields().document(doc, Set.of("_source")).getBinaryValue("_source"));
        }
      }
    }
  }

  private static void assertReads(Directory directory) throws IOException {
    try (DirectoryReader reader = DirectoryReader.open(directory)) {
      assertEquals(DOCUMENTS, reader.maxDoc());
      for (LeafReaderContext leaf : reader.leaves()) {
        LeafReader segment = leaf.reader();
        FloatVectorValues vectors = segment.getFloatVectorValues("site.image");
        var vectorDocuments = vectors.iterator();
        BinaryDocValues blocks =
            segment.getBinaryDocValues(CrossModalFieldType.tokensField("site.image"));
        for (int i = 0; i < segment.maxDoc(); i++) {
          int doc = leaf.docBase + i;
          DocumentStoredFieldVisitor visitor = new DocumentStoredFieldVisitor("_source");
          segment.storedFields().document(i, visitor);
          assertEquals(source(doc), visitor.getDocument().getBinaryValue("_source").utf8ToString());
          assertEquals(doc != 3, blocks.advanceExact(i));
          if (doc != 3) {
            assertEquals(i, vectorDocuments.advance(i));
            assertArrayEquals(embedding(doc), vectors.vectorValue(vectorDocuments.index()), 0);
            BytesRef block = blocks.binaryValue();
            assertEquals(new BytesRef(block(doc)), block);
            TokenBlockFormat.Header header =
                TokenBlockFormat.header(block.bytes, block.offset, block.length);
            assertTrue(header.matches(SPACE));
            assertEquals(doc % 2 + 1, header.pooling());
          }
        }
      }
    }
  }

  public void testWriteSamples() throws IOException {
    String samples = System.getProperty("tests.crossmodal.samples");
    assumeTrue("writes samples only when it is told where", samples != null);
    Path folder = createTempDir();
    try (Directory directory = FSDirectory.open(folder);
        OutputStream out =
            Files.newOutputStream(Path.of(samples).resolve(SAMPLES[SAMPLES.length - 1] + ".zip"));
        ZipOutputStream zip = new ZipOutputStream(out)) {
      write(directory);
      for (String file : directory.listAll()) {
        if (!file.equals(IndexWriter.WRITE_LOCK_NAME) && !file.startsWith("extra")) {
          zip.putNextEntry(new ZipEntry(file));
          Files.copy(folder.resolve(file), zip);
          zip.closeEntry();
        }
      }
    }
  }
}
