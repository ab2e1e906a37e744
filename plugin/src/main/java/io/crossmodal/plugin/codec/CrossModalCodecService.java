/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.codec;

import io.crossmodal.plugin.mapper.CrossModalFieldMapper;
import io.crossmodal.plugin.mapper.CrossModalFieldType;
import io.crossmodal.plugin.mapper.MappingFields;
import io.crossmodal.plugin.settings.CrossModalSettings;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.apache.lucene.codecs.Codec;
import org.apache.lucene.codecs.KnnVectorsFormat;
import org.apache.lucene.codecs.lucene104.Lucene104Codec;
import org.opensearch.cluster.metadata.IndexMetadata;
import org.opensearch.cluster.metadata.MappingMetadata;
import org.opensearch.common.settings.Settings;
import org.opensearch.index.IndexSettings;
import org.opensearch.index.codec.CodecService;
import org.opensearch.index.codec.CodecServiceConfig;
import org.opensearch.index.codec.PerFieldMappingPostingFormatCodec;
import org.opensearch.index.engine.EngineConfig;
import org.opensearch.index.mapper.MappedFieldType;
import org.opensearch.index.mapper.MapperService;

/**
 * The codec of an index: keeps what vectors and doc values hold out of stored sources, and builds
 * the graph of each {@code cross_modal} field as its mapping says.
 */
public final class CrossModalCodecService extends CodecService {
  private static final Logger LOGGER = LogManager.getLogger(CrossModalCodecService.class);

  private final boolean explicit;
  private final MapperService mappers;
  private final Logger logger;

  public CrossModalCodecService(CodecServiceConfig config) {
    super(
        config.getMapperService(),
        config.getIndexSettings(),
        config.getLogger(),
        config.getAdditionalCodecs());
    this.explicit =
        CrossModalSettings.indexCrossModal(config.getIndexSettings().getSettings()).orElse(false);
    this.mappers = config.getMapperService();
    this.logger = config.getLogger();
  }

  /**
   * Returns whether this service chooses an index's codec: as the setting says, and without it, if
   * the mapping has a {@code cross_modal} field and no other plugin chooses. Called when a node
   * opens the index, so a field added to an open index counts from the next time on; all segments
   * stay readable either way.
   *
   * @throws IllegalArgumentException where the settings name this plugin's codec and another's
   */
  public static boolean serves(IndexSettings index) {
    Settings settings = index.getSettings();
    List<String> others =
        CrossModalSettings.OTHER_CODECS.get(index.getNodeSettings()).stream()
            .filter(key -> !settings.get(key, "false").equals("false"))
            .toList();
    Optional<Boolean> asked = CrossModalSettings.indexCrossModal(settings);
    if (asked.isPresent()) {
      if (asked.get() && !others.isEmpty()) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT,
                "[index.cross_modal: true] does not go with [%s], for one plugin writes the"
                    + " segments of an index: leave out [index.cross_modal], and embeddings and"
                    + " tokens stay in the documents' sources as well, or keep the other plugin's"
                    + " fields in another index",
                others.get(0)));
      }
      return asked.get();
    }
    MappingMetadata mapping = index.getIndexMetadata().mapping();
    boolean mapped =
        mapping != null && MappingFields.has(mapping.sourceAsMap(), CrossModalFieldMapper.TYPE);
    // What is split, shrunk or cloned gets its mapping after it is opened.
    if (!mapped && !IndexMetadata.INDEX_RESIZE_SOURCE_UUID.exists(settings)) {
      return false;
    }
    // An index takes one service. Other plugins have theirs, those for other compressions too.
    String codec = index.getValue(EngineConfig.INDEX_CODEC_SETTING);
    boolean free = CrossModalSettings.CODECS.contains(codec) && others.isEmpty();
    if (mapped && !free) {
      LOGGER.warn(
          "index [{}] has a codec of its own, by {}: its documents keep embeddings and tokens in"
              + " their sources as well",
          index.getIndex().getName(),
          others.isEmpty() ? "[index.codec: " + codec + "]" : others);
    }
    return free;
  }

  /**
   * Returns the codec of a name in {@code index.codec}.
   *
   * @throws IllegalArgumentException for one that this plugin's codec does not go with
   */
  @Override
  public Codec codec(String name) {
    if (mappers == null || !ours()) {
      return super.codec(name);
    }
    CrossModalSettings.checkCodec(name);
    if (mappers.isCompositeIndexPresent()) {
      throw new IllegalArgumentException(
          "a star tree does not go with [index.cross_modal: true]: create the index without one of"
              + " them");
    }
    Lucene104Codec.Mode mode =
        name.equals(DEFAULT_CODEC) || name.equals(LZ4)
            ? Lucene104Codec.Mode.BEST_SPEED
            : Lucene104Codec.Mode.BEST_COMPRESSION;
    return new CrossModalCodec(new GraphCodec(mode, mappers, logger));
  }

  private boolean ours() {
    if (explicit) {
      return true;
    }
    // Star trees have a codec of their own.
    if (!mappers.isCompositeIndexPresent()) {
      for (MappedFieldType field : mappers.fieldTypes()) {
        if (field instanceof CrossModalFieldType) {
          return true;
        }
      }
    }
    return false;
  }

  private static final class GraphCodec extends PerFieldMappingPostingFormatCodec {
    private final MapperService mappers;

    private GraphCodec(Lucene104Codec.Mode mode, MapperService mappers, Logger logger) {
      super(mode, mappers, logger);
      this.mappers = mappers;
    }

    @Override
    public KnnVectorsFormat getKnnVectorsFormatForField(String field) {
      return mappers.fieldType(field) instanceof CrossModalFieldType type
          ? type.hnsw().format()
          : super.getKnnVectorsFormatForField(field);
    }
  }
}
