/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.wire;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.plugin.action.QuerySource;
import io.crossmodal.plugin.query.CrossModalQueryBuilder;
import io.crossmodal.plugin.rescore.FusionOptions;
import io.crossmodal.plugin.rescore.FusionRescorerBuilder;
import java.io.IOException;
import java.util.List;
import org.opensearch.common.io.stream.BytesStreamOutput;
import org.opensearch.core.common.bytes.BytesReference;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.Writeable;
import org.opensearch.test.OpenSearchTestCase;

public class WireFormatTests extends OpenSearchTestCase {
  private static StreamInput bytes(int... values) {
    byte[] bytes = new byte[values.length];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) values[i];
    }
    return StreamInput.wrap(bytes);
  }

  private static void assertRefused(StreamInput in, String format) {
    IllegalArgumentException refused =
        expectThrows(IllegalArgumentException.class, () -> WireFormat.read(in, "fusion"));
    assertThat(
        refused.getMessage(),
        containsString(
            "[fusion] comes from a cross-modal plugin of the node format [" + format + "]"));
  }

  public void testReadsWhatItWrites() throws IOException {
    BytesStreamOutput out = new BytesStreamOutput();
    WireFormat.write(out);
    StreamInput in = out.bytes().streamInput();
    assertEquals(WireFormat.NUMBER, WireFormat.read(in, "it"));
    assertEquals(0, in.available());
  }

  public void testOtherFormatsAreRefused() {
    assertRefused(bytes(0x80 | (WireFormat.NUMBER + 1)), Integer.toString(WireFormat.NUMBER + 1));
    assertRefused(bytes(0x83), "3");
    assertRefused(bytes(0xff), "127");
    // Without a number a field's name comes first, or how many indices there are.
    assertRefused(bytes(5, 'i', 'm', 'a', 'g', 'e'), "3 or older");
    assertRefused(bytes(0), "3 or older");
  }

  /** No byte of another format is taken for one of this. */
  public void testQueriesAndRescorersOfOtherFormatsAreRefused() throws IOException {
    QuerySource side = new QuerySource.Text("a pond");
    List<Writeable> sent =
        List.of(
            new CrossModalQueryBuilder("image", side, 10, null),
            new FusionRescorerBuilder("image", side, FusionOptions.DEFAULT));
    List<Writeable.Reader<?>> readers =
        List.of(CrossModalQueryBuilder::new, FusionRescorerBuilder::new);
    for (int i = 0; i < sent.size(); i++) {
      BytesStreamOutput out = new BytesStreamOutput();
      sent.get(i).writeTo(out);
      byte[] bytes = BytesReference.toBytes(out.bytes());
      Writeable.Reader<?> reader = readers.get(i);
      int found = 0;
      for (int at = 0; at < 10; at++) {
        if ((bytes[at] & 0xff) == (0x80 | WireFormat.NUMBER)) {
          byte[] other = bytes.clone();
          other[at] = (byte) (0x80 | (WireFormat.NUMBER + 1));
          IllegalArgumentException refused =
              expectThrows(
                  IllegalArgumentException.class, () -> reader.read(StreamInput.wrap(other)));
          assertThat(
              refused.getMessage(),
              containsString("of the node format [" + (WireFormat.NUMBER + 1) + "]"));
          found++;
        }
      }
      assertEquals(1, found);
    }
  }
}
