/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.io.ByteArrayInputStream;
import javax.imageio.stream.MemoryCacheImageInputStream;

/**
 * A whole file for ImageIO's readers. In memory on purpose: ImageIO's default cache writes files,
 * and its switch is static.
 *
 * <p>It knows its length. The JDK's TIFF reader cuts what a strip or tile claims to hold to what
 * the file has left, but only where the stream says how long it is; else it allocates up to 2 GiB
 * because a damaged file says so, which a node does not survive.
 */
final class FileInMemory extends MemoryCacheImageInputStream {
  private final int length;

  FileInMemory(byte[] file) {
    super(new ByteArrayInputStream(file));
    this.length = file.length;
  }

  @Override
  public long length() {
    return length;
  }
}
