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

import io.crossmodal.trainer.checkpoint.CheckpointFiles.Message;
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
import java.util.Set;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
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
    CheckpointFiles.torchLegacy(file(), tensors, precision);
    assertHolds(tensors);
    CheckpointFiles.onnx(file(), tensors, precision);
    assertHolds(tensors);
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
    assertRefused("neither a safetensors file nor one of torch.save nor ONNX: it is empty");
    Files.writeString(file(), "<!DOCTYPE html>\n<title>Not found");
    assertRefused("it begins with [<!DOCTYPE html>?<title>Not found]");
    Files.writeString(file(), "version https://git-lfs.github.com/spec/v1\noid sha256:00\n");
    assertRefused("Git LFS");
    Files.write(file(), new Pickle().op('}').put().stop());
    assertRefused("a pickle, but none that torch.save wrote");
    Files.write(file(), new byte[] {(byte) 0x80, 4, (byte) 0x95, 0});
    assertRefused("0x95", "torch.save does not write");
    CheckpointFiles.zip(file(), Map.of("a.txt", new byte[3]));
    assertRefused("no zip of torch.save", "data.pkl");
    CheckpointFiles.zip(file(), Map.of("data.pkl", new byte[3], "constants.pkl", new byte[3]));
    assertRefused("data.pkl has the instruction 0x00");
    // A zip in a zip, as a browser or a hub packs one.
    byte[] inner = Files.readAllBytes(file());
    CheckpointFiles.zip(file(), Map.of("model.pt", inner));
    assertRefused("no zip of torch.save: it should have one data.pkl, found []");
    CheckpointFiles.zip(file(), Map.of("a/data.pkl", inner, "b/data.pkl", inner));
    assertRefused("should have one data.pkl", "a/data.pkl", "b/data.pkl");
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

  /** A few bytes may stand for any number: of an expanded tensor, or of a packed entry. */
  @Test
  void refusesWhatIsLargerThanItsFile() throws Exception {
    zip(6, 0, new long[] {7}, new long[] {0});
    assertRefused("a.weight has 7 elements [7] over 6 of its storage", "contiguous");
    Pickle pickle = new Pickle().op('}').put().text("a.weight");
    byte[] content =
        pickle
            .tensor("FloatStorage", "0", 1 << 20, 0, new long[] {1 << 20}, new long[] {1})
            .op('s')
            .stop();
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(file()))) {
      zip.putNextEntry(new ZipEntry("a/data.pkl"));
      zip.write(content);
      zip.putNextEntry(new ZipEntry("a/data/0"));
      zip.write(new byte[4 << 20]);
    }
    assertRefused("[a/data/0] unpacks to 4194304 bytes from", "torch.save packs nothing");
  }

  @Test
  void refusesAZipThatHasAnEntryTwice() throws Exception {
    CheckpointFiles.zip(
        file(), Map.of("data.pkl", new Pickle().op('}').put().stop(), "data/00", new byte[4]));
    String bytes = Files.readString(file(), StandardCharsets.ISO_8859_1);
    Files.writeString(file(), bytes.replace("/version", "/data/00"), StandardCharsets.ISO_8859_1);
    assertRefused("[pytorch_model/data/00] stands in the zip twice");
  }

  // torch.jit.save

  private void script(Pickle pickle, int storage) throws IOException {
    CheckpointFiles.zip(
        file(),
        Map.of(
            "data.pkl",
            pickle.stop(),
            "constants.pkl",
            new Pickle().op(')').stop(),
            "code/__torch__.py",
            "raise SystemExit".getBytes(StandardCharsets.US_ASCII),
            "data/0",
            new byte[storage]));
  }

  /** An object of a class whose attributes follow, up to {@link #end}. */
  private static Pickle object(Pickle pickle, String name) {
    return pickle.global("__torch__", name).op(')', 0x81).put().op('}').put().op('(');
  }

  private static Pickle end(Pickle pickle) {
    return pickle.op('u', 'b');
  }

  @Test
  void aScriptsAttributesAreItsTensors() throws Exception {
    Pickle pickle = object(new Pickle(), "Root").text("training").op(0x89);
    pickle.text("sizes").global("torch.jit._pickle", "build_intlist").op(']', '(', 'K', 7, 'e');
    pickle.op(0x85, 'R').text("0");
    object(pickle, "Inner").text("weight");
    pickle.tensor("FloatStorage", "0", 6, 0, new long[] {2, 3}, new long[] {3, 1});
    end(pickle).text("scale");
    pickle.tensor("FloatStorage", "0", 6, 5, new long[] {}, new long[] {});
    script(end(pickle), 24);
    Checkpoint checkpoint = Checkpoint.open(file());
    assertEquals(Set.of("0.weight", "scale"), checkpoint.tensors().keySet());
    readAll(checkpoint);
    script(object(new Pickle(), "Root").text("training").op(0x89, 'u', 'b'), 0);
    assertRefused("holds no tensors");
    script(new Pickle().op('}'), 0);
    assertRefused("no module of TorchScript");
  }

  @Test
  void aScriptRunsNothingAndEndsSomewhere() throws Exception {
    for (String name :
        List.of("os system", "torch load", "torch.jit._pickle build_tensor_from_id")) {
      String[] parts = name.split(" ", -1);
      Pickle pickle = object(new Pickle(), "Root").text("a").global(parts[0], parts[1]);
      script(end(pickle.text("touch " + trace()).op(0x85, 'R')), 0);
      assertRefused("wants " + parts[0] + "." + parts[1]);
    }
    assertFalse(Files.exists(trace()));
    // A module that is its own attribute: memo 1 of the object.
    script(end(object(new Pickle(), "Root").text("a").op('h', 1)), 0);
    assertRefused("deeper than");
    // Two attributes a level, each the level below: 2^40 names.
    Pickle doubling = new Pickle().global("__torch__", "Level").op(')', 0x81).put();
    int below = 1;
    for (int level = 0; level < 40; level++) {
      doubling.op('h', 0, ')', 0x81);
      int own = doubling.place();
      doubling.put().op('}', '(').text("a").op('h', below).text("b").op('h', below).op('u', 'b');
      below = own;
    }
    script(doubling, 0);
    assertRefused("more than", "attributes");
    // The number 1 and the text 1 are two keys of one name.
    Pickle twice = object(new Pickle(), "Root").number(1).number(2).text("1").number(3);
    script(end(twice), 0);
    assertRefused("two attributes [1]");
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

  // torch.save before PyTorch 1.6

  private void legacy(long size, long offset, long[] shape, long claimed) throws IOException {
    Pickle pickle = new Pickle().op('}').put().text("a.weight");
    long[] strides = CheckpointFiles.strides(shape);
    pickle.legacyTensor("FloatStorage", "0", size, offset, shape, strides, true).op('s');
    CheckpointFiles.torchLegacy(file(), pickle.stop(), Map.of("0", new byte[24]), 4);
    byte[] whole = Files.readAllBytes(file());
    ByteBuffer.wrap(whole).order(ByteOrder.LITTLE_ENDIAN).putLong(whole.length - 32, claimed);
    Files.write(file(), whole);
  }

  @Test
  void refusesAnOldFileWhoseStoragesAreNotWhatItSays() throws Exception {
    legacy(6, 0, new long[] {2, 3}, 6);
    readAll(Checkpoint.open(file()));
    legacy(6, 1, new long[] {2, 3}, 6);
    assertRefused("a.weight reaches beyond its storage");
    legacy(6, 0, new long[] {1L << 40, 1L << 40}, 6);
    assertRefused("a.weight is too large");
    for (long claimed : new long[] {0, 5, 7, -1, Long.MAX_VALUE}) {
      legacy(6, 0, new long[] {2, 3}, claimed);
      assertRefused("storage 0", "must have 6 elements, found " + claimed);
    }
    for (long size : new long[] {7, 1L << 40, Long.MAX_VALUE}) {
      legacy(size, 0, new long[] {2, 3}, size);
      assertRefused("no whole file of torch.save");
    }
    legacy(6, 0, new long[] {2, 3}, 6);
    byte[] whole = Files.readAllBytes(file());
    Files.write(file(), Arrays.copyOf(whole, whole.length + 1));
    assertRefused("storages end at byte " + whole.length);
    Files.write(file(), Arrays.copyOf(whole, whole.length - 1));
    assertRefused("cut short inside storage 0");
    byte[] big = whole.clone();
    int order = new String(big, StandardCharsets.ISO_8859_1).indexOf("little_endian") + 13;
    assertEquals('q', big[order], "the text's place in the memo");
    big[order + 2] = (byte) 0x89;
    Files.write(file(), big);
    assertRefused("byte order");
    Pickle none = new Pickle().op('}').put();
    CheckpointFiles.torchLegacy(file(), none.stop(), Map.of("0", new byte[24]), 4);
    assertRefused("one that no tensor is in");
  }

  @Test
  void runsNothingThatAnOldFileNames() throws Exception {
    Pickle inside = new Pickle().op('}').put().text("a").global("posix", "system");
    inside.text("touch " + trace()).op(0x85, 'R', 's');
    CheckpointFiles.torchLegacy(file(), inside.stop(), Map.of(), 4);
    assertRefused("its content wants posix.system", "torch.save(model.state_dict()");
    assertFalse(Files.exists(trace()));
    // A module whole, as torch.save(model) pickles it, and a tensor of the storage of another.
    Pickle module = new Pickle().op('(').text("module").text("a").op('t', 'Q');
    CheckpointFiles.torchLegacy(file(), module.stop(), Map.of(), 4);
    assertRefused("no storage's");
    Pickle view = new Pickle().op('}').put().text("a").op('(').text("storage");
    view.global("torch", "FloatStorage").text("0").text("cpu").number(1).tuple(1, 2, 3);
    CheckpointFiles.torchLegacy(file(), view.op('t', 'Q', 's').stop(), Map.of(), 4);
    assertRefused("no storage's");
  }

  /** A small file must not become a large heap. */
  @Test
  void countsWhatAPickleMakes() throws Exception {
    Pickle pickle = new Pickle().op(']').put().op('(').text("storage");
    pickle.global("torch", "FloatStorage").text("0").text("cpu").number(1).op('t', 'q', 200);
    for (int i = 0; i < 70_000; i++) {
      pickle.op('h', 200, 'Q');
    }
    zip(pickle, 4);
    assertRefused("more than 65536 tensors");
    Pickle axes = new Pickle().op('}').put().text("a");
    zip(axes.tensor("FloatStorage", "0", 1, 0, new long[9], new long[9]).op('s'), 4);
    assertRefused("9 axes");
  }

  // ONNX

  private void onnx(Message graph) throws IOException {
    Files.write(file(), CheckpointFiles.onnx(graph));
  }

  @Test
  void refusesAnInitializerThatContradictsItself() throws Exception {
    Message good = CheckpointFiles.initializer("a", 1, 2, 3).bytes(9, new byte[24]);
    onnx(new Message().message(5, good));
    readAll(Checkpoint.open(file()));
    // Packed extents, as newer writers have them.
    Message packed = new Message().bytes(1, new byte[] {2, 3}).number(2, 1).text(8, "a");
    onnx(new Message().message(5, packed.bytes(4, new byte[24])));
    assertEquals(List.of(2L, 3L), Checkpoint.open(file()).tensors().get("a").shape());

    onnx(new Message().message(5, good).message(5, good));
    assertRefused("a stands twice");
    onnx(new Message().message(5, CheckpointFiles.initializer("a", 1, 2, 3)));
    assertRefused("a of F32 [2, 3] needs 24 bytes as raw_data or float_data, found 0");
    onnx(
        new Message().message(5, CheckpointFiles.initializer("a", 1, 2, 3).bytes(9, new byte[23])));
    assertRefused("needs 24 bytes", "found 23");
    onnx(new Message().message(5, good.bytes(9, new byte[24])));
    assertRefused("stand twice");
    onnx(new Message().message(5, CheckpointFiles.initializer("a", 1, 1L << 40, 1L << 40)));
    assertRefused("overflow");
    onnx(new Message().message(5, CheckpointFiles.initializer("a", 1, -1)));
    assertRefused("shape [-1]");
    onnx(new Message().message(5, CheckpointFiles.initializer("a", 1, new long[9])));
    assertRefused("shape");
    onnx(new Message().message(5, CheckpointFiles.initializer("a", 8, 1)));
    assertRefused("a is of ONNX's data type 8", "bfloat16");
    onnx(new Message().message(5, CheckpointFiles.initializer("a", 10, 1).bytes(4, new byte[2])));
    assertRefused("data type 10 and has values of float");
    onnx(new Message().message(5, CheckpointFiles.initializer("a".repeat(2000), 1)));
    assertRefused("a name of 2000 bytes");
    onnx(new Message().message(5, CheckpointFiles.initializer("ids", 7, 2).bytes(9, new byte[16])));
    assertEquals(List.of(2L), Checkpoint.open(file()).tensors().get("ids").shape());
    assertRefused("ids is I64", "F32, F16 and BF16");
  }

  @Test
  void namesTheFileThatHoldsAnOnnxModelsValues() throws Exception {
    Message place = new Message().text(1, "location").text(2, "model.onnx.data");
    Message offset = new Message().text(1, "offset").text(2, "0");
    Message tensor = CheckpointFiles.initializer("a", 1, 2).message(13, place).message(13, offset);
    onnx(new Message().message(5, tensor.number(14, 1)));
    assertRefused("values of a are in another file, model.onnx.data", "onnx.save(onnx.load(");
    onnx(new Message().message(5, CheckpointFiles.initializer("a", 1, 2).number(14, 1)));
    assertRefused("values of a are in another file");
  }

  /** A matrix has its module's name where a node tells it, and else keeps its own. */
  @Test
  void matricesAreNamedByTheNodesThatUseThem() throws Exception {
    byte[] six = Precision.F32.encode(new float[] {1, 2, 3, 4, 5, 6});
    Message graph = new Message();
    graph.message(5, CheckpointFiles.initializer("onnx::MatMul_7", 1, 2, 3).bytes(9, six));
    graph.message(5, CheckpointFiles.initializer("plain", 1, 2, 3).bytes(9, six));
    graph.message(5, CheckpointFiles.initializer("b.bias", 1, 6).bytes(9, six));
    graph.message(1, CheckpointFiles.node("MatMul", "/a/b/MatMul", "x", "onnx::MatMul_7"));
    graph.message(1, CheckpointFiles.node("MatMul", "/c/MatMul_1", "x", "onnx::MatMul_7"));
    graph.message(1, CheckpointFiles.node("MatMul", "MatMul_12", "x", "plain"));
    graph.message(1, CheckpointFiles.node("MatMul", "/d/MatMul", "x", "y"));
    graph.message(1, CheckpointFiles.node("Gemm", "/e/Gemm", "x", "plain"));
    onnx(graph);
    Map<String, LazyTensor> tensors = Checkpoint.open(file()).tensors();
    assertEquals(
        List.of("plain", "b.bias", "a.b.weight", "c.weight"), List.copyOf(tensors.keySet()));
    for (String name : List.of("a.b.weight", "c.weight")) {
      assertEquals(List.of(3L, 2L), tensors.get(name).shape());
      assertArrayEquals(new float[] {1, 4, 2, 5, 3, 6}, tensors.get(name).values());
    }
    graph.message(1, CheckpointFiles.node("MatMul", "/a/b/MatMul", "x", "plain"));
    onnx(graph);
    assertRefused("two matrices are a.b.weight");
  }

  @Test
  void refusesAnOnnxFileWhoseLengthsCannotBe() throws Exception {
    for (long length : new long[] {1, 1L << 31, Long.MAX_VALUE, -1}) {
      Message model = new Message().number(1, 6).varint((7 << 3) | 2).varint(length);
      Files.write(file(), model.bytes());
      assertRefused("no whole ONNX file", "a length of " + length);
      // The same inside.
      onnx(new Message().varint((5 << 3) | 2).varint(length));
      assertRefused("a length of " + length);
    }
    Files.write(file(), new Message().number(1, 6).bytes());
    assertRefused("no graph");
    Files.write(file(), new Message().number(1, 6).message(7, new Message()).bytes());
    assertRefused("no operator set");
    Files.write(file(), new Message().number(1, 6).varint((7 << 3) | 3).bytes());
    assertRefused("type 3");
    byte[] endless = new byte[64];
    Arrays.fill(endless, (byte) 0x88);
    endless[0] = 8;
    Files.write(file(), endless);
    assertRefused("more than 64 bits");
    Message many = new Message();
    Message none = CheckpointFiles.node("MatMul", "", "", "");
    for (int i = 0; i <= 100_000; i++) {
      many.message(1, none);
    }
    onnx(many);
    assertRefused("more than 100000 weights");
  }

  private enum Container {
    SAFETENSORS,
    ZIP,
    LEGACY,
    ONNX
  }

  /** Whatever the bytes: a refusal, or tensors of the right sizes; never another exception. */
  @ParameterizedTest
  @CsvSource({
    "SAFETENSORS, F32",
    "SAFETENSORS, BF16",
    "ZIP, F32",
    "ZIP, F16",
    "LEGACY, F32",
    "LEGACY, F16",
    "ONNX, F32",
    "ONNX, F16"
  })
  void damageEndsInARefusalAtWorst(Container container, Precision precision) throws Exception {
    switch (container) {
      case SAFETENSORS -> CheckpointFiles.safetensors(file(), tensors(), precision);
      case ZIP -> CheckpointFiles.torchZip(file(), tensors(), precision, "model");
      case LEGACY -> CheckpointFiles.torchLegacy(file(), tensors(), precision);
      case ONNX -> CheckpointFiles.onnx(file(), tensors(), precision);
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
