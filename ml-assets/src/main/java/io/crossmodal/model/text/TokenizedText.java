/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.text;

import java.util.Arrays;

/** A text as its model's token ids, the start token first and the end token last. */
public final class TokenizedText {
  private final int[] ids;
  private final int[] starts;
  private final int[] ends;
  private final boolean truncated;
  private final int unknown;

  private TokenizedText(int[] ids, int[] starts, int[] ends, boolean truncated, int unknown) {
    this.ids = ids;
    this.starts = starts;
    this.ends = ends;
    this.truncated = truncated;
    this.unknown = unknown;
  }

  /** Takes the tokens of a text one by one, puts the frame around them and drops what is over. */
  static final class Builder {
    private final int most;
    private int[] ids = new int[32];
    private int[] starts = new int[32];
    private int[] ends = new int[32];
    private int length = 1;
    private boolean over;

    /**
     * Starts with the start token, which covers no character.
     *
     * @param most tokens to keep, the frame included
     */
    Builder(int start, int most) {
      this.most = most;
      ids[0] = start;
    }

    /** Adds a token that covers the characters {@code [start, end)} of the given text. */
    void add(int id, int start, int end) {
      if (length == most - 1) {
        over = true;
        return;
      }
      if (length == ids.length - 1) { // the end token's place stays free
        ids = Arrays.copyOf(ids, 2 * length);
        starts = Arrays.copyOf(starts, 2 * length);
        ends = Arrays.copyOf(ends, 2 * length);
      }
      ids[length] = id;
      starts[length] = start;
      ends[length++] = end;
    }

    boolean isEmpty() {
      return length == 1;
    }

    /** Returns whether a token had to be dropped: more of them change nothing. */
    boolean isOver() {
      return over;
    }

    /**
     * Returns the text with its end token, which covers no character.
     *
     * @param characters of the given text
     * @param cut whether more of it was left out than the tokens that were dropped
     * @param unknownId the id of what the vocabulary lacks; -1: it lacks nothing
     */
    TokenizedText build(int end, int characters, boolean cut, int unknownId) {
      ids[length] = end;
      starts[length] = characters;
      ends[length] = characters;
      return new TokenizedText(
          Arrays.copyOf(ids, length + 1),
          Arrays.copyOf(starts, length + 1),
          Arrays.copyOf(ends, length + 1),
          cut || over,
          (int) Arrays.stream(ids, 0, length).filter(id -> id == unknownId).count());
    }
  }

  /**
   * Returns a text of which nothing but the ids is known, as another process sends it: no token
   * covers a character.
   *
   * @param ids the start token first and the end token last; kept, not copied
   */
  public static TokenizedText ofIds(int[] ids) {
    return new TokenizedText(ids, new int[ids.length], new int[ids.length], false, 0);
  }

  /** The ids; a copy. */
  public int[] ids() {
    return ids.clone();
  }

  /** N. */
  public int length() {
    return ids.length;
  }

  /**
   * Returns the first character of the given text that a token covers. Tokens never overlap, but
   * where several stand for one character, as the bytes of an emoji do, each covers all of it.
   *
   * @param token 0 to N - 1; the first one and the last one cover nothing
   */
  public int start(int token) {
    return starts[token];
  }

  /** Returns the character behind the last one that a token covers. */
  public int end(int token) {
    return ends[token];
  }

  /** Returns whether the text was longer than the model takes and lost its end. */
  public boolean truncated() {
    return truncated;
  }

  /** Returns how many of the tokens stand for what the vocabulary lacks. */
  public int unknown() {
    return unknown;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof TokenizedText text
        && truncated == text.truncated
        && Arrays.equals(ids, text.ids);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(ids);
  }

  @Override
  public String toString() {
    return Arrays.toString(ids);
  }
}
