/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.mapper;

import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.plugin.inference.scoring.ScoringService;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;
import org.opensearch.cluster.metadata.MappingMetadata;
import org.opensearch.index.mapper.Mapper;
import org.opensearch.index.mapper.MapperParsingException;
import org.opensearch.index.mapper.MapperService;

/** Makes mappers whose models come from this node's catalog. */
public final class CrossModalTypeParser implements Mapper.TypeParser {
  private final ModelCatalog catalog;
  private final Supplier<ScoringService> scoring;

  /**
   * @param scoring asked at search time only: mappings are parsed before the node has one
   */
  public CrossModalTypeParser(ModelCatalog catalog, Supplier<ScoringService> scoring) {
    this.catalog = catalog;
    this.scoring = scoring;
  }

  @Override
  public CrossModalFieldMapper.Builder parse(
      String name, Map<String, Object> node, ParserContext context) {
    if (context.isWithinMultiField()) {
      throw new MapperParsingException(
          String.format(
              Locale.ROOT,
              "field [%s] of type [%s] cannot stand in the [fields] of another field, whose value"
                  + " comes too late to be encoded: map it as a field of its own and send the"
                  + " value there too",
              name,
              CrossModalFieldMapper.TYPE));
    }
    for (String refused : List.of("fields", "copy_to")) {
      if (node.containsKey(refused)) {
        throw new MapperParsingException(
            String.format(
                Locale.ROOT,
                "field [%s] of type [%s] does not take [%s]",
                name,
                CrossModalFieldMapper.TYPE,
                refused));
      }
    }
    CrossModalFieldMapper.Builder builder =
        new CrossModalFieldMapper.Builder(
            name, catalog, scoring, path -> isMapped(context.mapperService(), path));
    builder.parse(name, context, node);
    return builder;
  }

  /** Returns whether the index has the field, so that its mapping is read and not made. */
  private static boolean isMapped(MapperService mappers, String path) {
    MappingMetadata mapping =
        mappers == null ? null : mappers.getIndexSettings().getIndexMetadata().mapping();
    MappingFields.Field field =
        mapping == null ? null : MappingFields.find(mapping.sourceAsMap(), path);
    return field != null && CrossModalFieldMapper.TYPE.equals(field.type());
  }
}
