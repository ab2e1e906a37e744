/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.stac;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;

/** A stream that may have so many bytes; more are an {@link IOException}. */
final class LimitedInput extends FilterInputStream {
  private final long most;
  private long taken;

  LimitedInput(InputStream in, long most) {
    super(in);
    this.most = most;
  }

  @Override
  public int read() throws IOException {
    int value = in.read();
    count(value < 0 ? 0 : 1);
    return value;
  }

  @Override
  public int read(byte[] bytes, int from, int length) throws IOException {
    int read = in.read(bytes, from, length);
    count(Math.max(0, read));
    return read;
  }

  private void count(int more) throws IOException {
    taken += more;
    if (taken > most) {
      throw new IOException("it unpacks to more than " + most + " bytes");
    }
  }
}
