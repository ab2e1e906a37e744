/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.action;

import io.crossmodal.model.Messages;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.common.io.stream.Writeable;
import org.opensearch.core.xcontent.ToXContentFragment;
import org.opensearch.core.xcontent.XContentBuilder;

/** Source of a query: what a request searches by, before it is encoded. Immutable. */
public sealed interface QuerySource extends Writeable, ToXContentFragment {
  String QUERY_TEXT = "query_text";
  String QUERY_IMAGE = "query_image";
  String QUERY_ID = "query_id";
  String QUERY_FIELD = "query_field";
  String INDEX = "index";
  String ROUTING = "routing";
  String SENSOR = "sensor";

  /** Returns the request's parameter that holds it. */
  default String key() {
    return label().key();
  }

  /** Returns what stands for it once it is encoded. */
  Label label();

  /** Reads what {@link #writeTo} wrote. */
  static QuerySource read(StreamInput in) throws IOException {
    byte kind = in.readByte();
    return switch (kind) {
      case Text.KIND -> new Text(in.readString());
      case Image.KIND -> new Image(in.readByteArray(), in.readOptionalString());
      case Document.KIND -> new Document(in);
      case Sides.KIND -> new Sides(in);
      default -> throw new IOException("a query source has no kind [" + kind + "]");
    };
  }

  /**
   * The short form of an encoded source. Shards repeat it in slow logs and messages, where the
   * numbers that they search by would say nothing.
   *
   * @param key the request's parameter
   * @param value a text, a document's id, or how large an image was
   */
  record Label(String key, String value) implements Writeable, ToXContentFragment {
    public Label(StreamInput in) throws IOException {
      this(in.readString(), in.readString());
    }

    @Override
    public void writeTo(StreamOutput out) throws IOException {
      out.writeString(key);
      out.writeString(value);
    }

    @Override
    public XContentBuilder toXContent(XContentBuilder builder, Params params) throws IOException {
      return builder.field(key, value);
    }
  }

  /**
   * A text as typed.
   *
   * @param text not blank
   */
  record Text(String text) implements QuerySource {
    private static final byte KIND = 0;

    /**
     * @throws IllegalArgumentException when the text is blank
     */
    public Text {
      if (text.isBlank()) {
        throw new IllegalArgumentException("[" + QUERY_TEXT + "] must not be empty");
      }
    }

    @Override
    public Label label() {
      return new Label(QUERY_TEXT, text);
    }

    @Override
    public void writeTo(StreamOutput out) throws IOException {
      out.writeByte(KIND);
      out.writeString(text);
    }

    @Override
    public XContentBuilder toXContent(XContentBuilder builder, Params params) throws IOException {
      return builder.field(QUERY_TEXT, text);
    }
  }

  /**
   * An image as sent.
   *
   * @param bytes a JPEG, PNG or TIFF file; kept, not copied
   * @param sensor null for the only one of the model
   */
  @SuppressWarnings("ArrayRecordComponent") // compared by content below
  record Image(byte[] bytes, String sensor) implements QuerySource {
    private static final byte KIND = 1;

    /**
     * @throws IllegalArgumentException when there are no bytes
     */
    public Image {
      if (bytes.length == 0) {
        throw new IllegalArgumentException("[" + QUERY_IMAGE + "] must not be empty");
      }
    }

    @Override
    public Label label() {
      return new Label(QUERY_IMAGE, "picture of " + bytes.length + " bytes");
    }

    @Override
    public void writeTo(StreamOutput out) throws IOException {
      out.writeByte(KIND);
      out.writeByteArray(bytes);
      out.writeOptionalString(sensor);
    }

    @Override
    public XContentBuilder toXContent(XContentBuilder builder, Params params) throws IOException {
      builder.field(QUERY_IMAGE, bytes);
      return sensor == null ? builder : builder.field(SENSOR, sensor);
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Image image
          && Arrays.equals(bytes, image.bytes)
          && Objects.equals(sensor, image.sensor);
    }

    @Override
    public int hashCode() {
      return Objects.hash(Arrays.hashCode(bytes), sensor);
    }
  }

  /**
   * A document whose field was encoded when it was indexed.
   *
   * @param id not empty
   * @param index null for the only one that is searched
   * @param field null for the field that is searched
   * @param routing the document's own; null for none
   */
  record Document(String id, String index, String field, String routing) implements QuerySource {
    private static final byte KIND = 2;

    /**
     * @throws IllegalArgumentException when the id is empty
     */
    public Document {
      if (id.isEmpty()) {
        throw new IllegalArgumentException("[" + QUERY_ID + "] must not be empty");
      }
    }

    /** A document without a routing. */
    public Document(String id, String index, String field) {
      this(id, index, field, null);
    }

    private Document(StreamInput in) throws IOException {
      this(
          in.readString(),
          in.readOptionalString(),
          in.readOptionalString(),
          in.readOptionalString());
    }

    @Override
    public Label label() {
      return new Label(QUERY_ID, id);
    }

    @Override
    public void writeTo(StreamOutput out) throws IOException {
      out.writeByte(KIND);
      out.writeString(id);
      out.writeOptionalString(index);
      out.writeOptionalString(field);
      out.writeOptionalString(routing);
    }

    @Override
    public XContentBuilder toXContent(XContentBuilder builder, Params params) throws IOException {
      builder.field(QUERY_ID, id);
      if (index != null) {
        builder.field(INDEX, index);
      }
      if (routing != null) {
        builder.field(ROUTING, routing);
      }
      return field == null ? builder : builder.field(QUERY_FIELD, field);
    }
  }

  /**
   * Several sides: what hits shall be like, and unlike. They are searched by one vector, the sum of
   * both lists, each the mean of its sides' embeddings times their weights, what is unlike taken
   * off (Rocchio's feedback, Manning et al., Introduction to Information Retrieval, 9.1.1).
   *
   * @param like at least one
   * @param unlike perhaps none
   */
  record Sides(List<Side> like, List<Side> unlike) implements QuerySource {
    private static final byte KIND = 3;

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

    private Sides(StreamInput in) throws IOException {
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
      List<Side> texts = like.stream().filter(side -> side.source() instanceof Text).toList();
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
    public Label label() {
      StringBuilder all = new StringBuilder();
      for (Placed side : placed()) {
        all.append(all.isEmpty() ? "" : ", ")
            .append(side.name())
            .append(' ')
            .append(Messages.excerpt(side.source().label().value()))
            .append(" x ")
            .append(side.weight());
      }
      return new Label(LIKE, all.toString());
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
        if (side.source() instanceof Text text) {
          builder.field("text", text.text());
        } else if (side.source() instanceof Image image) {
          builder.field("image", image.bytes());
          optional(SENSOR, image.sensor(), builder);
        } else if (side.source() instanceof Document document) {
          builder.field("id", document.id());
          optional(INDEX, document.index(), builder);
          optional(ROUTING, document.routing(), builder);
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
}
