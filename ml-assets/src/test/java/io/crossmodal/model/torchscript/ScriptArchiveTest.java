/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.fixtures.Seeds;
import io.crossmodal.model.fixtures.Zips;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import net.razorvine.pickle.Unpickler;
import net.razorvine.pickle.objects.ClassDict;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ScriptArchiveTest {
  private static final long SEED = Seeds.next();
  private static final Map<String, String> SOURCES = Map.of("nn", "class A(Module):\n");

  @TempDir private Path folder;

  private final SplittableRandom random = new SplittableRandom(SEED);

  private static byte[] write(ScriptModule root) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ScriptArchiveWriter.write(out, root, SOURCES);
    return out.toByteArray();
  }

  /** A tree of the same shape, its tensors from elsewhere. */
  private static ScriptModule like(ScriptModule tree, Weights weights, String path) {
    ScriptModule copy = new ScriptModule(tree.type());
    tree.attributes()
        .forEach(
            (name, value) -> {
              if (value instanceof ScriptModule child) {
                copy.with(name, like(child, weights, path + name + "."));
              } else if (value instanceof ScriptTensor tensor) {
                Init init = tensor.trainable() ? Init.constant(0) : Init.buffer(0);
                copy.with(name, weights.get(path + name, init, tensor.shape()));
              } else if (value instanceof Long number) {
                copy.with(name, number);
              } else if (value instanceof Double number) {
                copy.with(name, number);
              }
            });
    return copy;
  }

  private StateDict read(ScriptModule expected, byte[] archive) throws IOException {
    Path file = Files.write(folder.resolve("archive.pt"), archive);
    try (ScriptArchive open = ScriptArchive.open(file, weights -> like(expected, weights, ""))) {
      assertEquals(SOURCES, open.sources());
      return open.weights().inHeap();
    }
  }

  /** Attributes of every kind, extents from 0, ranks from 0. */
  private static ScriptModule tree(SplittableRandom random, int depth) {
    ScriptModule module = new ScriptModule("nn.T" + depth);
    int attributes = random.nextInt(1, 6);
    for (int i = 0; i < attributes; i++) {
      String name = "a" + i;
      switch (random.nextInt(depth == 0 ? 3 : 4)) {
        case 0 -> module.with(name, tensor(random));
        case 1 -> module.with(name, random.nextLong() >> random.nextInt(64));
        case 2 -> module.with(name, random.nextGaussian());
        default -> module.with(name, tree(random, depth - 1));
      }
    }
    return module;
  }

  private static ScriptTensor tensor(SplittableRandom random) {
    long[] shape = new long[random.nextInt(5)];
    int size = 1;
    for (int i = 0; i < shape.length; i++) {
      shape[i] = random.nextInt(5);
      size *= (int) shape[i];
    }
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = Float.intBitsToFloat(random.nextInt());
    }
    return random.nextBoolean()
        ? ScriptTensor.parameter(values, shape)
        : ScriptTensor.buffer(values, shape);
  }

  @Test
  void everyTensorOfARandomTreeComesBack() throws IOException {
    for (int run = 0; run < 50; run++) {
      ScriptModule root = tree(random, 3);
      StateDict expected = StateDict.of(root);
      StateDict found = read(root, write(root));
      assertEquals(expected.names(), found.names());
      expected
          .tensors()
          .forEach(
              (name, tensor) -> {
                ScriptTensor other = found.get(name, tensor.shape());
                assertEquals(tensor.trainable(), other.trainable(), name);
                assertArrayEquals(bits(tensor), bits(other), name);
              });
    }
  }

  /** NaN payloads included. */
  private static int[] bits(ScriptTensor tensor) {
    int[] bits = new int[tensor.values().length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = Float.floatToRawIntBits(tensor.values()[i]);
    }
    return bits;
  }

  @Test
  void numbersOfEverySizeComeBack() throws IOException {
    long[] numbers = {
      0, 255, 256, -1, Integer.MAX_VALUE, Integer.MIN_VALUE, 1L << 31, Long.MAX_VALUE, -1L << 40
    };
    ScriptModule root = new ScriptModule("nn.A").with("epsilon", 1e-12);
    for (int i = 0; i < numbers.length; i++) {
      root.with("n" + i, numbers[i]);
    }
    byte[] pickle = Zips.read(write(root)).get("model/data.pkl");
    ClassDict found = (ClassDict) new Unpickler().loads(pickle);
    assertEquals(1e-12, found.get("epsilon"));
    assertEquals(true, found.get("training"));
    for (int i = 0; i < numbers.length; i++) {
      assertEquals(numbers[i], ((Number) found.get("n" + i)).longValue());
    }
  }

  @Test
  void equalModelsGiveEqualBytes() throws IOException {
    long seed = random.nextLong();
    assertArrayEquals(
        write(tree(new SplittableRandom(seed), 3)), write(tree(new SplittableRandom(seed), 3)));
  }

  private static ScriptModule small() {
    return new ScriptModule("nn.A")
        .with(
            "inner",
            new ScriptModule("nn.B").with("weight", ScriptTensor.parameter(new float[6], 2, 3)))
        .with("bias", ScriptTensor.buffer(new float[] {1, 2}, 2));
  }

  private void assertRefused(byte[] archive, String... parts) {
    IOException e = assertThrows(ScriptArchive.FormatException.class, () -> read(small(), archive));
    for (String part : parts) {
      assertTrue(e.getMessage().contains(part), e.getMessage());
    }
  }

  @Test
  void saysWhatIsMissing() throws IOException {
    Map<String, byte[]> entries = Zips.read(write(small()));
    assertRefused("no zip at all".getBytes(StandardCharsets.UTF_8), "data.pkl");
    byte[] data = entries.put("model/data/0", new byte[0]);
    assertRefused(Zips.store(entries), "inner.weight", "24", "data/0 has 0");
    entries.put("model/data/0", Arrays.copyOf(data, 20));
    assertRefused(Zips.store(entries), "inner.weight", "[2, 3]", "24", "20");
    entries.remove("model/data/0");
    assertRefused(Zips.store(entries), "data/0, tensor inner.weight", "found [data/1]");
    entries.remove("model/data.pkl");
    assertRefused(Zips.store(entries), "data.pkl");
  }

  @Test
  void aTruncatedArchiveIsRefusedOrWhole() throws IOException {
    byte[] archive = write(small());
    // Only what stands behind the entries may be lost: the zip's directory.
    int behind = new String(archive, StandardCharsets.ISO_8859_1).indexOf("PK\001\002");
    for (int length = random.nextInt(3); length < archive.length; length += 3) {
      try {
        assertEquals(2, read(small(), Arrays.copyOf(archive, length)).names().size());
        assertTrue(length >= behind, "cut at " + length);
      } catch (IOException e) {
        assertTrue(e.getMessage() != null && !e.getMessage().isBlank(), "cut at " + length);
      }
    }
  }

  @RepeatedTest(3)
  void aDamagedPickleIsRefused(RepetitionInfo repetition) throws IOException {
    Map<String, byte[]> entries = Zips.read(write(small()));
    byte[] pickle = entries.get("model/data.pkl");
    SplittableRandom own = new SplittableRandom(SEED + repetition.getCurrentRepetition());
    for (int at = 0; at < pickle.length; at++) {
      byte[] damaged = pickle.clone();
      damaged[at] ^= (byte) own.nextInt(1, 256);
      entries.put("model/data.pkl", damaged);
      try {
        read(small(), Zips.store(entries));
        // Whether a tensor takes gradients may differ.
        assertTrue(damaged[at] == (byte) 0x88 || damaged[at] == (byte) 0x89, "byte " + at);
      } catch (ScriptArchive.FormatException e) {
        assertTrue(e.getMessage().contains("data.pkl"), e.getMessage());
      }
      entries.put("model/data.pkl", Arrays.copyOf(pickle, at));
      byte[] cut = Zips.store(entries);
      assertThrows(IOException.class, () -> read(small(), cut), "cut at " + at);
    }
  }

  /** What the files behind these descriptions did to a reader that unpickled. */
  @Test
  void aHostilePickleIsNeverInterpreted() throws IOException {
    byte[] nested = new byte[400_000];
    Arrays.fill(nested, (byte) '(');
    byte[] dictionaries = "}".repeat(400_000).getBytes(StandardCharsets.ISO_8859_1);
    byte[] longText = {(byte) 0x80, 2, 'X', -1, -1, -1, 0x7f, 'a'};
    byte[] program = "cposix\nsystem\n(X\2\0\0\0lstR.".getBytes(StandardCharsets.ISO_8859_1);
    byte[] memo = ("]q\0" + "(h\0h\0l".repeat(100_000)).getBytes(StandardCharsets.ISO_8859_1);
    Map<String, byte[]> entries = Zips.read(write(small()));
    for (byte[] pickle : List.of(nested, dictionaries, longText, program, memo)) {
      entries.put("model/data.pkl", pickle);
      assertRefused(Zips.store(entries), "data.pkl", "differs from byte");
    }
    // Behind what should be there.
    byte[] own = Zips.read(write(small())).get("model/data.pkl");
    byte[] longer = Arrays.copyOf(own, own.length + 10);
    entries.put("model/data.pkl", longer);
    assertRefused(Zips.store(entries), "data.pkl", "nothing more");
  }

  @Test
  void aTreeOfAnotherShapeIsNamed() throws IOException {
    ScriptModule other =
        new ScriptModule("nn.A")
            .with(
                "inner",
                new ScriptModule("nn.B").with("weight", ScriptTensor.parameter(new float[8], 2, 4)))
            .with("bias", ScriptTensor.buffer(new float[] {1, 2}, 2));
    byte[] archive = write(other);
    assertRefused(archive, "[inner.weight] of shape [2, 3] should stand");
  }

  @Test
  void theCodeIsBounded() throws IOException {
    Map<String, byte[]> entries = new LinkedHashMap<>();
    Zips.read(write(small()))
        .forEach(
            (name, content) ->
                entries.put(name, name.startsWith("model/code") ? new byte[5 << 20] : content));
    assertRefused(Zips.store(entries), "the archive's code takes 5242880 bytes");
  }

  @Test
  void aTreeIsCheckedWhereItIsBuilt() {
    assertMessage("<module>.<class>", () -> new ScriptModule("Linear"));
    ScriptModule module = new ScriptModule("nn.A").with("x", 1);
    assertMessage("two attributes named x", () -> module.with("x", 2.0));
    assertMessage("[2, 3] needs 6 values, got 5", () -> ScriptTensor.buffer(new float[5], 2, 3));
  }

  private static void assertMessage(String part, org.junit.jupiter.api.function.Executable action) {
    String message = assertThrows(IllegalArgumentException.class, action).getMessage();
    assertTrue(message.contains(part), message);
  }
}
