/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import io.crossmodal.trainer.checkpoint.LazyTensor.ElementType;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import net.razorvine.pickle.IObjectConstructor;
import net.razorvine.pickle.Opcodes;
import net.razorvine.pickle.PickleUtils;
import net.razorvine.pickle.Unpickler;

/**
 * A pickle machine that can make tensors, dictionaries, lists, tuples, texts and numbers, and
 * nothing else; of a TorchScript archive the attributes of its modules, too.
 *
 * <p>A pickle is a program; Python's own would run whatever function it names. Here names resolve
 * through {@link #global} alone, never through the library's table of constructors, which is one
 * for the whole JVM; and only those instructions are obeyed that {@code torch.save} writes.
 */
final class TorchPickle extends Unpickler {
  /** A state dictionary's needs about 100 bytes a tensor. */
  static final int MAX_BYTES = 4 << 20;

  /** Of a network's there are hundreds. */
  private static final int MAX_TENSORS = 1 << 16;

  private static final int MAX_RANK = 8;

  /** Attributes of all modules of an archive, and how deep they lie in one another. */
  private static final int MAX_ATTRIBUTES = 1 << 18;

  private static final int MAX_DEPTH = 64;

  /** Where the classes of a TorchScript archive are, whose code is never read. */
  private static final String SCRIPT_CLASS = "__torch__.";

  /** What makes lists with types in TorchScript. */
  private static final String SCRIPT_LISTS = "torch.jit._pickle.";

  /**
   * What a pickle leaves.
   *
   * @param value {@link View}s in maps and lists
   * @param storages by key, all that it names
   */
  record Content(Object value, Map<String, Storage> storages) {}

  /**
   * A storage of the file: a tensor's view goes into one.
   *
   * @param key its name in the file
   * @param size in elements
   */
  record Storage(ElementType type, String key, long size) {}

  /** A tensor as a view: element (i, j, ...) is {@code offset + i * strides[0] + ...}. */
  record View(Storage storage, long offset, List<Long> shape, List<Long> strides) {}

  /**
   * A module of a TorchScript archive: its attributes by name. Several places may hold the same.
   */
  private static final class Module extends LinkedHashMap<Object, Object> {
    private static final long serialVersionUID = 1L;
  }

  /** What {@code torch.save} writes with its default protocol, 2. */
  private static final Set<Short> OPCODES =
      Set.of(
          Opcodes.PROTO,
          Opcodes.STOP,
          Opcodes.MARK,
          Opcodes.NONE,
          Opcodes.NEWTRUE,
          Opcodes.NEWFALSE,
          Opcodes.BININT,
          Opcodes.BININT1,
          Opcodes.BININT2,
          Opcodes.LONG1,
          Opcodes.BINFLOAT,
          Opcodes.BINUNICODE,
          Opcodes.EMPTY_DICT,
          Opcodes.EMPTY_LIST,
          Opcodes.EMPTY_TUPLE,
          Opcodes.TUPLE,
          Opcodes.TUPLE1,
          Opcodes.TUPLE2,
          Opcodes.TUPLE3,
          Opcodes.APPEND,
          Opcodes.APPENDS,
          Opcodes.BINPUT,
          Opcodes.LONG_BINPUT,
          Opcodes.BINGET,
          Opcodes.LONG_BINGET,
          Opcodes.BINPERSID,
          Opcodes.REDUCE);

  /** All that a pickle may call. */
  private static final Map<String, IObjectConstructor> CONSTRUCTORS =
      Map.of(
          "torch._utils._rebuild_tensor_v2", TorchPickle::view,
          "torch._utils._rebuild_parameter", arguments -> (View) arguments[0],
          "collections.OrderedDict", arguments -> new LinkedHashMap<Object, Object>());

  private final String name;
  private final boolean script;
  private final Map<String, Storage> storages = new LinkedHashMap<>();
  private int tensors;

  private TorchPickle(String name, boolean script) {
    this.name = name;
    this.script = script;
  }

  /**
   * Runs a pickle.
   *
   * @param pickle stands behind the pickle's end afterwards
   * @param name what the pickle is called, for people
   * @throws IOException when it wants anything but tensors, naming it, or is damaged
   */
  static Content read(ByteArrayInputStream pickle, String name) throws IOException {
    return read(pickle, new TorchPickle(name, false));
  }

  /**
   * Runs the pickle of a TorchScript archive.
   *
   * @return tensors and other attributes of all modules, by dotted names as in a state dictionary
   * @throws IOException as {@link #read}
   */
  static Map<String, Object> readScript(ByteArrayInputStream pickle, String name)
      throws IOException {
    Object root = read(pickle, new TorchPickle(name, true)).value();
    Map<String, Object> attributes = new LinkedHashMap<>();
    if (!(root instanceof Module module)) {
      throw new IOException(name + " holds no module of TorchScript");
    }
    flatten("", module, attributes, 0);
    return attributes;
  }

  private static void flatten(String prefix, Module module, Map<String, Object> into, int depth)
      throws IOException {
    for (Map.Entry<Object, Object> attribute : module.entrySet()) {
      if (depth == MAX_DEPTH || into.size() == MAX_ATTRIBUTES) {
        // A module that holds itself, or doubles at each level.
        throw new IOException(
            String.format(
                Locale.ROOT,
                "its modules have more than %d attributes, or lie deeper than %d in one another",
                MAX_ATTRIBUTES,
                MAX_DEPTH));
      }
      String dotted = prefix + attribute.getKey();
      if (into.containsKey(dotted)) {
        throw new IOException("its modules have two attributes [" + dotted + "]");
      }
      if (attribute.getValue() instanceof Module part) {
        into.put(dotted, null);
        flatten(dotted + ".", part, into, depth + 1);
      } else {
        into.put(dotted, attribute.getValue());
      }
    }
  }

  private static Content read(ByteArrayInputStream pickle, TorchPickle unpickler)
      throws IOException {
    try {
      // Not loads: this stream can be marked.
      return new Content(unpickler.load(pickle), unpickler.storages);
    } catch (RuntimeException e) {
      // A damaged pickle ends in whatever exception its nonsense leads to.
      throw new IOException("damaged " + unpickler.name + ": " + e, e);
    } finally {
      unpickler.close();
    }
  }

  @Override
  protected Object dispatch(short code) throws IOException {
    if (code == Opcodes.GLOBAL) {
      stack.add(global(PickleUtils.readline(input), PickleUtils.readline(input)));
    } else if (code == Opcodes.BUILD) {
      build();
    } else if (code == Opcodes.SETITEM) {
      Object value = stack.pop();
      put(List.of(stack.pop(), Optional.ofNullable(value)));
    } else if (code == Opcodes.SETITEMS) {
      List<Object> pairs = new ArrayList<>();
      for (Object item : stack.pop_all_since_marker()) {
        pairs.add(pairs.size() % 2 == 0 ? item : Optional.ofNullable(item));
      }
      put(pairs);
    } else {
      if (!OPCODES.contains(code) && !(script && code == Opcodes.NEWOBJ)) {
        throw new IOException(
            String.format(
                Locale.ROOT,
                "%s has the instruction 0x%02x, which torch.save does not write",
                name,
                code));
      }
      if (code == Opcodes.BINUNICODE) {
        checkLength(input);
      }
      return super.dispatch(code);
    }
    return NO_RETURN_VALUE;
  }

  /** Checks a length: the library would allocate whatever a damaged one says. */
  private void checkLength(InputStream text) throws IOException {
    text.mark(Integer.BYTES);
    byte[] length = text.readNBytes(Integer.BYTES);
    text.reset();
    if (length.length < Integer.BYTES
        || Integer.toUnsignedLong(ByteBuffer.wrap(length).order(ByteOrder.LITTLE_ENDIAN).getInt())
            > text.available()) {
      throw new IOException("damaged " + name + ": a text runs beyond the end");
    }
  }

  private Object global(String module, String called) throws IOException {
    Optional<ElementType> type = ElementType.ofTorchStorage(called);
    if (module.equals("torch") && type.isPresent()) {
      return type.get();
    }
    IObjectConstructor constructor = CONSTRUCTORS.get(module + "." + called);
    if (constructor == null && script) {
      constructor = scriptConstructor(module + "." + called);
    }
    if (constructor != null) {
      return constructor;
    }
    throw new IOException(
        String.format(
            Locale.ROOT,
            "%s wants %s.%s, which is no tensor, so nothing of it was made or run. Save the"
                + " weights alone: torch.save(model.state_dict(), 'weights.bin')",
            name,
            module,
            called));
  }

  /** Returns what makes a module, or hands a list on as it is; null for anything else. */
  private static IObjectConstructor scriptConstructor(String called) {
    if (called.startsWith(SCRIPT_CLASS)) {
      return arguments -> new Module();
    }
    boolean list =
        called.startsWith(SCRIPT_LISTS)
            && (called.endsWith("list") || called.endsWith("restore_type_tag"));
    return list ? arguments -> arguments[0] : null;
  }

  /** Makes a view of (storage, offset, shape, strides, requires_grad, hooks[, metadata]). */
  private static View view(Object[] arguments) {
    View view =
        new View(
            (Storage) arguments[0],
            exact(arguments[1]),
            longs((Object[]) arguments[2]),
            longs((Object[]) arguments[3]));
    if (view.shape().size() != view.strides().size()) {
      throw new IllegalArgumentException("a tensor of " + view.shape() + " by " + view.strides());
    }
    return view;
  }

  private static List<Long> longs(Object[] values) {
    List<Long> longs = new ArrayList<>();
    if (values.length > MAX_RANK) {
      throw new IllegalArgumentException("a tensor of " + values.length + " axes");
    }
    for (Object value : values) {
      longs.add(exact(value));
    }
    return longs;
  }

  private static long exact(Object value) {
    long exact =
        value instanceof BigInteger big ? big.longValueExact() : ((Number) value).longValue();
    if (exact < 0 || value instanceof Double) {
      throw new IllegalArgumentException("an extent or offset of " + value);
    }
    return exact;
  }

  @Override
  protected Object persistentLoad(Object id) {
    Object[] parts = (Object[]) id;
    // Before PyTorch 1.6 a sixth part told of a storage inside another; none has been since 0.4.
    boolean whole = parts.length == 5 || (parts.length == 6 && parts[5] == null);
    if (!whole || !"storage".equals(parts[0])) {
      throw new IllegalArgumentException("a persistent id that is no storage's");
    }
    if (++tensors > MAX_TENSORS) {
      throw new IllegalArgumentException("more than " + MAX_TENSORS + " tensors");
    }
    Storage storage = new Storage((ElementType) parts[1], (String) parts[2], exact(parts[4]));
    storages.putIfAbsent(storage.key(), storage);
    return storage;
  }

  /**
   * Drops the attributes of a state dictionary, which has some ({@code _metadata}: versions of its
   * modules); none is used. A module of TorchScript is its attributes.
   */
  private void build() {
    Object attributes = stack.pop();
    if (stack.peek() instanceof Module module) {
      module.putAll((Map<?, ?>) attributes);
    } else if (!(stack.peek() instanceof LinkedHashMap)) {
      throw new IllegalArgumentException("attributes of something that has none");
    }
  }

  /** Keys and values by turns; a list as key could hold itself, and hashing it would not end. */
  @SuppressWarnings("unchecked")
  private void put(List<Object> pairs) {
    Map<Object, Object> map = (Map<Object, Object>) stack.peek();
    for (int i = 0; i < pairs.size(); i += 2) {
      Object key = pairs.get(i);
      if (!(key instanceof String || key instanceof Number)) {
        throw new IllegalArgumentException("a dictionary's key that is neither text nor number");
      }
      map.put(key, ((Optional<?>) pairs.get(i + 1)).orElse(null));
    }
  }
}
