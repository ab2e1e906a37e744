/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.bundle;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class Sha256Test {
  @TempDir Path folder;

  /** The examples of FIPS 180-2: "abc", and a million times "a". */
  @Test
  void digestsFilesAsContents() throws Exception {
    assertDigest("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assertDigest(
        "a".repeat(1_000_000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  }

  private void assertDigest(String text, String digest) throws Exception {
    assertEquals(digest, Sha256.hex(text.getBytes(UTF_8)));
    assertEquals(digest, Sha256.hex(Files.writeString(folder.resolve("file"), text)));
  }
}
