/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.inference.Deadline;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.model.tokens.StoredTokens;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.model.tokens.TokenEncoding;
import io.crossmodal.plugin.TestModels;
import io.crossmodal.plugin.TestService;
import io.crossmodal.plugin.action.EncodedQuery;
import io.crossmodal.plugin.action.QuerySource;
import io.crossmodal.plugin.errors.ForeignTokensException;
import io.crossmodal.plugin.inference.scoring.ScoringService;
import io.crossmodal.plugin.inference.scoring.ScoringService.Scores;
import io.crossmodal.plugin.mapper.CrossModalFieldType;
import io.crossmodal.plugin.mapper.FieldDefinition;
import io.crossmodal.plugin.mapper.HnswParameters;
import io.crossmodal.plugin.mapper.Modality;
import io.crossmodal.plugin.mapper.TokenStorage;
import io.crossmodal.plugin.query.QueryState;
import io.crossmodal.plugin.rescore.FusionOptions.FailurePolicy;
import io.crossmodal.plugin.rescore.FusionOptions.FusionScoreMode;
import io.crossmodal.plugin.rescore.FusionOptions.MissingPolicy;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.lucene.document.BinaryDocValuesField;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.Field;
import org.apache.lucene.document.StringField;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.IndexWriterConfig;
import org.apache.lucene.index.NoMergePolicy;
import org.apache.lucene.index.Term;
import org.apache.lucene.search.Explanation;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.ScoreDoc;
import org.apache.lucene.search.TopDocs;
import org.apache.lucene.search.TotalHits;
import org.apache.lucene.store.Directory;
import org.apache.lucene.tests.util.LuceneTestCase.SuppressFileSystems;
import org.apache.lucene.util.BytesRef;
import org.junit.After;
import org.junit.Before;
import org.opensearch.OpenSearchStatusException;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.test.OpenSearchTestCase;

/** The rescorer over random segments, against the plain formula, one pair at a time. */
@SuppressFileSystems("ExtrasFS") // puts files of its own into the folders of native code
public class FusionRescorerTests extends OpenSearchTestCase {
  private static final ModelBundle MODEL = TestModels.micro();
  private static final float TOLERANCE = 1e-4f;

  private TestService test;
  private TokenBlock query;
  // Whether images are searched by an image instead of by a text.
  private boolean comparesImages;
  // Of the model's only sensor, where p of images is a probability.
  private List<SensorCalibration> calibrations;

  @Before
  public void start() {
    comparesImages = randomBoolean();
    calibrations =
        randomBoolean() ? List.of() : List.of(new SensorCalibration("rgb", "rgb", 20, -9));
    test = new TestService(createTempDir(), 100, randomIntBetween(2, 50));
    query = TestModels.tokens(random(), MODEL, randomIntBetween(2, 8));
  }

  @After
  public void stop() {
    test.close();
  }

  private static final TraitReader NO_TRAITS = new TraitReader(null, null, Selection.ALL);

  /** What a document of the index holds. */
  private enum Content {
    TOKENS,
    NONE,
    FOREIGN,
    NOT_A_NUMBER
  }

  /** An index with its live documents, in document order. */
  private record Index(
      Directory directory,
      DirectoryReader reader,
      Map<Integer, TokenBlock> blocks,
      List<Integer> docs)
      implements AutoCloseable {
    @Override
    public void close() throws IOException {
      reader.close();
      directory.close();
    }
  }

  private static byte[] block(TokenBlock tokens, Content content) {
    ModelBundle model = content == Content.FOREIGN ? TestModels.foreign() : MODEL;
    byte[] bytes =
        TokenBlockFormat.write(
            tokens, TokenEncoding.FP16, model.manifest().fingerprints().tokenSpace());
    if (content == Content.NOT_A_NUMBER) {
      bytes[bytes.length - 1] = 0x7e; // the high byte of a NaN in binary16
    }
    return bytes;
  }

  private Index index(Modality modality, List<Content> contents, boolean deletions)
      throws IOException {
    Directory directory = newDirectory();
    try (IndexWriter writer =
        new IndexWriter(
            directory, new IndexWriterConfig().setMergePolicy(NoMergePolicy.INSTANCE))) {
      for (int i = 0; i < contents.size(); i++) {
        Document document = new Document();
        document.add(new StringField("id", Integer.toString(i), Field.Store.YES));
        if (contents.get(i) != Content.NONE) {
          int count =
              modality == Modality.IMAGE ? TestModels.imageTokens(MODEL) : randomIntBetween(2, 10);
          TokenBlock tokens = TestModels.tokens(random(), MODEL, count);
          document.add(
              new BinaryDocValuesField(
                  CrossModalFieldType.tokensField("field"),
                  new BytesRef(block(tokens, contents.get(i)))));
        }
        writer.addDocument(document);
        if (randomInt(3) == 0) {
          writer.commit();
        }
      }
      writer.commit();
      if (deletions) {
        for (int i = 0; i < contents.size(); i++) {
          if (randomInt(3) == 0) {
            writer.deleteDocuments(new Term("id", Integer.toString(i)));
          }
        }
      }
    }
    DirectoryReader reader = DirectoryReader.open(directory);
    List<Integer> live = new ArrayList<>();
    Map<Integer, TokenBlock> blocks = new HashMap<>();
    FieldDefinition field = definition(modality);
    reader
        .leaves()
        .forEach(
            leaf -> {
              for (int doc = 0; doc < leaf.reader().maxDoc(); doc++) {
                if (leaf.reader().getLiveDocs() == null || leaf.reader().getLiveDocs().get(doc)) {
                  live.add(leaf.docBase + doc);
                }
              }
            });
    for (int doc : live) {
      try {
        TokenReader.Candidate candidate =
            new TokenReader(reader.leaves(), field, List.of(), 1, unlimited()).read(doc);
        if (candidate != null) {
          blocks.put(doc, ((StoredTokens) candidate.tokens()).block());
        }
      } catch (ForeignTokensException e) {
        blocks.remove(doc);
      }
    }
    return new Index(directory, reader, blocks, live);
  }

  private static MemoryBudget.Growing unlimited() {
    return new MemoryBudget.Growing(MemoryBudget.UNLIMITED, "tokens");
  }

  private static FieldDefinition definition(Modality modality) {
    return TestModels.field(MODEL, modality, TokenStorage.FP16);
  }

  private FusionRescoreContext context(int window, Modality modality, FusionOptions options) {
    Modality queryModality =
        modality == Modality.IMAGE && !comparesImages ? Modality.TEXT : Modality.IMAGE;
    if (modality == Modality.TEXT) {
      query = TestModels.tokens(random(), MODEL, TestModels.imageTokens(MODEL));
    }
    return new FusionRescoreContext(
        window,
        "field",
        new CrossModalFieldType(
            definition(modality), HnswParameters.DEFAULT, Map.of(), () -> test.get().scoring()),
        new QueryState.Encoded<>(
            new QuerySource.Label("query", "?"),
            new EncodedQuery.Tokens(
                queryModality,
                TestModels.ID,
                MODEL.manifest().fingerprints().tokenSpace(),
                query,
                List.of(),
                calibrations)),
        work(options),
        NO_TRAITS);
  }

  private static FusionRescoreContext.Work work(FusionOptions options) {
    return FusionRescoreContext.Work.of(options, FusionRescoreContext.RescorePhase.SHARD, false);
  }

  private static FusionOptions options(
      FusionScoreMode mode, MissingPolicy missing, FailurePolicy onFailure) {
    boolean weights = mode != FusionScoreMode.REPLACE;
    return new FusionOptions(
        new ScoreCombiner(mode, weights ? randomFloat() : 1, weights ? randomFloat() : 1),
        missing,
        onFailure,
        null,
        0);
  }

  /** Some of the documents as a first pass's hits, best first, with ties. */
  private static TopDocs firstPass(Index index) {
    List<ScoreDoc> hits = new ArrayList<>();
    for (int doc : index.docs) {
      if (randomInt(9) > 0) {
        hits.add(new ScoreDoc(doc, randomIntBetween(0, 20) / 4f, 0));
      }
    }
    hits.sort(
        (a, b) ->
            a.score == b.score ? Integer.compare(a.doc, b.doc) : Float.compare(b.score, a.score));
    return new TopDocs(
        new TotalHits(hits.size(), TotalHits.Relation.EQUAL_TO), hits.toArray(new ScoreDoc[0]));
  }

  private float probability(TokenBlock candidate, Modality modality) throws Exception {
    boolean image = modality == Modality.IMAGE;
    if (image && comparesImages) {
      float maxSim = TestModels.maxSim(query, candidate);
      return calibrations.isEmpty()
          ? (1 + maxSim) / 2
          : (float) (1 / (1 + Math.exp(9 - 20 * maxSim)));
    }
    Scores logits =
        test.get()
            .scoring()
            .score(
                new ScoringService.Request(
                    TestModels.ID,
                    List.of(image ? query : candidate),
                    List.of(image ? candidate : query),
                    Deadline.none()))
            .get(60, TimeUnit.SECONDS);
    return MODEL.manifest().calibration().probability(logits.itm()[0], logits.biEncoder()[0]);
  }

  public void testAgreesWithThePlainFormula() throws Exception {
    Modality modality = randomFrom(Modality.values());
    FusionScoreMode mode = randomFrom(FusionScoreMode.values());
    MissingPolicy missing = randomFrom(MissingPolicy.KEEP_FIRST_PASS, MissingPolicy.SCORE_ZERO);
    FusionOptions options = options(mode, missing, FailurePolicy.FAIL);
    List<Content> contents = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      contents.add(randomInt(4) == 0 ? Content.NONE : Content.TOKENS);
    }
    // A whole stretch without the field, so that some segments have no such doc values at all.
    for (int i = 10; i < 20; i++) {
      contents.set(i, Content.NONE);
    }
    try (Index index = index(modality, contents, true)) {
      TopDocs first = firstPass(index);
      ScoreDoc[] before =
          Arrays.stream(first.scoreDocs)
              .map(hit -> new ScoreDoc(hit.doc, hit.score))
              .toArray(ScoreDoc[]::new);
      int window = randomIntBetween(1, 60);
      FusionRescoreContext context = context(window, modality, options);
      IndexSearcher searcher = new IndexSearcher(index.reader);
      TopDocs result = FusionRescorer.INSTANCE.rescore(first, searcher, context);

      assertEquals(first.totalHits, result.totalHits);
      assertEquals(first.scoreDocs.length, result.scoreDocs.length);
      for (int i = 0; i < before.length; i++) {
        assertEquals("input stays as it was", before[i].doc, first.scoreDocs[i].doc);
        assertEquals("input stays as it was", before[i].score, first.scoreDocs[i].score, 0);
      }
      Map<Integer, ScoreDoc> byDoc = new HashMap<>();
      Arrays.stream(result.scoreDocs).forEach(hit -> byDoc.put(hit.doc, hit));
      for (int rank = 0; rank < before.length; rank++) {
        ScoreDoc hit = before[rank];
        boolean inWindow = rank < window;
        TokenBlock tokens = index.blocks.get(hit.doc);
        float expected;
        if (inWindow && tokens != null) {
          expected = options.combiner().rescored(hit.score, probability(tokens, modality));
        } else if (inWindow && missing == MissingPolicy.SCORE_ZERO) {
          expected = options.combiner().rescored(hit.score, 0);
        } else {
          expected = options.combiner().untouched(hit.score);
        }
        assertEquals(expected, byDoc.get(hit.doc).score, TOLERANCE);
        Explanation explained =
            FusionRescorer.INSTANCE.explain(
                hit.doc, searcher, context, Explanation.match(hit.score, "first"));
        assertEquals(
            explained.toString(),
            byDoc.get(hit.doc).score,
            explained.getValue().floatValue(),
            TOLERANCE);
      }
      for (int i = 1; i < result.scoreDocs.length; i++) {
        ScoreDoc above = result.scoreDocs[i - 1];
        ScoreDoc below = result.scoreDocs[i];
        assertTrue(
            "sorted by score, then document",
            above.score > below.score || (above.score == below.score && above.doc < below.doc));
        if (mode == FusionScoreMode.REPLACE) {
          assertFalse(
              "an untouched hit above a rescored one",
              context.isRescored(below.doc) && !context.isRescored(above.doc));
        }
      }
    }
  }

  public void testTokensOfAnUnknownSensorAreForeign() throws Exception {
    List<SensorCalibration> several =
        List.of(new SensorCalibration("s1", "s1", 1, 0), new SensorCalibration("s1", "s2", 1, 0));
    try (Index index = index(Modality.IMAGE, List.of(Content.TOKENS), false)) {
      TokenReader reader =
          new TokenReader(
              index.reader.leaves(), definition(Modality.IMAGE), several, 1, unlimited());
      ForeignTokensException e = expectThrows(ForeignTokensException.class, () -> reader.read(0));
      assertThat(e.getMessage(), containsString("their sensor is [null], one of "));
    }
  }

  public void testNothingToRescore() throws Exception {
    FusionOptions options =
        options(FusionScoreMode.REPLACE, MissingPolicy.KEEP_FIRST_PASS, FailurePolicy.FAIL);
    try (Index index = index(Modality.IMAGE, List.of(Content.NONE, Content.NONE), false)) {
      IndexSearcher searcher = new IndexSearcher(index.reader);
      TopDocs none = new TopDocs(new TotalHits(0, TotalHits.Relation.EQUAL_TO), new ScoreDoc[0]);
      assertEquals(
          0,
          FusionRescorer.INSTANCE.rescore(none, searcher, context(5, Modality.IMAGE, options))
              .scoreDocs
              .length);
      TopDocs two =
          new TopDocs(
              new TotalHits(2, TotalHits.Relation.EQUAL_TO),
              new ScoreDoc[] {new ScoreDoc(1, 3), new ScoreDoc(0, 1)});
      TopDocs result =
          FusionRescorer.INSTANCE.rescore(two, searcher, context(5, Modality.IMAGE, options));
      assertEquals(1, result.scoreDocs[0].doc);
      assertEquals(0.75f, result.scoreDocs[0].score, 1e-6f);
      assertEquals(0.5f, result.scoreDocs[1].score, 1e-6f);
      assertEquals(0, test.get().stats().get(Counter.BATCHES));
      assertEquals(2, test.get().stats().get(Counter.MISSING));
      // An index of a multi-index search that has no such field.
      result =
          FusionRescorer.INSTANCE.rescore(
              two,
              searcher,
              new FusionRescoreContext(5, "field", null, null, work(options), NO_TRAITS));
      assertEquals(1, result.scoreDocs[0].doc);
    }
  }

  public void testMissingMayFail() throws Exception {
    FusionOptions options =
        options(FusionScoreMode.TOTAL, MissingPolicy.FAIL, FailurePolicy.KEEP_FIRST_PASS);
    try (Index index = index(Modality.IMAGE, List.of(Content.NONE, Content.TOKENS), false)) {
      TopDocs two =
          new TopDocs(
              new TotalHits(2, TotalHits.Relation.EQUAL_TO),
              new ScoreDoc[] {new ScoreDoc(0, 3), new ScoreDoc(1, 1)});
      IllegalArgumentException e =
          expectThrows(
              IllegalArgumentException.class,
              () ->
                  FusionRescorer.INSTANCE.rescore(
                      two, new IndexSearcher(index.reader), context(5, Modality.IMAGE, options)));
      assertThat(e.getMessage(), containsString("1 of 2 hits in the window have no tokens"));
    }
  }

  public void testForeignAndBrokenTokensFollowThePolicy() throws Exception {
    List<Content> contents =
        List.of(Content.TOKENS, Content.FOREIGN, Content.NOT_A_NUMBER, Content.TOKENS);
    try (Index index = index(Modality.IMAGE, contents, false)) {
      TopDocs all =
          new TopDocs(
              new TotalHits(4, TotalHits.Relation.EQUAL_TO),
              new ScoreDoc[] {
                new ScoreDoc(2, 4), new ScoreDoc(1, 3), new ScoreDoc(0, 2), new ScoreDoc(3, 1)
              });
      IndexSearcher searcher = new IndexSearcher(index.reader);
      FusionRescoreContext keep =
          context(
              4,
              Modality.IMAGE,
              options(
                  FusionScoreMode.REPLACE,
                  MissingPolicy.KEEP_FIRST_PASS,
                  FailurePolicy.KEEP_FIRST_PASS));
      TopDocs kept = FusionRescorer.INSTANCE.rescore(all, searcher, keep);
      assertEquals(java.util.Set.of(0, 3), keep.getRescoredDocs());
      assertEquals("the NaN keeps its place below", 2, kept.scoreDocs[2].doc);
      assertEquals(0.8f, kept.scoreDocs[2].score, 1e-6f);
      assertEquals("so does the foreign block", 1, kept.scoreDocs[3].doc);
      assertEquals(2, test.get().stats().get(Counter.FOREIGN_TOKENS));
      assertEquals(2, test.get().stats().get(Counter.DEGRADED));

      FusionRescoreContext fail =
          context(
              4,
              Modality.IMAGE,
              options(FusionScoreMode.REPLACE, MissingPolicy.KEEP_FIRST_PASS, FailurePolicy.FAIL));
      IllegalArgumentException e =
          expectThrows(
              IllegalArgumentException.class,
              () -> FusionRescorer.INSTANCE.rescore(all, searcher, fail));
      assertThat(e.getMessage(), containsString("token space"));
    }
  }

  /** A heap of so many bytes. */
  private static final class Heap implements MemoryBudget {
    private final long limit;
    private final AtomicLong used = new AtomicLong();
    private final AtomicLong highest = new AtomicLong();

    private Heap(long limit) {
      this.limit = limit;
    }

    @Override
    public Reservation reserve(String what, long bytes) {
      if (used.get() + bytes > limit) {
        throw new InferenceException.MemoryExceeded(what, bytes, "it has " + limit, null);
      }
      highest.accumulateAndGet(used.addAndGet(bytes), Math::max);
      return () -> used.addAndGet(-bytes);
    }
  }

  public void testTheTokensOfAWindowAreUnderTheBudgetForHeap() throws Exception {
    List<Content> contents = Collections.nCopies(30, Content.TOKENS);
    try (Index index = index(Modality.IMAGE, contents, false)) {
      TopDocs all = firstPass(index);
      long block = block(index.blocks.values().iterator().next(), Content.TOKENS).length;
      long tokens = block * all.scoreDocs.length;
      for (long limit : new long[] {Long.MAX_VALUE, tokens, tokens - 1, block}) {
        Heap heap = new Heap(limit);
        test.close();
        test =
            new TestService(
                TestService.settings(createTempDir(), 100, 50, true, Duration.ZERO),
                MemoryBudget.UNLIMITED,
                heap);
        IndexSearcher searcher = new IndexSearcher(index.reader);
        FusionOptions keep =
            options(
                FusionScoreMode.REPLACE, MissingPolicy.SCORE_ZERO, FailurePolicy.KEEP_FIRST_PASS);
        FusionRescoreContext context = context(100, Modality.IMAGE, keep);
        TopDocs rescored = FusionRescorer.INSTANCE.rescore(all, searcher, context);
        boolean fits = limit >= tokens;
        assertEquals(fits ? all.scoreDocs.length : 0, context.getRescoredDocs().size());
        assertEquals(all.scoreDocs.length, rescored.scoreDocs.length);
        assertEquals(fits ? 0 : 1, test.get().stats().get(Counter.OUT_OF_MEMORY));
        assertEquals(fits ? 0 : 1, test.get().stats().get(Counter.DEGRADED));
        assertEquals("given back", 0, heap.used.get());
        assertTrue(heap.highest.get() <= limit);
        if (fits) {
          assertTrue(heap.highest.get() >= tokens);
          continue;
        }
        FusionOptions fail =
            options(FusionScoreMode.REPLACE, MissingPolicy.SCORE_ZERO, FailurePolicy.FAIL);
        OpenSearchStatusException refused =
            expectThrows(
                OpenSearchStatusException.class,
                () ->
                    FusionRescorer.INSTANCE.rescore(
                        all, searcher, context(100, Modality.IMAGE, fail)));
        assertEquals(RestStatus.TOO_MANY_REQUESTS, refused.status());
        assertThat(refused.getMessage(), containsString("a window of [100] hits"));
        assertEquals("given back", 0, heap.used.get());
      }
    }
  }

  public void testScoresThatAreNotNumbersFollowThePolicy() throws Exception {
    try (Index index = index(Modality.IMAGE, List.of(Content.TOKENS, Content.TOKENS), false)) {
      TopDocs two =
          new TopDocs(
              new TotalHits(2, TotalHits.Relation.EQUAL_TO),
              new ScoreDoc[] {new ScoreDoc(1, 3), new ScoreDoc(0, 1)});
      IndexSearcher searcher = new IndexSearcher(index.reader);
      Arrays.fill(query.values(), Float.NaN);
      TopDocs kept =
          FusionRescorer.INSTANCE.rescore(
              two,
              searcher,
              context(
                  2,
                  Modality.IMAGE,
                  options(
                      FusionScoreMode.REPLACE,
                      MissingPolicy.KEEP_FIRST_PASS,
                      FailurePolicy.KEEP_FIRST_PASS)));
      assertEquals(1, kept.scoreDocs[0].doc);
      assertEquals(0.75f, kept.scoreDocs[0].score, 1e-6f);
      assertEquals(2, test.get().stats().get(Counter.NOT_A_NUMBER));
      assertEquals(1, test.get().stats().get(Counter.DEGRADED));
      OpenSearchStatusException e =
          expectThrows(
              OpenSearchStatusException.class,
              () ->
                  FusionRescorer.INSTANCE.rescore(
                      two, searcher, context(2, Modality.IMAGE, FusionOptions.DEFAULT)));
      assertThat(e.getMessage(), containsString("2 of 2 fusion scores are not numbers"));
    }
  }

  /** The paper's two stages: its MLP filter chooses which hits of the window are fused. */
  public void testTheFilterChoosesWhatIsFused() throws Exception {
    comparesImages = false;
    Modality modality = randomFrom(Modality.values());
    try (Index index =
        index(modality, Collections.nCopies(randomIntBetween(5, 20), Content.TOKENS), false)) {
      int size = randomIntBetween(1, index.docs.size() + 3);
      FusionOptions all = options(FusionScoreMode.REPLACE, MissingPolicy.FAIL, FailurePolicy.FAIL);
      FusionOptions some =
          new FusionOptions(all.combiner(), all.missing(), all.onFailure(), null, size);
      ScoreDoc[] hits =
          index.docs.stream().map(doc -> new ScoreDoc(doc, 1)).toArray(ScoreDoc[]::new);
      TopDocs first = new TopDocs(new TotalHits(hits.length, TotalHits.Relation.EQUAL_TO), hits);
      FusionRescoreContext context = context(hits.length, modality, some);
      TopDocs result =
          FusionRescorer.INSTANCE.rescore(first, new IndexSearcher(index.reader), context);

      boolean image = modality == Modality.IMAGE;
      List<TokenBlock> blocks = index.docs.stream().map(index.blocks::get).toList();
      List<Float> logits =
          test.get()
              .scoring()
              .preRank(
                  new ScoringService.Request(
                      TestModels.ID,
                      image ? List.of(query) : blocks,
                      image ? blocks : List.of(query),
                      Deadline.none()))
              .get(60, TimeUnit.SECONDS);
      Set<Integer> passed =
          IntStream.range(0, hits.length)
              .boxed()
              .sorted(Comparator.comparingDouble(i -> -logits.get(i)))
              .limit(size)
              .map(index.docs::get)
              .collect(Collectors.toSet());
      assertEquals(passed, context.getRescoredDocs());
      for (ScoreDoc hit : result.scoreDocs) {
        float expected =
            passed.contains(hit.doc) ? 1 + probability(index.blocks.get(hit.doc), modality) : 0.5f;
        assertEquals(expected, hit.score, TOLERANCE);
      }
    }
  }

  public void testATimeoutFollowsThePolicy() throws Exception {
    try (Index index = index(Modality.IMAGE, List.of(Content.TOKENS), false)) {
      TopDocs one =
          new TopDocs(
              new TotalHits(1, TotalHits.Relation.EQUAL_TO), new ScoreDoc[] {new ScoreDoc(0, 1)});
      IndexSearcher searcher = new IndexSearcher(index.reader);
      FusionOptions hasty =
          new FusionOptions(
              FusionOptions.DEFAULT.combiner(),
              MissingPolicy.KEEP_FIRST_PASS,
              FailurePolicy.KEEP_FIRST_PASS,
              TimeValue.timeValueNanos(1),
              0);
      FusionRescoreContext context = context(1, Modality.IMAGE, hasty);
      TopDocs kept = FusionRescorer.INSTANCE.rescore(one, searcher, context);
      assertEquals(0.5f, kept.scoreDocs[0].score, 1e-6f);
      assertTrue(context.getRescoredDocs().isEmpty());
      assertEquals(1, test.get().stats().get(Counter.TIMEOUTS));
      FusionOptions strict =
          new FusionOptions(
              hasty.combiner(), hasty.missing(), FailurePolicy.FAIL, hasty.timeout(), 0);
      OpenSearchStatusException e =
          expectThrows(
              OpenSearchStatusException.class,
              () ->
                  FusionRescorer.INSTANCE.rescore(
                      one, searcher, context(1, Modality.IMAGE, strict)));
      assertEquals(RestStatus.GATEWAY_TIMEOUT, e.status());
    }
  }
}
