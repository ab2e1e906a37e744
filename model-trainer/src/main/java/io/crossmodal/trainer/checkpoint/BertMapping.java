/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import io.crossmodal.model.ModelConfig;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;

/**
 * BERT by the names of Hugging Face's library (Devlin et al. 2019): sections 3.1.2 and 3.2 of the
 * paper start the text tower from its embeddings and first layers, and the fusion encoder from its
 * last.
 */
final class BertMapping {
  static final String ROLE = "BERT";

  private static final String WORD = "embeddings.word_embeddings.weight";
  private static final String HEAD = "cls.predictions.";

  /** Heads of other tasks, and buffers that old versions wrote out. */
  private static final Pattern IGNORABLE =
      Pattern.compile(
          "pooler\\.dense\\..*|cls\\.seq_relationship\\..*|classifier\\..*|qa_outputs\\..*"
              + "|embeddings\\.(position_ids|token_type_ids)");

  private final ModelConfig config;
  private final TensorConsumer tensors;

  private BertMapping(ModelConfig config, TensorConsumer tensors) {
    this.config = config;
    this.tensors = tensors;
  }

  /**
   * Maps a whole checkpoint.
   *
   * @throws CheckpointException when it is no BERT, or listing what is missing, of another shape or
   *     unknown
   */
  static InitialModel.ImportReport.Source map(ModelConfig config, TensorConsumer tensors)
      throws IOException {
    tensors.requireKind(ROLE, WORD);
    new BertMapping(config, tensors).map();
    return tensors.finish(ROLE, name -> IGNORABLE.matcher(name).matches());
  }

  private void map() throws IOException {
    embeddings();
    int text = config.text().layers();
    int fusion = config.fusionLayers();
    int layers = tensors.layers("encoder.layer.");
    if (layers != text + fusion) {
      tensors.problem(
          "it must have "
              + (text + fusion)
              + " layers, "
              + text
              + " for the text tower and "
              + fusion
              + " for the fusion encoder, found "
              + layers);
    }
    for (int i = 0; i < text; i++) {
      layer("model.text.layer" + i, "attention", "norm2", i);
    }
    for (int i = 0; i < fusion; i++) {
      layer("model.fusion.layer" + i, "self_attention", "norm3", text + i);
    }
    if (tensors.hasAny(HEAD)) {
      head();
    }
  }

  private void embeddings() {
    int h = config.hidden();
    int vocabulary = config.text().vocabularySize();
    String why = "; the rows are the lines of the vocabulary, which must be this checkpoint's own";
    if (tensors.want(WORD, why, vocabulary, h)) {
      tensors.put("model.text.word", new long[] {vocabulary, h}, tensors.get(WORD)::values);
    }
    String position = "embeddings.position_embeddings.weight";
    String type = "embeddings.token_type_embeddings.weight";
    int tokens = config.text().maxTokens();
    boolean positions = tensors.want(position, "", -tokens, h);
    if (tensors.want(type, "", -1, h) && positions) {
      // BERT adds word, position and token type. Our texts are always its first segment, so row 0
      // of the token types goes to every token, and can as well be part of each position: the sum
      // is the same, and the text tower needs no token types.
      tensors.put(
          "model.text.position",
          new long[] {tokens, h},
          () -> {
            float[] rows = Arrays.copyOf(tensors.get(position).values(), tokens * h);
            float[] first = tensors.get(type).values();
            for (int i = 0; i < rows.length; i++) {
              rows[i] += first[i % h];
            }
            return rows;
          });
    }
    tensors.layerNorm("model.text.norm", "embeddings.LayerNorm", h);
  }

  /**
   * Maps a layer. The paper's fusion layer is BERT's with a cross-attention between attention and
   * feed-forward.
   */
  private void layer(String target, String attention, String lastNorm, int index) {
    String source = "encoder.layer." + index;
    int h = config.hidden();
    tensors.attention(
        target + "." + attention,
        List.of(
            source + ".attention.self.query",
            source + ".attention.self.key",
            source + ".attention.self.value",
            source + ".attention.output.dense"),
        h);
    tensors.layerNorm(target + ".norm1", source + ".attention.output.LayerNorm", h);
    int f = config.feedForward();
    tensors.linear(target + ".feed_forward.inner", source + ".intermediate.dense", h, f);
    tensors.linear(target + ".feed_forward.outer", source + ".output.dense", f, h);
    tensors.layerNorm(target + "." + lastNorm, source + ".output.LayerNorm", h);
  }

  private void head() throws IOException {
    int h = config.hidden();
    tensors.linear("mlm.dense", HEAD + "transform.dense", h, h);
    tensors.layerNorm("mlm.norm", HEAD + "transform.LayerNorm", h);
    // Both names are one tensor, and so are the two weights: a file may hold either or both.
    String bias = HEAD + "bias";
    String decoderBias = HEAD + "decoder.bias";
    boolean own = tensors.has(bias) || !tensors.has(decoderBias);
    tensors.copy("mlm.bias", own ? bias : decoderBias, config.text().vocabularySize());
    tensors.leave(decoderBias, same(bias, decoderBias));
    tensors.leave(HEAD + "decoder.weight", same(WORD, HEAD + "decoder.weight"));
  }

  private String same(String used, String twin) throws IOException {
    boolean comparable =
        tensors.has(used)
            && tensors.has(twin)
            && tensors.get(used).type().readable()
            && tensors.get(twin).type().readable();
    return comparable && !tensors.same(used, twin)
        ? " (differs from " + used + ", which the model shares with it)"
        : " (the same as " + used + ")";
  }
}
