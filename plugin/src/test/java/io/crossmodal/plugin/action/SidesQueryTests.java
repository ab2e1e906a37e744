/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.action;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.model.SensorCalibration;
import io.crossmodal.plugin.TestModels;
import io.crossmodal.plugin.action.Sides.Side;
import io.crossmodal.plugin.mapper.Embeddings;
import io.crossmodal.plugin.mapper.Modality;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.opensearch.action.support.PlainActionFuture;
import org.opensearch.core.action.ActionListener;
import org.opensearch.test.OpenSearchTestCase;

/** The vector of several sides, against Rocchio's formula in plain Java. */
public class SidesQueryTests extends OpenSearchTestCase {
  private static final int DIMENSION = 8;

  private static List<Side> sides(int count) {
    List<Side> sides = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      sides.add(
          new Side(
              randomFrom(
                  List.<QuerySource>of(
                      new QuerySource.Text("a pond " + i),
                      new QuerySource.Image(new byte[] {1, 2}, null),
                      new QuerySource.Document("d" + i, null, null))),
              0.1f + randomFloat()));
    }
    return sides;
  }

  private static EncodedQuery encoded(float[] vector, String notice) {
    return new EncodedQuery(
        new EncodedQuery.Embedding(
            "space", vector, List.of(new SensorCalibration("s1", "s2", 2, -1))),
        new EncodedQuery.Tokens(Modality.TEXT, "m", "t", null, List.of(), List.of()),
        notice);
  }

  private static EncodedQuery combined(Sides sides, List<float[]> vectors) throws Exception {
    PlainActionFuture<EncodedQuery> future = new PlainActionFuture<>();
    List<ActionListener<EncodedQuery>> waiting = new ArrayList<>();
    SidesQuery.encode(sides, (side, done) -> waiting.add(done), future);
    // They come back in any order.
    List<Integer> order = new ArrayList<>();
    for (int i = 0; i < vectors.size(); i++) {
      order.add(i);
    }
    Collections.shuffle(order, random());
    for (int i : order) {
      waiting.get(i).onResponse(encoded(vectors.get(i), i == 0 ? "cut" : ""));
    }
    return future.get();
  }

  public void testTheVectorIsRocchios() throws Exception {
    for (int turn = 0; turn < 30; turn++) {
      Sides sides = new Sides(sides(randomIntBetween(1, 4)), sides(randomInt(3)));
      List<float[]> vectors = new ArrayList<>();
      double[] expected = new double[DIMENSION];
      for (int i = 0; i < sides.like().size() + sides.unlike().size(); i++) {
        float[] vector = unit(DIMENSION);
        vectors.add(vector);
        boolean like = i < sides.like().size();
        Side side = like ? sides.like().get(i) : sides.unlike().get(i - sides.like().size());
        double factor = like ? 1.0 / sides.like().size() : -1.0 / sides.unlike().size();
        for (int d = 0; d < DIMENSION; d++) {
          expected[d] += factor * side.weight() * vector[d];
        }
      }
      double squares = 0;
      for (double value : expected) {
        squares += value * value;
      }
      EncodedQuery query = combined(sides, vectors);
      float[] found = query.embedding().vector();
      double again = 0;
      for (int d = 0; d < DIMENSION; d++) {
        assertEquals(expected[d] / Math.sqrt(squares), found[d], 1e-5);
        again += found[d] * found[d];
      }
      assertEquals(1, again, 1e-5);
      assertEquals("space", query.embedding().space());
      assertEquals(vectors.size(), query.embedding().parts().size());
      // The sum of what the sides say of a document is what the query says.
      float[] document = unit(DIMENSION);
      double sum = 0;
      double whole = 0;
      for (EncodedQuery.Part part : query.embedding().parts()) {
        for (int d = 0; d < DIMENSION; d++) {
          sum += part.coefficient() * part.vector()[d] * document[d];
        }
      }
      for (int d = 0; d < DIMENSION; d++) {
        whole += found[d] * document[d];
      }
      assertEquals(whole, sum, 1e-5);
      assertEquals(vectors.size() == 1, !query.embedding().calibrations().isEmpty());
      assertEquals(sides.placed().get(0).name() + ": cut", query.notice());
    }
  }

  public void testSidesThatCancelEachOtherAreRefused() {
    float[] vector = unit(DIMENSION);
    Side side = new Side(new QuerySource.Text("a pond"), 2);
    Exception e =
        expectThrows(
            Exception.class,
            () -> combined(new Sides(List.of(side), List.of(side)), List.of(vector, vector)));
    assertThat(e.toString(), containsString("[like] and what is [unlike] cancel each other"));
  }

  public void testASideThatIsRefusedAtOnceIsNamedAndFailsTheQueryOnce() {
    List<Exception> failures = new ArrayList<>();
    SidesQuery.encode(
        new Sides(sides(3), List.of()),
        (side, done) -> {
          throw new IllegalArgumentException("no such sensor");
        },
        ActionListener.wrap(query -> fail("encoded"), failures::add));
    assertEquals(1, failures.size());
    assertThat(failures.get(0).getMessage(), containsString("[like[0]."));
    assertThat(failures.get(0).getMessage(), containsString("]: no such sensor"));
  }

  public void testTheFirstFailureIsTheQuerys() {
    PlainActionFuture<EncodedQuery> future = new PlainActionFuture<>();
    SidesQuery.encode(
        new Sides(sides(3), List.of()),
        (side, done) -> {
          if (side.name().startsWith("like[1]")) {
            done.onFailure(new IllegalArgumentException(side.name()));
          }
        },
        future);
    assertTrue(future.isDone());
    assertThat(expectThrows(Exception.class, future::get).toString(), containsString("like[1]."));
  }

  public void testWhatARescoreReads() {
    QuerySource pond = new QuerySource.Text("a pond");
    QuerySource road = new QuerySource.Text("a road");
    QuerySource picture = new QuerySource.Image(new byte[] {1}, null);
    QuerySource document = new QuerySource.Document("d", null, null);
    assertEquals(
        pond,
        new Sides(
                List.of(new Side(picture, 9), new Side(pond, 2), new Side(road, 1)),
                List.of(new Side(road, 9)))
            .read());
    assertEquals(
        document,
        new Sides(List.of(new Side(picture, 1), new Side(document, 2)), List.of()).read());
  }

  public void testBounds() {
    refused(() -> new Sides(List.of(), sides(1)), "[like] must name at least one side");
    refused(() -> new Sides(sides(30), sides(21)), "at most 50 sides together, got [30] and [21]");
    for (float weight : new float[] {0, -1, 1001, Float.NaN}) {
      refused(
          () -> new Side(new QuerySource.Text("a"), weight),
          "[weight] must be above 0 and at most 1000.0, got [" + weight + "]");
    }
  }

  private static void refused(ThrowingRunnable made, String message) {
    assertThat(
        expectThrows(IllegalArgumentException.class, made).getMessage(), containsString(message));
  }

  private static float[] unit(int dimension) {
    return Embeddings.unit("v", TestModels.vector(random(), dimension), dimension);
  }
}
