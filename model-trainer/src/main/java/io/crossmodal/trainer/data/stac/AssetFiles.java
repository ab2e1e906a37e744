/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.stac;

import io.crossmodal.model.bundle.Sha256;
import io.crossmodal.model.image.FileKind;
import io.crossmodal.trainer.data.BandStack;
import io.crossmodal.trainer.data.stac.StacItem.Asset;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Brings assets to files of this machine. Thread-safe. */
public final class AssetFiles implements Closeable {
  /** Multihash: the prefix says by which function and how long. */
  private static final Map<String, String> HASHES =
      Map.of("1220", "SHA-256", "1340", "SHA-512", "1114", "SHA-1", "d50110", "MD5");

  /** That a file's kind shows in. */
  private static final int HEAD = 1024;

  /**
   * Kinds whose files hold their own pixels. GDAL would also open what names others, of this
   * machine and of any server: a virtual raster, whatever it is called.
   */
  private static final Set<FileKind> PICTURES =
      EnumSet.of(
          FileKind.TIFF,
          FileKind.JPEG_2000,
          FileKind.JPEG,
          FileKind.PNG,
          FileKind.WEBP,
          FileKind.GIF,
          FileKind.BMP,
          FileKind.JPEG_XL,
          FileKind.HEIC,
          FileKind.AVIF);

  private final HttpFiles http;
  private final Spool spool;
  private final StacItems items;

  /** Makes one, which closes the spool. */
  public AssetFiles(HttpFiles http, Spool spool) throws IOException {
    this.http = http;
    this.spool = spool;
    this.items = StacItems.at(spool.own("items"));
  }

  /** Returns the list of items, empty at first, that lies in the spool too. */
  public StacItems items() {
    return items;
  }

  /**
   * A picture or scene that lies here, until it is closed.
   *
   * @param file the asset, or the stack of several
   * @param beside what was fetched with it
   */
  public record Fetched(Path file, Optional<Path> beside, Closeable lease) implements Closeable {
    @Override
    public void close() throws IOException {
      lease.close();
    }
  }

  /**
   * Fetches assets; those that are files already stay where they are. Several are the bands of one
   * scene.
   *
   * @param beside one more, which is a file of its own, such as a mask
   * @throws IOException when one cannot be fetched whole, saying why
   * @throws io.crossmodal.model.image.ImageFormatException when several make no stack
   */
  public Fetched fetch(List<Asset> assets, Optional<Asset> beside)
      throws IOException, InterruptedException {
    long expected = 0;
    for (Asset asset : all(assets, beside)) {
      if (asset.isRemote()) {
        OptionalLong size =
            asset.size().isPresent() ? asset.size() : http.head(asset.href()).length();
        expected += size.orElse(0);
      }
    }
    try {
      return fetch(assets, beside, spool.lease(expected));
    } catch (Spool.FullException e) {
      // Nobody had said how much comes: once more, when all of the room is there.
      return fetch(assets, beside, spool.leaseAll());
    }
  }

  private Fetched fetch(List<Asset> assets, Optional<Asset> beside, Spool.Lease lease)
      throws IOException, InterruptedException {
    List<Asset> all = all(assets, beside);
    try {
      List<Path> files = new ArrayList<>();
      long before = 0;
      for (Asset asset : all) {
        if (asset.isRemote()) {
          Path file = lease.file(suffix(asset));
          long others = before;
          http.download(asset.href(), file, bytes -> lease.grow(others + bytes));
          before += Files.size(file);
          check(asset, file);
          files.add(file);
        } else {
          files.add(Path.of(asset.href()));
        }
      }
      List<Path> bands = files.subList(0, assets.size());
      Path scene = bands.size() == 1 ? bands.get(0) : stack(bands, lease, before);
      lease.settle();
      return new Fetched(scene, beside.map(last -> files.get(assets.size())), lease);
    } catch (IOException | InterruptedException | RuntimeException e) {
      try {
        lease.close();
      } catch (IOException left) {
        e.addSuppressed(left);
      }
      throw e;
    }
  }

  private static List<Asset> all(List<Asset> assets, Optional<Asset> beside) {
    return Stream.concat(assets.stream(), beside.stream()).toList();
  }

  private static Path stack(List<Path> files, Spool.Lease lease, long before)
      throws IOException, InterruptedException {
    Path stack = lease.file(".tif");
    try (BandStack bands = new BandStack(files)) {
      lease.growPatiently(before + bands.bytes());
      bands.write(stack);
    }
    return stack;
  }

  private static String suffix(Asset asset) {
    String path = asset.href().getPath();
    int dot = path.lastIndexOf('.');
    String suffix = dot < 0 ? "" : path.substring(dot);
    return suffix.matches("\\.[A-Za-z0-9]{1,8}") ? suffix : "";
  }

  private static void check(Asset asset, Path file) throws IOException {
    long size = Files.size(file);
    if (asset.size().isPresent() && asset.size().getAsLong() != size) {
      throw new IOException(
          HttpFiles.shown(asset.href())
              + " has "
              + size
              + " bytes where its item says "
              + asset.size().getAsLong());
    }
    for (Map.Entry<String, String> hash : HASHES.entrySet()) {
      String prefix = hash.getKey();
      if (asset.checksum().startsWith(prefix)
          && !asset.checksum().equals(prefix + digest(hash.getValue(), file))) {
        throw new IOException(
            HttpFiles.shown(asset.href()) + " has not the file:checksum that its item says");
      }
    }
    try (InputStream in = Files.newInputStream(file)) {
      if (FileKind.of(in.readNBytes(HEAD)).filter(PICTURES::contains).isEmpty()) {
        throw new IOException(
            HttpFiles.shown(asset.href())
                + " is no picture of its own pixels, of which these are fetched: "
                + PICTURES.stream().map(FileKind::title).collect(Collectors.joining(", ")));
      }
    }
  }

  private static String digest(String function, Path file) throws IOException {
    try {
      return Sha256.hex(MessageDigest.getInstance(function), file);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("this Java has no " + function, e);
    }
  }

  /** Returns whether the catalogue itself says what assets hold. */
  public static boolean isChecksummed(List<Asset> assets) {
    return assets.stream().noneMatch(asset -> asset.checksum().isEmpty());
  }

  /**
   * Returns a text that changes with what assets hold: their checksums; where a catalogue has none,
   * the digest of a file, and what a server says of one.
   *
   * @throws IOException when one is not there
   */
  public String version(StacItem item, List<Asset> assets)
      throws IOException, InterruptedException {
    List<String> versions = new ArrayList<>();
    for (Asset asset : assets) {
      if (!asset.checksum().isEmpty()) {
        versions.add(asset.checksum());
      } else if (asset.isRemote()) {
        HttpFiles.Head head = http.head(asset.href());
        String length = head.length().isPresent() ? " " + head.length().getAsLong() : "";
        versions.add((head.validator().isEmpty() ? item.updated() : head.validator()) + length);
      } else {
        versions.add(Sha256.hex(Path.of(asset.href())));
      }
    }
    return String.join(",", versions);
  }

  @Override
  public void close() throws IOException {
    try {
      items.close();
    } finally {
      spool.close();
    }
  }
}
