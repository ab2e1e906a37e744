/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.plugin.action.QuerySource;
import io.crossmodal.plugin.rescore.FusionOptions.FailurePolicy;
import io.crossmodal.plugin.rescore.FusionOptions.FusionScoreMode;
import io.crossmodal.plugin.rescore.FusionOptions.MissingPolicy;
import java.io.IOException;
import java.util.List;
import org.opensearch.ExceptionsHelper;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.common.xcontent.json.JsonXContent;
import org.opensearch.core.ParseField;
import org.opensearch.core.common.ParsingException;
import org.opensearch.core.common.io.stream.Writeable;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.xcontent.NamedXContentRegistry;
import org.opensearch.core.xcontent.XContentParser;
import org.opensearch.search.rescore.RescorerBuilder;
import org.opensearch.test.AbstractWireSerializingTestCase;

public class FusionRescorerBuilderTests
    extends AbstractWireSerializingTestCase<FusionRescorerBuilder> {
  @Override
  protected Writeable.Reader<FusionRescorerBuilder> instanceReader() {
    return FusionRescorerBuilder::new;
  }

  @Override
  protected FusionRescorerBuilder createTestInstance() {
    FusionRescorerBuilder builder = fromRequest();
    return switch (randomInt(4)) {
      case 0 -> builder.reported();
      case 1 -> builder.deferred(randomIntBetween(1, 500));
      case 2 -> builder.forScoring(randomIntBetween(1, 500)).reported();
      case 3 -> builder.forPreRanking(randomIntBetween(1, 500));
      default -> builder;
    };
  }

  @Override
  protected FusionRescorerBuilder mutateInstance(FusionRescorerBuilder builder) {
    return builder.isDeferred()
        ? builder.forPreRanking(builder.windowSize())
        : builder.deferred(builder.windowSize() == null ? 7 : builder.windowSize());
  }

  /** As a request may say it. */
  private FusionRescorerBuilder fromRequest() {
    FusionScoreMode mode = randomFrom(FusionScoreMode.values());
    boolean weights = mode != FusionScoreMode.REPLACE;
    FusionRescorerBuilder builder =
        new FusionRescorerBuilder(
            randomAlphaOfLength(5),
            randomBoolean()
                ? new QuerySource.Text(randomAlphaOfLength(9), randomBoolean())
                : new QuerySource.Image(randomByteArrayOfLength(9), randomBoolean() ? null : "rgb"),
            new FusionOptions(
                new ScoreCombiner(mode, weights ? randomFloat() : 1, weights ? randomFloat() : 1),
                randomFrom(MissingPolicy.values()),
                randomFrom(FailurePolicy.values()),
                randomBoolean() ? null : TimeValue.timeValueMillis(randomIntBetween(1, 500)),
                randomIntBetween(0, 3),
                new Selection(
                    randomBoolean() ? 0 : randomFloat(),
                    randomBoolean() ? null : randomAlphaOfLength(4),
                    weights || randomBoolean() ? null : (Float) randomFloat())),
            randomFrom(true, false, null));
    return randomBoolean() ? builder : builder.windowSize(randomIntBetween(1, 500));
  }

  @Override
  protected NamedXContentRegistry xContentRegistry() {
    return new NamedXContentRegistry(
        List.of(
            new NamedXContentRegistry.Entry(
                RescorerBuilder.class,
                new ParseField(FusionRescorerBuilder.NAME),
                FusionRescorerBuilder::fromXContent)));
  }

  // An Object, for Error Prone takes a builder's type parameter for another type.
  private Object parse(String json) throws IOException {
    try (XContentParser parser = createParser(JsonXContent.jsonXContent, json)) {
      parser.nextToken();
      return RescorerBuilder.parseFromXContent(parser);
    }
  }

  public void testSurvivesJson() throws IOException {
    for (int i = 0; i < 20; i++) {
      FusionRescorerBuilder builder = fromRequest();
      assertEquals(builder, parse(builder.toString()));
    }
  }

  public void testDefaults() throws IOException {
    assertEquals(
        new FusionRescorerBuilder("image", new QuerySource.Text("a pond"), FusionOptions.DEFAULT),
        parse("{\"fusion\":{\"field\":\"image\",\"query_text\":\"a pond\"}}"));
  }

  /** Of several sides the text of the largest weight, and who asked is told. */
  public void testSeveralSidesAreReadAsOne() throws IOException {
    assertEquals(
        new FusionRescorerBuilder("image", new QuerySource.Text("a road"), FusionOptions.DEFAULT),
        parse(
            "{\"fusion\":{\"field\":\"image\",\"like\":[{\"id\":\"7\",\"weight\":9},"
                + "{\"text\":\"a pond\"},{\"text\":\"a road\",\"weight\":2}],"
                + "\"unlike\":[{\"id\":\"8\"}]}}"));
    assertWarnings(
        "[fusion] reads one side, here the text [a road]; the other sides have no part in p");
    assertEquals(
        new FusionRescorerBuilder(
            "image", new QuerySource.Document("7", null, null), FusionOptions.DEFAULT),
        parse("{\"fusion\":{\"field\":\"image\",\"like\":[{\"id\":\"7\"}]}}"));
  }

  public void testBadBodiesAreRefused() {
    assertRefused(
        "{\"field\":\"f\",\"query_text\":\"x\",\"min_p\":2}", "[min_p] must be from 0 to 1");
    assertRefused(
        "{\"field\":\"f\",\"query_text\":\"x\",\"diversity\":-1}",
        "[diversity] must be from 0 to 1");
    assertRefused(
        "{\"field\":\"f\",\"query_text\":\"x\",\"group\":\"\"}", "[group] must name a field");
    assertRefused("{\"query_text\":\"x\"}", "needs [field]");
    assertRefused(
        "{\"field\":\"f\"}", "exactly one of [query_text, query_image, query_id, like], got []");
    assertRefused(
        "{\"field\":\"f\",\"query_text\":\"x\",\"query_image\":\"AAAA\"}",
        "got [query_text, query_image]");
    assertRefused("{\"field\":\"f\",\"query_vector\":[1]}", "unknown field [query_vector]");
    assertRefused(
        "{\"field\":\"f\",\"query_text\":\"x\",\"score_mode\":\"sum\"}",
        "one of [replace, total, multiply, avg, max, min], got [sum]");
    assertRefused(
        "{\"field\":\"f\",\"query_text\":\"x\",\"missing\":\"drop\"}",
        "[keep_first_pass, score_zero, fail]");
    assertRefused(
        "{\"field\":\"f\",\"query_text\":\"x\",\"on_failure\":\"drop\"}",
        "[keep_first_pass, fail]");
    assertRefused(
        "{\"field\":\"f\",\"query_text\":\"x\",\"query_weight\":-1,\"score_mode\":\"avg\"}",
        "[query_weight] must be finite and at least 0");
    assertRefused("{\"field\":\"f\",\"query_text\":\"x\",\"query_weight\":2}", "no effect");
    assertRefused("{\"field\":\"f\",\"query_text\":\"x\",\"filter_size\":-1}", "[filter_size]");
    assertRefused("{\"field\":\"f\",\"query_text\":\"x\",\"timeout\":\"0ms\"}", "above 0");
    assertRefused("{\"field\":\"f\",\"query_text\":\"x\",\"timeout\":\"soon\"}", "timeout");
    assertRefused(
        "{\"field\":\"f\",\"query_text\":\"x\",\"query_weight\":\"NaN\",\"score_mode\":\"avg\"}",
        "[query_weight] must be finite");
    assertRefused(
        "{\"field\":\"f\",\"query_text\":\"x\",\"rescore_query_weight\":1e39,\"score_mode\":\"avg\"}",
        "[rescore_query_weight] must be finite");
    assertRefused(
        "{\"field\":\"f\",\"query_text\":\"x\",\"filter_size\":2147483648}", "filter_size");
  }

  public void testAWindowHasHits() {
    for (String size : List.of("-1", "0", "-2147483648", "2147483648", "\"many\"")) {
      Exception e =
          expectThrows(
              Exception.class,
              () ->
                  parse(
                      "{\"window_size\":"
                          + size
                          + ",\"fusion\":{\"field\":\"f\",\"query_text\":\"x\"}}"));
      assertEquals(size + ": " + e, RestStatus.BAD_REQUEST, ExceptionsHelper.status(e));
    }
  }

  private void assertRefused(String body, String message) {
    Exception e = expectThrows(Exception.class, () -> parse("{\"fusion\":" + body + "}"));
    assertTrue(
        e.toString(), e instanceof ParsingException || e instanceof IllegalArgumentException);
    StringBuilder messages = new StringBuilder();
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      messages.append(cause.getMessage()).append('\n');
    }
    assertThat(messages.toString(), containsString(message));
  }
}
