/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import io.crossmodal.model.bundle.Sha256;
import io.crossmodal.model.text.TokenizedText;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.stream.IntStream;

/** What a frozen text tower makes of captions, all tokens, from a {@link FeatureCache}. */
public final class CaptionStates implements AutoCloseable {
  /** Texts of one call of the tower. */
  private static final int CALL = 64;

  private final FeatureCache cache;

  /** The rows of the captions; they lie by their lengths, so that calls are padded little. */
  private final int[] rows;

  private final int[] lengths;

  private CaptionStates(FeatureCache cache, int[] rows, int[] lengths) {
    this.cache = cache;
    this.rows = rows;
    this.lengths = lengths;
  }

  /**
   * Computes what a file lacks and opens it.
   *
   * @param folder where the file lies, named by all that it depends on; made where it is absent
   * @param progress told how much is done; may throw to end it there
   */
  public static CaptionStates through(
      FrozenTowers towers, TokenizedText[] captions, Path folder, TrainingLoop.Progress progress)
      throws IOException {
    Files.createDirectories(folder);
    int[] byLength =
        IntStream.range(0, captions.length)
            .boxed()
            .sorted(Comparator.comparingInt(caption -> captions[caption].length()))
            .mapToInt(Integer::intValue)
            .toArray();
    int[] rows = new int[captions.length];
    MessageDigest digest = Sha256.digest();
    digest.update(towers.textDigest().getBytes(StandardCharsets.UTF_8));
    for (int row = 0; row < byLength.length; row++) {
      rows[byLength[row]] = row;
      int[] ids = captions[byLength[row]].ids();
      ByteBuffer bytes = ByteBuffer.allocate(Integer.BYTES * (1 + ids.length)).putInt(ids.length);
      bytes.asIntBuffer().put(ids);
      digest.update(bytes.rewind());
    }
    String name = HexFormat.of().formatHex(digest.digest()).substring(0, 16);
    FeatureCache cache =
        FeatureCache.open(
            folder.resolve("texts-" + name + ".f16"),
            towers.hidden(),
            Arrays.stream(byLength).map(caption -> captions[caption].length()).toArray(),
            CALL,
            (from, to) ->
                tokens(towers, captions, Arrays.copyOfRange(byLength, (int) from, (int) to)),
            done -> progress.prepared(done, captions.length));
    return new CaptionStates(
        cache, rows, Arrays.stream(captions).mapToInt(TokenizedText::length).toArray());
  }

  /** Returns the tokens of some texts, the shortest first, without padding. */
  private static float[] tokens(FrozenTowers towers, TokenizedText[] captions, int[] some) {
    int n = captions[some[some.length - 1]].length();
    int h = towers.hidden();
    long[] ids = new long[some.length * n];
    float[] mask = new float[ids.length];
    int tokens = 0;
    for (int i = 0; i < some.length; i++) {
      int[] own = captions[some[i]].ids();
      for (int j = 0; j < own.length; j++) {
        ids[i * n + j] = own[j];
        mask[i * n + j] = 1;
      }
      tokens += own.length;
    }
    float[] padded = towers.textTokens(ids, mask, some.length);
    float[] all = new float[tokens * h];
    int at = 0;
    for (int i = 0; i < some.length; i++) {
      int values = captions[some[i]].length() * h;
      System.arraycopy(padded, i * n * h, all, at, values);
      at += values;
    }
    return all;
  }

  /** Returns how many captions there are. */
  public int size() {
    return rows.length;
  }

  /** Returns how many tokens a caption has. */
  public int length(int caption) {
    return lengths[caption];
  }

  /** Returns H, the width of a token. */
  public int hidden() {
    return cache.values();
  }

  /**
   * Copies the tokens of a caption.
   *
   * @param into from {@code at} on
   */
  public void read(int caption, float[] into, int at) {
    cache.read(rows[caption], 0, into, at);
  }

  /** Returns the bi-encoder's embeddings of all captions, (T, D). */
  public float[][] embeddings(FrozenTowers towers) {
    int h = hidden();
    float[][] embeddings = new float[size()][];
    for (int from = 0; from < size(); from += CALL) {
      int count = Math.min(CALL, size() - from);
      float[] classTokens = new float[count * h];
      for (int i = 0; i < count; i++) {
        cache.readFirst(rows[from + i], h, classTokens, i * h);
      }
      float[] flat = towers.textEmbeddings(classTokens);
      int d = flat.length / count;
      for (int i = 0; i < count; i++) {
        embeddings[from + i] = Arrays.copyOfRange(flat, i * d, (i + 1) * d);
      }
    }
    return embeddings;
  }

  @Override
  public void close() throws IOException {
    cache.close();
  }
}
