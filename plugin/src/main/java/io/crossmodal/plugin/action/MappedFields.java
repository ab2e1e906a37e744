/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.action;

import io.crossmodal.plugin.mapper.MappingFields;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import org.opensearch.cluster.metadata.IndexMetadata;
import org.opensearch.cluster.metadata.MappingMetadata;
import org.opensearch.common.cache.Cache;
import org.opensearch.common.cache.CacheBuilder;
import org.opensearch.common.compress.CompressedXContent;

/**
 * Finds fields in the mappings of the cluster state. They lie there compressed and are parsed
 * whole, so what was found is kept: a search names the same few fields in all of its indices, query
 * and rescorer each. Thread-safe.
 */
final class MappedFields {
  private static final long MOST_BYTES = 10 << 20;

  /** By content: indices of one template share an entry, and a changed mapping has another one. */
  private record Key(CompressedXContent mapping, String path) {}

  private final Cache<Key, Optional<MappingFields.Field>> found =
      CacheBuilder.<Key, Optional<MappingFields.Field>>builder()
          .setMaximumWeight(MOST_BYTES)
          .weigher((key, node) -> key.mapping.compressed().length)
          .build();

  /**
   * Finds one field.
   *
   * @param index null, as for one that is gone, has no fields
   * @param path full name of a field, or of an alias of one
   * @return null where there is no such field
   */
  MappingFields.Field find(IndexMetadata index, String path) {
    MappingMetadata mapping = index == null ? null : index.mapping();
    if (mapping == null) {
      return null;
    }
    try {
      return found
          .computeIfAbsent(
              new Key(mapping.source(), path),
              key -> Optional.ofNullable(MappingFields.find(mapping.sourceAsMap(), path)))
          .orElse(null);
    } catch (ExecutionException e) {
      throw new IllegalStateException("the mapping of " + index.getIndex() + " is unreadable", e);
    }
  }
}
