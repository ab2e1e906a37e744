/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.text;

import io.crossmodal.model.Messages;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.stream.IntStream;

/**
 * CLIP's byte pairs: the pieces of words, their ids, and which two become one, in which order.
 *
 * <p>The first 512 pieces are the bytes and the bytes that end a word; every merge makes one more.
 * A byte is written as the character that GPT-2 gave it, so that none is a blank or a control
 * character.
 *
 * @see <a href="https://arxiv.org/abs/1508.07909">Sennrich et al. 2016</a>
 */
final class BytePairVocabulary {
  /** Ends the last piece of every word. */
  static final String WORD_END = "</w>";

  /** Pieces that are bytes, those that end a word included; the first merge makes the next one. */
  static final int BYTE_PIECES = 512;

  /** The names of start and end token, as OpenAI and Hugging Face, and as OpenCLIP have them. */
  static final List<List<String>> FRAMES =
      List.of(
          List.of("<|startoftext|>", "<|endoftext|>"), List.of("<start_of_text>", "<end_of_text>"));

  /** Ids that a file may give: as many as a text tower may have rows. */
  private static final int MAX_IDS = 1_000_000;

  private static final int BYTES = 256;

  /**
   * A token that a text may hold by its name.
   *
   * @param name as the text has it
   * @param cleaned whether it is looked for in the cleaned text
   */
  record Special(String name, int id, boolean cleaned) {}

  /** Takes the pieces of a word in order. */
  interface Sink {
    /** Takes a piece that is the bytes {@code [from, to)} of the word. */
    void add(int id, int from, int to);
  }

  private final String file;
  private final int[] symbolOfByte = new int[BYTES];
  private final Map<Character, Integer> byteOfLetter = new HashMap<>();
  private final List<String> pieces = new ArrayList<>();

  /** The id of each piece. */
  private final int[] ids;

  private final String[] names;
  private final List<Special> specials;
  private final List<String> units;
  private final int start;
  private final int end;
  private final int ownSize;

  /** The pairs that are merged, the left piece in the high half, sorted; the rank of each. */
  private final long[] pairs;

  private final int[] ranks;

  /** The piece that the merge of a rank makes. */
  private final int[] products;

  /**
   * A vocabulary from what a file holds.
   *
   * @param file its name, for messages
   * @param merges two pieces each with a blank between, the first to be merged first
   * @param given ids by piece; null: in the order in which they are made
   * @param added tokens beside the pieces; none: start and end, which are given
   * @param units names that the rule of splitting has in it
   * @throws IllegalArgumentException when these are not the merges of a CLIP
   */
  BytePairVocabulary(
      String file,
      List<String> merges,
      Map<String, Integer> given,
      List<Special> added,
      List<String> units) {
    this.file = file;
    this.units = List.copyOf(units);
    Map<String, Integer> symbols = new HashMap<>();
    addBytes(symbols);
    Map<String, Integer> inOrder = new HashMap<>(symbols);
    products = new int[merges.size()];
    long[] byRank = new long[products.length];
    boolean endsWords = false;
    for (int rank = 0; rank < products.length; rank++) {
      String merge = merges.get(rank);
      int blank = merge.indexOf(' ');
      Integer left = blank < 0 ? null : symbols.get(merge.substring(0, blank));
      Integer right = symbols.get(merge.substring(blank + 1));
      if (left == null || right == null) {
        throw refused(
            "merge "
                + (rank + 1)
                + " is ["
                + Messages.excerpt(merge)
                + "], and a merge is two pieces with a blank between, bytes or made by the merges"
                + " before it");
      }
      endsWords |= merge.endsWith(WORD_END);
      byRank[rank] = pair(left, right);
      String piece = pieces.get(left) + pieces.get(right);
      products[rank] = symbols.computeIfAbsent(piece, this::addPiece);
      inOrder.put(piece, BYTE_PIECES + rank);
    }
    if (!endsWords) {
      throw refused(
          "none of its "
              + products.length
              + " merges makes a piece that ends in </w>, as CLIP's words do");
    }
    Map<String, Integer> own = given == null ? inOrder : given;
    Map<String, Integer> all = new HashMap<>(own);
    added.forEach(special -> all.put(special.name, special.id));
    List<String> frame = frame(own, all);
    start = all.get(frame.get(0));
    end = all.get(frame.get(1));
    ids = pieces.stream().mapToInt(piece -> id(own, piece)).toArray();
    ownSize = Math.max(size(own), Math.max(start, end) + 1);
    names = new String[Math.max(ownSize, size(all))];
    all.forEach(this::name);
    specials =
        added.isEmpty()
            ? frame.stream().map(name -> new Special(name, all.get(name), false)).toList()
            : List.copyOf(added);
    ranks =
        IntStream.range(0, products.length)
            .boxed()
            .sorted((a, b) -> Long.compare(byRank[a], byRank[b]))
            .mapToInt(Integer::intValue)
            .toArray();
    pairs = Arrays.stream(ranks).mapToLong(rank -> byRank[rank]).toArray();
    for (int i = 1; i < pairs.length; i++) {
      if (pairs[i] == pairs[i - 1]) {
        throw refused("merge [" + Messages.excerpt(merges.get(ranks[i])) + "] stands in it twice");
      }
    }
  }

  private void name(String name, int id) {
    if (names[id] != null) {
      throw refused(
          "["
              + Messages.excerpt(names[id])
              + "] and ["
              + Messages.excerpt(name)
              + "] both have the id "
              + id);
    }
    names[id] = name;
  }

  /** Gives each byte its letter, and two pieces: inside of a word, and at its end. */
  private void addBytes(Map<String, Integer> symbols) {
    int[] letters = new int[BYTES];
    int next = BYTES;
    for (int b = 0; b < BYTES; b++) {
      letters[b] = isVisible(b) ? b : next++;
      byteOfLetter.put((char) letters[b], b);
    }
    List<Integer> order = new ArrayList<>(byteOfLetter.values());
    order.sort((a, b) -> Integer.compare(letters[a], letters[b]));
    for (String ending : List.of("", WORD_END)) {
      for (int b : order) {
        String piece = (char) letters[b] + ending;
        symbols.put(piece, addPiece(piece));
      }
    }
    Arrays.setAll(symbolOfByte, b -> symbols.get(Character.toString(letters[b])));
  }

  /** In Latin-1; the soft hyphen is not. */
  private static boolean isVisible(int b) {
    return (b > 0x20 && b < 0x7f) || (b > 0xa0 && b != 0xad);
  }

  private int addPiece(String piece) {
    pieces.add(piece);
    return pieces.size() - 1;
  }

  private static long pair(int left, int right) {
    return (long) left << Integer.SIZE | right;
  }

  /**
   * Returns the names of start and end token: those among the pieces, for a model has rows for
   * these, before those that were added.
   */
  private List<String> frame(Map<String, Integer> own, Map<String, Integer> all) {
    for (Map<String, Integer> where : List.of(own, all)) {
      for (List<String> frame : FRAMES) {
        if (where.keySet().containsAll(frame)) {
          return frame;
        }
      }
    }
    throw refused("it has no start and end token; taken are " + FRAMES);
  }

  private int id(Map<String, Integer> own, String piece) {
    Integer id = own.get(piece);
    if (id == null) {
      throw refused(
          "its ids lack the piece [" + Messages.excerpt(piece) + "], which its merges make");
    }
    return id;
  }

  private int size(Map<String, Integer> ids) {
    int size = 0;
    for (Map.Entry<String, Integer> entry : ids.entrySet()) {
      int id = entry.getValue();
      if (id < 0 || id >= MAX_IDS) {
        throw refused(
            "["
                + Messages.excerpt(entry.getKey())
                + "] has the id "
                + id
                + "; taken are 0 to "
                + (MAX_IDS - 1));
      }
      size = Math.max(size, id + 1);
    }
    return size;
  }

  private IllegalArgumentException refused(String found) {
    return BytePairFiles.refused(file, found);
  }

  /** Its name. */
  String file() {
    return file;
  }

  List<Special> specials() {
    return specials;
  }

  /** Names that are words of their own wherever the cleaned text has them. */
  List<String> units() {
    return units;
  }

  int start() {
    return start;
  }

  int end() {
    return end;
  }

  /** Returns one more than the highest id. */
  int size() {
    return names.length;
  }

  /** Returns one more than the highest id of what was not added: the rows that a model has. */
  int ownSize() {
    return ownSize;
  }

  /** Returns the piece or the special token of an id; empty: none has it. */
  String name(int id) {
    return names[id] == null ? "" : names[id];
  }

  /** Returns the word that pieces make, without what ends it; U+FFFD for parts of characters. */
  String word(List<String> pieces) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    String joined = String.join("", pieces);
    int end = joined.endsWith(WORD_END) ? joined.length() - WORD_END.length() : joined.length();
    joined.substring(0, end).chars().forEach(c -> bytes.write(byteOfLetter.get((char) c)));
    return bytes.toString(StandardCharsets.UTF_8);
  }

  /**
   * Splits a word into pieces: from its bytes on, the pair of the lowest rank becomes one, the
   * leftmost first, until no pair is left that does.
   *
   * @param word at least one byte
   */
  void split(byte[] word, Sink sink) {
    int n = word.length;
    int[] symbols = new int[n];
    int[] next = new int[n]; // the byte that starts the next piece, which is this one's end
    int[] previous = new int[n];
    for (int i = 0; i < n; i++) {
      symbols[i] = symbolOfByte[word[i] & 0xff] + (i == n - 1 ? BYTES : 0);
      next[i] = i + 1;
      previous[i] = i - 1;
    }
    PriorityQueue<Long> merges = new PriorityQueue<>();
    for (int i = 0; i < n - 1; i++) {
      offer(merges, symbols, i, i + 1);
    }
    while (!merges.isEmpty()) {
      long best = merges.poll();
      int at = (int) best;
      int rank = (int) (best >> Integer.SIZE);
      int right = symbols[at] < 0 ? n : next[at];
      if (right == n || rank(symbols[at], symbols[right]) != rank) {
        continue; // one of the two has become part of another piece
      }
      symbols[at] = products[rank];
      symbols[right] = -1;
      next[at] = next[right];
      if (next[at] < n) {
        previous[next[at]] = at;
        offer(merges, symbols, at, next[at]);
      }
      if (previous[at] >= 0) {
        offer(merges, symbols, previous[at], at);
      }
    }
    for (int at = 0; at < n; at = next[at]) {
      sink.add(ids[symbols[at]], at, next[at]);
    }
  }

  private void offer(PriorityQueue<Long> merges, int[] symbols, int left, int right) {
    int rank = rank(symbols[left], symbols[right]);
    if (rank >= 0) {
      merges.add(pair(rank, left));
    }
  }

  /** Returns the rank of a pair's merge; -1: it has none. */
  private int rank(int left, int right) {
    int found = Arrays.binarySearch(pairs, pair(left, right));
    return found < 0 ? -1 : ranks[found];
  }
}
