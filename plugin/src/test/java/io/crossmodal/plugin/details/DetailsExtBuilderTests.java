/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.details;

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

public class DetailsExtBuilderTests extends AbstractWireSerializingTestCase<DetailsExtBuilder> {
  @Override
  protected Writeable.Reader<DetailsExtBuilder> instanceReader() {
    return DetailsExtBuilder::new;
  }

  @Override
  protected DetailsExtBuilder createTestInstance() {
    return new DetailsExtBuilder(randomBoolean(), randomBoolean());
  }

  @Override
  protected DetailsExtBuilder mutateInstance(DetailsExtBuilder builder) {
    return randomBoolean()
        ? new DetailsExtBuilder(!builder.details(), builder.heatMap())
        : new DetailsExtBuilder(builder.details(), !builder.heatMap());
  }

  @Override
  protected NamedXContentRegistry xContentRegistry() {
    return new NamedXContentRegistry(
        List.of(
            new NamedXContentRegistry.Entry(
                SearchExtBuilder.class,
                new ParseField(DetailsExtBuilder.NAME),
                DetailsExtBuilder::fromXContent)));
  }

  private List<SearchExtBuilder> parse(String search) throws IOException {
    try (XContentParser parser = createParser(JsonXContent.jsonXContent, search)) {
      return SearchSourceBuilder.fromXContent(parser).ext();
    }
  }

  public void testSurvivesJson() throws IOException {
    DetailsExtBuilder builder = createTestInstance();
    assertEquals(
        List.of(builder), parse(new SearchSourceBuilder().ext(List.of(builder)).toString()));
  }

  public void testDefaults() throws IOException {
    assertEquals(
        List.of(new DetailsExtBuilder(false, false)), parse("{\"ext\":{\"cross_modal\":{}}}"));
    assertEquals(
        List.of(new DetailsExtBuilder(false, true)),
        parse("{\"ext\":{\"cross_modal\":{\"heat_map\":true}}}"));
  }

  public void testBadRequestsAreRefused() {
    assertRefused(
        "{\"detail\":true}", "[ext.cross_modal] has no [detail], it takes [details, heat_map]");
    assertRefused("{\"details\":\"yes\"}", "[details] must be true or false, got [yes]");
    assertRefused("{\"details\":\"true\"}", "[details] must be true or false, got [true]");
    assertRefused("{\"heat_map\":1}", "[heat_map] must be true or false, got [1]");
    assertRefused("{\"heat_map\":null}", "[heat_map] must be true or false, got [null]");
    assertRefused("{\"heat_map\":[true]}", "[heat_map] must be true or false, got [an array]");
    assertRefused("{\"details\":{}}", "[details] must be true or false, got [an object]");
    assertRefused("true", "must be an object of [details, heat_map], got [true]");
    assertRefused("[]", "must be an object of [details, heat_map], got [an array]");
  }

  private void assertRefused(String part, String message) {
    ParsingException e =
        expectThrows(
            ParsingException.class, () -> parse("{\"ext\":{\"cross_modal\":" + part + "}}"));
    assertEquals(RestStatus.BAD_REQUEST, e.status());
    assertThat(e.getMessage(), containsString(message));
  }
}
