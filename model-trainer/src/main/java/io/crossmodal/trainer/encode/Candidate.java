/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.bundle.Sha256;
import io.crossmodal.trainer.data.stac.AssetFiles;
import io.crossmodal.trainer.data.stac.StacItem;
import io.crossmodal.trainer.data.stac.StacItem.Asset;
import io.crossmodal.trainer.raster.RasterFile;
import io.crossmodal.trainer.raster.Rasters;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** A picture or scene of an archive, whose files are brought here when its turn comes. */
interface Candidate {
  /** Returns its name, which no other of its archive has. */
  String name();

  /**
   * Returns a text that changes with what its files hold.
   *
   * @throws IOException when they cannot be read
   */
  String version() throws IOException, InterruptedException;

  /**
   * Returns what two of the same bytes share, of which documents have the same ids; empty where
   * that is not known: what a server says of a file is no digest.
   *
   * @param version that {@link #version} returned
   */
  Optional<String> bytes(String version) throws IOException, InterruptedException;

  /**
   * Returns a name of 128 bits that changes with its files; found faster than {@link #version}
   * where that has to be computed.
   */
  String stamp() throws IOException, InterruptedException;

  /** Returns what names its content without a look at it; empty: its bytes do. */
  Optional<String> content();

  /** Returns where it comes from. */
  Provenance provenance();

  /** Returns what is known of it, whether its files are here or not. */
  SourceImage image();

  /**
   * Files that are here.
   *
   * @param image with these files
   * @param classes what says where clouds are, where that does not lie beside the image
   * @param lease ends when they are not needed any more
   */
  record Fetched(SourceImage image, Optional<Path> classes, Closeable lease) {}

  /**
   * Brings its files here.
   *
   * @throws IOException when it cannot, saying why
   */
  Fetched fetch() throws IOException, InterruptedException;

  /**
   * A picture or scene whose files are here.
   *
   * @param rasters opens scenes, which may have more files than are named; empty for pictures
   */
  record Local(SourceImage image, Optional<Rasters> rasters) implements Candidate {
    @Override
    public String name() {
      return image.path();
    }

    @Override
    public String version() throws IOException {
      List<String> versions = new ArrayList<>();
      for (Path file : image.files()) {
        if (rasters.isEmpty()) {
          versions.add(Sha256.hex(file));
        } else {
          versions.addAll(scene(rasters.get(), file, Sha256::hex));
        }
      }
      return String.join(",", versions);
    }

    @Override
    public Optional<String> bytes(String version) {
      return image.files().stream().anyMatch(Rasters::isName)
          ? Optional.empty()
          : Optional.of(version);
    }

    @Override
    public String stamp() throws IOException {
      if (rasters.isEmpty()) {
        return new PictureFile(image, "").stamp();
      }
      StringBuilder stamp = new StringBuilder(image.path());
      for (Path file : image.files()) {
        scene(rasters.get(), file, PictureFile::stamp).forEach(stamp::append);
      }
      return ContentId.shortened(stamp.toString());
    }

    /** Tells a file from others. */
    @FunctionalInterface
    private interface Telling {
      String of(Path file) throws IOException;
    }

    /**
     * Returns what tells the files of a scene from others; of one that lies elsewhere, its name.
     */
    private static List<String> scene(Rasters rasters, Path path, Telling telling)
        throws IOException {
      List<Path> files;
      try (RasterFile scene = rasters.open(path)) {
        files = scene.files();
        if (files.isEmpty()) {
          return List.of(path + " " + scene.raster().width() + " " + scene.raster().height());
        }
      } catch (IllegalArgumentException e) {
        if (Rasters.isName(path)) {
          throw new IOException(e.getMessage(), e);
        }
        // Whoever cuts it says why it cannot be cut.
        files = List.of(path);
      }
      List<String> told = new ArrayList<>();
      for (Path file : files) {
        told.add(telling.of(file));
      }
      return told;
    }

    @Override
    public Optional<String> content() {
      return Optional.empty();
    }

    @Override
    public Provenance provenance() {
      return Provenance.NONE;
    }

    @Override
    public Fetched fetch() {
      return new Fetched(image, Optional.empty(), () -> {});
    }
  }

  /**
   * An item of a STAC catalogue.
   *
   * @param assets that are encoded: one, or one a band
   * @param classes the asset that says where clouds are, where they are looked at by one
   */
  record Item(StacItem item, List<Asset> assets, Optional<Asset> classes, AssetFiles files)
      implements Candidate {
    /** All files that documents are made of. */
    private List<Asset> looked() {
      return Stream.concat(assets.stream(), classes.stream()).toList();
    }

    @Override
    public String name() {
      return item.name();
    }

    @Override
    public String version() throws IOException, InterruptedException {
      return keys() + " " + files.version(item, looked());
    }

    @Override
    public Optional<String> bytes(String version) throws IOException, InterruptedException {
      boolean digested =
          assets.stream().noneMatch(asset -> asset.isRemote() && asset.checksum().isEmpty());
      if (!digested || content().isPresent()) {
        return Optional.empty();
      }
      return Optional.of(classes.isEmpty() ? version : keys() + " " + files.version(item, assets));
    }

    @Override
    public String stamp() throws IOException, InterruptedException {
      StringBuilder text = new StringBuilder("stac\0" + name() + "\0" + item.updated());
      for (Asset asset : looked()) {
        boolean here = asset.checksum().isEmpty() && !asset.isRemote();
        text.append("\0")
            .append(asset.href())
            .append("\0")
            .append(
                here
                    ? PictureFile.stamp(Path.of(asset.href()))
                    : files.version(item, List.of(asset)));
      }
      return ContentId.shortened(text.toString());
    }

    @Override
    public Optional<String> content() {
      return AssetFiles.isChecksummed(assets)
          ? Optional.of(
              String.join(
                  "\0",
                  "stac",
                  name(),
                  keys(),
                  String.join(",", assets.stream().map(Asset::checksum).toList())))
          : Optional.empty();
    }

    private String keys() {
      return String.join(",", assets.stream().map(Asset::key).toList());
    }

    @Override
    public Provenance provenance() {
      return Provenance.of(Optional.of(item), assets.stream().map(Asset::key).toList());
    }

    @Override
    public SourceImage image() {
      return image(Path.of(""));
    }

    private SourceImage image(Path file) {
      return new SourceImage(
          name(), List.of(file), List.of(), Optional.empty(), List.of(), item.when().first());
    }

    @Override
    public Fetched fetch() throws IOException, InterruptedException {
      AssetFiles.Fetched fetched = files.fetch(assets, classes);
      return new Fetched(image(fetched.file()), fetched.beside(), fetched);
    }
  }
}
