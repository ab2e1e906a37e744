/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.bundle;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.model.fixtures.Seeds;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.fixtures.Zips;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Damages a bundle where its structure is, with checksums and digests that belong to the damage:
 * entries, the manifest's values, the pickle's codes, the archive's code. Whatever comes of it is a
 * bundle or a {@link BundleException}; {@code -Dcrossmodal.fuzz.seconds=N} goes on for longer.
 */
class BundleFuzzTest {
  private static final long SEED = Seeds.next();
  private static final int SECONDS = Integer.getInteger("crossmodal.fuzz.seconds", 3);
  private static final String MANIFEST = "manifest.json";
  private static final String MODEL = "model.pt";
  private static final String VOCABULARY = "vocab.txt";

  /** Every code of the pickle's protocols up to 5 that nests, repeats, allocates or calls. */
  private static final String CODES =
      "().012FGIJKLMNPQRSTUVX]abcdeghijlopqrstu}\u0080\u0081\u008a\u008b\u008c\u0094\u0095";

  @TempDir static Path folder;
  private static Map<String, byte[]> bundle;
  private static Map<String, byte[]> archive;

  @BeforeAll
  static void write() throws Exception {
    Path file = folder.resolve("micro.zip");
    TestBundles.write(
        TestBundles.random("micro", ModelConfig.micro(), 42), file, List.of("a tank"));
    bundle = Zips.read(Files.readAllBytes(file));
    archive = Zips.read(bundle.get(MODEL));
    Files.delete(file);
  }

  @Test
  void aDamagedBundleIsRefusedOrWhole() throws Exception {
    long end = System.nanoTime() + SECONDS * 1_000_000_000L;
    int whole = 0;
    int cases = 0;
    for (; cases < 20 || System.nanoTime() < end; cases++) {
      String name = "case " + cases + " of seed " + SEED;
      byte[] damaged = damaged(new Random(SEED + cases));
      try {
        ModelBundle read =
            ModelBundle.open(() -> new ByteArrayInputStream(damaged), folder, 1 << 28);
        Path model = folder.resolve("model.pt");
        read.writeModel(model, Precision.FP32);
        Files.delete(model);
        whole++;
      } catch (BundleException e) {
        assertTrue(e.getMessage() != null && e.getMessage().length() < 2100, name);
      } catch (Exception | Error e) {
        throw new AssertionError(name, e);
      }
    }
    System.out.println(cases + " damaged bundles, " + whole + " of them whole still");
    try (Stream<Path> left = Files.list(folder)) {
      assertTrue(left.findAny().isEmpty(), "nothing is left behind");
    }
  }

  private static byte[] damaged(Random random) throws IOException {
    Map<String, byte[]> entries = new LinkedHashMap<>(bundle);
    JsonObject manifest =
        JsonParser.parseString(new String(bundle.get(MANIFEST), StandardCharsets.UTF_8))
            .getAsJsonObject();
    for (int i = random.nextInt(3); i >= 0; i--) {
      switch (random.nextInt(6)) {
        case 0, 1 -> value(random, manifest);
        case 2 -> entries.put(VOCABULARY, bytes(random, entries.get(VOCABULARY)));
        case 3 -> entries.put(MODEL, bytes(random, entries.get(MODEL)));
        default -> entries.put(MODEL, archive(random));
      }
    }
    if (random.nextInt(10) > 0) {
      manifest.addProperty("weights_sha256", Sha256.hex(entries.get(MODEL)));
      manifest.addProperty("vocabulary_sha256", Sha256.hex(entries.get(VOCABULARY)));
    }
    entries.put(MANIFEST, manifest.toString().getBytes(StandardCharsets.UTF_8));
    if (random.nextInt(10) == 0) {
      entries = shuffled(random, entries);
    }
    byte[] zip = random.nextBoolean() ? Zips.write(entries) : Zips.store(entries);
    return random.nextInt(8) == 0 ? bytes(random, zip) : zip;
  }

  private static Map<String, byte[]> shuffled(Random random, Map<String, byte[]> entries) {
    List<String> names = new ArrayList<>(entries.keySet());
    Collections.shuffle(names, random);
    Map<String, byte[]> shuffled = new LinkedHashMap<>();
    names
        .subList(0, names.size() - random.nextInt(2))
        .forEach(name -> shuffled.put(name, entries.get(name)));
    if (random.nextBoolean()) {
      shuffled.put("../" + names.get(0), new byte[random.nextInt(100)]);
    }
    return shuffled;
  }

  private static byte[] archive(Random random) throws IOException {
    Map<String, byte[]> entries = new LinkedHashMap<>(archive);
    List<String> names = new ArrayList<>(entries.keySet());
    String some = names.get(random.nextInt(names.size()));
    switch (random.nextInt(7)) {
      case 0, 1 -> entries.compute("model/data.pkl", (name, pickle) -> codes(random, pickle));
      case 2 -> entries.put(some, bytes(random, entries.get(some)));
      case 3 -> entries.put(some, new byte[random.nextInt(1 << random.nextInt(20))]);
      case 4 ->
          names.stream()
              .filter(name -> name.endsWith(".py"))
              .skip(random.nextInt(4))
              .findFirst()
              .ifPresent(name -> entries.put(name, text(random, entries.get(name))));
      case 5 -> {
        return Zips.store(shuffled(random, entries));
      }
      default -> {
        return random.nextBoolean() ? Zips.write(entries) : bytes(random, Zips.store(entries));
      }
    }
    return Zips.store(entries);
  }

  /** Replaces a value of the manifest by one of another kind or size. */
  private static void value(Random random, JsonElement root) {
    JsonElement at = root;
    while (true) {
      if (at instanceof JsonObject object && !object.isEmpty()) {
        List<String> keys = List.copyOf(object.keySet());
        String key = keys.get(random.nextInt(keys.size()));
        JsonElement child = object.get(key);
        if ((child.isJsonObject() || child.isJsonArray()) && random.nextInt(6) > 0) {
          at = child;
          continue;
        }
        if (random.nextInt(6) == 0) {
          object.remove(key);
        } else {
          object.add(key, hostile(random, child));
        }
      } else if (at instanceof JsonArray array && !array.isEmpty()) {
        int index = random.nextInt(array.size());
        JsonElement child = array.get(index);
        if ((child.isJsonObject() || child.isJsonArray()) && random.nextInt(6) > 0) {
          at = child;
          continue;
        }
        if (random.nextInt(4) == 0) {
          for (int i = random.nextInt(1 << random.nextInt(10)); i > 0; i--) {
            array.add(child.deepCopy());
          }
        } else {
          array.set(index, hostile(random, child));
        }
      }
      return;
    }
  }

  private static JsonElement hostile(Random random, JsonElement value) {
    return switch (random.nextInt(9)) {
      case 0 -> JsonNull.INSTANCE;
      case 1 -> new JsonPrimitive(random.nextLong() >> random.nextInt(64));
      case 2 -> new JsonPrimitive(1 << random.nextInt(31));
      case 3 -> new JsonPrimitive(random.nextGaussian() * Math.pow(10, random.nextInt(700) - 350));
      case 4 -> new JsonPrimitive("x".repeat(random.nextInt(1 << random.nextInt(18))));
      case 5 -> {
        JsonArray nested = new JsonArray();
        for (int i = random.nextInt(2000); i > 0; i--) {
          JsonArray outer = new JsonArray();
          outer.add(nested);
          nested = outer;
        }
        yield nested;
      }
      case 6 -> new JsonObject();
      case 7 -> new JsonPrimitive("1e" + random.nextInt(1_000_000));
      default ->
          value.isJsonPrimitive() && value.getAsJsonPrimitive().isNumber()
              ? new JsonPrimitive(value.getAsDouble() * random.nextInt(5))
              : new JsonArray();
    };
  }

  /** Puts runs of codes, with what looks like lengths, into a pickle; or takes some of it away. */
  private static byte[] codes(Random random, byte[] pickle) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    int at = random.nextInt(pickle.length);
    out.write(pickle, 0, at);
    StringBuilder run = new StringBuilder();
    for (int i = random.nextInt(4); i >= 0; i--) {
      run.append(CODES.charAt(random.nextInt(CODES.length())));
    }
    byte[] codes = run.toString().getBytes(StandardCharsets.ISO_8859_1);
    for (int i = random.nextInt(1 << random.nextInt(18)); i >= 0; i--) {
      out.writeBytes(codes);
    }
    int rest = Math.min(pickle.length, at + random.nextInt(1 + random.nextInt(100)));
    out.write(pickle, rest, pickle.length - rest);
    return out.toByteArray();
  }

  /** Exchanges characters of code for those that readers take for ends of lines, or blanks. */
  private static byte[] text(Random random, byte[] code) {
    char[] text = new String(code, StandardCharsets.UTF_8).toCharArray();
    String blanks = "\r\u000b\f\u0085\u2028\u2029\u00a0\t\0 \n#'\"\\;";
    for (int i = random.nextInt(5); i >= 0; i--) {
      text[random.nextInt(text.length)] = blanks.charAt(random.nextInt(blanks.length()));
    }
    return new String(text).getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] bytes(Random random, byte[] content) {
    byte[] changed =
        random.nextInt(4) == 0
            ? Arrays.copyOf(content, random.nextInt(2 * content.length + 1))
            : content.clone();
    for (int i = random.nextInt(8); i >= 0 && changed.length > 0; i--) {
      // Where structure is: headers stand at the start and at the end.
      int reach = random.nextBoolean() ? changed.length : Math.min(changed.length, 200);
      int at = random.nextInt(reach);
      changed[random.nextBoolean() ? at : changed.length - 1 - at] = (byte) random.nextInt(256);
    }
    return changed;
  }
}
