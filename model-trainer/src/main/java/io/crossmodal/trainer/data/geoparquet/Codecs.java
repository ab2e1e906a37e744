/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.geoparquet;

import io.airlift.compress.Decompressor;
import io.airlift.compress.lz4.Lz4Decompressor;
import io.airlift.compress.snappy.SnappyDecompressor;
import io.airlift.compress.zstd.ZstdDecompressor;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.zip.GZIPInputStream;
import org.apache.parquet.bytes.BytesInput;
import org.apache.parquet.compression.CompressionCodecFactory;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;

/** Unpacks what other tools have compressed, without Hadoop's codecs. */
final class Codecs implements CompressionCodecFactory {
  @FunctionalInterface
  private interface Unpacking {
    byte[] unpack(byte[] packed, int size) throws IOException;
  }

  /** Unpacks pages of one kind. */
  private record Unpacker(Unpacking unpacking) implements BytesInputDecompressor {
    @Override
    public BytesInput decompress(BytesInput bytes, int size) throws IOException {
      return BytesInput.from(unpacking.unpack(bytes.toInputStream().readAllBytes(), size));
    }

    @Override
    public void decompress(ByteBuffer input, int packed, ByteBuffer output, int size)
        throws IOException {
      byte[] bytes = new byte[packed];
      input.get(bytes);
      output.put(unpacking.unpack(bytes, size));
    }

    @Override
    public void release() {}
  }

  @Override
  public BytesInputCompressor getCompressor(CompressionCodecName codec) {
    throw new UnsupportedOperationException("nothing is compressed");
  }

  @Override
  public BytesInputDecompressor getDecompressor(CompressionCodecName codec) {
    return switch (codec) {
      case UNCOMPRESSED -> new Unpacker((packed, size) -> packed);
      case SNAPPY -> new Unpacker((packed, size) -> unpack(new SnappyDecompressor(), packed, size));
      case ZSTD -> new Unpacker((packed, size) -> unpack(new ZstdDecompressor(), packed, size));
      case LZ4_RAW -> new Unpacker((packed, size) -> unpack(new Lz4Decompressor(), packed, size));
      case GZIP ->
          new Unpacker(
              (packed, size) -> {
                try (GZIPInputStream in = new GZIPInputStream(new ByteArrayInputStream(packed))) {
                  return in.readNBytes(size);
                }
              });
      default ->
          throw new IllegalArgumentException(
              "it is compressed by "
                  + codec
                  + ", which is not read; SNAPPY, ZSTD, GZIP, LZ4_RAW and uncompressed files are");
    };
  }

  private static byte[] unpack(Decompressor codec, byte[] packed, int size) {
    byte[] bytes = new byte[size];
    codec.decompress(packed, 0, packed.length, bytes, 0, size);
    return bytes;
  }

  @Override
  public void release() {}
}
