/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.Seeds;
import io.crossmodal.model.Zips;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.SplittableRandom;
import net.razorvine.pickle.Unpickler;
import net.razorvine.pickle.objects.ClassDict;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Test;

class ScriptArchiveTest {
  private static final long SEED = Seeds.next();
  private static final Map<String, String> SOURCES = Map.of("nn", "class A(Module):\n");

  private final SplittableRandom random = new SplittableRandom(SEED);

  private static byte[] write(ScriptModule root) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ScriptArchiveWriter.write(out, root, SOURCES);
    return out.toByteArray();
  }

  private static StateDict read(byte[] archive) throws IOException {
    return ScriptArchiveReader.read(new ByteArrayInputStream(archive));
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
      StateDict found = read(write(root));
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

  private static void assertRefused(byte[] archive, String... parts) {
    IOException e = assertThrows(IOException.class, () -> read(archive));
    for (String part : parts) {
      assertTrue(e.getMessage().contains(part), e.getMessage());
    }
  }

  @Test
  void saysWhatIsMissing() throws IOException {
    Map<String, byte[]> entries = Zips.read(write(small()));
    assertRefused("no zip at all".getBytes(StandardCharsets.UTF_8), "data.pkl");
    byte[] data = entries.remove("model/data/0");
    assertRefused(Zips.store(entries), "inner.weight", "data/0");
    entries.put("model/data/0", Arrays.copyOf(data, 20));
    assertRefused(Zips.store(entries), "inner.weight", "[2, 3]", "24", "20");
    entries.remove("model/data.pkl");
    assertRefused(Zips.store(entries), "data.pkl");
  }

  @Test
  void aTruncatedArchiveIsRefusedOrWhole() throws IOException {
    byte[] archive = write(small());
    // Only what stands behind the tensors may be lost: the header (30 bytes) of the constants on.
    int behind =
        new String(archive, StandardCharsets.ISO_8859_1).indexOf("model/constants.pkl") - 30;
    for (int length = random.nextInt(3); length < archive.length; length += 3) {
      try {
        assertEquals(2, read(Arrays.copyOf(archive, length)).names().size());
        assertTrue(length >= behind, "cut at " + length);
      } catch (IOException e) {
        assertTrue(e.getMessage() != null && !e.getMessage().isBlank(), "cut at " + length);
      }
    }
  }

  @RepeatedTest(3)
  void aDamagedPickleIsNeverMoreThanAnIoException(RepetitionInfo repetition) throws IOException {
    Map<String, byte[]> entries = Zips.read(write(small()));
    byte[] pickle = entries.get("model/data.pkl");
    SplittableRandom own = new SplittableRandom(SEED + repetition.getCurrentRepetition());
    for (int at = 0; at < pickle.length; at++) {
      byte[] damaged = pickle.clone();
      damaged[at] ^= (byte) own.nextInt(1, 256);
      entries.put("model/data.pkl", damaged);
      try {
        read(Zips.store(entries));
      } catch (IOException e) {
        assertTrue(e.getMessage() != null, "byte " + at);
      } catch (RuntimeException e) {
        throw new AssertionError("byte " + at + " = " + damaged[at], e);
      }
      entries.put("model/data.pkl", Arrays.copyOf(pickle, at));
      byte[] cut = Zips.store(entries);
      assertThrows(IOException.class, () -> read(cut), "cut at " + at);
    }
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
