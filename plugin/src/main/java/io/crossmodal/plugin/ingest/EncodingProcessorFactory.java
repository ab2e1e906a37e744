/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.ingest;

import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.plugin.inference.encoding.EncodingService;
import io.crossmodal.plugin.mapper.CrossModalFieldMapper;
import io.crossmodal.plugin.mapper.FieldDefinition;
import io.crossmodal.plugin.mapper.MappingFields;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.opensearch.common.util.concurrent.ThreadContext;
import org.opensearch.ingest.AbstractBatchingSystemProcessor;
import org.opensearch.plugins.IngestPlugin.SystemIngestPipelineConfigKeys;

/** Makes an {@link EncodingProcessor} for an index whose mapping, or template, has our fields. */
public final class EncodingProcessorFactory extends AbstractBatchingSystemProcessor.Factory {
  private final ModelCatalog catalog;
  private final Supplier<EncodingService> encoding;
  private final DecodingBudget budget;
  private final ThreadContext threadContext;

  /**
   * @param budget of the node
   */
  public EncodingProcessorFactory(
      ModelCatalog catalog,
      Supplier<EncodingService> encoding,
      DecodingBudget budget,
      ThreadContext threadContext) {
    super(EncodingProcessor.TYPE);
    this.catalog = catalog;
    this.encoding = encoding;
    this.budget = budget;
    this.threadContext = threadContext;
  }

  /**
   * @return null where there is nothing to encode, so that other indices pay nothing
   */
  @Override
  protected AbstractBatchingSystemProcessor newProcessor(
      String tag, String description, Map<String, Object> config) {
    Map<String, FieldDefinition> fields = new LinkedHashMap<>();
    collect(config.get(SystemIngestPipelineConfigKeys.INDEX_MAPPINGS), fields);
    Object templates = config.get(SystemIngestPipelineConfigKeys.INDEX_TEMPLATE_MAPPINGS);
    if (templates instanceof List<?> list) {
      // Later templates override earlier ones.
      list.forEach(mapping -> collect(mapping, fields));
    }
    return fields.isEmpty()
        ? null
        : new EncodingProcessor(
            tag, description, List.copyOf(fields.values()), encoding, budget, threadContext);
  }

  @SuppressWarnings("unchecked") // the keys of JSON objects are strings
  private void collect(Object mapping, Map<String, FieldDefinition> fields) {
    if (mapping instanceof Map<?, ?> map) {
      MappingFields.visit(
          (Map<String, Object>) map,
          (path, node) -> {
            fields.remove(path);
            if (CrossModalFieldMapper.TYPE.equals(node.get("type"))) {
              FieldDefinition field = definition(path, node);
              if (field != null) {
                fields.put(path, field);
              }
            }
          });
    }
  }

  /**
   * Returns null for a model unknown here: a failure would hit all documents of a bulk, not this
   * field's.
   */
  private FieldDefinition definition(String path, Map<String, Object> node) {
    return node.containsKey("spaces") || catalog.has(FieldDefinition.modelId(node, catalog))
        ? FieldDefinition.of(path, node, catalog)
        : null;
  }
}
