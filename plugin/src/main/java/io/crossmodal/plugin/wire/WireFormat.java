/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.wire;

import java.io.IOException;
import java.util.Locale;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;

/**
 * The format of what nodes send each other. Nodes of one cluster have one format, for others do not
 * join; a search over clusters meets nodes that never joined, and they are told what they differ in
 * before a byte is taken for another.
 */
public final class WireFormat {
  /** Raised with each change to what nodes send each other or keep in the cluster state. */
  public static final int NUMBER = 8;

  // Lower only when every reader obeys the number that read returns; 3 and older wrote none.
  private static final int OLDEST = NUMBER;

  // The length of a name or an index comes first without a number: both are below this.
  private static final int MARK = 0x80;

  private WireFormat() {}

  /** Writes this node's format. */
  public static void write(StreamOutput out) throws IOException {
    out.writeByte((byte) (MARK | NUMBER));
  }

  /**
   * Reads the format of what follows.
   *
   * @param what it is, for the message
   * @return from the oldest that is read to {@link #NUMBER}
   * @throws IllegalArgumentException for any other, thus a 400 for the sender
   */
  public static int read(StreamInput in, String what) throws IOException {
    int found = in.readByte() & 0xff;
    int number = found - MARK;
    if (number < OLDEST || number > NUMBER) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[%s] comes from a cross-modal plugin of the node format [%s], this node has [%d] and"
                  + " reads from [%d]: install the same version of the plugin in both clusters",
              what,
              found < MARK ? "3 or older" : Integer.toString(number),
              NUMBER,
              OLDEST));
    }
    return number;
  }
}
