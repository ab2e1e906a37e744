/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.ext;

import static org.hamcrest.Matchers.containsString;

import java.io.IOException;
import java.util.List;
import org.opensearch.common.xcontent.json.JsonXContent;
import org.opensearch.core.ParseField;
import org.opensearch.core.common.ParsingException;
import org.opensearch.core.common.io.stream.Writeable;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.xcontent.NamedXContentRegistry;
import org.opensearch.core.xcontent.XContentParser;
import org.opensearch.search.SearchExtBuilder;
import org.opensearch.search.builder.SearchSourceBuilder;
import org.opensearch.test.AbstractWireSerializingTestCase;

public class CrossModalExtBuilderTests
    extends AbstractWireSerializingTestCase<CrossModalExtBuilder> {
  @Override
  protected Writeable.Reader<CrossModalExtBuilder> instanceReader() {
    return CrossModalExtBuilder::new;
  }

  @Override
  protected CrossModalExtBuilder createTestInstance() {
    CrossModalExtBuilder builder =
        new CrossModalExtBuilder(
            randomBoolean(), randomBoolean(), randomBoolean() ? 0 : randomIntBetween(1, 500));
    return randomBoolean() ? builder : builder.onTheGround(randomAlphaOfLength(4));
  }

  @Override
  protected CrossModalExtBuilder mutateInstance(CrossModalExtBuilder builder) {
    boolean details = builder.details();
    boolean heatMap = builder.heatMap();
    int window = builder.globalWindow();
    if (builder.footprint().isPresent()) {
      return randomBoolean()
          ? new CrossModalExtBuilder(details, heatMap, window)
          : builder.onTheGround(builder.footprint().get() + "2");
    }
    return switch (randomInt(3)) {
      case 0 -> new CrossModalExtBuilder(!details, heatMap, window);
      case 1 -> new CrossModalExtBuilder(details, !heatMap, window);
      case 2 -> builder.onTheGround("footprint");
      default -> new CrossModalExtBuilder(details, heatMap, window + 1);
    };
  }

  @Override
  protected NamedXContentRegistry xContentRegistry() {
    return new NamedXContentRegistry(
        List.of(
            new NamedXContentRegistry.Entry(
                SearchExtBuilder.class,
                new ParseField(CrossModalExtBuilder.NAME),
                CrossModalExtBuilder::fromXContent)));
  }

  private List<SearchExtBuilder> parse(String search) throws IOException {
    try (XContentParser parser = createParser(JsonXContent.jsonXContent, search)) {
      return SearchSourceBuilder.fromXContent(parser).ext();
    }
  }

  public void testSurvivesJson() throws IOException {
    CrossModalExtBuilder builder = createTestInstance();
    assertEquals(
        List.of(builder), parse(new SearchSourceBuilder().ext(List.of(builder)).toString()));
  }

  public void testDefaults() throws IOException {
    assertEquals(
        List.of(new CrossModalExtBuilder(false, false, 0)),
        parse("{\"ext\":{\"cross_modal\":{}}}"));
    assertEquals(
        List.of(new CrossModalExtBuilder(false, true, 0)),
        parse("{\"ext\":{\"cross_modal\":{\"heat_map\":true}}}"));
    assertEquals(
        List.of(new CrossModalExtBuilder(false, true, 0).onTheGround("footprint")),
        parse("{\"ext\":{\"cross_modal\":{\"heat_map\":\"geo\"}}}"));
    assertEquals(
        List.of(new CrossModalExtBuilder(false, false, 128)),
        parse("{\"ext\":{\"cross_modal\":{\"global_window\":128}}}"));
  }

  public void testBadRequestsAreRefused() {
    assertRefused(
        "{\"detail\":true}",
        "[ext.cross_modal] has no [detail], it takes [details, heat_map, global_window,"
            + " footprint]");
    assertRefused("{\"details\":\"yes\"}", "[details] must be true or false, got [yes]");
    assertRefused("{\"details\":\"true\"}", "[details] must be true or false, got [true]");
    assertRefused("{\"heat_map\":1}", "[heat_map] must be true, false or [geo], got [1]");
    assertRefused("{\"heat_map\":null}", "[heat_map] must be true, false or [geo], got [null]");
    assertRefused(
        "{\"heat_map\":[true]}", "[heat_map] must be true, false or [geo], got [an array]");
    assertRefused("{\"heat_map\":\"map\"}", "must be true, false or [geo], got [map]");
    assertRefused(
        "{\"heat_map\":true,\"footprint\":\"f\"}", "[footprint] goes with [heat_map: geo] only");
    assertRefused(
        "{\"heat_map\":\"geo\",\"footprint\":1}", "[footprint] must name a field, got [1]");
    assertRefused("{\"details\":{}}", "[details] must be true or false, got [an object]");
    assertRefused(
        "{\"global_window\":0}", "[global_window] must be a whole number from 1, got [0]");
    assertRefused("{\"global_window\":1.5}", "got [1.5]");
    assertRefused("{\"global_window\":\"10\"}", "got [10]");
    assertRefused("{\"global_window\":99999999999}", "got [99999999999]");
    assertRefused(
        "true", "must be an object of [details, heat_map, global_window, footprint], got [true]");
    assertRefused(
        "[]", "must be an object of [details, heat_map, global_window, footprint], got [an array]");
  }

  private void assertRefused(String part, String message) {
    ParsingException e =
        expectThrows(
            ParsingException.class, () -> parse("{\"ext\":{\"cross_modal\":" + part + "}}"));
    assertEquals(RestStatus.BAD_REQUEST, e.status());
    assertThat(e.getMessage(), containsString(message));
  }
}
