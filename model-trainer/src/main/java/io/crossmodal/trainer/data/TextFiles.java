/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import com.google.gson.JsonSyntaxException;
import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.MalformedJsonException;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.StringReader;
import java.io.UncheckedIOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.commons.csv.CSVException;
import org.apache.commons.csv.CSVFormat;
import org.apache.commons.csv.CSVParser;
import org.apache.commons.csv.CSVRecord;

/** Reads text and JSON files, with errors that name the file. */
public final class TextFiles {
  private TextFiles() {}

  /** Returns the JSON object of a resource that lies beside a class. */
  public static JsonObject resource(Class<?> owner, String name) {
    try (Reader json =
        new InputStreamReader(owner.getResourceAsStream(name), StandardCharsets.UTF_8)) {
      return JsonParser.parseReader(json).getAsJsonObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Reads the lines of a UTF-8 file. */
  static List<String> lines(Path file) throws IOException {
    try {
      return Files.readAllLines(file);
    } catch (CharacterCodingException e) {
      throw notUtf8(file, e);
    }
  }

  /**
   * A row of a table.
   *
   * @param line of the file, from 1, on which it ends
   * @param cells without blanks around them
   */
  record Line(long line, List<String> cells) {}

  /**
   * Reads the rows of a CSV file, RFC 4180 and UTF-8, the header among them; blank lines are left
   * out.
   */
  static List<Line> table(Path file) throws IOException {
    return table(file, ',');
  }

  /** Does the same for another delimiter; behind a tab quotes are characters as others. */
  static List<Line> table(Path file, char delimiter) throws IOException {
    List<Line> rows = new ArrayList<>();
    try (CSVParser parser =
        CSVParser.builder()
            .setReader(new StringReader(String.join("\n", lines(file)).replaceFirst("^\ufeff", "")))
            .setFormat(
                CSVFormat.RFC4180
                    .builder()
                    .setDelimiter(delimiter)
                    .setQuote(delimiter == '\t' ? null : '"')
                    .setTrim(true)
                    .setIgnoreEmptyLines(true)
                    .get())
            .get()) {
      for (CSVRecord row : parser) {
        if (row.stream().anyMatch(cell -> !cell.isEmpty())) {
          rows.add(new Line(parser.getCurrentLineNumber(), row.toList()));
        }
      }
    } catch (UncheckedIOException | CSVException e) {
      throw new InvalidDatasetException(file + " is no CSV file: " + e.getMessage(), e);
    }
    return rows;
  }

  /** Takes the elements of a JSON array, one after the other. */
  @FunctionalInterface
  interface Elements {
    void take(int index, JsonElement element);
  }

  /** Reads a whole JSON file. */
  static JsonElement json(Path file) throws IOException {
    return json(file, JsonParser::parseReader);
  }

  /**
   * Reads a JSON file that may be larger than memory: arrays are handed over, not kept.
   *
   * @param arrays who takes the elements of an array of the root object, by its name; "" where the
   *     root is the array
   * @return the root, with an empty array in place of one that was handed over, and without other
   *     arrays and objects
   */
  static JsonElement json(Path file, Map<String, Elements> arrays) throws IOException {
    return json(file, json -> root(json, arrays));
  }

  /** Makes something of JSON. */
  private interface Parse {
    JsonElement of(JsonReader json) throws IOException;
  }

  private static JsonElement json(Path file, Parse parse) throws IOException {
    try (JsonReader json = new JsonReader(Files.newBufferedReader(file, StandardCharsets.UTF_8))) {
      json.setStrictness(Strictness.LENIENT);
      JsonElement root = parse.of(json);
      if (!root.isJsonNull() && json.peek() != JsonToken.END_DOCUMENT) {
        throw new JsonSyntaxException("more follows behind its end");
      }
      return root;
    } catch (JsonParseException | EOFException | MalformedJsonException e) {
      if (e.getCause() instanceof CharacterCodingException) {
        throw notUtf8(file, e);
      }
      throw new InvalidDatasetException(
          file + " is not valid JSON, perhaps cut short: " + e.getMessage(), e);
    } catch (CharacterCodingException e) {
      throw notUtf8(file, e);
    }
  }

  private static JsonElement root(JsonReader json, Map<String, Elements> arrays)
      throws IOException {
    JsonToken first = json.peek();
    if (first == JsonToken.BEGIN_ARRAY) {
      return handOver(json, arrays.getOrDefault("", (index, element) -> {}));
    }
    if (first != JsonToken.BEGIN_OBJECT) {
      return JsonParser.parseReader(json);
    }
    JsonObject root = new JsonObject();
    json.beginObject();
    while (json.hasNext()) {
      String name = json.nextName();
      JsonToken value = json.peek();
      if (value == JsonToken.BEGIN_ARRAY && arrays.containsKey(name)) {
        root.add(name, handOver(json, arrays.get(name)));
      } else if (value == JsonToken.BEGIN_ARRAY || value == JsonToken.BEGIN_OBJECT) {
        json.skipValue();
      } else {
        root.add(name, JsonParser.parseReader(json));
      }
    }
    json.endObject();
    return root;
  }

  private static JsonArray handOver(JsonReader json, Elements elements) throws IOException {
    json.beginArray();
    for (int i = 0; json.hasNext(); i++) {
      elements.take(i, JsonParser.parseReader(json));
    }
    json.endArray();
    return new JsonArray();
  }

  private static InvalidDatasetException notUtf8(Path file, Exception cause) {
    return new InvalidDatasetException(file + " is not UTF-8 text", cause);
  }

  /** Content of a file, as far as its first entries show. */
  enum Shape {
    /** An object with an array "images". */
    KARPATHY,
    /** An object with arrays "images", of "file_name", and "annotations", of "caption". */
    COCO,
    /** An array whose first entry is an object with "image" and "caption". */
    PIR,
    /** Any other object. */
    OBJECT,
    /** Any other array. */
    ARRAY,
    /** Neither object nor array: perhaps no JSON at all. */
    OTHER
  }

  /** Looks at the beginning of a file. */
  static Shape shape(Path file) throws IOException {
    Shape shape = Shape.OTHER;
    // Bytes that are no UTF-8 are let pass: whoever reads the whole file says so.
    try (Reader text = new InputStreamReader(Files.newInputStream(file), StandardCharsets.UTF_8);
        JsonReader json = new JsonReader(text)) {
      JsonToken first = json.peek();
      if (first == JsonToken.BEGIN_OBJECT) {
        shape = Shape.OBJECT;
        json.beginObject();
        boolean images = false;
        boolean captions = false;
        while (json.hasNext()) {
          String name = json.nextName();
          boolean array = json.peek() == JsonToken.BEGIN_ARRAY;
          if (array && name.equals("images")) {
            Set<String> names = firstNames(json);
            if (names.contains("filename") || !names.contains("file_name")) {
              return Shape.KARPATHY;
            }
            images = true;
          } else if (array && name.equals("annotations")) {
            captions = firstNames(json).contains("caption");
          } else {
            json.skipValue();
          }
        }
        shape = images && captions ? Shape.COCO : shape;
      } else if (first == JsonToken.BEGIN_ARRAY) {
        shape = Shape.ARRAY;
        return firstNames(json).containsAll(Set.of("image", "caption")) ? Shape.PIR : shape;
      }
    } catch (EOFException | MalformedJsonException e) {
      // Damage is said by whoever reads the whole file, too.
      return shape;
    }
    return shape;
  }

  /**
   * Returns the names of an array's first entry; none where it is no object. The array is read
   * whole.
   */
  private static Set<String> firstNames(JsonReader json) throws IOException {
    Set<String> names = new HashSet<>();
    json.beginArray();
    if (json.peek() == JsonToken.BEGIN_OBJECT) {
      json.beginObject();
      while (json.hasNext()) {
        names.add(json.nextName());
        json.skipValue();
      }
      json.endObject();
    }
    while (json.hasNext()) {
      json.skipValue();
    }
    json.endArray();
    return names;
  }

  static Optional<String> text(JsonObject object, String field) {
    return text(object.get(field));
  }

  /** Returns the text; empty where there stands something else, or nothing. */
  static Optional<String> text(JsonElement value) {
    return primitive(value).filter(JsonPrimitive::isString).map(JsonPrimitive::getAsString);
  }

  /** Returns the whole number; empty where there stands something else, or nothing. */
  static Optional<Integer> integer(JsonElement value) {
    return primitive(value)
        .filter(JsonPrimitive::isNumber)
        .map(JsonPrimitive::getAsDouble)
        .filter(number -> number == Math.rint(number) && Math.abs(number) <= Integer.MAX_VALUE)
        .map(Double::intValue);
  }

  private static Optional<JsonPrimitive> primitive(JsonElement value) {
    return value != null && value.isJsonPrimitive()
        ? Optional.of(value.getAsJsonPrimitive())
        : Optional.empty();
  }
}
