/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.fuzz;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.opensearch.common.xcontent.LoggingDeprecationHandler;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.core.common.bytes.BytesArray;
import org.opensearch.core.common.bytes.BytesReference;
import org.opensearch.core.xcontent.MediaTypeRegistry;
import org.opensearch.core.xcontent.NamedXContentRegistry;
import org.opensearch.core.xcontent.XContentBuilder;
import org.opensearch.core.xcontent.XContentParser;

/** Damages bodies: their values, their structure and their bytes. */
final class BodyFuzzer {
  private static final List<XContentType> TYPES =
      List.of(XContentType.JSON, XContentType.CBOR, XContentType.SMILE, XContentType.YAML);

  private static final Object[] SCALARS = {
    null,
    true,
    false,
    0,
    1,
    -1,
    2,
    16,
    10_000,
    10_001,
    Integer.MAX_VALUE,
    Integer.MIN_VALUE,
    Long.MAX_VALUE,
    Long.MIN_VALUE,
    new BigInteger("9".repeat(60)),
    0.5,
    -0.0,
    Double.MIN_VALUE,
    1e39,
    Double.MAX_VALUE,
    Float.MIN_VALUE,
    "",
    " ",
    "null",
    "true",
    "-1",
    "1e400",
    "NaN",
    "Infinity",
    "1ms",
    "0s",
    "-1",
    "999d",
    "_id",
    "_source",
    "*",
    "image",
    "image._tokens",
    "caption",
    "number",
    "..",
    "a.b..c",
    ".",
    "\u0000",
    "\ud83d\ude80 \u202e\u0301\ufeff",
    "a".repeat(99) + "\ud83d\ude80".repeat(9),
    "%s%n{}{{}}",
    "[CLS]",
    "AAAA",
    "===="
  };

  private final Random random;

  BodyFuzzer(Random random) {
    this.random = random;
  }

  /**
   * A body as it is sent.
   *
   * @param damaged whether its bytes were changed after it was written
   */
  record Body(XContentType type, BytesReference bytes, boolean damaged) {}

  /** Where a value stands. */
  private record Slot(Object container, Object key) {
    @SuppressWarnings("unchecked")
    Object get() {
      return container instanceof Map
          ? ((Map<String, Object>) container).get(key)
          : ((List<Object>) container).get((int) key);
    }

    @SuppressWarnings("unchecked")
    void set(Object value) {
      if (container instanceof Map) {
        ((Map<String, Object>) container).put((String) key, value);
      } else {
        ((List<Object>) container).set((int) key, value);
      }
    }

    @SuppressWarnings("unchecked")
    void remove() {
      if (container instanceof Map) {
        ((Map<String, Object>) container).remove(key);
      } else {
        ((List<Object>) container).remove((int) key);
      }
    }
  }

  <T> T any(List<T> of) {
    return of.get(random.nextInt(of.size()));
  }

  boolean chance(double probability) {
    return random.nextDouble() < probability;
  }

  Random random() {
    return random;
  }

  /** Changes nothing in one of ten bodies, else one to five things. */
  void damage(Map<String, Object> body) {
    int changes = chance(0.1) ? 0 : 1;
    while (changes > 0 && changes < 5 && chance(0.4)) {
      changes++;
    }
    for (int i = 0; i < changes; i++) {
      List<Slot> slots = new ArrayList<>();
      collect(body, slots);
      if (slots.isEmpty()) {
        body.put("x", scalar());
      } else {
        change(any(slots), any(slots));
      }
    }
  }

  private static void collect(Object node, List<Slot> slots) {
    if (node instanceof Map<?, ?> map) {
      map.forEach(
          (key, value) -> {
            slots.add(new Slot(map, key));
            collect(value, slots);
          });
    } else if (node instanceof List<?> list) {
      // Of a vector, some.
      for (int i = 0; i < Math.min(4, list.size()); i++) {
        slots.add(new Slot(list, i));
        collect(list.get(i), slots);
      }
    }
  }

  @SuppressWarnings("unchecked")
  private void change(Slot slot, Slot other) {
    switch (random.nextInt(9)) {
      case 0 -> slot.remove();
      case 1 -> slot.set(copy(other.get()));
      case 2 -> slot.set(new ArrayList<>(Arrays.asList(copy(slot.get()))));
      case 3 -> {
        Map<String, Object> around = new LinkedHashMap<>();
        around.put(chance(0.5) ? "x" : String.valueOf(other.key), copy(slot.get()));
        slot.set(around);
      }
      case 4 -> {
        if (slot.container instanceof Map) {
          Map<String, Object> map = (Map<String, Object>) slot.container;
          map.put(chance(0.5) ? String.valueOf(other.key) : any(RequestGrammar.KEYS), scalar());
        }
      }
      case 5 -> slot.set(deep(2 + random.nextInt(60)));
      case 6 -> slot.set("x".repeat(1 + random.nextInt(chance(0.1) ? 20_000 : 200)));
      case 7 -> slot.set(slot.get() instanceof Number n ? near(n.doubleValue()) : scalar());
      default -> slot.set(scalar());
    }
  }

  private Object near(double value) {
    double changed =
        switch (random.nextInt(4)) {
          case 0 -> -value;
          case 1 -> value * 1000;
          case 2 -> value + 0.5;
          default -> value - 1;
        };
    return changed == Math.rint(changed) && Math.abs(changed) < 1e9
        ? (Object) (int) changed
        : changed;
  }

  Object scalar() {
    return SCALARS[random.nextInt(SCALARS.length)];
  }

  private Object deep(int levels) {
    Object node = scalar();
    for (int i = 0; i < levels; i++) {
      if (chance(0.5)) {
        node = new ArrayList<>(Arrays.asList(node));
      } else {
        Map<String, Object> around = new LinkedHashMap<>();
        around.put(any(RequestGrammar.KEYS), node);
        node = around;
      }
    }
    return node;
  }

  private static Object copy(Object node) {
    if (node instanceof Map<?, ?> map) {
      Map<String, Object> copy = new LinkedHashMap<>();
      map.forEach((key, value) -> copy.put((String) key, copy(value)));
      return copy;
    }
    if (node instanceof List<?> list) {
      List<Object> copy = new ArrayList<>();
      list.forEach(value -> copy.add(copy(value)));
      return copy;
    }
    return node;
  }

  /** Writes a body, and damages its bytes in one of five. */
  Body write(Map<String, Object> body) throws IOException {
    XContentType type = chance(0.7) ? XContentType.JSON : any(TYPES);
    byte[] bytes = bytes(type, body);
    boolean damaged = chance(0.2);
    if (damaged) {
      byte[] whole = bytes;
      bytes = damaged(bytes);
      if (type == XContentType.JSON || type == XContentType.YAML) {
        // Lucene asserts that a text is UTF-8 when OpenSearch describes the task of a request.
        bytes = new String(bytes, StandardCharsets.UTF_8).getBytes(StandardCharsets.UTF_8);
      } else if (holdsHalves(type, bytes)) {
        // OpenSearch alone cannot refuse it, and counts the request as in flight for ever.
        damaged = false;
        bytes = whole;
      }
    }
    return new Body(type, new BytesArray(bytes), damaged);
  }

  /** Whether a name or text, as far as the body can be read, holds half of a surrogate pair. */
  private static boolean holdsHalves(XContentType type, byte[] bytes) {
    try (XContentParser parser =
        type.xContent()
            .createParser(NamedXContentRegistry.EMPTY, LoggingDeprecationHandler.INSTANCE, bytes)) {
      for (XContentParser.Token token = parser.nextToken();
          token != null;
          token = parser.nextToken()) {
        String text =
            switch (token) {
              case FIELD_NAME -> parser.currentName();
              case VALUE_STRING -> parser.text();
              default -> "";
            };
        if (text.codePoints()
            .anyMatch(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE)) {
          return true;
        }
      }
      return false;
    } catch (IOException | RuntimeException e) {
      return false;
    }
  }

  /** Writes a body as it is. */
  static Body plain(XContentType type, Map<String, Object> body) throws IOException {
    return new Body(type, new BytesArray(bytes(type, body)), false);
  }

  private static byte[] bytes(XContentType type, Map<String, Object> body) throws IOException {
    try (XContentBuilder builder = MediaTypeRegistry.contentBuilder(type)) {
      return BytesReference.toBytes(BytesReference.bytes(builder.map(body)));
    }
  }

  private byte[] damaged(byte[] bytes) {
    byte[] changed = bytes;
    for (int i = 1 + random.nextInt(3); i > 0 && changed.length > 0; i--) {
      int from = random.nextInt(changed.length);
      int to =
          Math.min(changed.length, from + 1 + random.nextInt(1 + Math.min(60, changed.length)));
      changed =
          switch (random.nextInt(4)) {
            case 0 -> {
              byte[] flipped = changed.clone();
              flipped[from] ^= (byte) (1 << random.nextInt(8));
              yield flipped;
            }
            case 1 -> joined(changed, from, changed, to);
            // What stands twice is a key that does, often.
            case 2 -> joined(changed, to, changed, from);
            default -> Arrays.copyOf(changed, to);
          };
    }
    return changed;
  }

  private static byte[] joined(byte[] head, int length, byte[] tail, int from) {
    byte[] joined = Arrays.copyOf(head, length + tail.length - from);
    System.arraycopy(tail, from, joined, length, tail.length - from);
    return joined;
  }
}
