/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.TextConfig;
import io.crossmodal.model.TransformerConfig;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.trainer.checkpoint.InitialModel.ImportReport;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * A whole CLIP (Radford et al. 2021) by the names of OpenCLIP, which are OpenAI's, or of Hugging
 * Face's {@code CLIPModel}: a vision transformer, a causal text tower, and the projections of both.
 */
final class ClipMapping {
  static final String ROLE = "CLIP";

  private static final String SENSOR = "rgb";
  private static final String IMAGE = "model.image_" + SENSOR;
  private static final String TEXT = "model.text";

  /** One tensor that tells whose names they are. */
  private static final String OPEN_CLIP = "visual.class_embedding";

  private static final String HUGGING_FACE = "vision_model.embeddings.class_embedding";

  private static final String WORDS = "token_embedding.weight";
  private static final String OWN_TEXT = "text.";

  /** Buffers, and numbers that OpenAI's state dictionaries hold. */
  private static final Pattern IGNORABLE =
      Pattern.compile(
          "(.*\\.)?(position_ids|attn_mask)|input_resolution|context_length|vocab_size");

  /** Other models by the beginning of a name that only they have. */
  private static final Map<String, String> OTHERS = new LinkedHashMap<>();

  static {
    OTHERS.put("logit_bias", "a SigLIP, whose score has a bias");
    OTHERS.put("vision_model.head.", "a SigLIP, whose image tower ends in an attention");
    OTHERS.put("text_decoder.", "a CoCa, which has a decoder of captions");
    OTHERS.put("visual.trunk.", "of an image tower of timm, such as EVA's or SigLIP's");
    OTHERS.put("visual.blocks.", "of an EVA's image tower");
    OTHERS.put("image_encoder.model.", "a MobileCLIP");
    OTHERS.put("visual.layer1.", "of a ResNet's image tower");
    OTHERS.put("visual.attnpool.", "of a ResNet's image tower");
    OTHERS.put("visual.attn_pool.", "of an image tower that pools by attention, as CoCa's");
    OTHERS.put("bert.", "a Chinese-CLIP, whose text tower is a BERT");
    OTHERS.put(
        "text_model.encoder.layer.", "of a BERT as the text tower, as Chinese-CLIP's or ALIGN's");
    OTHERS.put("vision_model.encoder.blocks.", "an ALIGN, whose image tower is an EfficientNet");
    OTHERS.put("vision_model.pooler.", "of an image tower that is no CLIP's");
    OTHERS.put("positional_embedding_res", "a Long-CLIP, which has two tables of positions");
    OTHERS.put(
        "image_backbone.",
        "a training checkpoint of GeoRSCLIP's code, before its convert_weight.py");
    OTHERS.put("text.cls_emb", "of a text tower with a class token, as CoCa's");
    OTHERS.put("text.transformer.encoder.", "of a text tower of another library");
    OTHERS.put("text.transformer.embeddings.", "of a text tower of another library");
    OTHERS.put(OWN_TEXT, "of a text tower of another kind than CLIP's");
  }

  /** Heads of an image tower by its width, of those published that are not 64 wide each. */
  private static final Map<Integer, Integer> HEADS = Map.of(1280, 16, 1408, 16, 1664, 16);

  private static final int HEAD_WIDTH = 64;
  private static final double EPSILON = 1e-5;

  private final TensorConsumer tensors;
  private final boolean open;

  /** Before names of OpenCLIP's text tower: where it is a module of its own, {@code text.}. */
  private final String text;

  private ClipMapping(TensorConsumer tensors) {
    this.tensors = tensors;
    this.open = tensors.has(OPEN_CLIP);
    this.text = open && tensors.has(OWN_TEXT + WORDS) ? OWN_TEXT : "";
  }

  /**
   * A CLIP as a model without a fusion encoder.
   *
   * @param tensors by the names of the training module, {@code model.text.word} and so on; all that
   *     the model has
   * @param source what was taken and left
   * @param guesses what the checkpoint does not say and was assumed, for people
   */
  record Clip(
      ModelConfig config,
      Map<String, LazyTensor> tensors,
      ImportReport.Source source,
      List<String> guesses) {

    /**
     * Returns the same whose patches' tokens are made otherwise, which takes no other weights.
     *
     * @param byValuePath see {@link TransformerConfig#valuePath}
     * @param grid see {@link TransformerConfig#tokenGrid}
     */
    Clip withPatches(boolean byValuePath, Integer grid) {
      ImageTowerConfig own = config.image();
      ImageTowerConfig other =
          ImageTowerConfig.clip(
              own.patch(), own.layers(), own.transformer().withPatches(byValuePath, grid));
      Double epsilon = own.layerNormEpsilon();
      return new Clip(
          config.withImage(epsilon == null ? other : other.withLayerNormEpsilon(epsilon)),
          tensors,
          source,
          guesses);
    }

    /** Returns the model's weights; each is read when it is asked for. */
    Weights weights() {
      return (name, init, shape) -> {
        try {
          return ScriptTensor.parameter(tensors.get("model." + name).values(), shape);
        } catch (IOException e) {
          throw new UncheckedIOException(source.file(), e);
        }
      };
    }
  }

  /** Returns whether a checkpoint has the tensor that every CLIP of a vision transformer has. */
  static boolean isClip(Checkpoint checkpoint) {
    return checkpoint.tensors().keySet().stream()
        .anyMatch(name -> name.endsWith(OPEN_CLIP) || name.endsWith(HUGGING_FACE));
  }

  /** Returns whether its tensors have Hugging Face's names. */
  static boolean isHuggingFace(Checkpoint checkpoint) {
    return checkpoint.tensors().keySet().stream().anyMatch(name -> name.endsWith(HUGGING_FACE));
  }

  /**
   * Maps a checkpoint.
   *
   * @throws CheckpointException when it is another model, naming which; when something that the
   *     shapes do not tell is not said; when what is said contradicts the shapes; or listing what
   *     is missing, of another shape or unknown
   */
  static Clip read(Checkpoint checkpoint, ClipDetails details) throws CheckpointException {
    TensorConsumer tensors = TensorConsumer.around(checkpoint, OPEN_CLIP, HUGGING_FACE);
    for (Map.Entry<String, String> other : OTHERS.entrySet()) {
      boolean own = other.getKey().equals(OWN_TEXT) && tensors.has(OWN_TEXT + WORDS);
      if (!own && tensors.hasAny(other.getKey())) {
        throw new CheckpointException(
            String.format(
                Locale.ROOT,
                "%s is %s (it has %s...); a CLIP of a vision transformer and its own text tower is"
                    + " read, such as ViT-B-32: take that kind of the same family",
                checkpoint.file(),
                other.getValue(),
                other.getKey()));
      }
    }
    ClipMapping mapping = new ClipMapping(tensors);
    if (!mapping.open) {
      tensors.requireKind(ROLE, HUGGING_FACE);
    }
    List<String> guesses = new ArrayList<>();
    ModelConfig config = mapping.config(details, guesses);
    mapping.image(config);
    mapping.text(config);
    mapping.logitScale();
    ImportReport.Source source = tensors.finish(ROLE, name -> IGNORABLE.matcher(name).matches());
    Map<String, LazyTensor> taken = new LinkedHashMap<>(tensors.taken());
    CheckpointImport.identities(config, taken);
    if (!CheckpointImport.anew(config, taken).equals(List.of("mlm"))) {
      throw new IllegalStateException("not mapped: " + CheckpointImport.anew(config, taken));
    }
    return new Clip(config, taken, source, List.copyOf(guesses));
  }

  private String name(String openClip, String huggingFace) {
    return open ? openClip : huggingFace;
  }

  private String layers(boolean image) {
    return image
        ? name("visual.transformer.resblocks.", "vision_model.encoder.layers.")
        : name(text + "transformer.resblocks.", "text_model.encoder.layers.");
  }

  private String patch() {
    return name("visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight");
  }

  private String imagePositions() {
    return name("visual.positional_embedding", "vision_model.embeddings.position_embedding.weight");
  }

  private String words() {
    return name(text + WORDS, "text_model.embeddings.token_embedding.weight");
  }

  private String textPositions() {
    return name(text + "positional_embedding", "text_model.embeddings.position_embedding.weight");
  }

  private int feedForward(boolean image) {
    return tensors.extent(layers(image) + "0." + name("mlp.c_fc", "mlp.fc1") + ".weight", 0, 0);
  }

  /**
   * Returns the shape: widths, depths, sides and lengths by the tensors, the rest as it is said.
   */
  private ModelConfig config(ClipDetails details, List<String> guesses) throws CheckpointException {
    int joint =
        open
            ? tensors.extent(text + "text_projection", 1, 0)
            : tensors.extent("text_projection.weight", 0, 0);
    int patch = tensors.extent(patch(), 3, 0);
    int grid = (int) Math.round(Math.sqrt(Math.max(0, tensors.extent(imagePositions(), 0, 0) - 1)));
    Map<String, Integer> found = new LinkedHashMap<>();
    found.put("joint", joint);
    found.put("image.width", tensors.extent(patch(), 0, 0));
    found.put("image.layers", tensors.layers(layers(true)));
    found.put("image.patch", patch);
    found.put("image.side", (int) Math.min((long) grid * patch, Integer.MAX_VALUE));
    found.put("text.width", tensors.extent(words(), 1, 0));
    found.put("text.layers", tensors.layers(layers(false)));
    found.put("text.context", tensors.extent(textPositions(), 0, 0));
    found.put("text.vocabulary", tensors.extent(words(), 0, 0));
    List<String> contradictions = details.contradictions(found);
    if (!contradictions.isEmpty()) {
      throw new CheckpointException(
          tensors.file() + " and its config, or what --arch names, are of two models:",
          contradictions);
    }
    try {
      TransformerConfig image =
          transformer("image", details.image(), true, found.get("image.width"), guesses);
      TransformerConfig text =
          transformer("text", details.text(), false, found.get("text.width"), guesses);
      double epsilon = epsilon(details.text());
      ImageTowerConfig tower = ImageTowerConfig.clip(patch, found.get("image.layers"), image);
      double own = epsilon(details.image());
      return ModelConfig.ofTowers(
          joint,
          epsilon,
          new TextConfig(
              found.get("text.vocabulary"),
              found.get("text.context"),
              found.get("text.layers"),
              TextConfig.Kind.CLIP,
              text),
          own == epsilon ? tower : tower.withLayerNormEpsilon(own),
          List.of(details.pixels().sensor(SENSOR, found.get("image.side"))));
    } catch (IllegalArgumentException e) {
      throw new CheckpointException(
          tensors.file() + " makes no model of CLIP's towers: " + e.getMessage(), e);
    }
  }

  private static double epsilon(ClipDetails.Tower tower) {
    return tower.epsilon() == null ? EPSILON : tower.epsilon();
  }

  private TransformerConfig transformer(
      String name, ClipDetails.Tower said, boolean image, int width, List<String> guesses)
      throws CheckpointException {
    if (said.activation() == null) {
      throw new CheckpointException(
          tensors.file()
              + " does not say what activation its "
              + name
              + " tower was trained with, and no tensor tells: name it with --activation,"
              + " quick_gelu for OpenAI's weights and those trained from them in that way, gelu for"
              + " others of OpenCLIP's, or name the model with --arch");
    }
    Integer heads = said.heads();
    if (heads == null) {
      heads = image ? HEADS.get(width) : null;
      if (heads == null && width % HEAD_WIDTH == 0) {
        heads = width / HEAD_WIDTH;
      }
      if (heads == null) {
        throw new CheckpointException(
            String.format(
                Locale.ROOT,
                "%s does not say how many heads its %s tower has, which is %d wide, and no model"
                    + " of that width is known: name the model or its config's file with --arch",
                tensors.file(),
                name,
                width));
      }
      guesses.add(
          String.format(
              Locale.ROOT,
              "the %s tower, %d wide, is taken to have %d heads, as published models have",
              name,
              width,
              heads));
    }
    return new TransformerConfig(width, heads, feedForward(image), said.activation());
  }

  private void image(ModelConfig config) {
    TransformerConfig shape = config.image().transformer();
    int w = shape.width();
    int p = config.image().patch();
    int grid = config.image().gridSide(config.sensors().get(0).imageSize());
    int m = 1 + grid * grid;
    tensors.copy(IMAGE + ".patch_weight", patch(), w, 3, p, p);
    tensors.reshaped(IMAGE + ".cls", new long[] {1, 1, w}, name(OPEN_CLIP, HUGGING_FACE), w);
    tensors.reshaped(IMAGE + ".position", new long[] {1, m, w}, imagePositions(), m, w);
    // The misspelling is the library's.
    tensors.layerNorm(IMAGE + ".first", name("visual.ln_pre", "vision_model.pre_layrnorm"), w);
    layers(IMAGE, true, config.image().layers(), shape);
    tensors.layerNorm(IMAGE + ".last", name("visual.ln_post", "vision_model.post_layernorm"), w);
    projection(IMAGE, "visual.proj", "visual_projection.weight", w, config.hidden());
  }

  private void text(ModelConfig config) {
    TransformerConfig shape = config.text().transformer();
    int w = shape.width();
    tensors.copy(TEXT + ".word", words(), config.text().vocabularySize(), w);
    tensors.copy(TEXT + ".position", textPositions(), config.text().maxTokens(), w);
    layers(TEXT, false, config.text().layers(), shape);
    tensors.layerNorm(TEXT + ".last", name(text + "ln_final", "text_model.final_layer_norm"), w);
    projection(TEXT, text + "text_projection", "text_projection.weight", w, config.hidden());
  }

  private void layers(String tower, boolean image, int count, TransformerConfig shape) {
    int w = shape.width();
    int f = shape.feedForward();
    for (int i = 0; i < count; i++) {
      String target = tower + ".layer" + i;
      String source = layers(image) + i + ".";
      tensors.layerNorm(target + ".norm1", source + name("ln_1", "layer_norm1"), w);
      if (open) {
        String attention = source + "attn.";
        tensors.queryKeyValue(
            target + ".attention", attention + "in_proj_weight", attention + "in_proj_bias", w);
        tensors.linear(target + ".attention.output", attention + "out_proj", w, w);
      } else {
        String attention = source + "self_attn.";
        tensors.attention(
            target + ".attention",
            List.of(
                attention + "q_proj",
                attention + "k_proj",
                attention + "v_proj",
                attention + "out_proj"),
            w);
      }
      tensors.layerNorm(target + ".norm2", source + name("ln_2", "layer_norm2"), w);
      tensors.linear(target + ".feed_forward.inner", source + name("mlp.c_fc", "mlp.fc1"), w, f);
      tensors.linear(target + ".feed_forward.outer", source + name("mlp.c_proj", "mlp.fc2"), f, w);
    }
  }

  /** OpenCLIP multiplies by a matrix (W, H), Hugging Face has a linear layer without bias. */
  private void projection(String tower, String openClip, String huggingFace, int w, int h) {
    if (open) {
      tensors.transposed(tower + ".project", openClip, w, h);
    } else {
      tensors.copy(tower + ".project", huggingFace, h, w);
    }
  }

  private void logitScale() {
    LazyTensor scale = tensors.get("logit_scale");
    long[] shape = scale != null && scale.shape().size() == 1 ? new long[] {1} : new long[0];
    tensors.reshaped("model.filter.log_scale", new long[] {1}, "logit_scale", shape);
  }
}
