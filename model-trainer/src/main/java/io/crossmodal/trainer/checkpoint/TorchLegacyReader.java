/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import io.crossmodal.trainer.checkpoint.TorchPickle.Storage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Reads what {@code torch.save} wrote before PyTorch 1.6: five pickles (a magic number, the version
 * of this format, the machine's byte order, the content, the keys of the storages), then in the
 * order of the keys each storage, its length in elements before its bytes.
 */
final class TorchLegacyReader {
  private static final BigInteger MAGIC = new BigInteger("1950a86a20f9469cfc6c", 16);
  private static final long VERSION = 1001;

  /** All pickles together, behind which storages may follow at once. */
  private static final int MAX_PICKLES = TorchPickle.MAX_BYTES;

  private TorchLegacyReader() {}

  /**
   * Reads the pickles, and where the storages are.
   *
   * @throws CheckpointException when the file is damaged, or holds more than tensors
   */
  static Map<String, LazyTensor> read(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file)) {
      byte[] start = Channels.newInputStream(channel).readNBytes(MAX_PICKLES);
      ByteArrayInputStream in = new ByteArrayInputStream(start);
      Object magic = TorchPickle.read(in, "its first pickle").value();
      if (!MAGIC.equals(magic)) {
        throw new CheckpointException(
            file + " is a pickle, but none that torch.save wrote; save model.state_dict()");
      }
      Object version = TorchPickle.read(in, "its version").value();
      if (!(version instanceof Number number) || number.longValue() != VERSION) {
        throw new IOException("its format version is not " + VERSION);
      }
      if (!(TorchPickle.read(in, "its machine").value() instanceof Map<?, ?> machine)
          || !Boolean.TRUE.equals(machine.get("little_endian"))) {
        throw new IOException("its byte order is not little");
      }
      TorchPickle.Content content = TorchPickle.read(in, "its content");
      if (!(TorchPickle.read(in, "its keys").value() instanceof List<?> keys)) {
        throw new IOException("it has no list of storages");
      }
      Map<String, Long> places =
          places(channel, start.length - in.available(), keys, content.storages());
      return TorchTensors.of(file, content.value(), new Behind(file, content.storages(), places));
    } catch (CheckpointException e) {
      throw e;
    } catch (IOException | ArithmeticException e) {
      throw new CheckpointException(file + " is no whole file of torch.save: " + e.getMessage(), e);
    }
  }

  /** Returns where each storage begins; together they must fill the rest of the file. */
  private static Map<String, Long> places(
      FileChannel channel, long begin, List<?> keys, Map<String, Storage> storages)
      throws IOException {
    Map<String, Long> places = new HashMap<>();
    ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    long at = begin;
    for (Object key : keys) {
      Storage storage = key instanceof String text ? storages.get(text) : null;
      if (storage == null || places.put(storage.key(), at + Long.BYTES) != null) {
        throw new IOException("it lists a storage twice, or one that no tensor is in");
      }
      length.clear();
      int read = channel.read(length, at);
      long size = read == Long.BYTES ? length.getLong(0) : -1;
      if (size != storage.size()) {
        throw new IOException(
            String.format(
                Locale.ROOT,
                "storage %s at byte %d must have %d elements, found %s",
                storage.key(),
                at,
                storage.size(),
                read == Long.BYTES ? Long.toString(size) : "the end"));
      }
      at = Math.addExact(at + Long.BYTES, Math.multiplyExact(size, (long) storage.type().bytes()));
      if (at > channel.size()) {
        throw new IOException("it is cut short inside storage " + storage.key());
      }
    }
    if (at != channel.size()) {
      throw new IOException(
          String.format(Locale.ROOT, "its storages end at byte %d, it at %d", at, channel.size()));
    }
    return places;
  }

  /** Storages one behind the other. */
  private record Behind(Path file, Map<String, Storage> storages, Map<String, Long> places)
      implements TorchTensors.Storages {
    @Override
    public String place(Storage storage) {
      return "storage " + storage.key();
    }

    @Override
    public long bytes(Storage storage) {
      // Two tensors that disagree about their storage have different ones here.
      return places.containsKey(storage.key()) && storage.equals(storages.get(storage.key()))
          ? Math.multiplyExact(storage.size(), (long) storage.type().bytes())
          : -1;
    }

    @Override
    public InputStream open(Storage storage) throws IOException {
      FileChannel channel = FileChannel.open(file);
      channel.position(places.get(storage.key()));
      return Channels.newInputStream(channel);
    }
  }
}
