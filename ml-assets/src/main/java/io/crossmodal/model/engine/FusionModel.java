/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.engine;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.Precision;
import io.crossmodal.model.WordPatchWeights;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.Golden;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.model.tokens.Tokens;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * A loaded model and the only owner of its native memory, by its {@link TorchModel}.
 *
 * <p>Every method takes a batch of any size and computes it in pieces; nothing native leaves this
 * class. Not thread-safe: one thread at a time (DJL #2733 and #2848 report crashes otherwise).
 */
public final class FusionModel implements AutoCloseable {
  private static final String COPY = "model-";

  /**
   * Most bytes of a piece's inputs or outputs in the memory that heap and engine share, but for a
   * single item that is larger. On a GPU, whose calls are cut for nothing else, 400 pairs of the
   * paper's base model.
   */
  public static final long STAGED_BYTES = 256L << 20;

  private final ModelBundle bundle;
  private final Precision precision;
  private final long weightBytes;
  private final TorchModel torch;
  private final TowerEncoder towers;
  private final PairScorer pairs;
  private final MaxSim maxSim;

  private FusionModel(ModelBundle bundle, Precision precision, long weightBytes, TorchModel torch) {
    ModelConfig config = bundle.manifest().config();
    this.bundle = bundle;
    this.precision = precision;
    this.weightBytes = weightBytes;
    this.torch = torch;
    this.towers = new TowerEncoder(torch, config, precision);
    this.pairs = new PairScorer(torch, config);
    this.maxSim = new MaxSim(torch, config.tokenWidth());
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
   * Loads the weights and re-scores the bundle's golden inputs, if it has any: in fp32 they must
   * repeat the golden outputs, in another precision they may differ by {@link
   * Golden.Deviation#withinTolerance}.
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
    ModelManifest manifest = bundle.manifest();
    Path archive = Files.createTempFile(scratch, COPY, ".pt");
    TorchModel torch = null;
    boolean served = false;
    try {
      torch = new TorchModel(manifest.id(), device, stagedBytes);
      long weightBytes = bundle.writeModel(archive, precision);
      FusionModel loaded = loaded(bundle, precision, weightBytes, torch, archive);
      served = true;
      return loaded;
    } finally {
      if (!served && torch != null) {
        torch.close();
      }
      Files.deleteIfExists(archive);
    }
  }

  private static FusionModel loaded(
      ModelBundle bundle, Precision precision, long weightBytes, TorchModel torch, Path archive)
      throws IOException, BundleException {
    try {
      torch.load(archive);
      FusionModel loaded = new FusionModel(bundle, precision, weightBytes, torch);
      Golden golden = bundle.manifest().golden();
      if (golden != null) {
        check(golden, loaded);
      }
      return loaded;
    } catch (MalformedModelException e) {
      throw new BundleException("the model's archive does not load: " + e.getMessage(), e);
    } catch (RuntimeException e) {
      if (bundle.runsForeignCode(precision)) {
        throw new BundleException("the model's own code does not run: " + e.getMessage(), e);
      }
      // What this library wrote loads: the engine or the device is to blame, perhaps for once.
      throw e;
    }
  }

  private static void check(Golden golden, FusionModel model) throws BundleException {
    ModelBundle bundle = model.bundle;
    try {
      golden.check(model.golden(golden.texts()), model.precision, bundle.manifest().calibration());
    } catch (BundleException e) {
      if (!bundle.hasForeignCode() || bundle.runsForeignCode(model.precision)) {
        throw e;
      }
      throw new BundleException(
          e.getMessage()
              + "; computed with this version's code: model.pt holds other code, which is not run",
          e);
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

  /** Returns where it computes; its name is such as {@code cpu()} or {@code gpu(0)}. */
  public Device device() {
    return torch.device();
  }

  public Precision precision() {
    return precision;
  }

  /** Memory that the weights take. */
  public long weightBytes() {
    return weightBytes;
  }

  /**
   * Runs the model over golden inputs: texts, and for each sensor pictures made here.
   *
   * @param texts at least one; none for a model without text
   * @return what it computes, with the tolerance of fp32
   * @throws IllegalArgumentException when there is no text or a blank one, or the model reads none
   */
  public Golden golden(List<String> texts) {
    return GoldenOutputs.of(this, texts);
  }

  /**
   * Runs the model over its bundle's golden inputs and compares.
   *
   * @throws BundleException when its outputs are others in number than the golden ones
   * @throws IllegalStateException when the bundle has no golden outputs
   */
  public Golden.Deviation goldenDeviation() throws BundleException {
    Golden golden = bundle.manifest().golden();
    if (golden == null) {
      throw new IllegalStateException(
          "model " + bundle.manifest().id() + " has no golden outputs: it was never written");
    }
    return golden.deviation(golden(golden.texts()), bundle.manifest().calibration());
  }

  /**
   * Runs the text tower.
   *
   * @param texts B texts, padded here to the longest of them
   * @return B encodings; each has as many tokens as its text has ids
   * @throws IllegalStateException when the model has no text tower
   */
  public List<Encoding> encodeTexts(List<TokenizedText> texts) {
    return towers.encodeTexts(texts);
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
    return towers.encodeImages(sensor, images);
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
    return pairs.score(texts, images);
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
   * @throws IllegalStateException when the model has no fusion encoder
   */
  public PairLogits score(
      List<? extends Tokens> texts, int[] textOf, List<? extends Tokens> images) {
    return pairs.score(texts, textOf, images);
  }

  /** Bytes that {@link #score} takes for B pairs of images that differ, as {@link Footprint}. */
  public long scoreBytes(int pairCount, int n, int m) {
    return pairs.scoreBytes(pairCount, n, m);
  }

  /**
   * Nanoseconds that calls spent since this was last asked on copying inputs out of the heap and
   * tokens into it. On a GPU this includes waiting for what was computed.
   */
  public long takeCopyNanos() {
    return torch.takeCopyNanos();
  }

  /**
   * The MLP filter's answer for pairs, from their class tokens alone. Pairs as in {@link #score}.
   *
   * @return B logits, log(p(match) / p(no match))
   * @throws IllegalStateException when the model has no MLP filter
   */
  public float[] preRank(List<? extends Tokens> texts, List<? extends Tokens> images) {
    if (!bundle.manifest().config().preRanker()) {
      throw new IllegalStateException(
          "model " + bundle.manifest().id() + " has no MLP filter; distil one");
    }
    return pairs.preRank(texts, images);
  }

  /**
   * Returns where the words of each pair look in its image, for heat maps. Each pair costs nearly a
   * score.
   *
   * @param texts B tokens of texts, or one that is paired with every image
   * @param images B tokens of images, or one that is paired with every text; their patches form a
   *     square
   * @return B tables; each has as many rows as its text has tokens
   * @throws IllegalArgumentException as {@link #score}
   */
  public List<WordPatchWeights> attention(
      List<? extends Tokens> texts, List<? extends Tokens> images) {
    return pairs.attention(texts, images);
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
    return maxSim.score(queries, queryOf, images);
  }

  @Override
  public void close() {
    torch.close();
  }
}
