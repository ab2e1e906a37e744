/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.pytorch.jni.JniUtils;
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
import java.nio.LongBuffer;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.function.Consumer;

/**
 * A loaded model and the only owner of its native memory.
 *
 * <p>Every method takes a batch of any size and computes it in pieces. Arrays of one piece live in
 * a sub-manager that is closed before the next one begins, also where the engine breaks off, so
 * nothing native leaves this class. What goes in and comes out passes through memory that the
 * engine allocates: the JVM's direct memory, which the garbage collector alone gives back, has no
 * part in it. Not thread-safe: one thread at a time (DJL #2733 and #2848 report crashes otherwise).
 */
public final class FusionModel implements AutoCloseable {
  private static final String COPY = "model-";

  /**
   * Memory of a score call beyond which a CPU computes it in pieces: what a layer hands to the next
   * should be in its caches still. See docs/results/serving.md for what that brings.
   */
  private static final long PIECE_BYTES = 24L << 20;

  /**
   * Most bytes of a piece's inputs or outputs in the memory that heap and engine share, but for a
   * single item that is larger. On a GPU, whose calls are cut for nothing else, 400 pairs of the
   * paper's base model.
   */
  public static final long STAGED_BYTES = 256L << 20;

  private final ModelBundle bundle;
  private final ModelConfig config;
  private final Model model;
  private final Precision precision;
  private final long weightBytes;
  private final long stagedBytes;
  private long copyNanos;

  private FusionModel(
      ModelBundle bundle, Model model, Precision precision, long weightBytes, long stagedBytes) {
    this.bundle = bundle;
    this.stagedBytes = stagedBytes;
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
   * @throws BundleException when the golden outputs differ, or code that is not this library's does
   *     not run
   * @throws ai.djl.engine.EngineException when there is no PyTorch engine, or it fails
   */
  public static FusionModel load(
      ModelBundle bundle, Path scratch, Device device, Precision precision)
      throws IOException, BundleException {
    return load(bundle, scratch, device, precision, STAGED_BYTES);
  }

  /** As {@link #load(ModelBundle, Path, Device, Precision)}, in pieces of another size. */
  static FusionModel load(
      ModelBundle bundle, Path scratch, Device device, Precision precision, long stagedBytes)
      throws IOException, BundleException {
    Path archive = Files.createTempFile(scratch, COPY, ".pt");
    Model model = Model.newInstance(bundle.manifest().id(), device, "PyTorch");
    boolean served = false;
    try {
      long weightBytes = bundle.writeModel(archive, precision);
      model.load(scratch, archive.getFileName().toString());
      JniUtils.enableInferenceMode((PtSymbolBlock) model.getBlock());
      FusionModel loaded = new FusionModel(bundle, model, precision, weightBytes, stagedBytes);
      bundle.verifyGolden(loaded);
      served = true;
      return loaded;
    } catch (MalformedModelException e) {
      throw new BundleException("the model's archive does not load: " + e.getMessage(), e);
    } catch (RuntimeException e) {
      if (bundle.runsForeignCode(precision)) {
        throw new BundleException("the model's own code does not run: " + e.getMessage(), e);
      }
      // What this library wrote loads: the engine or the device is to blame, perhaps for once.
      throw e;
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
      try (DirectoryStream<Path> copies = Files.newDirectoryStream(scratch, COPY + "*")) {
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
    int longest = texts.stream().mapToInt(TokenizedText::length).max().orElseThrow();
    List<Encoding> encodings = new ArrayList<>(texts.size());
    inPieces(
        texts.size(),
        (long) longest * Math.max(Long.BYTES, Float.BYTES * config.hidden()),
        (call, from, to) -> {
          List<TokenizedText> some = texts.subList(from, to);
          int[] lengths = some.stream().mapToInt(TokenizedText::length).toArray();
          int n = Arrays.stream(lengths).max().orElseThrow();
          NDArray ids =
              array(
                  call,
                  DataType.INT64,
                  bytes -> {
                    LongBuffer values = bytes.asLongBuffer();
                    for (TokenizedText text : some) {
                      int[] own = text.ids();
                      for (int i = 0; i < n; i++) {
                        values.put(i < own.length ? own[i] : 0);
                      }
                    }
                  },
                  some.size(),
                  n);
          NDArray tokens = run("encode_text", call, ids, mask(call, lengths, n));
          encodings.addAll(encodings(call, tokens, "filter_text", lengths));
        });
    return encodings;
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
    int side = expected.imageSize();
    int m = config.imageTokens(expected);
    for (PixelTensor image : images) {
      if (image.channels() != c || image.side() != side) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT,
                "sensor %s takes (%d, %d, %d), got (%d, %d, %d)",
                sensor,
                c,
                side,
                side,
                image.channels(),
                image.side(),
                image.side()));
      }
    }
    List<Encoding> encodings = new ArrayList<>(images.size());
    inPieces(
        images.size(),
        Float.BYTES * Math.max((long) c * side * side, (long) m * config.hidden()),
        (call, from, to) -> {
          NDArray batch =
              array(
                  call,
                  DataType.FLOAT32,
                  bytes -> {
                    FloatBuffer values = bytes.asFloatBuffer();
                    images.subList(from, to).forEach(image -> values.put(image.values()));
                  },
                  to - from,
                  c,
                  side,
                  side);
          int[] lengths = new int[to - from];
          Arrays.fill(lengths, m);
          NDArray tokens = run("encode_image_" + sensor, call, batch);
          encodings.addAll(encodings(call, tokens, "filter_image", lengths));
        });
    return encodings;
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
    for (int text : textOf) {
      Objects.checkIndex(text, texts.size());
    }
    int n = longest(texts);
    int m = imageTokens(images);
    float[] itm = new float[pairs];
    float[] filter = new float[pairs];
    inPieces(
        pairs,
        // An image that all pairs share is read once.
        images.size() == 1 ? pairs : pairsInAPiece(pairs, n, m),
        bytesOfTokens(n + m),
        (call, from, to) -> {
          int[] used = Arrays.stream(textOf, from, to).distinct().toArray();
          long[] owners = new long[to - from];
          int[] place = new int[texts.size()];
          for (int i = 0; i < used.length; i++) {
            place[used[i]] = i;
          }
          Arrays.setAll(owners, i -> place[textOf[from + i]]);
          List<? extends Tokens> own = Arrays.stream(used).mapToObj(texts::get).toList();
          int longest = longest(own);
          FloatBuffer z = // (B, 2)
              floats(
                  run(
                      "score",
                      call,
                      stack(call, own, longest),
                      mask(call, lengths(own), longest),
                      stack(call, some(images, from, to), m),
                      array(
                          call,
                          DataType.INT64,
                          bytes -> bytes.asLongBuffer().put(owners),
                          owners.length)));
          for (int b = from; b < to; b++) {
            itm[b] = z.get();
            filter[b] = z.get();
          }
        });
    return new PairLogits(itm, filter);
  }

  /** How many of a score call's pairs are computed at once; a GPU has no use for few. */
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
    float[] logits = new float[pairs];
    inPieces(
        pairs,
        bytesOfTokens(1),
        (call, from, to) -> {
          NDArray v = classTokens(call, some(images, from, to));
          NDArray w = classTokens(call, some(texts, from, to));
          // Only texts are shared by the archive's method.
          v = images.size() == pairs ? v : v.broadcast(to - from, config.hidden());
          FloatBuffer z = floats(run("filter_mlp", call, v, w)); // (B, 2)
          for (int b = from; b < to; b++) {
            float mismatch = z.get();
            logits[b] = z.get() - mismatch;
          }
        });
    return logits;
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
    int longest = longest(texts);
    int m = images.get(0).count();
    List<WordPatchWeights> tables = new ArrayList<>(pairs);
    inPieces(
        pairs,
        Math.max(bytesOfTokens(longest + m), (long) Float.BYTES * longest * m),
        (call, from, to) -> {
          List<? extends Tokens> own = some(texts, from, to);
          int n = longest(own);
          int[] lengths = lengths(own);
          FloatBuffer weights = // (B, N, M)
              floats(
                  run(
                      "attention",
                      call,
                      stack(call, own, n),
                      mask(call, lengths, n),
                      stack(call, some(images, from, to), m)));
          for (int b = 0; b < to - from; b++) {
            int length = lengths[lengths.length == 1 ? 0 : b];
            float[] rows = new float[length * m];
            weights.get(b * n * m, rows);
            tables.add(new WordPatchWeights(length, m, rows));
          }
        });
    return tables;
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
    float[] scores = new float[images.size()];
    inPieces(
        images.size(),
        bytesOfTokens(r + 1),
        (call, from, to) -> {
          NDArray asked = unitPatches(call, List.of(query)); // (P, H)
          NDArray found = unitPatches(call, images.subList(from, to)); // (B * R, H)
          NDArray cos = asked.matMul(found.transpose()).reshape(-1, to - from, r); // (P, B, R)
          NDArray best = cos.max(new int[] {2}).mean(new int[] {0}); // (B)
          floats(best).get(scores, from, to - from);
        });
    return scores;
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

  private static int[] lengths(List<? extends Tokens> blocks) {
    return blocks.stream().mapToInt(Tokens::count).toArray();
  }

  /** A piece's share of blocks; one that all pairs share is in every piece. */
  private static List<? extends Tokens> some(List<? extends Tokens> blocks, int from, int to) {
    return blocks.size() == 1 ? blocks : blocks.subList(from, to);
  }

  private long bytesOfTokens(int count) {
    return (long) Float.BYTES * count * config.hidden();
  }

  @Override
  public void close() {
    model.close();
  }

  /** Computes the items {@code from .. to - 1} of a call. */
  private interface Piece {
    void compute(NDManager call, int from, int to);
  }

  /**
   * Computes items in as few pieces as the staged memory allows.
   *
   * @param bytes of one item's inputs or outputs, whichever are more
   */
  private void inPieces(int items, long bytes, Piece piece) {
    inPieces(items, items, bytes, piece);
  }

  /**
   * @param most items of a piece, for another reason
   */
  private void inPieces(int items, int most, long bytes, Piece piece) {
    int step = (int) Math.max(1, Math.min(most, stagedBytes / bytes));
    for (int from = 0; from < items; from += step) {
      try (NDManager call = model.getNDManager().newSubManager()) {
        piece.compute(call, from, Math.min(items, from + step));
      }
    }
  }

  /**
   * An array in the engine's own memory, which the heap fills in place; on a GPU a copy of that.
   *
   * @param fill writes all values; must not keep the buffer, which is gone with the array
   * @throws IllegalArgumentException when it takes 2 GiB or more, which no view can span
   */
  private NDArray array(NDManager call, DataType type, Consumer<ByteBuffer> fill, long... extents) {
    long start = System.nanoTime();
    Shape shape = new Shape(extents);
    long bytes = shape.size() * type.getNumOfBytes();
    if (bytes > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "an array of " + shape + " takes " + bytes + " bytes, at most 2 GiB pass at once");
    }
    NDArray host = call.create(shape, type, Device.cpu());
    fill.accept(host.toByteBuffer(true));
    NDArray array = host.toDevice(device(), false);
    if (array != host) {
      host.close();
    }
    copyNanos += System.nanoTime() - start;
    return array;
  }

  /** A view of an array's values, or of a copy of them where a GPU has them; gone with its call. */
  private static FloatBuffer floats(NDArray array) {
    return array.toType(DataType.FLOAT32, false).toByteBuffer(true).asFloatBuffer();
  }

  /** Blocks as one (B, N, H) array, zeros behind a block's end. */
  private NDArray stack(NDManager call, List<? extends Tokens> blocks, int n) {
    int h = config.hidden();
    return array(
        call,
        DataType.FLOAT32,
        bytes -> {
          FloatBuffer values = bytes.asFloatBuffer();
          for (int b = 0; b < blocks.size(); b++) {
            Tokens block = blocks.get(b);
            if (block.hidden() != h) {
              throw new IllegalArgumentException(
                  String.format(
                      Locale.ROOT, "the model's tokens have %d values, got %d", h, block.hidden()));
            }
            int end = (b + 1) * n * h;
            block.writeTo(values.position(b * n * h));
            for (int i = b * n * h + block.count() * h; i < end; i++) {
              values.put(i, 0);
            }
          }
        },
        blocks.size(),
        n,
        h);
  }

  /** (B, N): 1 for a token, 0 behind an item's end. */
  private NDArray mask(NDManager call, int[] lengths, int n) {
    return array(
        call,
        DataType.FLOAT32,
        bytes -> {
          FloatBuffer values = bytes.asFloatBuffer();
          for (int length : lengths) {
            for (int i = 0; i < n; i++) {
              values.put(i < length ? 1 : 0);
            }
          }
        },
        lengths.length,
        n);
  }

  private List<Encoding> encodings(NDManager call, NDArray tokens, String filter, int[] lengths) {
    NDArray embeddings = run(filter, call, tokens.get(":, 0"));
    long start = System.nanoTime();
    FloatBuffer e = floats(embeddings); // (B, D)
    FloatBuffer t = floats(tokens); // (B, N, H)
    int d = config.filterDimension();
    int h = config.hidden();
    int n = t.remaining() / (lengths.length * h);
    List<Encoding> encodings = new ArrayList<>(lengths.length);
    for (int b = 0; b < lengths.length; b++) {
      float[] rows = new float[lengths[b] * h];
      float[] embedding = new float[d];
      t.get(b * n * h, rows);
      e.get(b * d, embedding);
      if (precision != Precision.FP32) {
        toUnitLength(embedding);
      }
      encodings.add(new Encoding(new TokenBlock(lengths[b], h, rows), embedding));
    }
    copyNanos += System.nanoTime() - start;
    return encodings;
  }

  /** What the archive rounded to few bits has not quite length 1 any more. */
  private static void toUnitLength(float[] embedding) {
    double squares = 0;
    for (float value : embedding) {
      squares += (double) value * value;
    }
    double norm = Math.sqrt(squares);
    for (int i = 0; norm > 0 && i < embedding.length; i++) {
      embedding[i] = (float) (embedding[i] / norm);
    }
  }

  /**
   * Calls a method of the archive. Its arguments are freed whatever happens; DJL's own {@code
   * forward} leaves them behind when the engine breaks off.
   *
   * @return the result, which belongs to {@code call}
   */
  private NDArray run(String method, NDManager call, NDArray... inputs) {
    TorchEngine.turnProfilingOff();
    IValue[] arguments = new IValue[inputs.length];
    try {
      for (int i = 0; i < inputs.length; i++) {
        arguments[i] = IValue.from((PtNDArray) inputs[i]);
      }
      try (IValue result =
          IValueUtils.runMethod((PtSymbolBlock) model.getBlock(), method, arguments)) {
        return result.toTensor((PtNDManager) call);
      }
    } finally {
      for (IValue argument : arguments) {
        if (argument != null) {
          argument.close();
        }
      }
    }
  }
}
