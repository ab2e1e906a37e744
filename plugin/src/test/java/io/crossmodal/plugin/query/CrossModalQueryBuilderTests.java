/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.instanceOf;

import io.crossmodal.plugin.MicroModelPlugin;
import io.crossmodal.plugin.TestModels;
import io.crossmodal.plugin.action.QuerySource;
import io.crossmodal.plugin.action.Sides;
import java.io.IOException;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.lucene.analysis.standard.StandardAnalyzer;
import org.apache.lucene.index.memory.MemoryIndex;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.KnnFloatVectorQuery;
import org.apache.lucene.search.MatchNoDocsQuery;
import org.apache.lucene.search.Query;
import org.opensearch.common.compress.CompressedXContent;
import org.opensearch.core.common.ParsingException;
import org.opensearch.index.mapper.MapperService;
import org.opensearch.index.query.BoolQueryBuilder;
import org.opensearch.index.query.MatchNoneQueryBuilder;
import org.opensearch.index.query.QueryBuilder;
import org.opensearch.index.query.QueryShardContext;
import org.opensearch.index.query.TermQueryBuilder;
import org.opensearch.plugins.Plugin;
import org.opensearch.test.AbstractQueryTestCase;
import org.opensearch.test.TestGeoShapeFieldMapperPlugin;

public class CrossModalQueryBuilderTests extends AbstractQueryTestCase<CrossModalQueryBuilder> {
  private static final String FIELD = "image";
  private static final int DIMENSION = TestModels.micro().manifest().config().embeddingDimension();

  @Override
  @SuppressWarnings("deprecation") // the kit's own mapping has a field of this plugin
  protected Collection<Class<? extends Plugin>> getPlugins() {
    return List.of(MicroModelPlugin.class, TestGeoShapeFieldMapperPlugin.class);
  }

  @Override
  protected void initializeAdditionalMappings(MapperService mapperService) throws IOException {
    mapperService.merge(
        "_doc",
        new CompressedXContent(
            "{\"properties\":{\"image\":{\"type\":\"cross_modal\"},"
                + "\"caption\":{\"type\":\"text\"}}}"),
        MapperService.MergeReason.MAPPING_UPDATE);
  }

  @Override
  protected CrossModalQueryBuilder doCreateTestQueryBuilder() {
    return new CrossModalQueryBuilder(
            FIELD,
            TestModels.vector(random(), DIMENSION),
            randomIntBetween(1, 100),
            randomBoolean() ? null : new TermQueryBuilder(KEYWORD_FIELD_NAME, "x"))
        // The field's embeddings are compared as they are: there is nothing to oversample.
        .with(recall(false));
  }

  private static Recall recall(boolean oversampled) {
    Integer ef = randomBoolean() ? null : (Integer) randomIntBetween(100, 10_000);
    Float oversample = !oversampled || randomBoolean() ? null : (Float) (1 + 99 * randomFloat());
    return rarely() ? new Recall(null, null, true) : new Recall(ef, oversample, false);
  }

  @Override
  protected void doAssertLuceneQuery(
      CrossModalQueryBuilder builder, Query query, QueryShardContext context) {
    KnnFloatVectorQuery knn = knn(query);
    assertEquals(FIELD, knn.getField());
    float[] target = knn.getTargetCopy();
    double squares = 0;
    for (float value : target) {
      squares += value * value;
    }
    assertEquals("unit length", 1, squares, 1e-5);
  }

  @Override
  public void testMustRewrite() throws IOException {
    QueryShardContext context = createShardContext();
    CrossModalQueryBuilder text =
        new CrossModalQueryBuilder(FIELD, new QuerySource.Text("a pond"), 3, null);
    IllegalArgumentException e =
        expectThrows(IllegalArgumentException.class, () -> text.toQuery(context));
    assertThat(e.getMessage(), containsString("query_text"));
  }

  public void testEverySideSurvivesTheWireAndJson() throws IOException {
    for (QuerySource side :
        List.of(
            new QuerySource.Text(randomAlphaOfLength(20)),
            new QuerySource.Text(randomAlphaOfLength(20), false),
            new QuerySource.Image(randomByteArrayOfLength(50), null),
            new QuerySource.Image(randomByteArrayOfLength(50), "rgb"),
            QuerySource.Image.typed(randomByteArrayOfLength(50), null, "-1.5:3000"),
            new QuerySource.Document(randomAlphaOfLength(5), null, null),
            new QuerySource.Document(randomAlphaOfLength(5), "archive", "view.image"),
            new Sides(
                List.of(
                    new Sides.Side(new QuerySource.Text("a pond", randomBoolean()), 1),
                    new Sides.Side(
                        QuerySource.Image.typed(randomByteArrayOfLength(50), "rgb", "0:3000"),
                        0.1f + randomFloat()),
                    new Sides.Side(new QuerySource.Document("7", "archive", "view.image", "r"), 2)),
                randomBoolean()
                    ? List.of()
                    : List.of(new Sides.Side(new QuerySource.Document("8", null, null), 0.5f))))) {
      CrossModalQueryBuilder query =
          new CrossModalQueryBuilder(
                  FIELD, side, 7, new MatchNoneQueryBuilder(), randomFrom(true, false, null))
              .with(recall(true));
      assertSerialization(query);
      Object parsed = parseQuery(query.toString());
      assertEquals(query, parsed);
    }
  }

  public void testDefaults() throws IOException {
    Object parsed = parseQuery("{\"cross_modal\":{\"field\":\"image\",\"query_text\":\"a pond\"}}");
    assertEquals(
        new CrossModalQueryBuilder(
            "image", new QuerySource.Text("a pond"), CrossModalQueryBuilder.DEFAULT_K, null),
        parsed);
  }

  public void testBadBodiesAreRefused() {
    assertRefused("{\"query_text\":\"x\"}", "needs [field]");
    assertRefused("{\"field\":\"image\"}", "exactly one of");
    assertRefused(
        "{\"field\":\"image\",\"query_text\":\"x\",\"query_vector\":[1]}",
        "exactly one of [query_text, query_image, query_id, query_vector, like], got [query_vector,"
            + " query_text]");
    assertRefused(
        "{\"field\":\"image\",\"query_text\":\"x\",\"query_image\":\"AAAA\"}",
        "got [query_text, query_image]");
    assertRefused("{\"field\":\"image\",\"query_text\":\" \"}", "must not be empty");
    assertRefused("{\"field\":\"image\",\"query_image\":\"%%\"}", "no base64");
    assertRefused("{\"field\":\"image\",\"query_vector\":[]}", "must not be empty");
    assertRefused("{\"field\":\"image\",\"query_vector\":[0,0]}", "must not be zero");
    assertRefused("{\"field\":\"image\",\"query_vector\":[\"NaN\",1]}", "must be finite");
    assertRefused("{\"field\":\"image\",\"query_text\":\"x\",\"k\":0}", "from 1 to 10000, got [0]");
    assertRefused("{\"field\":\"image\",\"query_text\":\"x\",\"k\":10001}", "got [10001]");
    assertRefused("{\"field\":\"image\",\"query_text\":\"x\",\"sensor\":\"rgb\"}", "[sensor]");
    assertRefused("{\"field\":\"image\",\"query_id\":\"\"}", "[query_id] must not be empty");
    assertRefused(
        "{\"field\":\"image\",\"query_id\":\"1\",\"query_text\":\"x\"}",
        "got [query_text, query_id]");
    assertRefused(
        "{\"field\":\"image\",\"query_id\":\"1\",\"sensor\":\"rgb\"}",
        "[sensor] goes with [query_image] only, got it with [query_id]");
    assertRefused(
        "{\"field\":\"image\",\"query_text\":\"x\",\"index\":\"archive\"}",
        "[index] goes with [query_id] only, got it with [query_text]");
    assertRefused(
        "{\"field\":\"image\",\"query_text\":\"x\",\"query_field\":\"other\"}",
        "[query_field] goes with [query_id] only");
    assertRefused(
        "{\"field\":\"image\",\"query_image\":\"AAAA\",\"prompt\":true}",
        "[prompt] goes with [query_text] only, got it with [query_image]");
    assertRefused(
        "{\"field\":\"image\",\"like\":[{\"id\":\"7\",\"prompt\":false}]}",
        "[like[0]]: [prompt] goes with [text] only, got it with [id]");
    assertRefused(
        "{\"field\":\"image\",\"query_vector\":[1],\"calibrate\":true}",
        "got [query_vector]: a vector has no sensor");
    assertRefused("{\"field\":\"image\",\"query_text\":\"x\",\"top\":1}", "unknown field [top]");
  }

  public void testBadRecallIsRefused() {
    for (Map.Entry<String, String> bad :
        Map.ofEntries(
                Map.entry("\"ef\":0", "[ef] must be from 1 to 10000, got [0]"),
                Map.entry("\"ef\":10001", "[ef] must be from 1 to 10000, got [10001]"),
                Map.entry("\"ef\":9", "[ef] must be at least [k], got [9] with [k] 10"),
                Map.entry("\"k\":200,\"ef\":150", "got [150] with [k] 200"),
                Map.entry("\"oversample\":0.9", "[oversample] must be from 1 to 100, got [0.9]"),
                Map.entry("\"oversample\":100.5", "from 1 to 100, got [100.5]"),
                Map.entry("\"oversample\":\"NaN\"", "from 1 to 100, got [NaN]"),
                Map.entry(
                    "\"k\":10000,\"oversample\":10.5",
                    "[k] times [oversample] must be at most 100000, got 10000 times [10.5]"),
                Map.entry("\"exact\":true,\"ef\":100", "so [ef] does not go with it"),
                Map.entry("\"exact\":true,\"oversample\":2", "so [oversample] does not go with it"),
                Map.entry("\"exact\":\"yes\"", "exact"),
                Map.entry("\"ef\":\"many\"", "ef"))
            .entrySet()) {
      assertRefused(
          "{\"field\":\"image\",\"query_text\":\"x\"," + bad.getKey() + "}", bad.getValue());
    }
    QueryShardContext context = createShardContext();
    CrossModalQueryBuilder query =
        new CrossModalQueryBuilder(FIELD, TestModels.vector(random(), DIMENSION), 1, null)
            .with(new Recall(null, 2f, false));
    assertThat(
        expectThrows(IllegalArgumentException.class, () -> query.toQuery(context)).getMessage(),
        containsString("but [vector_encoding] of [image] is [float32]: use [ef]"));
  }

  public void testRecallIsAPartOfTheQuery() throws IOException {
    CrossModalQueryBuilder query =
        new CrossModalQueryBuilder(FIELD, TestModels.vector(random(), DIMENSION), 10, null);
    Object same = query.with(Recall.DEFAULT);
    assertEquals(query, same);
    assertEquals(
        query, parseQuery(query.toString().replaceFirst("\\}\\s*\\}$", ",\"exact\":false}}")));
    QueryShardContext context = createShardContext();
    List<CrossModalQueryBuilder> others =
        List.of(
            query,
            query.with(new Recall(200, null, false)),
            query.with(new Recall(null, 3f, false)),
            query.with(new Recall(null, null, true)));
    for (int i = 0; i < others.size(); i++) {
      for (int j = 0; j < others.size(); j++) {
        Object one = others.get(i);
        Object other = others.get(j);
        assertEquals(i == j, one.equals(other));
        assertEquals(i == j, one.hashCode() == other.hashCode());
      }
    }
    assertEquals(100, knn(query.toQuery(context)).getK());
    assertEquals(200, knn(others.get(1).toQuery(context)).getK());
    assertEquals("no more than are wanted", 10, knn(others.get(3).toQuery(context)).getK());
    assertEquals(60, knn(query.with(new Recall(60, null, false)).toQuery(context)).getK());
  }

  private void assertRefused(String body, String message) {
    Exception e = expectThrows(Exception.class, () -> parseQuery("{\"cross_modal\":" + body + "}"));
    assertTrue(
        e.toString(), e instanceof ParsingException || e instanceof IllegalArgumentException);
    Throwable root = e;
    StringBuilder messages = new StringBuilder();
    while (root != null) {
      messages.append(root.getMessage()).append('\n');
      root = root.getCause();
    }
    assertThat(messages.toString(), containsString(message));
  }

  public void testWrongFieldOrLengthIsRefused() {
    QueryShardContext context = createShardContext();
    float[] vector = TestModels.vector(random(), DIMENSION);
    assertThat(
        expectThrows(
                IllegalArgumentException.class,
                () -> new CrossModalQueryBuilder("caption", vector, 1, null).toQuery(context))
            .getMessage(),
        containsString("[caption] must be of type [cross_modal], its type is [text]"));
    assertThat(
        expectThrows(
                IllegalArgumentException.class,
                () -> new CrossModalQueryBuilder("nothing", vector, 1, null).toQuery(context))
            .getMessage(),
        containsString("there is no such field"));
    assertThat(
        expectThrows(
                IllegalArgumentException.class,
                () ->
                    new CrossModalQueryBuilder(FIELD, new float[] {1, 2}, 1, null).toQuery(context))
            .getMessage(),
        containsString("must have " + DIMENSION + " values, got 2"));
  }

  public void testFilterThatMatchesNothing() throws IOException {
    Query query =
        new CrossModalQueryBuilder(
                FIELD, TestModels.vector(random(), DIMENSION), 1, new MatchNoneQueryBuilder())
            .toQuery(createShardContext());
    assertThat(knn(query).getFilter(), instanceOf(MatchNoDocsQuery.class));
  }

  private static KnnFloatVectorQuery knn(Query query) {
    assertThat(query, instanceOf(NearestDocsQuery.class));
    Query search = ((NearestDocsQuery) query).search();
    if (search instanceof NearestDocsQuery.Nearest nearest) {
      search = nearest.candidates();
    }
    assertThat(search, instanceOf(KnnFloatVectorQuery.class));
    return (KnnFloatVectorQuery) search;
  }

  public void testQueriesInOneAnotherAreCounted() {
    QueryBuilder query = new MatchNoneQueryBuilder();
    for (int depth = 1; depth <= 10; depth++) {
      query =
          new CrossModalQueryBuilder(
              FIELD,
              new QuerySource.Text("a pond"),
              1,
              randomBoolean() ? query : new BoolQueryBuilder().should(query));
    }
    QueryBuilder deepest = query;
    IllegalArgumentException e =
        expectThrows(
            IllegalArgumentException.class,
            () -> new CrossModalQueryBuilder(FIELD, new QuerySource.Text("a pond"), 1, deepest));
    assertThat(e.getMessage(), containsString("more than 10 deep"));
  }

  /** As highlighters and the percolator ask: about one document, which is in no index. */
  public void testADocumentInMemoryIsNoneOfTheNearest() throws IOException {
    MemoryIndex document = new MemoryIndex();
    document.addField("caption", "two boats", new StandardAnalyzer());
    IndexSearcher searcher = document.createSearcher();
    Query query = doCreateTestQueryBuilder().toQuery(createShardContext());
    assertSame("is nothing to highlight, and no failure", query, query.rewrite(searcher));
    IllegalArgumentException e =
        expectThrows(IllegalArgumentException.class, () -> searcher.search(query, 1));
    assertThat(e.getMessage(), containsString("cannot stand in a query of type [percolator]"));
  }
}
