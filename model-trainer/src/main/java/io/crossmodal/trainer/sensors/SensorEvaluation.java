/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.trainer.data.DecodedPairs;
import io.crossmodal.trainer.data.PairDataset;
import io.crossmodal.trainer.data.PairDataset.TilePair;
import io.crossmodal.trainer.data.Split;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

/**
 * Measures retrieval in the four directions of two sensors.
 *
 * <p>Where pairs have labels, as the paper does: queries are the validation tiles, the archive are
 * the test tiles, the first 10 hits count, by their label sets. In any case: does a test tile find
 * its own partner among all test tiles of the other sensor.
 */
public final class SensorEvaluation implements AutoCloseable {
  /**
   * Figures of one model in one direction, in percent; NaN where it does not apply.
   *
   * @param model name
   * @param direction {@code s1 -> s2}: query, then archive
   * @param recall1 queries whose partner is the first hit
   * @param recall5 among the first 5
   * @param recall10 among the first 10
   * @param maxSim1 as recall1, the first 50 hits re-ranked by MaxSim over patch tokens
   * @param maxSim10 as recall10, re-ranked
   * @param precision of labels, mean over the first 10 hits and over queries: |q & r| / |r|
   * @param recall of labels: |q & r| / |q|
   * @param f1 harmonic mean of these means
   * @param map mean average precision over the whole archive; a hit with a common label is relevant
   */
  public record Row(
      String model,
      String direction,
      double recall1,
      double recall5,
      double recall10,
      double maxSim1,
      double maxSim10,
      double precision,
      double recall,
      double f1,
      double map) {}

  private static final int DEPTH = 10;
  private static final int RERANKED = 50;

  /** Something that makes features of tiles: a model, or a baseline without one. */
  interface Encoder {
    /** Returns its name in the table. */
    String name();

    /** Pixels that tiles are resized to before. */
    int side();

    /**
     * Returns features of unit length.
     *
     * @param second whether the tiles are the second sensor's
     */
    List<TileFeatures> encode(boolean second, List<BandImage> tiles);
  }

  private final PairDataset dataset;
  private final Map<String, DecodedPairs> decoded = new HashMap<>();
  private final List<Row> rows = new ArrayList<>();

  public SensorEvaluation(PairDataset dataset) {
    this.dataset = dataset;
  }

  /** Measures a model; its bundle has both sensors of the data set. */
  public void add(String name, FusionModel model) {
    add(new ModelEncoder(name, model, sensor(0), sensor(1)));
  }

  /** Measures the descriptor that knows nothing, on tiles of that side. */
  public void addDescriptor(int side) {
    add(new TextureDescriptor(side));
  }

  private void add(Encoder encoder) {
    DecodedPairs archive = pairs(Split.TEST, encoder.side());
    boolean labelled =
        dataset.split(Split.VAL).stream().anyMatch(pair -> !pair.labels().isEmpty())
            && archive.pairs().stream().anyMatch(pair -> !pair.labels().isEmpty());
    List<List<TileFeatures>> archived = features(encoder, archive);
    DecodedPairs queries = labelled ? pairs(Split.VAL, encoder.side()) : null;
    List<List<TileFeatures>> asked = labelled ? features(encoder, queries) : archived;
    for (int from = 0; from < 2; from++) {
      for (int to = 0; to < 2; to++) {
        double[] pair = partners(archived.get(from), archived.get(to), from != to);
        double[] label =
            labelled
                ? labels(asked.get(from), archived.get(to), queries.pairs(), archive.pairs())
                : new double[] {Double.NaN, Double.NaN, Double.NaN, Double.NaN};
        if (from != to || labelled) {
          rows.add(
              new Row(
                  encoder.name(),
                  sensor(from) + " -> " + sensor(to),
                  pair[0],
                  pair[1],
                  pair[2],
                  pair[3],
                  pair[4],
                  label[0],
                  label[1],
                  label[2],
                  label[3]));
        }
      }
    }
  }

  private String sensor(int number) {
    return (number == 0 ? dataset.first() : dataset.second()).name();
  }

  private DecodedPairs pairs(Split split, int side) {
    return decoded.computeIfAbsent(
        split + " " + side, key -> DecodedPairs.decode(dataset, split, side));
  }

  private static List<List<TileFeatures>> features(Encoder encoder, DecodedPairs pairs) {
    return List.of(encoder.encode(false, pairs.first()), encoder.encode(true, pairs.second()));
  }

  /** Returns archive tiles by falling score; ties by their number. */
  static List<Integer> ranking(int archive, ToDoubleFunction<Integer> score) {
    double[] scores = IntStream.range(0, archive).mapToDouble(score::applyAsDouble).toArray();
    return IntStream.range(0, archive)
        .boxed()
        .sorted((a, b) -> Double.compare(scores[b], scores[a]))
        .toList();
  }

  /** Returns the recall of the partner at 1, 5 and 10, and re-ranked at 1 and 10. */
  private static double[] partners(
      List<TileFeatures> queries, List<TileFeatures> archive, boolean across) {
    double[] found = new double[5];
    if (!across) {
      return new double[] {Double.NaN, Double.NaN, Double.NaN, Double.NaN, Double.NaN};
    }
    boolean patches = queries.get(0).patches().length > 0;
    for (int q = 0; q < queries.size(); q++) {
      TileFeatures query = queries.get(q);
      List<Integer> ranking = ranking(archive.size(), a -> query.cosine(archive.get(a)));
      int rank = ranking.indexOf(q);
      found[0] += rank < 1 ? 1 : 0;
      found[1] += rank < 5 ? 1 : 0;
      found[2] += rank < 10 ? 1 : 0;
      if (patches) {
        List<Integer> window = ranking.subList(0, Math.min(RERANKED, ranking.size()));
        List<Integer> again =
            ranking(window.size(), i -> query.maxSim(archive.get(window.get(i)))).stream()
                .map(window::get)
                .toList();
        int second = again.indexOf(q);
        found[3] += second == 0 ? 1 : 0;
        found[4] += second >= 0 && second < 10 ? 1 : 0;
      }
    }
    for (int i = 0; i < found.length; i++) {
      found[i] = i > 2 && !patches ? Double.NaN : 100 * found[i] / queries.size();
    }
    return found;
  }

  /**
   * Returns the share, in percent, of tiles that find their partner among the first ten tiles of
   * the other sensor by their embeddings: the mean over both directions.
   *
   * @param pairs tiles at the side that the model wants
   */
  static double partnersFound(FusionModel model, PairDataset dataset, DecodedPairs pairs) {
    Encoder encoder = new ModelEncoder("", model, dataset.first().name(), dataset.second().name());
    List<List<TileFeatures>> both =
        features(encoder, pairs).stream()
            .map(tiles -> tiles.stream().map(TileFeatures::withoutPatches).toList())
            .toList();
    return (partners(both.get(0), both.get(1), true)[2]
            + partners(both.get(1), both.get(0), true)[2])
        / 2;
  }

  /** Returns the precision, recall and F1 over label sets at 10, and mAP. */
  private static double[] labels(
      List<TileFeatures> queries,
      List<TileFeatures> archive,
      List<TilePair> asked,
      List<TilePair> found) {
    double precision = 0;
    double recall = 0;
    double map = 0;
    int counted = 0;
    for (int q = 0; q < queries.size(); q++) {
      Set<String> wanted = asked.get(q).labels();
      if (wanted.isEmpty()) {
        continue;
      }
      counted++;
      TileFeatures query = queries.get(q);
      List<Integer> ranking = ranking(archive.size(), a -> query.cosine(archive.get(a)));
      List<Integer> first = ranking.subList(0, Math.min(DEPTH, ranking.size()));
      for (int hit : first) {
        Set<String> common = common(wanted, found.get(hit).labels());
        precision +=
            (double) common.size() / Math.max(1, found.get(hit).labels().size()) / first.size();
        recall += (double) common.size() / wanted.size() / first.size();
      }
      int relevant = 0;
      double sum = 0;
      for (int rank = 0; rank < ranking.size(); rank++) {
        if (!common(wanted, found.get(ranking.get(rank)).labels()).isEmpty()) {
          relevant++;
          sum += (double) relevant / (rank + 1);
        }
      }
      map += relevant == 0 ? 0 : sum / relevant;
    }
    double p = 100 * precision / counted;
    double r = 100 * recall / counted;
    return new double[] {p, r, p + r == 0 ? 0 : 2 * p * r / (p + r), 100 * map / counted};
  }

  private static Set<String> common(Set<String> a, Set<String> b) {
    Set<String> common = new HashSet<>(a);
    common.retainAll(b);
    return common;
  }

  /** Deletes the decoded tiles, which are kept for the next model. */
  @Override
  public void close() {
    decoded.values().forEach(DecodedPairs::close);
  }

  /** Returns what was measured so far. */
  public List<Row> rows() {
    return List.copyOf(rows);
  }

  /** Returns the rows as Markdown tables. */
  public String markdown() {
    StringBuilder text = new StringBuilder();
    text.append(
        String.format(
            Locale.ROOT,
            "%s: %d test pairs; a partner is found by chance among the first 10 in %.1f %%.%n%n",
            dataset.name(),
            dataset.split(Split.TEST).size(),
            1000.0 / dataset.split(Split.TEST).size()));
    text.append("| model | direction | R@1 | R@5 | R@10 | MaxSim R@1 | MaxSim R@10 ");
    text.append("| P@10 | R@10 of labels | F1@10 | mAP |\n");
    text.append("|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (Row row : rows) {
      text.append("| ").append(row.model()).append(" | ").append(row.direction());
      for (double value :
          new double[] {
            row.recall1(),
            row.recall5(),
            row.recall10(),
            row.maxSim1(),
            row.maxSim10(),
            row.precision(),
            row.recall(),
            row.f1(),
            row.map()
          }) {
        text.append(" | ")
            .append(Double.isNaN(value) ? "" : String.format(Locale.ROOT, "%.2f", value));
      }
      text.append(" |\n");
    }
    return text.toString();
  }

  /** A bundle's towers, called as a node calls them. */
  static final class ModelEncoder implements SensorEvaluation.Encoder {
    private static final int BATCH = 32;

    private final String name;
    private final FusionModel model;
    private final List<SensorConfig> sensors;

    /**
     * Makes an encoder of the towers of two sensors.
     *
     * @param model stays the caller's
     */
    ModelEncoder(String name, FusionModel model, String first, String second) {
      this.name = name;
      this.model = model;
      this.sensors =
          List.of(
              model.bundle().manifest().config().sensor(first),
              model.bundle().manifest().config().sensor(second));
    }

    @Override
    public String name() {
      return name;
    }

    @Override
    public int side() {
      return sensors.get(0).imageSize();
    }

    @Override
    public List<TileFeatures> encode(boolean second, List<BandImage> tiles) {
      SensorConfig sensor = sensors.get(second ? 1 : 0);
      ImagePreprocessor preprocessor = new ImagePreprocessor(sensor);
      List<TileFeatures> features = new ArrayList<>();
      for (int from = 0; from < tiles.size(); from += BATCH) {
        List<PixelTensor> batch =
            tiles.subList(from, Math.min(tiles.size(), from + BATCH)).stream()
                .map(preprocessor::normalise)
                .toList();
        for (Encoding encoding : model.encodeImages(sensor.name(), batch)) {
          int h = encoding.tokens().hidden();
          // Token 0 is [CLS].
          float[][] patches = new float[encoding.tokens().count() - 1][];
          for (int p = 0; p < patches.length; p++) {
            int at = (p + 1) * h;
            patches[p] =
                TileFeatures.unit(Arrays.copyOfRange(encoding.tokens().values(), at, at + h));
          }
          features.add(new TileFeatures(encoding.embedding(), patches));
        }
      }
      return features;
    }
  }
}
