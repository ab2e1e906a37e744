/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.action;

import io.crossmodal.model.Messages;
import io.crossmodal.model.image.Stretch;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.common.io.stream.Writeable;
import org.opensearch.core.xcontent.XContentBuilder;

/**
 * Several sides: what hits shall be like, and unlike. They are searched by one vector, the sum of
 * both lists, each the mean of its sides' embeddings times their weights, what is unlike taken off
 * (Rocchio's feedback, Manning et al., Introduction to Information Retrieval, 9.1.1).
 *
 * @param like at least one
 * @param unlike perhaps none
 */
public record Sides(List<Side> like, List<Side> unlike) implements QuerySource {
  static final byte KIND = 3;

  public static final String LIKE = "like";
  public static final String UNLIKE = "unlike";

  /** Most sides of a query: each is an encoding or a get. */
  public static final int MOST = 50;

  /** The largest weight. */
  public static final float MAX_WEIGHT = 1000;

  /** The weight of a side that hits shall be like, where the request names none. */
  public static final float LIKE_WEIGHT = 1;

  /**
   * The weight of a side that hits shall be unlike, where the request names none: the share that
   * gamma 0.15 is of beta 0.75, the values that the literature gives.
   */
  public static final float UNLIKE_WEIGHT = 0.2f;

  /**
   * One side.
   *
   * @param source a text, an image or a document
   * @param weight above 0, at most {@link #MAX_WEIGHT}
   */
  public record Side(QuerySource source, float weight) implements Writeable {
    /**
     * @throws IllegalArgumentException for a weight out of its range
     */
    public Side {
      if (source instanceof Sides) {
        throw new IllegalArgumentException("a side holds no sides");
      }
      // NaN is in no range.
      if (!(weight > 0 && weight <= MAX_WEIGHT)) {
        throw new IllegalArgumentException(
            "[weight] must be above 0 and at most " + MAX_WEIGHT + ", got [" + weight + "]");
      }
    }

    private Side(StreamInput in) throws IOException {
      this(QuerySource.read(in), in.readFloat());
    }

    @Override
    public void writeTo(StreamOutput out) throws IOException {
      source.writeTo(out);
      out.writeFloat(weight);
    }
  }

  /**
   * A side with its place in the request.
   *
   * @param name such as {@code like[0].text}
   * @param weight as the request gives it
   * @param coefficient of its embedding in the sum; below 0 for one that hits shall be unlike
   */
  public record Placed(String name, float weight, float coefficient, QuerySource source) {}

  /**
   * @throws IllegalArgumentException when nothing is liked, or there are too many sides
   */
  public Sides {
    like = List.copyOf(like);
    unlike = List.copyOf(unlike);
    if (like.isEmpty()) {
      throw new IllegalArgumentException("[" + LIKE + "] must name at least one side");
    }
    if (like.size() + unlike.size() > MOST) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[%s] and [%s] take at most %d sides together, got [%d] and [%d]",
              LIKE,
              UNLIKE,
              MOST,
              like.size(),
              unlike.size()));
    }
  }

  Sides(StreamInput in) throws IOException {
    this(in.readList(Side::new), in.readList(Side::new));
  }

  /** Returns all sides, the liked ones first, with what their embeddings are multiplied by. */
  public List<Placed> placed() {
    List<Placed> placed = new ArrayList<>();
    place(LIKE, like, 1f / like.size(), placed);
    place(UNLIKE, unlike, -1f / Math.max(1, unlike.size()), placed);
    return placed;
  }

  private static void place(String list, List<Side> sides, float factor, List<Placed> placed) {
    for (int i = 0; i < sides.size(); i++) {
      Side side = sides.get(i);
      placed.add(
          new Placed(
              list + "[" + i + "]." + part(side.source()),
              side.weight(),
              factor * side.weight(),
              side.source()));
    }
  }

  /**
   * Returns the side that a rescore reads: of the liked texts the one of the largest weight, or,
   * without any, of all that is liked; of equal ones the first.
   */
  public QuerySource read() {
    List<Side> texts =
        like.stream().filter(side -> side.source() instanceof QuerySource.Text).toList();
    Side read = null;
    for (Side side : texts.isEmpty() ? like : texts) {
      read = read == null || side.weight() > read.weight() ? side : read;
    }
    return read.source();
  }

  /** Returns the key of a side in a request: that of the source without its {@code query_}. */
  public static String part(QuerySource source) {
    return source.key().substring("query_".length());
  }

  @Override
  public QuerySource.Label label() {
    StringBuilder all = new StringBuilder();
    for (Placed side : placed()) {
      all.append(all.isEmpty() ? "" : ", ")
          .append(side.name())
          .append(' ')
          .append(Messages.excerpt(side.source().label().value()))
          .append(" x ")
          .append(side.weight());
    }
    return new QuerySource.Label(LIKE, all.toString());
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    out.writeByte(KIND);
    out.writeList(like);
    out.writeList(unlike);
  }

  @Override
  public XContentBuilder toXContent(XContentBuilder builder, Params params) throws IOException {
    print(LIKE, like, builder);
    return unlike.isEmpty() ? builder : print(UNLIKE, unlike, builder);
  }

  private static XContentBuilder print(String list, List<Side> sides, XContentBuilder builder)
      throws IOException {
    builder.startArray(list);
    for (Side side : sides) {
      builder.startObject();
      if (side.source() instanceof QuerySource.Text text) {
        builder.field("text", text.text());
        if (!text.prompt()) {
          builder.field(QuerySource.PROMPT, false);
        }
      } else if (side.source() instanceof QuerySource.Image image) {
        builder.field("image", image.bytes());
        optional(QuerySource.SENSOR, image.sensor(), builder);
        optional(QuerySource.STRETCH, image.stretch().map(Stretch::toString).orElse(null), builder);
      } else if (side.source() instanceof QuerySource.Document document) {
        builder.field("id", document.id());
        optional(QuerySource.INDEX, document.index(), builder);
        optional(QuerySource.ROUTING, document.routing(), builder);
        optional("field", document.field(), builder);
      }
      builder.field("weight", side.weight()).endObject();
    }
    return builder.endArray();
  }

  private static void optional(String key, String value, XContentBuilder builder)
      throws IOException {
    if (value != null) {
      builder.field(key, value);
    }
  }
}
