/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.model.torchscript.Weights.Init;
import io.crossmodal.trainer.checkpoint.CheckpointFiles.Precision;
import io.crossmodal.trainer.train.MicroTraining;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class CheckpointImportTest {
  private static final long SEED = MicroTraining.seed();
  private static final double TOLERANCE = 1e-4;
  private static final List<String> TEXTS = List.of("a", "b cd", "the quick fox of a zoo, jumped");

  @TempDir Path folder;

  /** Pairs of files as they are published. */
  private enum Published {
    /** bert-base-uncased and google/vit as safetensors. */
    HUGGING_FACE("bert.", true, "vit."),
    /** A fine-tuned BertModel, and a ViTModel. */
    BARE("", false, ""),
    /** pytorch_model.bin, deit_base_patch16_224.pth. */
    TORCH("bert.", true, null),
    /** A DataParallel training checkpoint, and timm's own. */
    TRAINING("", false, null);

    private final String bertPrefix;
    private final boolean old;
    private final String vitPrefix;

    Published(String bertPrefix, boolean old, String vitPrefix) {
      this.bertPrefix = bertPrefix;
      this.old = old;
      this.vitPrefix = vitPrefix;
    }

    Tensors bert(long seed) {
      return SmallImport.bert(seed, bertPrefix, old, this != BARE);
    }

    Tensors vision(long seed) {
      return vitPrefix == null ? SmallImport.timm(seed) : SmallImport.vit(seed, vitPrefix);
    }

    Path bertFile(Path folder, Tensors bert) throws IOException {
      Path file = folder.resolve("bert");
      if (this == TORCH) {
        return CheckpointFiles.torchZip(file, bert, Precision.F32, null);
      }
      if (this == TRAINING) {
        Tensors parallel = new Tensors(0);
        bert.byName.forEach((name, tensor) -> parallel.byName.put("module." + name, tensor));
        return CheckpointFiles.torchZip(file, parallel, Precision.F32, "state_dict");
      }
      Precision precision = this == BARE ? Precision.BF16 : Precision.F32;
      precision.round(bert);
      return CheckpointFiles.safetensors(file, bert, precision);
    }

    Path visionFile(Path folder, Tensors vision) throws IOException {
      Path file = folder.resolve("vision");
      Precision precision = this == BARE || this == TRAINING ? Precision.F16 : Precision.F32;
      if (precision == Precision.F16) {
        precision.round(vision);
      }
      return this == TORCH
          ? CheckpointFiles.torchZip(file, vision, precision, "model")
          : CheckpointFiles.safetensors(file, vision, precision);
    }
  }

  private static Weights model(Weights start) {
    return (name, init, shape) -> start.get("model." + name, init, shape);
  }

  private static FusionModel load(InitialModel initial, Path folder) throws Exception {
    StateDict state =
        StateDict.of(MtgfeArchitecture.build(initial.config(), model(initial.start(SEED))));
    ModelBundle bundle =
        ModelBundle.of(
            "imported",
            initial.config(),
            initial.vocabulary(),
            state,
            Calibration.NONE,
            new ModelManifest.Training("none", SEED, 0, "test"),
            List.of());
    return FusionModel.load(bundle, folder);
  }

  private static void assertRows(double[][] expected, TokenBlock found, String what) {
    assertEquals(expected.length, found.count(), what);
    for (int n = 0; n < expected.length; n++) {
      for (int j = 0; j < expected[n].length; j++) {
        assertEquals(
            expected[n][j],
            found.values()[n * found.hidden() + j],
            TOLERANCE,
            what + " row " + n + " column " + j);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Published.class)
  void computesWhatItsCheckpointsDo(Published published) throws Exception {
    Tensors bert = published.bert(SEED);
    Tensors vision = published.vision(SEED + 1);
    InitialModel initial =
        SmallImport.run(
            published.bertFile(folder, bert),
            published.visionFile(folder, vision),
            folder.resolve("out"));
    boolean timm = published.vitPrefix == null;
    assertEquals(timm ? 1e-6 : 1e-12, initial.config().imageLayerNormEpsilon());
    assertEquals(1e-12, initial.config().layerNormEpsilon());
    PlainTransformer text = new PlainTransformer(bert, SmallImport.HEADS, 1e-12);
    PlainTransformer image = new PlainTransformer(vision, SmallImport.HEADS, timm ? 1e-6 : 1e-12);
    try (FusionModel model = load(initial, folder)) {
      List<TokenizedText> tokenized =
          TEXTS.stream().map(model.bundle().tokenizer()::tokenize).toList();
      List<Encoding> texts = model.encodeTexts(tokenized);
      List<double[][]> textTokens = new ArrayList<>();
      for (int i = 0; i < TEXTS.size(); i++) {
        double[][] x = text.bertEmbeddings(published.bertPrefix, tokenized.get(i).ids());
        for (int layer = 0; layer < initial.config().text().layers(); layer++) {
          x = text.bertLayer(published.bertPrefix, layer, x, Function.identity());
        }
        assertRows(x, texts.get(i).tokens(), TEXTS.get(i));
        textTokens.add(x);
      }
      float[] pixels = pixels();
      Encoding encoded =
          model.encodeImages("rgb", List.of(new PixelTensor(3, SmallImport.SIDE, pixels))).get(0);
      double[][] patches =
          timm
              ? image.timm(SmallImport.IMAGE_LAYERS, pixels, SmallImport.SIDE)
              : image.vit(published.vitPrefix, SmallImport.IMAGE_LAYERS, pixels, SmallImport.SIDE);
      assertRows(patches, encoded.tokens(), "image");

      PairLogits logits =
          model.score(texts.stream().map(Encoding::tokens).toList(), List.of(encoded.tokens()));
      for (int i = 0; i < TEXTS.size(); i++) {
        double expected = fuse(published, initial, text, textTokens.get(i), patches);
        assertEquals(expected, logits.itm()[i], TOLERANCE, TEXTS.get(i));
      }
    }
  }

  private static float[] pixels() {
    RandomGenerator random = new SplittableRandom(SEED + 2);
    float[] pixels = new float[3 * SmallImport.SIDE * SmallImport.SIDE];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (float) random.nextGaussian();
    }
    return pixels;
  }

  /** BERT's last layers with the fresh cross-attention between, then the fresh matching head. */
  private static double fuse(
      Published published,
      InitialModel initial,
      PlainTransformer bert,
      double[][] text,
      double[][] image) {
    ModelConfig config = initial.config();
    Weights random = Weights.random(SEED);
    Tensors fresh = new Tensors(0);
    MtgfeArchitecture.build(
        config,
        (name, init, shape) -> {
          ScriptTensor tensor = random.get("model." + name, init, shape);
          fresh.byName.put(name, new Tensors.Tensor(tensor.values(), shape));
          return tensor;
        });
    PlainTransformer own = new PlainTransformer(fresh, SmallImport.HEADS, 1e-12);
    double[][] u = text;
    for (int i = 0; i < config.fusionLayers(); i++) {
      String layer = "fusion.layer" + i + ".";
      u =
          bert.bertLayer(
              published.bertPrefix,
              config.text().layers() + i,
              u,
              x -> {
                double[][] z =
                    own.attend(
                        own.linear(layer + "cross_attention.query", x),
                        own.linear(layer + "cross_attention.key", image),
                        own.linear(layer + "cross_attention.value", image));
                return own.norm(
                    layer + "norm2",
                    PlainTransformer.plus(x, own.linear(layer + "cross_attention.output", z)));
              });
    }
    double[] itm = own.linear("itm", new double[][] {u[0]})[0];
    return itm[1] - itm[0];
  }

  @Test
  void reportsWhatItTookAndWhatStartsAnew() throws Exception {
    Tensors bert = SmallImport.bert(SEED, "bert.", false, true);
    bert.add("bert.embeddings.position_ids", 0, 0, 1, SmallImport.POSITIONS);
    InitialModel initial =
        SmallImport.run(
            CheckpointFiles.safetensors(folder.resolve("bert"), bert, Precision.F32),
            CheckpointFiles.safetensors(
                folder.resolve("vit"), SmallImport.vit(SEED, "vit."), Precision.F32),
            folder.resolve("out"));
    InitialModel.ImportReport report = initial.origin();
    assertEquals(
        List.of(
            "bert.embeddings.position_ids",
            "bert.pooler.dense.bias",
            "bert.pooler.dense.weight",
            "cls.predictions.decoder.weight (the same as embeddings.word_embeddings.weight)",
            "cls.seq_relationship.bias",
            "cls.seq_relationship.weight"),
        report.sources().get(0).unused());
    assertEquals(List.of("classifier.bias", "classifier.weight"), report.sources().get(1).unused());
    // 3 embeddings and a norm; 16 tensors a layer; the head's dense, norm and bias.
    assertEquals(5 + 4 * 16 + 5, report.sources().get(0).tensors());
    assertEquals(4 + 3 * 16 + 2, report.sources().get(1).tensors());
    for (String name : report.anew()) {
      assertTrue(
          name.matches(
              "model\\.(fusion\\.layer\\d\\.(cross_attention\\..*|norm2\\.(weight|bias))"
                  + "|itm\\..*|filter\\..*)"),
          name);
    }
    assertEquals(2 * 10 + 2 + 5, report.anew().size());
    String text = report.toString();
    assertTrue(text.contains("BERT bert: 74 tensors"), text);
    assertTrue(text.contains("model.fusion.layer*.cross_attention.query (4)"), text);
    assertTrue(text.contains("model.filter.log_scale (1)"), text);
    assertFalse(text.contains("mlm"), text);
  }

  @Test
  void theMaskedLanguageHeadIsBertsWhereThereIsOne() throws Exception {
    Tensors bert = SmallImport.bert(SEED, "bert.", true, true);
    // Newer versions write the bias under its other name as well, or alone.
    bert.byName.put("cls.predictions.decoder.bias", bert.byName.remove("cls.predictions.bias"));
    bert.add("cls.predictions.decoder.weight", 0, 1, 58, 24);
    Path vit =
        CheckpointFiles.safetensors(
            folder.resolve("vit"), SmallImport.vit(SEED, ""), Precision.F32);
    InitialModel initial =
        SmallImport.run(
            CheckpointFiles.safetensors(folder.resolve("bert"), bert, Precision.F32),
            vit,
            folder.resolve("out"));
    Weights start = initial.start(SEED);
    Init init = Init.constant(0);
    assertArrayEquals(
        bert.get("cls.predictions.transform.dense.weight").values(),
        start.get("mlm.dense.weight", init, 24, 24).values());
    assertArrayEquals(
        bert.get("cls.predictions.transform.dense.bias").values(),
        start.get("mlm.dense.bias", init, 24).values());
    assertArrayEquals(
        bert.get("cls.predictions.transform.LayerNorm.gamma").values(),
        start.get("mlm.norm.weight", init, 24).values());
    assertArrayEquals(
        bert.get("cls.predictions.transform.LayerNorm.beta").values(),
        start.get("mlm.norm.bias", init, 24).values());
    assertArrayEquals(
        bert.get("cls.predictions.decoder.bias").values(),
        start.get("mlm.bias", init, 58).values());
    assertTrue(
        initial.origin().sources().get(0).unused().toString().contains("decoder.weight (differs"),
        initial.origin().toString());

    InitialModel without =
        SmallImport.run(
            CheckpointFiles.safetensors(
                folder.resolve("bert"), SmallImport.bert(SEED, "", false, false), Precision.F32),
            vit,
            folder.resolve("out"));
    assertTrue(without.origin().anew().contains("mlm"), without.origin().toString());
    assertEquals(
        7f, without.start(SEED).get("mlm.bias", Init.constant(7), 58).values()[0], "fresh");
  }

  @Test
  void everyTensorMustBeTaken() throws Exception {
    InitialModel initial = SmallImport.write(folder, SEED);
    InitialModel.Start start = initial.start(SEED);
    MtgfeArchitecture.build(initial.config(), model(start));
    String message =
        assertThrows(IllegalArgumentException.class, start::requireAllTaken).getMessage();
    assertTrue(message.contains("mlm.dense.weight") && !message.contains("model."), message);
    message =
        assertThrows(
                IllegalArgumentException.class,
                () -> start.get("model.text.word", Init.constant(0), 3, 24))
            .getMessage();
    assertTrue(message.contains("model.text.word must be [3, 24], found [58, 24]"), message);
  }

  // The folder.

  @Test
  void theFolderReadsBackAndNoticesAnyChange() throws Exception {
    InitialModel written = SmallImport.write(folder, SEED);
    Path out = folder.resolve("initial");
    InitialModel read = InitialModel.read(out);
    assertEquals(written.config(), read.config());
    assertEquals(SmallImport.vocabulary(), read.vocabulary());
    assertEquals(written.sha256(), read.sha256());
    assertEquals(written.origin().anew(), read.origin().anew());
    assertNotEquals(
        written.sha256(), SmallImport.write(folder.resolve("other"), SEED + 1).sha256());
    assertEquals(written.sha256(), SmallImport.write(folder.resolve("copy"), SEED).sha256());

    for (String part : List.of("weights.safetensors", "vocab.txt")) {
      byte[] whole = Files.readAllBytes(out.resolve(part));
      byte[] damaged = whole.clone();
      damaged[whole.length - 2] ^= 1;
      Files.write(out.resolve(part), damaged);
      assertRefused(() -> InitialModel.read(out), part, "SHA-256", "import again");
      Files.write(out.resolve(part), whole);
    }
    Path json = out.resolve("config.json");
    String whole = Files.readString(json);
    for (String broken :
        List.of(
            "",
            "{",
            "[]",
            whole.replace("\"format_version\": 1", "\"format_version\": 2"),
            whole.replace("\"weights_sha256\"", "\"other\""),
            whole.replace("\"hidden\": 24", "\"hidden\": 25"))) {
      Files.writeString(json, broken);
      assertRefused(() -> InitialModel.read(out), "config.json");
    }
    Files.delete(json);
    assertThrows(IOException.class, () -> InitialModel.read(out));
  }

  // What is refused.

  private interface Action {
    void run() throws Exception;
  }

  private static String assertRefused(Action action, String... parts) {
    String message = assertThrows(CheckpointException.class, action::run).getMessage();
    for (String part : parts) {
      assertTrue(message.contains(part), message);
    }
    return message;
  }

  private String assertImportRefused(Tensors bert, Tensors vision, String... parts)
      throws IOException {
    Path bertFile = CheckpointFiles.safetensors(folder.resolve("bert"), bert, Precision.F32);
    Path visionFile = CheckpointFiles.safetensors(folder.resolve("vit"), vision, Precision.F32);
    Path out = folder.resolve("refused");
    String message = assertRefused(() -> SmallImport.run(bertFile, visionFile, out), parts);
    assertFalse(Files.exists(out.resolve("config.json")));
    return message;
  }

  private static Tensors bert() {
    return SmallImport.bert(SEED, "bert.", false, true);
  }

  private static Tensors vit() {
    return SmallImport.vit(SEED, "vit.");
  }

  @Test
  void listsEverythingMissingMisshapenOrUnknown() throws Exception {
    Tensors bert = bert();
    bert.byName.remove("bert.encoder.layer.1.output.dense.bias");
    bert.byName.remove("cls.predictions.bias");
    bert.add("bert.encoder.layer.2.attention.self.key.weight", 0, 1, 24, 12);
    bert.add("bert.encoder.layer.0.adapter.weight", 0, 1, 2, 2);
    bert.add("bert.encoder.layer.0.adapter.bias", 0, 1, 2);
    String message =
        assertImportRefused(
            bert,
            vit(),
            folder.resolve("bert").toString(),
            "5 problems",
            "encoder.layer.1.output.dense.bias is missing",
            "cls.predictions.bias is missing",
            "bert.encoder.layer.2.attention.self.key.weight must be [24, 24], found [24, 12]",
            "bert.encoder.layer.0.adapter.weight is unknown",
            "bert.encoder.layer.0.adapter.bias is unknown");
    assertEquals(6, message.lines().count(), message);

    Tensors vision = SmallImport.timm(SEED);
    vision.byName.remove("norm.weight");
    vision.byName.remove("norm.bias");
    vision.add("fc_norm.weight", 1, 0, 24);
    vision.add("blocks.1.ls1.gamma", 1, 0, 24);
    vision.add("blocks.2.attn.qkv.bias", 1, 0, 24);
    assertImportRefused(
        bert(),
        vision,
        "vision transformer",
        "5 problems",
        "norm.weight is missing",
        "norm.bias is missing",
        "fc_norm.weight is unknown",
        "blocks.1.ls1.gamma is unknown",
        "blocks.2.attn.qkv.bias must be [72], found [24]");
  }

  @Test
  void namesTheModelThatIsAnother() throws Exception {
    assertImportRefused(vit(), bert(), "is no BERT", "embeddings.word_embeddings.weight", "vit.");
    assertImportRefused(
        bert(),
        bert(),
        "is no image tower",
        "_conv_stem.weight",
        "layer1.0.conv1.weight",
        "patch_embed.proj.weight",
        "[bert.embeddings");
    Tensors small = Tensors.bert(SEED, "bert.", false, true, 3, 24, 40, 58, SmallImport.POSITIONS);
    assertImportRefused(
        small, vit(), "at least 4 layers, for layers [2, 3] start the fusion encoder", "found 3");
    Tensors wide = Tensors.vit(SEED, "vit.", 3, 48, 80, 4, 17);
    assertImportRefused(
        bert(), wide, "48 wide with 3 heads, the BERT is 24 wide with 3", "EfficientNet-Lite");
    Tensors shortTexts = Tensors.bert(SEED, "bert.", false, true, 4, 24, 40, 58, 11);
    assertImportRefused(
        shortTexts, vit(), "position_embeddings.weight must be [at least 12, 24], found [11, 24]");
    Tensors words = Tensors.bert(SEED, "bert.", false, true, 4, 24, 40, 59, 20);
    assertImportRefused(
        words, vit(), "word_embeddings.weight must be [58, 24], found [59, 24]", "vocabulary");
    Tensors twice = bert();
    twice.byName.put("pooler.dense.bias", twice.get("bert.pooler.dense.bias"));
    assertImportRefused(twice, vit(), "same tensor twice");
  }

  @Test
  void namesTheGridThatIsNone() throws Exception {
    Tensors odd = Tensors.vit(SEED, "vit.", 3, 24, 40, 4, 6 * 6);
    assertImportRefused(bert(), odd, "position_embeddings must be [1, 17, 24], found [1, 36, 24]");
    Tensors distilled = Tensors.timm(SEED, 3, 24, 40, 4, 18);
    distilled.add("dist_token", 0, 1, 1, 1, 24);
    assertImportRefused(bert(), distilled, "distilled DeiT", "without distillation");
    Tensors deit = Tensors.vit(SEED, "deit.", 3, 24, 40, 4, 18);
    deit.add("deit.embeddings.distillation_token", 0, 1, 1, 1, 24);
    assertImportRefused(bert(), deit, "distilled DeiT", "without distillation");
  }

  @Test
  void refusesWeightsThatAreNoNumbersAndLeavesNothing() throws Exception {
    Tensors bert = bert();
    bert.get("bert.encoder.layer.3.output.dense.weight").values()[17] = Float.NaN;
    assertImportRefused(bert, vit(), "model.fusion.layer1.feed_forward.outer.weight", "NaN");
    try (var files = Files.list(folder.resolve("refused"))) {
      assertEquals(List.of(), files.toList());
    }
  }

  @Test
  void refusesAVocabularyThatCannotBe() throws Exception {
    Path bert = CheckpointFiles.safetensors(folder.resolve("bert"), bert(), Precision.F32);
    Path vision = CheckpointFiles.safetensors(folder.resolve("vit"), vit(), Precision.F32);
    List<String> cased = SmallImport.vocabulary();
    cased.set(8, "London");
    List<String> bare = new ArrayList<>(SmallImport.vocabulary());
    bare.set(4, "mask");
    List<String> twice = new ArrayList<>(SmallImport.vocabulary());
    twice.set(9, "a");
    Path vocab = folder.resolve("words.txt");
    Action run =
        () ->
            new CheckpointImport(SmallImport.SHAPE, CheckpointImport.Choices.NONE)
                .run(
                    new CheckpointImport.Parts(vision, bert, null, vocab),
                    folder.resolve("refused"));
    for (List<String> words : List.of(cased, bare, twice)) {
      Files.write(vocab, words);
      assertRefused(
          run,
          vocab.toString(),
          words == cased ? "[London]" : words == bare ? "[MASK]" : "[a] twice");
    }
    Files.write(vocab, new byte[] {(byte) 0xff, (byte) 0xfe});
    assertRefused(run, "UTF-8");
  }

  @Test
  void pixelsAreNormalisedAsAsked() throws Exception {
    Path bert = CheckpointFiles.safetensors(folder.resolve("bert"), bert(), Precision.F32);
    Path vision = CheckpointFiles.safetensors(folder.resolve("vit"), vit(), Precision.F32);
    InitialModel half =
        SmallImport.run(
            SmallImport.SHAPE,
            new CheckpointImport.Choices(
                null, null, null, CheckpointImport.PixelNormalisation.HALF),
            bert,
            vision,
            null,
            folder.resolve("half"));
    assertEquals(List.of(0.5, 0.5, 0.5), half.config().sensor("rgb").mean());
    assertEquals(List.of(0.5, 0.5, 0.5), half.config().sensor("rgb").std());
    assertEquals(
        SmallImport.SHAPE.sensors(),
        SmallImport.run(bert, vision, folder.resolve("out")).config().sensors());
  }

  /** A checkpoint of the real size, without its values. */
  private static TensorConsumer shapes(Tensors tensors, String prefix) {
    Map<String, LazyTensor> lazy = new LinkedHashMap<>();
    tensors.byName.forEach(
        (name, tensor) ->
            lazy.put(
                name,
                LazyTensor.computed(
                    Arrays.stream(tensor.shape()).boxed().toList(), tensor::values)));
    return new TensorConsumer(new Checkpoint(Path.of(prefix), lazy), prefix);
  }

  /** The numbers of parameters are those that the libraries report for these models. */
  @Test
  void theBaseModelTakesAllOfBertBaseAndVitBase() throws Exception {
    ModelConfig base = ModelConfig.base();
    Tensors bert =
        Tensors.bert(Tensors.SHAPES_ONLY, "bert.", true, true, 12, 768, 3072, 30522, 512);
    TensorConsumer text = shapes(bert, "bert.");
    InitialModel.ImportReport.Source source =
        BertMapping.map(base, text, text, List.of(6, 7, 8, 9, 10, 11)).get(0);
    // BertForMaskedLM has 109,514,298; the token types' second row is in that number too.
    assertEquals(109_514_298, source.parameters());
    // ViT-B/16 at 224 has 86,567,656 with its 1,000 classes, which are 769,000 of them.
    for (Tensors vit :
        List.of(
            Tensors.vit(Tensors.SHAPES_ONLY, "vit.", 12, 768, 3072, 16, 197),
            Tensors.timm(Tensors.SHAPES_ONLY, 12, 768, 3072, 16, 197))) {
      TensorConsumer image = shapes(vit, "vit.");
      assertEquals(85_798_656, VisionMapping.map(base, image).parameters());
      Set<String> taken = new TreeSet<>(text.taken().keySet());
      taken.addAll(image.taken().keySet());
      Set<String> missing = new TreeSet<>();
      MtgfeArchitecture.build(
          base,
          (name, init, shape) -> {
            if (!taken.remove("model." + name)) {
              missing.add(name);
            }
            return ScriptTensor.parameter(new float[0], 0);
          });
      assertEquals(
          Set.of(
              "mlm.bias", "mlm.dense.bias", "mlm.dense.weight", "mlm.norm.bias", "mlm.norm.weight"),
          taken);
      assertEquals(6 * 10 + 2 + 5, missing.size(), missing.toString());
    }
  }
}
