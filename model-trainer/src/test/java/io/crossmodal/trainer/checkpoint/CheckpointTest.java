/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.trainer.checkpoint.CheckpointFiles.Pickle;
import io.crossmodal.trainer.checkpoint.CheckpointFiles.Precision;
import io.crossmodal.trainer.train.MicroTraining;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class CheckpointTest {
  private static final long SEED = MicroTraining.seed();

  @TempDir Path folder;

  private Path file() {
    return folder.resolve("checkpoint");
  }

  private String assertRefused(String... parts) {
    String message =
        assertThrows(CheckpointException.class, () -> readAll(Checkpoint.open(file())))
            .getMessage();
    assertTrue(message.contains(file().toString()), message);
    for (String part : parts) {
      assertTrue(message.contains(part), message);
    }
    return message;
  }

  private static void readAll(Checkpoint checkpoint) throws IOException {
    for (LazyTensor tensor : checkpoint.tensors().values()) {
      tensor.values();
    }
  }

  private static Tensors tensors() {
    Tensors tensors = new Tensors(SEED);
    tensors.add("a.weight", 0, 1, 5, 3);
    tensors.add("a.bias", 0, 1, 5);
    tensors.add("scalar", 0, 1);
    tensors.add("none", 0, 1, 3, 0, 2);
    tensors.add("cube", 0, 1, 2, 3, 4);
    tensors.add("größe", 0, 1, 7);
    return tensors;
  }

  private void assertHolds(Tensors expected) throws IOException {
    Map<String, LazyTensor> found = Checkpoint.open(file()).tensors();
    assertEquals(expected.byName.keySet(), found.keySet());
    for (Map.Entry<String, LazyTensor> entry : found.entrySet()) {
      Tensors.Tensor tensor = expected.get(entry.getKey());
      assertEquals(
          Arrays.stream(tensor.shape()).boxed().toList(), entry.getValue().shape(), entry.getKey());
      assertArrayEquals(tensor.values(), entry.getValue().values(), entry.getKey());
    }
  }

  @ParameterizedTest
  @EnumSource(Precision.class)
  void readsWhatOthersWrite(Precision precision) throws Exception {
    Tensors tensors = tensors();
    precision.round(tensors);
    CheckpointFiles.safetensors(file(), tensors, precision);
    assertHolds(tensors);
    for (String wrapper : new String[] {null, "model", "state_dict"}) {
      CheckpointFiles.torchZip(file(), tensors, precision, wrapper);
      assertHolds(tensors);
    }
  }

  @Test
  void readsBackWhatItWrites() throws Exception {
    Tensors tensors = tensors();
    tensors.add("large", 0, 1, 3, 100_000); // more than a chunk
    CheckpointFiles.safetensors(folder.resolve("source"), tensors, Precision.F32);
    Safetensors.write(file(), Checkpoint.open(folder.resolve("source")).tensors());
    assertHolds(tensors);
    // The data is aligned for whoever maps it.
    long header =
        ByteBuffer.wrap(Files.readAllBytes(file())).order(ByteOrder.LITTLE_ENDIAN).getLong();
    assertEquals(0, header % 8);
  }

  /** A file begins with the length of its header, which may look like another format's mark. */
  @ParameterizedTest
  @ValueSource(ints = {0x180, 0x280, 'P' | 'K' << 8, 0x20000 | 'P' | 'K' << 8})
  void aHeaderOfAnyLengthIsRead(int length) throws Exception {
    String entry = CheckpointFiles.entry("F32", new long[] {1}, 0, 4).toString();
    String header = "{\"x\":" + entry + "}";
    header += " ".repeat(length - header.length());
    CheckpointFiles.safetensors(file(), header, new byte[4]);
    assertArrayEquals(new float[1], Checkpoint.open(file()).tensors().get("x").values());
  }

  @ParameterizedTest
  @CsvSource({
    "F16, 3C00, 1",
    "F16, C000, -2",
    "F16, 3555, 0.333251953125",
    "F16, 7BFF, 65504",
    "F16, 0400, 6.103515625e-5",
    "F16, 0001, 5.960464477539063e-8",
    "F16, 8000, -0.0",
    "BF16, 3F80, 1",
    "BF16, 4049, 3.140625",
    "BF16, C2F7, -123.5",
    "BF16, 7F7F, 3.3895313892515355e38",
    "BF16, 0080, 1.1754943508222875e-38"
  })
  void decodesHalfPrecision(String dtype, String bits, double value) throws Exception {
    int half = Integer.parseInt(bits, 16);
    byte[] bytes = {(byte) half, (byte) (half >> 8)};
    CheckpointFiles.safetensors(
        file(), "{\"x\":" + CheckpointFiles.entry(dtype, new long[] {1}, 0, 2) + "}", bytes);
    float[] found = Checkpoint.open(file()).tensors().get("x").values();
    assertEquals((float) value, found[0]);
  }

  @Test
  void aDataParallelPrefixIsRemovedWhereEveryNameHasIt() throws Exception {
    Tensors tensors = new Tensors(SEED);
    tensors.add("module.a", 0, 1, 2);
    tensors.add("module.module.b", 0, 1, 2);
    CheckpointFiles.safetensors(file(), tensors, Precision.F32);
    assertEquals(List.of("a", "module.b"), List.copyOf(Checkpoint.open(file()).tensors().keySet()));
    tensors.add("c", 0, 1, 2);
    CheckpointFiles.safetensors(file(), tensors, Precision.F32);
    assertHolds(tensors);
  }

  @Test
  void integersMayBeThereButAreNotRead() throws Exception {
    CheckpointFiles.safetensors(
        file(),
        "{\"ids\":" + CheckpointFiles.entry("I64", new long[] {1, 2}, 0, 16) + "}",
        new byte[16]);
    assertEquals(List.of(1L, 2L), Checkpoint.open(file()).tensors().get("ids").shape());
    assertRefused("ids is I64", "F32, F16 and BF16");
    Pickle pickle = new Pickle().op('}').put().text("ids");
    pickle.tensor("LongStorage", "0", 2, 0, new long[] {1, 2}, new long[] {2, 1}).op('s');
    zip(pickle, 16);
    assertEquals(List.of(1L, 2L), Checkpoint.open(file()).tensors().get("ids").shape());
    assertRefused("ids", "I64");
  }

  // Files of other kinds.

  @Test
  void saysWhatAnotherFileIs() throws Exception {
    assertThrows(NoSuchFileException.class, () -> Checkpoint.open(file()));
    Files.write(file(), new byte[0]);
    assertRefused("neither a safetensors file nor a zip");
    Files.writeString(file(), "version https://git-lfs.github.com/spec/v1\noid sha256:00\n");
    assertRefused("Git LFS");
    // torch.save before 1.6 begins with its magic number, a long of ten bytes.
    byte[] legacy = {(byte) 0x80, 2, (byte) 0x8a, 10, 0x6c, (byte) 0xfc, (byte) 0x9c, 0x46};
    Files.write(file(), legacy);
    assertRefused("before PyTorch 1.6", "model.safetensors", "torch.save(torch.load('checkpoint'");
    CheckpointFiles.zip(file(), Map.of("a.txt", new byte[3]));
    assertRefused("no zip of torch.save", "data.pkl");
    CheckpointFiles.zip(file(), Map.of("data.pkl", new byte[3], "constants.pkl", new byte[3]));
    assertRefused("TorchScript archive", "state_dict()");
    CheckpointFiles.zip(
        file(),
        Map.of("data.pkl", new byte[3], "byteorder", "big".getBytes(StandardCharsets.US_ASCII)));
    assertRefused("byte order big");
  }

  // safetensors

  private void header(String json, int data) throws IOException {
    CheckpointFiles.safetensors(file(), json, new byte[data]);
  }

  private static String entry(String name, String dtype, String shape, String offsets) {
    return "\""
        + name
        + "\":{\"dtype\":\""
        + dtype
        + "\",\"shape\":"
        + shape
        + ",\"data_offsets\":"
        + offsets
        + "}";
  }

  @Test
  void refusesAHeaderLengthThatCannotBe() throws Exception {
    byte[] whole =
        Files.readAllBytes(CheckpointFiles.safetensors(file(), tensors(), Precision.F32));
    for (long length : new long[] {0, 1, -1, whole.length, 1L << 40, Long.MIN_VALUE}) {
      byte[] damaged = whole.clone();
      ByteBuffer.wrap(damaged).order(ByteOrder.LITTLE_ENDIAN).putLong(0, length);
      // Told by its first brace, which a length does not change.
      Files.write(file(), damaged);
      assertRefused("header should have " + length + " bytes");
    }
  }

  @Test
  void refusesAHeaderThatContradictsItselfOrTheFile() throws Exception {
    header("{" + entry("a", "F32", "[2]", "[0,8]") + "}", 8);
    readAll(Checkpoint.open(file()));

    header("{" + entry("a", "F32", "[2]", "[0,8]") + "}", 7);
    assertRefused("need 8 bytes, there are 7", "cut short");
    header("{" + entry("a", "F32", "[2]", "[0,8]") + "}", 9);
    assertRefused("need 8 bytes, there are 9");
    header("{" + entry("a", "F32", "[2]", "[0,12]") + "}", 12);
    assertRefused("a of F32 [2] needs 8 bytes, its data_offsets give 12");
    header(
        "{" + entry("a", "F32", "[2]", "[0,8]") + "," + entry("b", "F32", "[2]", "[4,12]") + "}",
        12);
    assertRefused("b begins at byte 4, inside the tensor before it");
    header(
        "{" + entry("a", "F32", "[2]", "[0,8]") + "," + entry("b", "F32", "[1]", "[12,16]") + "}",
        16);
    assertRefused("b begins at byte 12, behind a gap");
    header("{" + entry("a", "F32", "[2]", "[8,0]") + "}", 8);
    assertRefused("give -8");
    header("{" + entry("a", "F32", "[-2]", "[0,-8]") + "}", 0);
    assertRefused("a needs dtype, shape and two data_offsets");
    header("{" + entry("a", "F32", "[4294967296,4294967296]", "[0,8]") + "}", 8);
    assertRefused("overflow");
    header("{" + entry("a", "Q4", "[2]", "[0,8]") + "}", 8);
    assertRefused("a is of the unknown dtype Q4");
    header(
        "{" + entry("a", "F32", "[2]", "[0,8]") + "," + entry("a", "F32", "[0]", "[8,8]") + "}", 8);
    assertRefused("duplicate");
    header("{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8);
    assertRefused("a needs dtype, shape and two data_offsets");
    header("{\"a\":null}", 0);
    assertRefused("a needs dtype");
    header("{\"a\":[1,2]}", 0);
    assertRefused("header");
    header("{" + entry("a", "F32", "[null]", "[0,8]") + "}", 8);
    assertRefused("a needs dtype");
    header("{" + entry("a", "F32", "[2.5]", "[0,8]") + "}", 8);
    assertRefused("a needs dtype", "2.5");
    header("{" + entry("a", "F32", "[1e30]", "[0,8]") + "}", 8);
    assertRefused("header");
    header("{" + entry("a", "F32", "[2]", "[0,8]"), 8);
    assertRefused("header");
    header("{} {}", 0);
    assertRefused("header");
  }

  // torch.save

  private void zip(Pickle pickle, int storage) throws IOException {
    Map<String, byte[]> entries = new LinkedHashMap<>();
    entries.put("data.pkl", pickle.stop());
    entries.put("data/0", new byte[storage]);
    CheckpointFiles.zip(file(), entries);
  }

  private void zip(long size, long offset, long[] shape, long[] strides) throws IOException {
    Pickle pickle = new Pickle().op('}').put().text("a.weight");
    zip(pickle.tensor("FloatStorage", "0", size, offset, shape, strides).op('s'), 24);
  }

  @Test
  void refusesAViewThatLeavesItsStorage() throws Exception {
    zip(6, 0, new long[] {2, 3}, new long[] {3, 1});
    readAll(Checkpoint.open(file()));
    zip(6, 5, new long[] {4}, new long[] {0}); // expanded: one element, four times
    assertArrayEquals(new float[4], Checkpoint.open(file()).tensors().get("a.weight").values());

    zip(6, 1, new long[] {2, 3}, new long[] {3, 1});
    assertRefused("a.weight reaches beyond its storage");
    zip(6, 0, new long[] {2, 3}, new long[] {4, 1});
    assertRefused("a.weight reaches beyond its storage");
    zip(7, 0, new long[] {2, 3}, new long[] {3, 1});
    assertRefused("a.weight needs 28 bytes", "data/0", "found 24");
    zip(6, 0, new long[] {2, 3}, new long[] {3});
    assertRefused("damaged data.pkl");
    zip(6, -1, new long[] {2, 3}, new long[] {3, 1});
    assertRefused("damaged data.pkl", "-1");
    zip(6, 0, new long[] {1L << 40, 1L << 40}, new long[] {0, 0});
    assertRefused("a.weight is too large");
    zip(6, 0, new long[] {1L << 40}, new long[] {0});
    assertRefused("a.weight has 1099511627776 elements");
    zip(6, 0, new long[] {2, 2}, new long[] {Long.MAX_VALUE, 1});
    assertRefused("a.weight is too large");
    zip(1L << 62, 0, new long[] {2}, new long[] {1});
    assertRefused("a.weight is too large");
    Pickle other = new Pickle().op('}').put().text("a.weight");
    zip(other.tensor("FloatStorage", "1", 6, 0, new long[] {6}, new long[] {1}).op('s'), 24);
    assertRefused("data/1", "no such entry");
  }

  /** What the attack would leave behind. */
  private Path trace() {
    return folder.resolve("trace");
  }

  @ParameterizedTest
  @CsvSource({
    "posix, system",
    "os, system",
    "builtins, eval",
    "__builtin__, getattr",
    "subprocess, Popen",
    "argparse, Namespace",
    "numpy.core.multiarray, scalar",
    "torch, load",
    "torch.nn.modules.linear, Linear",
    "collections, defaultdict",
    "java.lang, Runtime"
  })
  void makesAndRunsNothingButTensors(String module, String name) throws Exception {
    // As __reduce__ of a malicious object leaves it: call, with one argument.
    Pickle alone = new Pickle().global(module, name).text("touch " + trace()).op(0x85).op('R');
    zip(alone, 0);
    assertRefused("wants " + module + "." + name, "torch.save(model.state_dict()");
    Pickle inside = new Pickle().orderedDict().op('(').text("a.weight");
    inside.tensor("FloatStorage", "0", 1, 0, new long[] {1}, new long[] {1});
    inside.text("b").global(module, name).text("touch " + trace()).op(0x85, 'R').op('u');
    zip(inside, 4);
    assertRefused("wants " + module + "." + name);
    assertFalse(Files.exists(trace()));
  }

  @Test
  void obeysNoInstructionThatTorchDoesNotWrite() throws Exception {
    // Protocol 0's way to call, protocol 2's extension and new object, protocol 4's global.
    byte[] inst = "(S'touch'\nios\nsystem\n.".getBytes(StandardCharsets.US_ASCII);
    byte[] extension = {(byte) 0x80, 2, (byte) 0x82, 1, '.'};
    byte[] object = {(byte) 0x80, 2, ')', (byte) 0x81, '.'};
    byte[] stackGlobal = {(byte) 0x80, 4, (byte) 0x8c, 2, 'o', 's', (byte) 0x93, '.'};
    for (byte[] pickle : List.of(inst, extension, object, stackGlobal)) {
      CheckpointFiles.zip(file(), Map.of("data.pkl", pickle));
      assertRefused("torch.save does not write");
    }
  }

  @Test
  void refusesAPickleThatIsNone() throws Exception {
    Pickle self = new Pickle().op('}').put().op(']').put();
    // A list that holds itself as a key: hashing it would never end.
    self.op('h', 1, 'a', 'K', 1, 's');
    zip(self, 0);
    assertRefused("damaged data.pkl", "key");
    zip(new Pickle().op('X').bytes(new byte[] {-1, -1, -1, 127, 'a'}), 0);
    assertRefused("beyond the end");
    zip(new Pickle().number(3), 0);
    assertRefused("no dictionary of tensors");
    zip(new Pickle().op('}').put().text("epoch").number(3).op('s'), 0);
    assertRefused("holds no tensors", "[epoch]");
    zip(new Pickle().op('}').put().op('b'), 0);
    assertRefused("damaged data.pkl");
    zip(new Pickle().text("storage").op('Q'), 0);
    assertRefused("damaged data.pkl");
    zip(new Pickle().global("torch", "FloatStorage").op(')', 'R'), 0);
    assertRefused("damaged data.pkl");
    CheckpointFiles.zip(file(), Map.of("data.pkl", new byte[TorchPickle.MAX_BYTES + 1]));
    assertRefused("data.pkl is longer than");
  }

  /** Whatever the bytes: a refusal, or tensors of the right sizes; never another exception. */
  @ParameterizedTest
  @CsvSource({"false, F32", "false, BF16", "true, F32", "true, F16"})
  void damageEndsInARefusalAtWorst(boolean torch, Precision precision) throws Exception {
    if (torch) {
      CheckpointFiles.torchZip(file(), tensors(), precision, "model");
    } else {
      CheckpointFiles.safetensors(file(), tensors(), precision);
    }
    byte[] whole = Files.readAllBytes(file());
    RandomGenerator random = new SplittableRandom(SEED);
    int refused = 0;
    for (int i = 0; i < 600; i++) {
      byte[] damaged = whole.clone();
      boolean cut = i % 3 == 0;
      if (cut) {
        damaged = Arrays.copyOf(damaged, random.nextInt(whole.length));
      } else {
        for (int flips = random.nextInt(1, 4); flips > 0; flips--) {
          damaged[random.nextInt(whole.length)] = (byte) random.nextInt(256);
        }
      }
      Files.write(file(), damaged);
      try {
        readAll(Checkpoint.open(file()));
        assertFalse(cut, "a file cut to " + damaged.length + " bytes was read");
      } catch (CheckpointException e) {
        refused++;
      }
    }
    assertTrue(refused > 200, "refused " + refused);
  }
}
