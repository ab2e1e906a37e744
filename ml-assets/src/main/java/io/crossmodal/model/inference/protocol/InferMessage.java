/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.protocol;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import io.crossmodal.model.Messages;
import java.nio.BufferOverflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * An inference request or response: a JSON header, and the tensors' bytes behind it. Requests hold
 * {@code inputs}, responses {@code outputs}.
 *
 * @param header without its tensors
 */
public record InferMessage(JsonObject header, List<Tensor> tensors) {
  /** The HTTP header that says how long the JSON is. */
  public static final String JSON_LENGTH = "Inference-Header-Content-Length";

  /**
   * Most bytes of a message's JSON, beside the numbers that were asked for. Parsed it takes {@link
   * #HEAP_PER_JSON_BYTE} times as much, so that whoever has many numbers sends them in binary.
   */
  public static final int LONGEST_JSON = 4 << 20;

  /** The most bytes of JSON that a number takes, as a float64 is written that was a float32. */
  static final int JSON_PER_NUMBER = 26;

  /** The heap that a byte of JSON takes at most: an array of numbers of one digit. */
  public static final int HEAP_PER_JSON_BYTE = 64;

  private static final String BINARY_SIZE = "binary_data_size";

  /** More than any operation's tensors have. */
  private static final int MOST_AXES = 8;

  public InferMessage {
    tensors = List.copyOf(tensors);
  }

  /** The parts of a message's body. */
  @SuppressWarnings("ArrayRecordComponent") // sent once, never compared
  public record Body(byte[] json, List<ByteBuffer> data) {
    public Body {
      data = List.copyOf(data);
    }

    /** Returns the bytes of the whole body. */
    public long length() {
      return json.length + data.stream().mapToLong(ByteBuffer::remaining).sum();
    }
  }

  /**
   * Returns a request.
   *
   * @param binary whether its tensors, and those of its answer, are bytes behind the JSON, else
   *     numbers in it
   */
  public static Body request(JsonObject parameters, List<Tensor> inputs, boolean binary) {
    JsonObject header = new JsonObject();
    JsonObject all = parameters.deepCopy();
    if (binary) {
      all.addProperty("binary_data_output", true);
    }
    header.add("parameters", all);
    return new InferMessage(header, inputs).body("inputs", binary);
  }

  /**
   * Returns a response's body.
   *
   * @param binary whether the tensors are bytes behind the JSON, else numbers in it
   */
  public Body response(boolean binary) {
    return body("outputs", binary);
  }

  private Body body(String key, boolean binary) {
    JsonObject json = header.deepCopy();
    JsonArray listed = new JsonArray();
    List<ByteBuffer> data = new ArrayList<>();
    for (Tensor tensor : tensors) {
      JsonObject entry = new JsonObject();
      entry.addProperty("name", tensor.name());
      entry.addProperty("datatype", tensor.type().name());
      JsonArray shape = new JsonArray();
      Arrays.stream(tensor.shape()).forEach(shape::add);
      entry.add("shape", shape);
      if (binary) {
        JsonObject parameters = new JsonObject();
        parameters.addProperty(BINARY_SIZE, tensor.length());
        entry.add("parameters", parameters);
        data.addAll(tensor.data());
      } else {
        entry.add("data", numbers(tensor));
      }
      listed.add(entry);
    }
    json.add(key, listed);
    return new Body(json.toString().getBytes(StandardCharsets.UTF_8), data);
  }

  private static JsonArray numbers(Tensor tensor) {
    JsonArray numbers = new JsonArray();
    if (tensor.type() == Tensor.Type.FP32) {
      for (float value : tensor.floats()) {
        numbers.add(value);
      }
    } else if (tensor.type() == Tensor.Type.INT32) {
      for (int value : tensor.ints()) {
        numbers.add(value);
      }
    } else {
      ByteBuffer bytes = tensor.whole();
      while (bytes.hasRemaining()) {
        numbers.add(Byte.toUnsignedInt(bytes.get()));
      }
    }
    return numbers;
  }

  /** Returns whether a request wants its answer's tensors in binary. */
  public boolean wantsBinary() {
    if (flag(header, "binary_data_output")) {
      return true;
    }
    return header.get("outputs") instanceof JsonArray outputs
        && !outputs.isEmpty()
        && outputs.asList().stream()
            .allMatch(output -> output instanceof JsonObject wanted && flag(wanted, "binary_data"));
  }

  private static boolean flag(JsonObject of, String name) {
    return of.get("parameters") instanceof JsonObject parameters
        && parameters.get(name) instanceof JsonPrimitive value
        && value.getAsBoolean();
  }

  /** Returns a parameter of the message; null where it has none of that name. */
  public JsonElement parameter(String name) {
    return header.get("parameters") instanceof JsonObject parameters ? parameters.get(name) : null;
  }

  /**
   * Returns a parameter that is a number.
   *
   * @param otherwise where there is none of that name
   * @throws IllegalArgumentException when it is another thing
   */
  public long number(String name, long otherwise) {
    JsonElement value = parameter(name);
    try {
      return value == null ? otherwise : value.getAsLong();
    } catch (NumberFormatException | UnsupportedOperationException | IllegalStateException e) {
      throw new IllegalArgumentException("parameter [" + name + "] must be a number", e);
    }
  }

  /**
   * Returns a parameter that is text; null where there is none of that name.
   *
   * @throws IllegalArgumentException when it is another thing
   */
  public String text(String name) {
    JsonElement value = parameter(name);
    if (value != null && !value.isJsonPrimitive()) {
      throw new IllegalArgumentException("parameter [" + name + "] must be a string");
    }
    return value == null ? null : value.getAsString();
  }

  /**
   * Returns a tensor.
   *
   * @throws IllegalArgumentException when there is none of that name
   */
  public Tensor tensor(String name) {
    for (Tensor tensor : tensors) {
      if (tensor.name().equals(name)) {
        return tensor;
      }
    }
    throw new IllegalArgumentException(
        "there is no tensor ["
            + name
            + "], but "
            + Messages.excerpt(tensors.stream().map(Tensor::name).toList().toString()));
  }

  /** Returns whether there is a tensor of that name. */
  public boolean has(String name) {
    return tensors.stream().anyMatch(tensor -> tensor.name().equals(name));
  }

  /**
   * Reads a request.
   *
   * @param jsonLength bytes of the JSON at the beginning; -1: all of them
   * @throws IllegalArgumentException when it is none, saying where
   */
  public static InferMessage readRequest(byte[] body, int jsonLength) {
    return read(body, jsonLength, "inputs", 0);
  }

  /**
   * Reads a response, likewise.
   *
   * @param numbers that its tensors have; a server that knows no binary tensors has them in JSON
   */
  public static InferMessage readResponse(byte[] body, int jsonLength, long numbers) {
    return read(body, jsonLength, "outputs", numbers);
  }

  /**
   * Reads a JSON object.
   *
   * @throws IllegalArgumentException when the bytes are none
   */
  public static JsonObject json(byte[] bytes, int offset, int length) {
    try {
      return JsonParser.parseString(new String(bytes, offset, length, StandardCharsets.UTF_8))
          .getAsJsonObject();
    } catch (JsonParseException | IllegalStateException e) {
      throw new IllegalArgumentException(
          "the body must begin with a JSON object: " + Messages.excerpt(e.getMessage()), e);
    }
  }

  /** Returns a number that is whole, as {@code getAsLong} makes one of any. */
  private static long whole(JsonElement number) {
    return number.getAsBigDecimal().longValueExact();
  }

  /** Refuses JSON that would take more heap than {@link #LONGEST_JSON} and some numbers do. */
  private static void requireShort(byte[] body, int end, long numbers) {
    long most = LONGEST_JSON + JSON_PER_NUMBER * numbers;
    if (end > most) {
      throw new IllegalArgumentException(
          "the JSON of a message has at most "
              + most
              + " bytes, this one "
              + end
              + ": send tensors in binary, behind it");
    }
    if (end > LONGEST_JSON) {
      // Whatever becomes an object in the heap has one of these before it.
      long objects = 0;
      for (int i = 0; i < end; i++) {
        objects += body[i] == ',' || body[i] == '[' || body[i] == '{' ? 1 : 0;
      }
      if (objects > LONGEST_JSON / 2 + numbers) {
        throw new IllegalArgumentException(
            "the JSON holds more values than the " + numbers + " that were asked for");
      }
    }
  }

  private static InferMessage read(byte[] body, int jsonLength, String key, long numbers) {
    int end = jsonLength < 0 ? body.length : jsonLength;
    if (end > body.length) {
      throw new IllegalArgumentException(
          "[" + JSON_LENGTH + "] is " + end + ", but the body has " + body.length + " bytes");
    }
    requireShort(body, end, numbers);
    JsonObject header = json(body, 0, end);
    List<Tensor> tensors = new ArrayList<>();
    try {
      int at = end;
      if (header.remove(key) instanceof JsonArray listed) {
        for (JsonElement entry : listed) {
          Tensor tensor = tensor(entry.getAsJsonObject(), body, at);
          tensors.add(tensor);
          at +=
              entry.getAsJsonObject().get("data") instanceof JsonArray ? 0 : (int) tensor.length();
        }
      }
      if (at != body.length) {
        throw new IllegalArgumentException(
            "the tensors take " + (at - end) + " bytes, but " + (body.length - end) + " follow");
      }
    } catch (IllegalStateException
        | UnsupportedOperationException
        | NullPointerException
        | ClassCastException
        | NumberFormatException
        | ArithmeticException e) {
      throw new IllegalArgumentException(
          "["
              + key
              + "] must list tensors, each with name, shape, datatype and data: "
              + Messages.excerpt(e.toString()),
          e);
    }
    return new InferMessage(header, tensors);
  }

  private static Tensor tensor(JsonObject entry, byte[] body, int at) {
    String name = entry.get("name").getAsString();
    String shown = Messages.excerpt(name);
    long[] shape =
        entry.getAsJsonArray("shape").asList().stream().mapToLong(InferMessage::whole).toArray();
    if (shape.length > MOST_AXES) {
      throw new IllegalArgumentException("a tensor has at most " + MOST_AXES + " axes");
    }
    Tensor.Type type = Tensor.type(name, entry.get("datatype").getAsString());
    long values = 1;
    for (long extent : shape) {
      if (extent < 0) {
        throw new IllegalArgumentException(
            "the shape of tensor [" + shown + "] must not be negative: " + Arrays.toString(shape));
      }
      values = Math.multiplyExact(values, extent);
    }
    long length = Math.multiplyExact(values, type.bytes());
    if (entry.get("data") instanceof JsonArray numbers) {
      // So that a few bytes of JSON do not ask for more than they hold.
      if (length > (long) type.bytes() * body.length) {
        throw new IllegalArgumentException(
            "tensor [" + shown + "] holds fewer values than it says");
      }
      ByteBuffer data = Tensor.buffer(length);
      try {
        fill(numbers, type, data);
      } catch (BufferOverflowException e) {
        throw new IllegalArgumentException("tensor [" + shown + "] holds more than its shape", e);
      }
      if (data.hasRemaining()) {
        throw new IllegalArgumentException("tensor [" + shown + "] holds less than its shape");
      }
      return new Tensor(name, type, shape, List.of(data.flip()));
    }
    long said = whole(entry.getAsJsonObject("parameters").get(BINARY_SIZE));
    if (said != length || length > body.length - at) {
      throw new IllegalArgumentException(
          "tensor ["
              + shown
              + "] of shape "
              + Arrays.toString(shape)
              + " needs "
              + length
              + " bytes, got "
              + (said == length ? body.length - at : said));
    }
    return new Tensor(
        name,
        type,
        shape,
        List.of(ByteBuffer.wrap(body, at, (int) length).order(ByteOrder.LITTLE_ENDIAN)));
  }

  private static void fill(JsonArray numbers, Tensor.Type type, ByteBuffer data) {
    for (JsonElement number : numbers) {
      if (number instanceof JsonArray row) {
        fill(row, type, data);
      } else {
        switch (type) {
          case FP32 -> data.putFloat(number.getAsFloat());
          case INT32 -> data.putInt(number.getAsInt());
          case UINT8 -> {
            int value = number.getAsInt();
            if (value < 0 || value > 255) {
              throw new IllegalArgumentException("a value of UINT8 is from 0 to 255, got " + value);
            }
            data.put((byte) value);
          }
        }
      }
    }
  }
}
