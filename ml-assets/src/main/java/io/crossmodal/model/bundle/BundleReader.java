/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.bundle;

import io.crossmodal.model.Messages;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.text.WordPieceTokenizer;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptArchive;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipInputStream;

/** Reads a bundle's zip entry by entry, each up to what it may have, and checks what it says. */
final class BundleReader {
  static final String MANIFEST = "manifest.json";
  static final String MODEL = "model.pt";
  static final String VOCABULARY = "vocab.txt";
  private static final Set<String> ENTRIES = Set.of(MANIFEST, MODEL, VOCABULARY);
  private static final Set<String> WITHOUT_TEXT = Set.of(MANIFEST, MODEL);

  /** What the entries that are held in memory may unpack to; BERT's base takes 0.1 and 0.3 MB. */
  private static final Map<String, Integer> MAX_TEXT_BYTES =
      Map.of(MANIFEST, 2 << 20, VOCABULARY, 4 << 20);

  /** What an archive may hold beside its weights: its tree, its code, a header a tensor. */
  private static final long MAX_BESIDE_WEIGHTS = 64 << 20;

  private BundleReader() {}

  /** See {@link ModelBundle#open}. */
  static ModelBundle read(ModelBundle.Content content, Path scratch, long most)
      throws IOException, BundleException {
    Path unpacked = ModelArchive.createUnpacked(scratch);
    try (InputStream in = content.open()) {
      return check(content, unpack(in, unpacked, most), unpacked);
    } finally {
      Files.deleteIfExists(unpacked);
    }
  }

  private static ModelBundle check(ModelBundle.Content content, Unpacked entries, Path unpacked)
      throws IOException, BundleException {
    ModelManifest manifest = entries.manifest;
    if (manifest.golden() == null) {
      throw new BundleException(MANIFEST + " lacks golden outputs");
    }
    checkHash(MODEL, manifest.weightsSha256(), entries.modelSha256);
    ModelConfig config = manifest.config();
    List<String> vocabulary =
        config.hasText() ? vocabulary(manifest, entries.vocabulary) : List.of();
    WordPieceTokenizer tokenizer;
    try {
      tokenizer = ModelBundle.tokenizer(config, vocabulary);
    } catch (IllegalArgumentException e) {
      throw new BundleException(VOCABULARY + ": " + e.getMessage(), e);
    }
    try (ScriptArchive archive = ModelArchive.open(unpacked, config)) {
      Fingerprints found = Fingerprints.of(config, vocabulary, archive.weights());
      if (!found.equals(manifest.fingerprints())) {
        throw new BundleException(
            String.format(
                Locale.ROOT,
                "fingerprints: expected %s, found %s",
                manifest.fingerprints(),
                found));
      }
      boolean foreign = !archive.sources().equals(MtgfeArchitecture.sources(config));
      return new ModelBundle(
          manifest, tokenizer, ModelArchive.in(content, config, entries.modelSha256, foreign));
    }
  }

  /** The word pieces of a manifest's vocabulary, which must be of its SHA-256 and size. */
  private static List<String> vocabulary(ModelManifest manifest, byte[] entry)
      throws BundleException {
    checkHash(VOCABULARY, manifest.vocabularySha256(), Sha256.hex(entry));
    List<String> vocabulary = new String(entry, StandardCharsets.UTF_8).lines().toList();
    if (vocabulary.size() != manifest.config().text().vocabularySize()) {
      throw new BundleException(
          String.format(
              Locale.ROOT,
              "the config names %d word pieces, vocab.txt has %d",
              manifest.config().text().vocabularySize(),
              vocabulary.size()));
    }
    return vocabulary;
  }

  /** Content of a bundle, but for its archive, which lies in a file. */
  private static final class Unpacked {
    private final ModelManifest manifest;
    private final byte[] vocabulary;
    private final String modelSha256;

    private Unpacked(ModelManifest manifest, byte[] vocabulary, String modelSha256) {
      this.manifest = manifest;
      this.vocabulary = vocabulary;
      this.modelSha256 = modelSha256;
    }
  }

  /**
   * Reads a bundle to its end.
   *
   * @param model where the archive is unpacked to
   * @param most bytes that the archive may unpack to
   * @throws BundleException when its entries are none of a bundle
   */
  private static Unpacked unpack(InputStream in, Path model, long most)
      throws IOException, BundleException {
    Set<String> found = new LinkedHashSet<>();
    ModelManifest manifest = null;
    byte[] vocabulary = null;
    String sha256 = null;
    try (OutputStream out = Files.newOutputStream(model)) {
      ZipInputStream zip = new ZipInputStream(in);
      for (ZipEntry entry = next(zip); entry != null; entry = next(zip)) {
        String name = entry.getName();
        if (!ENTRIES.contains(name)) {
          throw new BundleException(
              String.format(
                  Locale.ROOT, "a bundle holds %s, found [%s]", ENTRIES, Messages.excerpt(name)));
        }
        if (!found.add(name)) {
          throw new BundleException("a bundle holds one " + name + ", found several");
        }
        switch (name) {
          case MANIFEST -> manifest = ModelManifest.fromJson(text(zip, name));
          case VOCABULARY -> vocabulary = text(zip, name);
          default -> {
            if (manifest == null) {
              throw new BundleException(
                  "a bundle holds " + MANIFEST + " before all else, found " + found);
            }
            sha256 = unpack(zip, out, manifest.config(), most);
          }
        }
      }
    }
    if (found.isEmpty()) {
      throw new BundleException("these bytes are no zip");
    }
    Set<String> expected = manifest == null || manifest.config().hasText() ? ENTRIES : WITHOUT_TEXT;
    if (!found.equals(expected)) {
      throw new BundleException("a bundle holds " + expected + ", found " + found);
    }
    return new Unpacked(manifest, vocabulary, sha256);
  }

  private static ZipEntry next(ZipInputStream zip) throws IOException, BundleException {
    try {
      return zip.getNextEntry();
    } catch (ZipException | EOFException | IllegalArgumentException e) {
      throw damaged(e);
    }
  }

  /** A name that is not UTF-8 makes an {@link IllegalArgumentException}. */
  private static BundleException damaged(Exception e) {
    return new BundleException(
        e instanceof EOFException
            ? "the zip ends early, perhaps cut short"
            : "damaged zip: " + e.getMessage(),
        e);
  }

  private static byte[] text(ZipInputStream zip, String name) throws IOException, BundleException {
    int most = MAX_TEXT_BYTES.get(name);
    byte[] content;
    try {
      content = zip.readNBytes(most + 1);
    } catch (ZipException | EOFException e) {
      throw damaged(e);
    }
    if (content.length > most) {
      throw tooLarge(name, most);
    }
    return content;
  }

  private static BundleException tooLarge(String name, long most) {
    return new BundleException(
        String.format(Locale.ROOT, "%s may unpack to at most %d bytes, found more", name, most));
  }

  /** Unpacks the archive up to the size that the config allows, and says its SHA-256. */
  private static String unpack(ZipInputStream zip, OutputStream out, ModelConfig config, long limit)
      throws IOException, BundleException {
    long most = Math.min(limit, ModelArchive.weightBytes(config) + MAX_BESIDE_WEIGHTS);
    MessageDigest digest = Sha256.digest();
    byte[] buffer = new byte[1 << 16];
    for (long size = 0; ; ) {
      int count;
      try {
        count = zip.read(buffer);
      } catch (ZipException | EOFException e) {
        throw damaged(e);
      }
      if (count < 0) {
        return HexFormat.of().formatHex(digest.digest());
      }
      size += count;
      if (size > most) {
        throw tooLarge(MODEL, most);
      }
      digest.update(buffer, 0, count);
      out.write(buffer, 0, count);
    }
  }

  /** Insists on a SHA-256. */
  static void checkHash(String entry, String expected, String found) throws BundleException {
    if (!found.equals(expected)) {
      throw new BundleException(
          String.format(Locale.ROOT, "%s: expected SHA-256 %s, found %s", entry, expected, found));
    }
  }
}
