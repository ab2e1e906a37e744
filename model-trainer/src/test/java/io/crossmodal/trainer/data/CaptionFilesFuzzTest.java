/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import io.crossmodal.trainer.encode.SourceImages;
import io.crossmodal.trainer.train.MicroTraining;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Damaged files of captions are read or refused, by every reader; {@code
 * -Dcrossmodal.fuzz.seconds=N} for so long.
 */
class CaptionFilesFuzzTest {
  private static final Map<String, String> FILES =
      Map.of(
          "karpathy.json",
              "{\"dataset\": \"x\", \"images\": [{\"filename\": \"a.jpg\", \"imgid\": 0,"
                  + " \"split\": \"train\", \"sentences\": [{\"raw\": \"one\"}, {\"raw\":"
                  + " \"two\"}]}, {\"filename\": \"b.jpg\", \"imgid\": 1, \"split\":"
                  + " \"test\", \"filepath\": \"\", \"sentences\": [{\"raw\": \"three\"}]}]}",
          "captions_train2017.json",
              "{\"images\": [{\"id\": 1, \"file_name\": \"a.jpg\"}, {\"id\": 2,"
                  + " \"file_name\": \"b.jpg\"}], \"annotations\": [{\"image_id\": 2,"
                  + " \"caption\": \"x\"}, {\"image_id\": 1, \"caption\": \"y\"}]}",
          "pir_train.json",
              "[{\"image\": \"a.jpg\", \"caption\": \"x\", \"image_id\": 0}, {\"image\":"
                  + " \"val/b.jpg\", \"caption\": [\"y\", \"z\"]}]",
          "train_caps.txt", "one\ntwo\nthree\nfour\nfive\n",
          "list.txt", "# pictures\na.jpg\tone\nb.jpg\na.jpg\ttwo\n",
          "pairs.csv",
              """
              id,rgb,s1,labels,group,split
              1,a.jpg,b.jpg,"x;y",g,train
              2,b.jpg,a.jpg,z,h,val
              """,
          "splits.csv", "b,a\nd,c\n");

  private static final List<String> TEXTS =
      List.of(
          "", " ", "..", "../a.jpg", "/", "a.jpg", "a\0b", "\ud800", "val", "train", "1e99", "\"");

  private static final String SIGNS = ",\"\n\t[]{}:\\\0#;";

  @TempDir Path folder;
  private final long seed = MicroTraining.seed();
  private final SplittableRandom random = new SplittableRandom(seed);

  @BeforeEach
  void pictures() throws IOException {
    Files.write(folder.resolve("a.jpg"), new byte[] {1});
    Files.write(folder.resolve("b.jpg"), new byte[] {1});
    Files.writeString(folder.resolve("train_filename.txt"), "a.jpg\n");
  }

  private JsonElement value() {
    return switch (random.nextInt(7)) {
      case 0 -> JsonNull.INSTANCE;
      case 1 -> new JsonObject();
      case 2 -> new JsonArray();
      case 3 -> new JsonPrimitive(random.nextBoolean());
      case 4 -> new JsonPrimitive(random.nextInt(-3, 3));
      case 5 -> new JsonPrimitive(random.nextDouble() * 1e20);
      default -> new JsonPrimitive(TEXTS.get(random.nextInt(TEXTS.size())));
    };
  }

  /** Changes, leaves out or repeats something somewhere below. */
  private void mutate(JsonElement element) {
    if (element.isJsonObject() && !element.getAsJsonObject().isEmpty()) {
      JsonObject object = element.getAsJsonObject();
      List<String> names = new ArrayList<>(object.keySet());
      String name = names.get(random.nextInt(names.size()));
      switch (random.nextInt(5)) {
        case 0 -> object.remove(name);
        case 1 -> object.add(name, value());
        case 2 -> object.add(names.get(random.nextInt(names.size())), object.get(name));
        default -> mutate(object.get(name));
      }
    } else if (element.isJsonArray() && !element.getAsJsonArray().isEmpty()) {
      JsonArray array = element.getAsJsonArray();
      int at = random.nextInt(array.size());
      switch (random.nextInt(5)) {
        case 0 -> array.remove(at);
        case 1 -> array.set(at, value());
        case 2 -> array.add(array.get(random.nextInt(array.size())).deepCopy());
        default -> mutate(array.get(at));
      }
    }
  }

  private byte[] damaged(String name) {
    String text = FILES.get(name);
    if (name.endsWith(".json") && random.nextInt(3) > 0) {
      JsonElement root = JsonParser.parseString(text);
      for (int hits = random.nextInt(1, 4); hits > 0; hits--) {
        mutate(root);
      }
      return root.toString().getBytes(StandardCharsets.UTF_8);
    }
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    for (int hits = random.nextInt(1, 4); hits > 0 && bytes.length > 1; hits--) {
      int at = random.nextInt(bytes.length);
      switch (random.nextInt(5)) {
        case 0 -> bytes = Arrays.copyOf(bytes, at);
        case 1 -> bytes[at] = (byte) random.nextInt(256);
        case 2 -> bytes[at] = (byte) SIGNS.charAt(random.nextInt(SIGNS.length()));
        case 3 -> {
          String piece =
              random.nextInt(4) == 0
                  ? "[".repeat(random.nextInt(20_000))
                  : TEXTS.get(random.nextInt(TEXTS.size()));
          String whole = new String(bytes, StandardCharsets.UTF_8);
          int in = random.nextInt(whole.length() + 1);
          bytes =
              (whole.substring(0, in) + piece + whole.substring(in))
                  .getBytes(StandardCharsets.UTF_8);
        }
        default -> bytes[at] = bytes[random.nextInt(bytes.length)];
      }
    }
    return bytes;
  }

  private void read(String name, Path file) throws IOException {
    if (name.equals("pairs.csv")) {
      PairsCsvReader.Options options =
          new PairsCsvReader.Options(Optional.empty(), Split.Shares.DEFAULT, 1, 5);
      PairsCsvReader.read(file, SensorSource.RGB, SensorSource.S1, options);
    } else if (name.equals("splits.csv")) {
      BigEarthNetReader.read(folder, Map.of(Split.TRAIN, file), 5);
    } else {
      SourceImages.read(file, Optional.empty(), random.nextInt(6));
    }
  }

  @Test
  void damagedFilesAreReadOrRefused() throws IOException {
    long end =
        System.nanoTime() + TimeUnit.SECONDS.toNanos(Long.getLong("crossmodal.fuzz.seconds", 3));
    List<String> names = FILES.keySet().stream().sorted().toList();
    int read = 0;
    int refused = 0;
    while (System.nanoTime() < end) {
      String name = names.get(random.nextInt(names.size()));
      byte[] bytes = damaged(name);
      Path file = Files.write(folder.resolve(name), bytes);
      try {
        read(name, file);
        read++;
      } catch (IllegalArgumentException e) {
        assertTrue(e.getMessage().length() > 10, e.getMessage());
        refused++;
      } catch (Throwable e) {
        String start = new String(bytes, 0, Math.min(2000, bytes.length), StandardCharsets.UTF_8);
        throw new AssertionError("seed " + seed + ", " + name + ": " + start, e);
      }
    }
    System.out.printf(
        Locale.ROOT, "fuzzed caption files, seed %d: %d read, %d refused%n", seed, read, refused);
    assertTrue(read > 0 && refused > 0);
  }
}
