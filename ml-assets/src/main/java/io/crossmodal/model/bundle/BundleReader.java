/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.bundle;

import io.crossmodal.model.Messages;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.text.Tokenizer;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptArchive;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipInputStream;

/** Reads a bundle's zip entry by entry, each up to what it may have, and checks what it says. */
final class BundleReader {
  static final String MANIFEST = "manifest.json";
  static final String MODEL = "model.pt";

  /** What the manifest may unpack to; that of BERT's base takes 0.1 MB. */
  private static final int MAX_MANIFEST_BYTES = 2 << 20;

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
    TokenizerEntries files = TokenizerEntries.of(manifest, entries.tokenizer);
    Tokenizer tokenizer;
    try {
      tokenizer = files.tokenizer(config);
    } catch (IllegalArgumentException e) {
      throw new BundleException(entries.tokenizer.keySet() + ": " + e.getMessage(), e);
    }
    try (ScriptArchive archive = ModelArchive.open(unpacked, config, manifest.storedPrecision())) {
      Fingerprints found = Fingerprints.of(config, files.identity(), archive.weights());
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
          manifest, files, tokenizer, ModelArchive.in(content, manifest, foreign));
    }
  }

  /** Content of a bundle, but for its archive, which lies in a file. */
  private static final class Unpacked {
    private final ModelManifest manifest;
    private final Map<String, byte[]> tokenizer;
    private final String modelSha256;

    private Unpacked(ModelManifest manifest, Map<String, byte[]> tokenizer, String modelSha256) {
      this.manifest = manifest;
      this.tokenizer = tokenizer;
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
    Map<String, byte[]> tokenizer = new TreeMap<>();
    String sha256 = null;
    try (OutputStream out = Files.newOutputStream(model)) {
      ZipInputStream zip = new ZipInputStream(in);
      for (ZipEntry entry = next(zip); entry != null; entry = next(zip)) {
        String name = entry.getName();
        Set<String> expected = entries(manifest);
        if (!expected.contains(name)) {
          throw new BundleException(
              String.format(
                  Locale.ROOT, "a bundle holds %s, found [%s]", expected, Messages.excerpt(name)));
        }
        if (!found.add(name)) {
          throw new BundleException("a bundle holds one " + name + ", found several");
        }
        switch (name) {
          case MANIFEST -> manifest = ModelManifest.fromJson(text(zip, name, MAX_MANIFEST_BYTES));
          case MODEL -> {
            if (manifest == null) {
              throw new BundleException(
                  "a bundle holds " + MANIFEST + " before all else, found " + found);
            }
            sha256 = unpack(zip, out, manifest.config(), most);
          }
          default -> tokenizer.put(name, text(zip, name, TokenizerEntries.MAX_BYTES.get(name)));
        }
      }
    }
    if (found.isEmpty()) {
      throw new BundleException("these bytes are no zip");
    }
    Set<String> expected = entries(manifest);
    if (!found.equals(expected)) {
      throw new BundleException("a bundle holds " + expected + ", found " + found);
    }
    return new Unpacked(manifest, tokenizer, sha256);
  }

  /** Returns the entries of a bundle; of word pieces where its manifest is not known. */
  private static Set<String> entries(ModelManifest manifest) {
    Set<String> names = new TreeSet<>(Set.of(MANIFEST, MODEL));
    names.addAll(
        manifest == null ? Set.of(TokenizerEntries.WORDS) : manifest.tokenizerSha256().keySet());
    return names;
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

  private static byte[] text(ZipInputStream zip, String name, int most)
      throws IOException, BundleException {
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
