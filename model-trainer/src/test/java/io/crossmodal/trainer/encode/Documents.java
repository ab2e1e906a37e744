/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import com.google.gson.JsonObject;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.trainer.encode.DocumentFormat.Document;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/** Documents of the smallest model, with random numbers in them. */
final class Documents {
  static final ModelManifest MODEL = TestBundles.random("micro", ModelConfig.micro(), 7).manifest();
  static final DocumentFormat FORMAT =
      new DocumentFormat("image", "rgb", MODEL, TokenForm.INT8, true);

  private Documents() {}

  static List<Document> some(int count, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    ModelConfig config = MODEL.config();
    int tokens = config.imageTokens(config.sensor("rgb"));
    return IntStream.range(0, count)
        .mapToObj(
            i -> {
              String digest =
                  ContentId.digest("rgb", List.of(new byte[] {(byte) i, (byte) (i >> 8)}));
              SourceImage image =
                  SourceImage.of(i + ".png", Path.of(i + ".png"), List.of(), Optional.empty());
              return new Document(
                  ContentId.document("image", digest),
                  ContentId.shortened(i + ".png"),
                  new PictureFile(image, "rgb"),
                  new Encodable.Facts(
                      digest, digest, Optional.empty(), Optional.empty(), Optional.empty(), ""),
                  new Encoding(
                      new TokenBlock(tokens, config.hidden(), values(random, tokens * 16)),
                      values(random, config.embeddingDimension())));
            })
        .toList();
  }

  /** Returns the embedding of a field's value, as lines hold it. */
  static float[] embedding(JsonObject value) {
    byte[] bytes = Base64.getDecoder().decode(value.get("embedding").getAsString());
    float[] embedding = new float[bytes.length / Float.BYTES];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(embedding);
    return embedding;
  }

  private static float[] values(SplittableRandom random, int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }
}
