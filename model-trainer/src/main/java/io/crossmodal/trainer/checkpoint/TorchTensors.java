/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import io.crossmodal.trainer.checkpoint.LazyTensor.ElementType;
import io.crossmodal.trainer.checkpoint.TorchPickle.Storage;
import io.crossmodal.trainer.checkpoint.TorchPickle.View;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What a pickle of {@code torch.save} says, as tensors: views into storages, which the two kinds of
 * file keep in different places.
 *
 * <p>A training checkpoint holds the weights under {@code model} or {@code state_dict}, beside
 * epochs and the like; those are passed over.
 */
final class TorchTensors {
  /** Where training scripts keep the weights; DeiT: model, timm and others: state_dict. */
  private static final List<String> WRAPPERS = List.of("model", "state_dict", "model_state_dict");

  /** 2 GB of float32. */
  private static final int MAX_ELEMENTS = 1 << 29;

  /** The bytes of storages. */
  interface Storages {
    /** Returns for people where a storage is. */
    String place(Storage storage);

    /** Returns how many bytes there are of a storage; negative where there is none. */
    long bytes(Storage storage);

    /** Opens a storage, little-endian; the file may have been closed in between. */
    InputStream open(Storage storage) throws IOException;
  }

  private final Path file;
  private final Storages storages;

  private TorchTensors(Path file, Storages storages) {
    this.file = file;
    this.storages = storages;
  }

  /**
   * Returns the tensors by name; no value is read.
   *
   * @param content what the pickle left
   * @throws CheckpointException when it holds none, or one that leaves its storage
   */
  static Map<String, LazyTensor> of(Path file, Object content, Storages storages)
      throws CheckpointException {
    TorchTensors torch = new TorchTensors(file, storages);
    Map<String, LazyTensor> tensors = new LinkedHashMap<>();
    for (Map.Entry<String, View> entry : torch.views(content).entrySet()) {
      tensors.put(entry.getKey(), torch.tensor(entry.getKey(), entry.getValue()));
    }
    return tensors;
  }

  private Map<String, View> views(Object content) throws CheckpointException {
    if (!(content instanceof Map<?, ?> map)) {
      throw new CheckpointException(
          file + " holds no dictionary of tensors; save model.state_dict()");
    }
    for (String wrapper : WRAPPERS) {
      if (map.get(wrapper) instanceof Map<?, ?> inner) {
        return viewsOf(inner);
      }
    }
    Map<String, View> views = viewsOf(map);
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

  private static Map<String, View> viewsOf(Map<?, ?> map) {
    Map<String, View> views = new LinkedHashMap<>();
    map.forEach(
        (name, value) -> {
          if (name instanceof String text && value instanceof View view) {
            views.put(text, view);
          }
        });
    return views;
  }

  private LazyTensor tensor(String name, View view) throws CheckpointException {
    Storage storage = view.storage();
    long found = storages.bytes(storage);
    long expected;
    long end;
    long size;
    try {
      size = LazyTensor.size(view.shape());
      expected = Math.multiplyExact(storage.size(), (long) storage.type().bytes());
      end = Math.addExact(view.offset(), extent(view));
    } catch (ArithmeticException e) {
      throw new CheckpointException(file + ": " + name + " is too large to be: " + view, e);
    }
    if (found != expected) {
      throw new CheckpointException(
          String.format(
              Locale.ROOT,
              "%s: %s needs %d bytes of %s, found %s",
              file,
              name,
              expected,
              storages.place(storage),
              found < 0 ? "no such entry" : Long.toString(found)));
    }
    if (end > storage.size()) {
      throw new CheckpointException(
          String.format(Locale.ROOT, "%s: %s reaches beyond its storage: %s", file, name, view));
    }
    if (size > storage.size()) {
      // An expanded view: a few bytes could stand for any number of values.
      throw new CheckpointException(
          String.format(
              Locale.ROOT,
              "%s: %s has %d elements %s over %d of its storage: save tensors that are contiguous",
              file,
              name,
              size,
              view.shape(),
              storage.size()));
    }
    return new LazyTensor(storage.type(), view.shape(), () -> values(name, view));
  }

  /** Returns the elements of the storage from a view's first to its last, both included. */
  private static long extent(View view) {
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

  private float[] values(String name, View view) throws IOException {
    ElementType type = view.storage().type();
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
    try (InputStream in = storages.open(view.storage())) {
      in.skipNBytes(view.offset() * type.bytes());
      buffer = ByteBuffer.wrap(in.readNBytes((int) bytes)).order(ByteOrder.LITTLE_ENDIAN);
    } catch (IOException e) {
      throw new CheckpointException(
          file + ": " + storages.place(view.storage()) + ": " + e.getMessage(), e);
    }
    if (buffer.remaining() != bytes) {
      throw new CheckpointException(file + ": " + storages.place(view.storage()) + " ends early");
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
