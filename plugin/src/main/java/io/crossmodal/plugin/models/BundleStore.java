/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.models;

import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.bundle.Sha256;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.plugin.settings.CrossModalSettings;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.function.Predicate;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.opensearch.ExceptionsHelper;
import org.opensearch.OpenSearchException;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.core.common.unit.ByteSizeValue;

/**
 * This node's copies of the cluster's bundles, files named by their SHA-256: fetched when a model
 * is first needed, checked whenever they are read, deleted when no model needs them.
 */
final class BundleStore {
  private static final Logger LOGGER = LogManager.getLogger(BundleStore.class);
  private static final String TEMPORARY = ".tmp";
  private static final String BUNDLE = ".zip";

  /**
   * Heap that a bundle's check takes at most: manifest and vocabulary, of 2 and 4 MB, as text and
   * as what they become. The weights are read from a file, piece by piece.
   */
  private static final long CHECK_BYTES = 64 << 20;

  private final Path directory;
  private final Function<String, byte[]> chunks;
  private final Executor executor;
  private final MemoryBudget heap;
  private final boolean allowForeignCode;
  private final long mostBytes;
  private final TimeValue keepUnused;
  private final LongSupplier millis;

  /** One check at a time; whoever came first is first. */
  private final Lock checking = new ReentrantLock(true);

  // Since when nobody needs a copy.
  private final Map<String, Long> unneeded = new HashMap<>();

  /**
   * @param directory of this class alone, below the node's data path; made when it is needed
   * @param chunks gives a chunk by its id, null where there is none; may wait
   * @param executor runs fetches; its threads may wait
   * @param heap asked for what a check takes
   * @param allowForeignCode see {@link CrossModalSettings#ALLOW_FOREIGN_CODE}
   * @param maxSize of a bundle; unpacked it may have twice that
   * @param keepUnused for how long a copy stays that nobody needs
   * @param millis a clock that does not jump
   */
  BundleStore(
      Path directory,
      Function<String, byte[]> chunks,
      Executor executor,
      MemoryBudget heap,
      boolean allowForeignCode,
      ByteSizeValue maxSize,
      TimeValue keepUnused,
      LongSupplier millis) {
    this.directory = directory;
    this.chunks = chunks;
    this.executor = executor;
    this.heap = heap;
    this.allowForeignCode = allowForeignCode;
    this.mostBytes = 2 * maxSize.getBytes();
    this.keepUnused = keepUnused;
    this.millis = millis;
  }

  /**
   * Fetches the checked bundle, from this node's disk or else from the cluster.
   *
   * @return fails with {@link InferenceException.ModelUnavailable}
   */
  CompletableFuture<ModelBundle> fetch(StoredModel model) {
    CompletableFuture<ModelBundle> fetched = new CompletableFuture<>();
    try {
      executor.execute(
          () -> {
            try {
              fetched.complete(read(model));
            } catch (Throwable e) {
              // A bundle's bytes lead to no Error: where there is one, the node itself is ill.
              ExceptionsHelper.maybeDieOnAnotherThread(e);
              fetched.completeExceptionally(e);
            }
          });
    } catch (RejectedExecutionException e) {
      fetched.completeExceptionally(unavailable(model, "the node is shutting down", e));
    }
    return fetched;
  }

  private ModelBundle read(StoredModel model) {
    try {
      Path file = file(model.sha256());
      if (!Files.exists(file) || !Sha256.hex(file).equals(model.sha256())) {
        keep(download(model), model.sha256());
      }
      ModelBundle bundle = open(() -> openOrFetch(model)).withId(model.id());
      if (!bundle.manifest().brief().equals(ModelManifest.fromJson(model.manifestJson()).brief())) {
        throw new BundleException(
            "its manifest is another than the cluster state's; upload the model again");
      }
      return bundle;
    } catch (BundleException e) {
      throw unavailable(model, e.getMessage(), e);
    } catch (OpenSearchException e) {
      throw unavailable(model, "the cluster does not give it: " + e.getMessage(), e);
    } catch (IOException e) {
      throw unavailable(model, "[" + directory + "] does not take it: " + e, e);
    } catch (InferenceException e) {
      throw e;
    } catch (RuntimeException e) {
      throw unavailable(model, e.toString(), e);
    }
  }

  /**
   * Opens and checks a bundle, when others that came before were checked. Its own code is loaded
   * only where {@link CrossModalSettings#ALLOW_FOREIGN_CODE} says so.
   *
   * @throws BundleException when it is none that may be served
   * @throws InferenceException.MemoryExceeded when the heap has no room for it now
   */
  ModelBundle open(ModelBundle.Content content) throws IOException, BundleException {
    checking.lock();
    try {
      MemoryBudget.Reservation memory = heap.reserve("checking a model's bundle", CHECK_BYTES);
      try {
        ModelBundle bundle =
            ModelBundle.open(content, Files.createDirectories(directory), mostBytes);
        return allowForeignCode ? bundle.allowingForeignCode() : bundle;
      } finally {
        memory.close();
      }
    } finally {
      checking.unlock();
    }
  }

  /**
   * Opens the node's copy; one that was deleted, or that nobody needed for long, is fetched anew.
   */
  private InputStream openOrFetch(StoredModel model) throws IOException {
    Path file = file(model.sha256());
    if (!Files.exists(file)) {
      try {
        keep(download(model), model.sha256());
      } catch (BundleException | OpenSearchException e) {
        throw new IOException("the node's copy is gone, and " + e.getMessage(), e);
      }
    }
    return Files.newInputStream(file);
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

  /** Returns a new, empty file beside the bundles, on the same volume. */
  Path temporary() throws IOException {
    Files.createDirectories(directory);
    return Files.createTempFile(directory, "", TEMPORARY);
  }

  /** Returns the bytes that this node may still write to its disk. */
  long usableBytes() throws IOException {
    return Files.getFileStore(Files.createDirectories(directory)).getUsableSpace();
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

  /**
   * Deletes the copies that were of no use for long.
   *
   * @param needed SHA-256s of those that are of use now
   */
  synchronized void retain(Set<String> needed) {
    long now = millis.getAsLong();
    unneeded.keySet().removeAll(needed);
    delete(
        BUNDLE,
        sha256 ->
            !needed.contains(sha256)
                && now - unneeded.computeIfAbsent(sha256, first -> now) >= keepUnused.millis());
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
