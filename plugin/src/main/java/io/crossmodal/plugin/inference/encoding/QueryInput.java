/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.encoding;

import io.crossmodal.model.bundle.Sha256;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;

/** Input of a search, before it is encoded. */
public sealed interface QueryInput permits QueryInput.Text, QueryInput.Image {

  /** Returns a digest that tells two inputs apart, hexadecimal. */
  String digest();

  /**
   * A text to search with.
   *
   * @param text not blank
   * @param prompted the same in the model's prompts, of whose embeddings the mean is searched by;
   *     empty: the text's own is
   */
  record Text(String text, List<String> prompted) implements QueryInput {
    public Text {
      prompted = List.copyOf(prompted);
    }

    /** A text that no prompt is put around. */
    public Text(String text) {
      this(text, List.of());
    }

    @Override
    public String digest() {
      String all = String.join("\0\0", prompted);
      return prompted.isEmpty()
          ? sha256("text", "", text.getBytes(StandardCharsets.UTF_8))
          : sha256("prompted", "", (text + "\0\0" + all).getBytes(StandardCharsets.UTF_8));
    }
  }

  /** An image file's bytes and the sensor that took it. */
  final class Image implements QueryInput {
    private final String sensor;
    private final byte[] bytes;
    private final PictureOptions options;

    /**
     * @param bytes a JPEG, PNG or TIFF file; kept, not copied
     */
    public Image(String sensor, byte[] bytes) {
      this(sensor, bytes, PictureOptions.PLAIN);
    }

    /**
     * @param bytes likewise
     * @param options how it is read
     */
    public Image(String sensor, byte[] bytes, PictureOptions options) {
      this.options = Objects.requireNonNull(options, "options");
      this.sensor = Objects.requireNonNull(sensor, "sensor");
      this.bytes = Objects.requireNonNull(bytes, "bytes");
    }

    public String sensor() {
      return sensor;
    }

    public byte[] bytes() {
      return bytes;
    }

    /** Returns how it is read. */
    public PictureOptions options() {
      return options;
    }

    /** Of the file, and of the stretch where there is one: with another it is another content. */
    @Override
    public String digest() {
      if (options.stretch().isEmpty()) {
        return sha256("image", sensor, bytes);
      }
      byte[] said = ("stretch " + options.stretch().get()).getBytes(StandardCharsets.UTF_8);
      byte[] all = Arrays.copyOf(bytes, bytes.length + said.length);
      System.arraycopy(said, 0, all, bytes.length, said.length);
      return sha256("image", sensor, all);
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Image image
          && sensor.equals(image.sensor)
          && options.equals(image.options)
          && Arrays.equals(bytes, image.bytes);
    }

    @Override
    public int hashCode() {
      return 31 * sensor.hashCode() + Arrays.hashCode(bytes);
    }
  }

  /**
   * Digest of one content: its kind, its sensor (empty for text) and its bytes, separated so that
   * no two contents share one input.
   *
   * @return 64 hexadecimal digits
   */
  static String sha256(String kind, String sensor, byte[] content) {
    MessageDigest digest = Sha256.digest();
    digest.update((kind + '\0' + sensor + '\0').getBytes(StandardCharsets.UTF_8));
    return HexFormat.of().formatHex(digest.digest(content));
  }
}
