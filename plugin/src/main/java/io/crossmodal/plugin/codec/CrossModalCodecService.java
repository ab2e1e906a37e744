/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.codec;

import io.crossmodal.plugin.mapper.CrossModalFieldType;
import java.util.Locale;
import org.apache.logging.log4j.Logger;
import org.apache.lucene.codecs.Codec;
import org.apache.lucene.codecs.KnnVectorsFormat;
import org.apache.lucene.codecs.lucene104.Lucene104Codec;
import org.opensearch.index.codec.CodecService;
import org.opensearch.index.codec.CodecServiceConfig;
import org.opensearch.index.codec.PerFieldMappingPostingFormatCodec;
import org.opensearch.index.mapper.MapperService;

/** Chooses the vectors' format per field; everything else is the index's usual codec. */
public final class CrossModalCodecService extends CodecService {
  private final MapperService mappers;
  private final Logger logger;

  public CrossModalCodecService(CodecServiceConfig config) {
    super(
        config.getMapperService(),
        config.getIndexSettings(),
        config.getLogger(),
        config.getAdditionalCodecs());
    this.mappers = config.getMapperService();
    this.logger = config.getLogger();
  }

  /**
   * @throws IllegalArgumentException for an {@code index.codec} whose vectors we could not set
   */
  @Override
  public Codec codec(String name) {
    if (mappers == null) {
      return super.codec(name);
    }
    return switch (name) {
      case DEFAULT_CODEC, LZ4 -> new GraphCodec(Lucene104Codec.Mode.BEST_SPEED, mappers, logger);
      case BEST_COMPRESSION_CODEC, ZLIB ->
          new GraphCodec(Lucene104Codec.Mode.BEST_COMPRESSION, mappers, logger);
      default ->
          throw new IllegalArgumentException(
              String.format(
                  Locale.ROOT,
                  "[index.codec: %s] does not go with [index.cross_modal: true], use %s or %s",
                  name,
                  DEFAULT_CODEC,
                  BEST_COMPRESSION_CODEC));
    };
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
