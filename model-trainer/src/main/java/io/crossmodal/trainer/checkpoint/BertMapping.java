/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import io.crossmodal.model.ModelConfig;
import java.io.IOException;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * BERT by the names of Hugging Face's library (Devlin et al. 2019), of any width and depth: as
 * sections 3.1.2 and 3.2 of the paper have it, its embeddings and first layers start the text tower
 * and later ones the fusion encoder.
 */
final class BertMapping {
  static final String ROLE = "BERT";
  static final String WORD = "embeddings.word_embeddings.weight";

  /** Heads of published models by their width, of the miniatures too (Turc et al. 2019). */
  static final Map<Integer, Integer> HEADS =
      Map.of(128, 2, 256, 4, 384, 12, 512, 8, 768, 12, 1024, 16);

  private static final String LAYER = "encoder.layer.";
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

  /** Returns a BERT's tensors, whatever it is part of. */
  static TensorConsumer consumer(Checkpoint checkpoint) throws CheckpointException {
    TensorConsumer tensors = TensorConsumer.around(checkpoint, WORD);
    tensors.requireKind(ROLE, WORD);
    return tensors;
  }

  /** Returns the width of the feed-forward networks. */
  static int feedForward(TensorConsumer tensors, int otherwise) {
    return tensors.extent(LAYER + "0.intermediate.dense.weight", 0, otherwise);
  }

  /**
   * Maps a checkpoint whole, or two: the text tower takes the first layers of one, the fusion
   * encoder takes layers of the other and its masked language head. Layers that neither takes are
   * left.
   *
   * @param fusion may be {@code text}
   * @param layers what layers of {@code fusion} start those of the fusion encoder, from 0 on
   * @throws CheckpointException listing what is missing, of another shape or unknown
   */
  static List<InitialModel.ImportReport.Source> map(
      ModelConfig config, TensorConsumer text, TensorConsumer fusion, List<Integer> layers)
      throws IOException {
    new BertMapping(config, text).text();
    new BertMapping(config, fusion).fusion(layers);
    if (text == fusion) {
      return List.of(finish(text, ROLE));
    }
    text.leaveAll(HEAD, ", for another file is the fusion encoder's");
    fusion.leaveAll("embeddings.", ", for another file is the text tower's");
    return List.of(
        finish(text, ROLE + " of the text tower"), finish(fusion, ROLE + " of the fusion encoder"));
  }

  private static InitialModel.ImportReport.Source finish(TensorConsumer tensors, String role)
      throws CheckpointException {
    for (int i = 0; i < tensors.layers(LAYER); i++) {
      if (!tensors.isTaken(LAYER + i + ".attention.self.query.weight")) {
        tensors.leaveAll(LAYER + i + ".", ", a layer that is not taken");
      }
    }
    return tensors.finish(role, name -> IGNORABLE.matcher(name).matches());
  }

  private void text() {
    embeddings();
    int layers = config.text().layers();
    requireLayers(layers, "the first " + layers + " layers start the text tower");
    for (int i = 0; i < layers; i++) {
      layer("model.text.layer" + i, "attention", "norm2", i);
    }
  }

  private void fusion(List<Integer> layers) throws IOException {
    if (new HashSet<>(layers).size() != layers.size() || layers.stream().anyMatch(i -> i < 0)) {
      throw new IllegalArgumentException(
          "the fusion encoder's layers must be numbers from 0 on, each once, got " + layers);
    }
    requireLayers(
        layers.stream().mapToInt(i -> i + 1).max().orElse(0),
        "layers " + layers + " start the fusion encoder, counted from 0");
    for (int i = 0; i < layers.size(); i++) {
      layer("model.fusion.layer" + i, "self_attention", "norm3", layers.get(i));
    }
    if (tensors.hasAny(HEAD)) {
      head();
    }
  }

  private void requireLayers(int needed, String why) {
    int layers = tensors.layers(LAYER);
    if (layers < needed) {
      tensors.problem(
          "it must have at least " + needed + " layers, for " + why + "; found " + layers);
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
    String source = LAYER + index;
    if (index >= tensors.layers(LAYER)) {
      return;
    }
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
