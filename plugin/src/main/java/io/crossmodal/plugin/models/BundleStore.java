/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.models;

import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.Sha256;
import io.crossmodal.plugin.inference.InferenceException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Function;
import java.util.function.Predicate;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.opensearch.OpenSearchException;

/**
 * This node's copies of the cluster's bundles, files named by their SHA-256: fetched when a model
 * is first needed, checked whenever they are read, deleted when no model needs them.
 */
final class BundleStore {
  private static final Logger LOGGER = LogManager.getLogger(BundleStore.class);
  private static final String TEMPORARY = ".tmp";
  private static final String BUNDLE = ".zip";

  private final Path directory;
  private final Function<String, byte[]> chunks;
  private final Executor executor;

  /**
   * @param directory of this class alone, below the node's data path; made when it is needed
   * @param chunks gives a chunk by its id, null where there is none; may wait
   * @param executor runs fetches; its threads may wait
   */
  BundleStore(Path directory, Function<String, byte[]> chunks, Executor executor) {
    this.directory = directory;
    this.chunks = chunks;
    this.executor = executor;
  }

  /**
   * The checked bundle, from this node's disk or else from the cluster.
   *
   * @return fails with {@link InferenceException.ModelUnavailable}
   */
  CompletableFuture<ModelBundle> fetch(StoredModel model) {
    try {
      return CompletableFuture.supplyAsync(() -> read(model), executor);
    } catch (RejectedExecutionException e) {
      return CompletableFuture.failedFuture(unavailable(model, "the node is shutting down", e));
    }
  }

  private ModelBundle read(StoredModel model) {
    try {
      Path file = file(model.sha256());
      if (!Files.exists(file) || !sha256(file).equals(model.sha256())) {
        Path complete = download(model);
        keep(complete, model.sha256());
      }
      return ModelBundle.open(file).withId(model.id());
    } catch (BundleException e) {
      throw unavailable(model, e.getMessage(), e);
    } catch (OpenSearchException e) {
      throw unavailable(model, "the cluster does not give it: " + e.getMessage(), e);
    } catch (IOException e) {
      throw unavailable(model, "[" + directory + "] does not take it: " + e, e);
    } catch (RuntimeException e) {
      throw unavailable(model, e.toString(), e);
    }
  }

  private static InferenceException.ModelUnavailable unavailable(
      StoredModel model, String why, Exception cause) {
    return new InferenceException.ModelUnavailable(
        String.format(
            Locale.ROOT,
            "model [%s] version %d cannot be fetched to this node: %s",
            model.id(),
            model.version(),
            why),
        cause);
  }

  private Path download(StoredModel model) throws IOException, BundleException {
    Path file = temporary();
    boolean whole = false;
    try {
      MessageDigest digest = Sha256.digest();
      try (OutputStream out = new DigestOutputStream(Files.newOutputStream(file), digest)) {
        List<String> ids = model.chunks();
        for (int i = 0; i < ids.size(); i++) {
          byte[] chunk = chunks.apply(ids.get(i));
          if (chunk == null) {
            throw new BundleException(
                String.format(
                    Locale.ROOT,
                    "chunk %d of %d is missing in [%s]; upload the model again",
                    i + 1,
                    ids.size(),
                    ModelIndex.NAME));
          }
          out.write(chunk);
        }
      }
      String found = HexFormat.of().formatHex(digest.digest());
      if (!found.equals(model.sha256())) {
        throw new BundleException(
            String.format(
                Locale.ROOT,
                "expected SHA-256 %s, [%s] has %s; upload the model again",
                model.sha256(),
                ModelIndex.NAME,
                found));
      }
      whole = true;
      return file;
    } finally {
      if (!whole) {
        Files.deleteIfExists(file);
      }
    }
  }

  /** A new, empty file beside the bundles, on the same volume. */
  Path temporary() throws IOException {
    Files.createDirectories(directory);
    return Files.createTempFile(directory, "", TEMPORARY);
  }

  /** Takes a {@link #temporary} file as this node's copy of a bundle. */
  void keep(Path temporary, String sha256) throws IOException {
    Files.move(
        temporary,
        file(sha256),
        StandardCopyOption.ATOMIC_MOVE,
        StandardCopyOption.REPLACE_EXISTING);
  }

  private Path file(String sha256) {
    return directory.resolve(sha256 + BUNDLE);
  }

  static String sha256(Path file) throws IOException {
    MessageDigest digest = Sha256.digest();
    try (InputStream in = Files.newInputStream(file);
        OutputStream out = new DigestOutputStream(OutputStream.nullOutputStream(), digest)) {
      in.transferTo(out);
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** Deletes the copies of all other bundles. */
  void retain(Set<String> sha256s) {
    delete(BUNDLE, name -> !sha256s.contains(name));
  }

  /** Deletes what a node that was killed left half written. */
  void deleteTemporary() {
    delete(TEMPORARY, name -> true);
  }

  private void delete(String suffix, Predicate<String> unneeded) {
    if (!Files.isDirectory(directory)) {
      return;
    }
    try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, "*" + suffix)) {
      for (Path file : files) {
        String name = file.getFileName().toString();
        if (unneeded.test(name.substring(0, name.length() - suffix.length()))) {
          Files.deleteIfExists(file);
        }
      }
    } catch (IOException e) {
      // It costs disk, nothing else; the next change tries again.
      LOGGER.warn("cannot delete bundles that are no longer needed", e);
    }
  }
}
