/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.Golden;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.Tokens;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/**
 * A loaded model and the only owner of its native memory.
 *
 * <p>Every method takes a batch. Arrays of one call live in a sub-manager that is closed before the
 * call returns, so nothing native leaves this class. Not thread-safe: one thread at a time (DJL
 * #2733 and #2848 report crashes otherwise).
 */
public final class FusionModel implements AutoCloseable {
  private static final String COPY = "model-";

  /**
   * Memory of a score call beyond which a CPU computes it in pieces: what a layer hands to the next
   * should be in its caches still. See docs/results/serving.md for what that brings.
   */
  private static final long PIECE_BYTES = 24L << 20;

  private final ModelBundle bundle;
  private final ModelConfig config;
  private final Model model;
  private final Precision precision;
  private final long weightBytes;
  private long copyNanos;

  private FusionModel(ModelBundle bundle, Model model, Precision precision, long weightBytes) {
    this.bundle = bundle;
    this.precision = precision;
    this.weightBytes = weightBytes;
    this.config = bundle.manifest().config();
    this.model = model;
  }

  /**
   * Loads a bundle in fp32 on the engine's own choice of device: a GPU where it finds one. See
   * {@link #load(ModelBundle, Path, Device, Precision)}.
   */
  public static FusionModel load(ModelBundle bundle, Path scratch)
      throws IOException, BundleException {
    return load(bundle, scratch, null, Precision.FP32);
  }

  /**
   * Loads the weights and re-scores the bundle's golden inputs: in fp32 they must repeat the golden
   * outputs, in another precision they may differ by {@link Golden.Deviation#withinTolerance}.
   *
   * @param device where the model computes; null for the engine's own choice
   * @param scratch an existing folder for a copy of the archive, which is gone when this returns
   * @throws BundleException when the archive does not load or the golden outputs differ
   * @throws ai.djl.engine.EngineException when there is no PyTorch engine
   */
  public static FusionModel load(
      ModelBundle bundle, Path scratch, Device device, Precision precision)
      throws IOException, BundleException {
    Path archive = Files.createTempFile(scratch, COPY, ".pt");
    Model model = Model.newInstance(bundle.manifest().id(), device, "PyTorch");
    boolean served = false;
    try {
      long weightBytes = bundle.writeModel(archive, precision);
      model.load(scratch, archive.getFileName().toString());
      FusionModel loaded = new FusionModel(bundle, model, precision, weightBytes);
      bundle.verifyGolden(loaded);
      served = true;
      return loaded;
    } catch (MalformedModelException | RuntimeException e) {
      throw new BundleException("the model's archive does not load: " + e.getMessage(), e);
    } finally {
      if (!served) {
        model.close();
      }
      Files.deleteIfExists(archive);
    }
  }

  /**
   * Deletes the copies of archives that a process left in a folder when it was killed.
   *
   * @param scratch of nobody else; need not exist
   */
  public static void deleteLeftovers(Path scratch) throws IOException {
    if (Files.isDirectory(scratch)) {
      try (DirectoryStream<Path> copies = Files.newDirectoryStream(scratch, COPY + "*.pt")) {
        for (Path copy : copies) {
          Files.deleteIfExists(copy);
        }
      }
    }
  }

  public ModelBundle bundle() {
    return bundle;
  }

  /** Where it computes; its name is such as {@code cpu()} or {@code gpu(0)}. */
  public Device device() {
    return model.getNDManager().getDevice();
  }

  public Precision precision() {
    return precision;
  }

  /** Memory that the weights take. */
  public long weightBytes() {
    return weightBytes;
  }

  /**
   * Runs the text tower.
   *
   * @param texts B texts, padded here to the longest of them
   * @return B encodings; each has as many tokens as its text has ids
   * @throws IllegalStateException when the model has no text tower
   */
  public List<Encoding> encodeTexts(List<TokenizedText> texts) {
    config.requireText("encode_text");
    if (texts.isEmpty()) {
      return List.of();
    }
    int n = texts.stream().mapToInt(TokenizedText::length).max().orElseThrow();
    long[] ids = new long[texts.size() * n];
    int[] lengths = new int[texts.size()];
    for (int b = 0; b < lengths.length; b++) {
      int[] text = texts.get(b).ids();
      lengths[b] = text.length;
      for (int i = 0; i < text.length; i++) {
        ids[b * n + i] = text[i];
      }
    }
    try (NDManager call = model.getNDManager().newSubManager()) {
      NDArray tokens =
          run(
              "encode_text",
              call,
              call.create(ids, new Shape(lengths.length, n)),
              mask(call, lengths, n));
      return encodings(call, tokens, "filter_text", lengths);
    }
  }

  /**
   * Runs a sensor's image tower.
   *
   * @param sensor one of the model's sensors
   * @param images B pictures of that sensor's size
   * @return B encodings of {@link ModelConfig#imageTokens} tokens each
   * @throws IllegalArgumentException when a picture has another size than the sensor's
   */
  public List<Encoding> encodeImages(String sensor, List<PixelTensor> images) {
    SensorConfig expected = config.sensor(sensor);
    if (images.isEmpty()) {
      return List.of();
    }
    int c = expected.channels();
    int s = expected.imageSize();
    long start = System.nanoTime();
    float[] pixels = new float[images.size() * c * s * s];
    for (int b = 0; b < images.size(); b++) {
      PixelTensor image = images.get(b);
      if (image.channels() != c || image.side() != s) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT,
                "sensor %s takes (%d, %d, %d), got (%d, %d, %d)",
                sensor,
                c,
                s,
                s,
                image.channels(),
                image.side(),
                image.side()));
      }
      System.arraycopy(image.values(), 0, pixels, b * c * s * s, c * s * s);
    }
    int[] lengths = new int[images.size()];
    Arrays.fill(lengths, config.imageTokens(expected));
    try (NDManager call = model.getNDManager().newSubManager()) {
      NDArray batch = call.create(pixels, new Shape(lengths.length, c, s, s));
      copyNanos += System.nanoTime() - start;
      NDArray tokens = run("encode_image_" + sensor, call, batch);
      return encodings(call, tokens, "filter_image", lengths);
    }
  }

  /**
   * Scores pairs; the fast path is one text against B images.
   *
   * @param texts B tokens of texts, or one that is paired with every image
   * @param images B tokens of images, or one that is paired with every text
   * @return B logits
   * @throws IllegalArgumentException when neither list is single and their sizes differ, or a block
   *     has another width than the model's
   */
  public PairLogits score(List<? extends Tokens> texts, List<? extends Tokens> images) {
    if (texts.isEmpty() || images.isEmpty()) {
      return PairLogits.NONE;
    }
    int[] textOf = new int[pairs(texts, images)];
    if (texts.size() > 1) {
      Arrays.setAll(textOf, b -> b);
    }
    return score(texts, textOf, images);
  }

  /**
   * Scores the candidates of several queries in one call. Each text is read once, however many
   * images it is paired with.
   *
   * @param texts T tokens of texts
   * @param textOf for each of B pairs the index of its text
   * @param images B tokens of images, or one that is in every pair
   * @return B logits
   * @throws IllegalArgumentException when there are neither one nor B images or a block has another
   *     width than the model's
   * @throws IndexOutOfBoundsException when an index is none of a text
   * @throws IllegalStateException when the model has no text tower
   */
  public PairLogits score(
      List<? extends Tokens> texts, int[] textOf, List<? extends Tokens> images) {
    config.requireText("score");
    int pairs = textOf.length;
    if (pairs == 0) {
      return PairLogits.NONE;
    }
    if (images.size() != 1 && images.size() != pairs) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT, "%d pairs need as many images or one, got %d", pairs, images.size()));
    }
    long[] owner = new long[pairs];
    for (int b = 0; b < pairs; b++) {
      owner[b] = Objects.checkIndex(textOf[b], texts.size());
    }
    int n = longest(texts);
    int m = imageTokens(images);
    int[] lengths = texts.stream().mapToInt(Tokens::count).toArray();
    float[] itm = new float[pairs];
    float[] filter = new float[pairs];
    try (NDManager call = model.getNDManager().newSubManager()) {
      NDArray text = stack(call, texts, n);
      NDArray mask = mask(call, lengths, n);
      // An image that all pairs share is read once.
      int most = images.size() == 1 ? pairs : pairsInAPiece(pairs, n, m);
      for (int from = 0; from < pairs; from += most) {
        int to = Math.min(pairs, from + most);
        try (NDManager piece = call.newSubManager()) {
          NDArray image = stack(piece, images.size() == 1 ? images : images.subList(from, to), m);
          NDArray owners = piece.create(Arrays.copyOfRange(owner, from, to));
          float[] z = run("score", piece, text, mask, image, owners).toFloatArray(); // (B, 2)
          for (int b = from; b < to; b++) {
            itm[b] = z[2 * (b - from)];
            filter[b] = z[2 * (b - from) + 1];
          }
        }
      }
    }
    return new PairLogits(itm, filter);
  }

  /** How many of a score call's pairs are computed at once; a GPU has no use for less than all. */
  private int pairsInAPiece(int pairs, int n, int m) {
    long most = PIECE_BYTES / Footprint.score(config, 1, n, m);
    return device().isGpu() ? pairs : (int) Math.max(1, Math.min(pairs, most));
  }

  /** Bytes that {@link #score} takes for B pairs of images that differ, as {@link Footprint}. */
  public long scoreBytes(int pairs, int n, int m) {
    return Footprint.score(config, pairsInAPiece(pairs, n, m), n, m);
  }

  /**
   * Nanoseconds that calls spent since this was last asked on copying inputs out of the heap and
   * tokens into it. On a GPU this includes waiting for what was computed.
   */
  public long takeCopyNanos() {
    long taken = copyNanos;
    copyNanos = 0;
    return taken;
  }

  /**
   * The MLP filter's answer for pairs, from their class tokens alone. Pairs as in {@link #score}.
   *
   * @return B logits, log(p(match) / p(no match))
   * @throws IllegalStateException when the model has no MLP filter
   */
  public float[] filterByMlp(List<? extends Tokens> texts, List<? extends Tokens> images) {
    if (!config.filterMlp()) {
      throw new IllegalStateException(
          "model " + bundle.manifest().id() + " has no MLP filter; distil one");
    }
    if (texts.isEmpty() || images.isEmpty()) {
      return new float[0];
    }
    int pairs = pairs(texts, images);
    try (NDManager call = model.getNDManager().newSubManager()) {
      NDArray v = classTokens(call, images);
      NDArray w = classTokens(call, texts);
      // Only texts are shared by the archive's method.
      v = images.size() == pairs ? v : v.broadcast(pairs, config.hidden());
      float[] z = run("filter_mlp", call, v, w).toFloatArray(); // (B, 2)
      float[] logits = new float[pairs];
      for (int b = 0; b < pairs; b++) {
        logits[b] = z[2 * b + 1] - z[2 * b];
      }
      return logits;
    }
  }

  private NDArray classTokens(NDManager call, List<? extends Tokens> blocks) {
    return stack(call, blocks.stream().map(Tokens::classToken).toList(), 1).squeeze(1);
  }

  /**
   * Where the words of each pair look in its image, for heat maps. Each pair costs nearly a score.
   *
   * @param texts B tokens of texts, or one that is paired with every image
   * @param images B tokens of images, or one that is paired with every text; their patches form a
   *     square
   * @return B tables; each has as many rows as its text has tokens
   * @throws IllegalArgumentException as {@link #score}
   */
  public List<WordPatchWeights> attention(
      List<? extends Tokens> texts, List<? extends Tokens> images) {
    config.requireText("attention");
    if (texts.isEmpty() || images.isEmpty()) {
      return List.of();
    }
    int pairs = pairs(texts, images);
    int n = longest(texts);
    int m = images.get(0).count();
    int[] lengths = texts.stream().mapToInt(Tokens::count).toArray();
    try (NDManager call = model.getNDManager().newSubManager()) {
      NDArray weights =
          run(
              "attention",
              call,
              stack(call, texts, n),
              mask(call, lengths, n),
              stack(call, images, m));
      float[] values = weights.toFloatArray(); // (B, N, M)
      List<WordPatchWeights> tables = new ArrayList<>(pairs);
      for (int b = 0; b < pairs; b++) {
        int length = lengths[lengths.length == 1 ? 0 : b];
        float[] rows = Arrays.copyOfRange(values, b * n * m, (b * n + length) * m);
        tables.add(new WordPatchWeights(length, m, rows));
      }
      return tables;
    }
  }

  /**
   * Late interaction of images: how alike their patches are, wherever they lie. MaxSim of ColBERT
   * (Khattab and Zaharia 2020) over patch tokens, by its mean: for each patch of the query the
   * cosine of the most similar patch of the image. It has no weights, so it needs neither text
   * tower nor fusion encoder, and computes in fp32 whatever the model does. Class tokens take no
   * part: the embedding compares them.
   *
   * @param queries Q tokens of images, of any number of tokens above 1
   * @param queryOf for each of B pairs the index of its query
   * @param images B tokens of images, of equally many tokens above 1
   * @return B scores in [-1, 1]
   * @throws IllegalArgumentException when there are not B images or a block has another width than
   *     the model's
   * @throws IndexOutOfBoundsException when an index is none of a query
   */
  public float[] maxSim(
      List<? extends Tokens> queries, int[] queryOf, List<? extends Tokens> images) {
    if (images.size() != queryOf.length) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT, "%d pairs need as many images, got %d", queryOf.length, images.size()));
    }
    List<List<Integer>> pairsOf = new ArrayList<>();
    queries.forEach(query -> pairsOf.add(new ArrayList<>()));
    for (int b = 0; b < queryOf.length; b++) {
      pairsOf.get(Objects.checkIndex(queryOf[b], queries.size())).add(b);
    }
    float[] scores = new float[queryOf.length];
    for (int q = 0; q < queries.size(); q++) {
      List<Integer> pairs = pairsOf.get(q);
      if (!pairs.isEmpty()) {
        float[] own = maxSim(queries.get(q), pairs.stream().map(images::get).toList());
        for (int i = 0; i < own.length; i++) {
          scores[pairs.get(i)] = own[i];
        }
      }
    }
    return scores;
  }

  /** One query (P patches) and B images (R patches): one product, so that nothing is padded. */
  private float[] maxSim(Tokens query, List<? extends Tokens> images) {
    int r = imageTokens(images) - 1;
    try (NDManager call = model.getNDManager().newSubManager()) {
      NDArray asked = unitPatches(call, List.of(query)); // (P, H)
      NDArray found = unitPatches(call, images); // (B * R, H)
      NDArray cos = asked.matMul(found.transpose()).reshape(-1, images.size(), r); // (P, B, R)
      return cos.max(new int[] {2}).mean(new int[] {0}).toFloatArray(); // (B)
    }
  }

  /** The patch tokens of images at length 1, one below the other; zeros stay zeros. */
  private NDArray unitPatches(NDManager call, List<? extends Tokens> images) {
    int patches = imageTokens(images) - 1;
    if (patches < 1) {
      throw new IllegalArgumentException("an image of one token has no patches to compare");
    }
    int h = config.hidden();
    NDArray tokens = stack(call, images, patches + 1); // (B, 1 + P, H), token 0 is [CLS]
    return tokens.get(":, 1:").reshape(-1, h).normalize(2, 1);
  }

  /** B, where these lists can be paired. */
  private static int pairs(List<? extends Tokens> texts, List<? extends Tokens> images) {
    int pairs = Math.max(texts.size(), images.size());
    if ((texts.size() != 1 && texts.size() != pairs)
        || (images.size() != 1 && images.size() != pairs)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT, "cannot pair %d texts with %d images", texts.size(), images.size()));
    }
    imageTokens(images);
    return pairs;
  }

  /** M of images that fit into one array. */
  private static int imageTokens(List<? extends Tokens> images) {
    int m = images.get(0).count();
    if (images.stream().anyMatch(image -> image.count() != m)) {
      throw new IllegalArgumentException("images of one batch must have equally many tokens");
    }
    return m;
  }

  private static int longest(List<? extends Tokens> blocks) {
    return blocks.stream().mapToInt(Tokens::count).max().orElseThrow();
  }

  @Override
  public void close() {
    model.close();
  }

  /**
   * Blocks as one (B, N, H) array, zeros behind a block's end. They are read into the memory that
   * the engine computes on, without a copy between.
   */
  private NDArray stack(NDManager call, List<? extends Tokens> blocks, int n) {
    long start = System.nanoTime();
    int h = config.hidden();
    ByteBuffer bytes =
        call.allocateDirect(Math.toIntExact((long) blocks.size() * n * h * Float.BYTES));
    FloatBuffer values = bytes.asFloatBuffer();
    for (int b = 0; b < blocks.size(); b++) {
      Tokens block = blocks.get(b);
      if (block.hidden() != h) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT, "the model's tokens have %d values, got %d", h, block.hidden()));
      }
      block.writeTo(values.position(b * n * h));
    }
    NDArray stacked = call.create(bytes, new Shape(blocks.size(), n, h), DataType.FLOAT32);
    copyNanos += System.nanoTime() - start;
    return stacked;
  }

  /** (B, N): 1 for a token, 0 behind an item's end. */
  private static NDArray mask(NDManager call, int[] lengths, int n) {
    float[] mask = new float[lengths.length * n];
    for (int b = 0; b < lengths.length; b++) {
      Arrays.fill(mask, b * n, b * n + lengths[b], 1f);
    }
    return call.create(mask, new Shape(lengths.length, n));
  }

  private List<Encoding> encodings(NDManager call, NDArray tokens, String filter, int[] lengths) {
    NDArray embeddings = run(filter, call, tokens.get(":, 0"));
    long start = System.nanoTime();
    float[] e = embeddings.toFloatArray(); // (B, D)
    float[] t = tokens.toFloatArray(); // (B, N, H)
    int d = config.filterDimension();
    int h = config.hidden();
    int n = t.length / (lengths.length * h);
    List<Encoding> encodings = new ArrayList<>(lengths.length);
    for (int b = 0; b < lengths.length; b++) {
      float[] rows = Arrays.copyOfRange(t, b * n * h, (b * n + lengths[b]) * h);
      encodings.add(
          new Encoding(
              new TokenBlock(lengths[b], h, rows), Arrays.copyOfRange(e, b * d, (b + 1) * d)));
    }
    copyNanos += System.nanoTime() - start;
    return encodings;
  }

  /** Calls a method of the archive; inputs and result belong to {@code call}. */
  private NDArray run(String method, NDManager call, NDArray... inputs) {
    NDList list = new NDList(inputs);
    NDArray selector = call.create(0f);
    // DJL's way to name a method other than forward, see PyTorch's IValueUtils.
    selector.setName("module_method:" + method);
    list.add(selector);
    TorchEngine.turnProfilingOff();
    NDList result = model.getBlock().forward(new ParameterStore(call, false), list, false);
    result.attach(call);
    return result.singletonOrThrow();
  }
}
