/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/**
 * Reads what {@code torch.save} writes since PyTorch 1.6: a zip with {@code data.pkl}, which says
 * what tensors there are, and an entry {@code data/<key>} per storage.
 *
 * <p>A training checkpoint holds the weights under {@code model} or {@code state_dict}, beside
 * epochs and the like; those are passed over. The zip's checksums are not compared, because {@code
 * torch.save} can be told to leave them out.
 */
final class TorchZipReader {
  private static final String PICKLE = "data.pkl";

  /** Where training scripts keep the weights; DeiT: model, timm and others: state_dict. */
  private static final List<String> WRAPPERS = List.of("model", "state_dict", "model_state_dict");

  /** 2 GB of float32. */
  private static final int MAX_ELEMENTS = 1 << 29;

  private TorchZipReader() {}

  /**
   * Reads the pickle.
   *
   * @throws CheckpointException when the file is damaged, or holds more than tensors
   */
  static Map<String, LazyTensor> read(Path file) throws IOException {
    try (ZipFile zip = new ZipFile(file.toFile())) {
      String root = root(file, zip);
      Object content = TorchPickle.read(content(zip, root + PICKLE, TorchPickle.MAX_BYTES));
      Map<String, LazyTensor> tensors = new LinkedHashMap<>();
      for (Map.Entry<String, TorchPickle.View> entry : views(file, content).entrySet()) {
        tensors.put(entry.getKey(), tensor(file, zip, root, entry.getKey(), entry.getValue()));
      }
      return tensors;
    } catch (CheckpointException e) {
      throw e;
    } catch (ZipException e) {
      throw new CheckpointException(
          file + " is no whole zip (" + e.getMessage() + "); fetch it again", e);
    } catch (IOException | RuntimeException e) {
      // RuntimeException: what the JDK's zip code throws at an entry whose name is no text.
      throw new CheckpointException(file + ": " + e.getMessage(), e);
    }
  }

  /** Returns the folder in the zip, whose name is the saved file's. */
  private static String root(Path file, ZipFile zip) throws IOException {
    List<String> pickles =
        zip.stream()
            .map(ZipEntry::getName)
            .filter(name -> name.equals(PICKLE) || name.endsWith("/" + PICKLE))
            .toList();
    if (pickles.size() != 1) {
      throw new CheckpointException(
          file + " is no zip of torch.save: it should have one " + PICKLE + ", found " + pickles);
    }
    String root = pickles.get(0).substring(0, pickles.get(0).length() - PICKLE.length());
    if (zip.getEntry(root + "constants.pkl") != null) {
      throw new CheckpointException(
          file
              + " is a TorchScript archive; save the weights alone:"
              + " torch.save(torch.jit.load(file).state_dict(), 'weights.bin')");
    }
    if (zip.getEntry(root + "byteorder") != null) {
      String order =
          new String(content(zip, root + "byteorder", 16), StandardCharsets.US_ASCII).strip();
      if (!order.equals("little")) {
        throw new CheckpointException(file + " has the byte order " + order + ", not little");
      }
    }
    return root;
  }

  private static byte[] content(ZipFile zip, String name, int most) throws IOException {
    try (InputStream in = zip.getInputStream(zip.getEntry(name))) {
      byte[] content = in.readNBytes(most);
      if (in.read() >= 0) {
        throw new IOException(name + " is longer than " + most + " bytes");
      }
      return content;
    }
  }

  private static Map<String, TorchPickle.View> views(Path file, Object content)
      throws CheckpointException {
    if (!(content instanceof Map<?, ?> map)) {
      throw new CheckpointException(
          file + " holds no dictionary of tensors; save model.state_dict()");
    }
    for (String wrapper : WRAPPERS) {
      if (map.get(wrapper) instanceof Map<?, ?> inner) {
        return views(inner);
      }
    }
    Map<String, TorchPickle.View> views = views(map);
    if (views.isEmpty()) {
      throw new CheckpointException(
          String.format(
              Locale.ROOT,
              "%s holds no tensors, neither by name nor under one of %s; found %s",
              file,
              WRAPPERS,
              map.keySet().stream().limit(10).toList()));
    }
    return views;
  }

  private static Map<String, TorchPickle.View> views(Map<?, ?> map) {
    Map<String, TorchPickle.View> views = new LinkedHashMap<>();
    map.forEach(
        (name, value) -> {
          if (name instanceof String text && value instanceof TorchPickle.View view) {
            views.put(text, view);
          }
        });
    return views;
  }

  private static LazyTensor tensor(
      Path file, ZipFile zip, String root, String name, TorchPickle.View view)
      throws CheckpointException {
    TorchPickle.Storage storage = view.storage();
    String entry = root + "data/" + storage.key();
    ZipEntry found = zip.getEntry(entry);
    long expected;
    long end;
    try {
      expected = Math.multiplyExact(storage.size(), (long) storage.type().bytes());
      end = Math.addExact(view.offset(), extent(view));
    } catch (ArithmeticException e) {
      throw new CheckpointException(file + ": " + name + " is too large to be: " + view, e);
    }
    if (found == null || found.getSize() != expected) {
      throw new CheckpointException(
          String.format(
              Locale.ROOT,
              "%s: %s needs %d bytes of %s, found %s",
              file,
              name,
              expected,
              entry,
              found == null ? "no such entry" : Long.toString(found.getSize())));
    }
    if (end > storage.size()) {
      throw new CheckpointException(
          String.format(Locale.ROOT, "%s: %s reaches beyond its storage: %s", file, name, view));
    }
    return new LazyTensor(storage.type(), view.shape(), () -> values(file, entry, name, view));
  }

  /** Returns the elements of the storage from a view's first to its last, both included. */
  private static long extent(TorchPickle.View view) {
    if (LazyTensor.size(view.shape()) == 0) {
      return 0;
    }
    long extent = 1;
    for (int i = 0; i < view.shape().size(); i++) {
      extent =
          Math.addExact(extent, Math.multiplyExact(view.shape().get(i) - 1, view.strides().get(i)));
    }
    return extent;
  }

  private static float[] values(Path file, String entry, String name, TorchPickle.View view)
      throws IOException {
    LazyTensor.ElementType type = view.storage().type();
    long size = LazyTensor.size(view.shape());
    long bytes = extent(view) * type.bytes();
    if (!type.readable() || size > MAX_ELEMENTS || bytes > Integer.MAX_VALUE - 8) {
      throw new CheckpointException(
          String.format(
              Locale.ROOT,
              "%s: %s has %d elements of %s; F32, F16 and BF16 below 2 GB are read",
              file,
              name,
              size,
              type));
    }
    ByteBuffer buffer;
    try (ZipFile zip = new ZipFile(file.toFile());
        InputStream in = zip.getInputStream(zip.getEntry(entry))) {
      in.skipNBytes(view.offset() * type.bytes());
      buffer = ByteBuffer.wrap(in.readNBytes((int) bytes)).order(ByteOrder.LITTLE_ENDIAN);
    } catch (IOException e) {
      throw new CheckpointException(file + ": " + entry + ": " + e.getMessage(), e);
    }
    if (buffer.remaining() != bytes) {
      throw new CheckpointException(file + ": " + entry + " ends early");
    }
    float[] values = new float[(int) size];
    int rank = view.shape().size();
    long[] index = new long[rank];
    long at = 0;
    for (int i = 0; i < values.length; i++) {
      values[i] = type.get(buffer, (int) at);
      // The next index, like an odometer.
      for (int axis = rank - 1; axis >= 0; axis--) {
        at += view.strides().get(axis);
        if (++index[axis] < view.shape().get(axis)) {
          break;
        }
        at -= view.strides().get(axis) * view.shape().get(axis);
        index[axis] = 0;
      }
    }
    return values;
  }
}
