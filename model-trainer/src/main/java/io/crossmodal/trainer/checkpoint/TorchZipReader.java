/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import java.io.ByteArrayInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/**
 * Reads what {@code torch.save} writes since PyTorch 1.6: a zip with {@code data.pkl}, which says
 * what tensors there are, and an entry {@code data/<key>} per storage. Also what {@code
 * torch.jit.save} writes, as OpenAI's CLIPs are published: that has code beside it, which is not
 * read, and modules in the pickle, whose attributes are the tensors. The zip's checksums are not
 * compared, because {@code torch.save} can be told to leave them out.
 */
final class TorchZipReader {
  private static final String PICKLE = "data.pkl";

  /** Only TorchScript archives have it. */
  private static final String SCRIPT_CONSTANTS = "constants.pkl";

  /** Times that an entry may grow: weights that somebody packed grow little. */
  private static final long MOST_PACKED = 64;

  private TorchZipReader() {}

  /**
   * Reads the pickle.
   *
   * @throws CheckpointException when the file is damaged, or holds more than tensors
   */
  static Map<String, LazyTensor> read(Path file) throws IOException {
    try (ZipFile zip = new ZipFile(file.toFile())) {
      String root = root(file, zip);
      byte[] pickle = content(zip, root + PICKLE, TorchPickle.MAX_BYTES);
      ByteArrayInputStream in = new ByteArrayInputStream(pickle);
      Object content =
          zip.getEntry(root + SCRIPT_CONSTANTS) == null
              ? TorchPickle.read(in, PICKLE).value()
              : TorchPickle.readScript(in, PICKLE);
      return TorchTensors.of(file, content, Entries.of(file, zip, root));
    } catch (CheckpointException e) {
      throw e;
    } catch (ZipException e) {
      throw new CheckpointException(
          file + " is no whole zip (" + e.getMessage() + "); fetch it again", e);
    } catch (IOException | RuntimeException e) {
      // RuntimeException: what the JDK's zip code throws at an entry whose name is no text.
      throw new CheckpointException(file + ": " + e.getMessage(), e);
    }
  }

  /** Returns the folder in the zip, whose name is the saved file's. */
  private static String root(Path file, ZipFile zip) throws IOException {
    List<String> pickles =
        zip.stream()
            .map(ZipEntry::getName)
            .filter(name -> name.equals(PICKLE) || name.endsWith("/" + PICKLE))
            .toList();
    if (pickles.size() != 1) {
      throw new CheckpointException(
          file + " is no zip of torch.save: it should have one " + PICKLE + ", found " + pickles);
    }
    String root = pickles.get(0).substring(0, pickles.get(0).length() - PICKLE.length());
    if (zip.getEntry(root + "byteorder") != null) {
      String order =
          new String(content(zip, root + "byteorder", 16), StandardCharsets.US_ASCII).strip();
      if (!order.equals("little")) {
        throw new CheckpointException(file + " has the byte order " + order + ", not little");
      }
    }
    return root;
  }

  private static byte[] content(ZipFile zip, String name, int most) throws IOException {
    try (InputStream in = zip.getInputStream(zip.getEntry(name))) {
      byte[] content = in.readNBytes(most);
      if (in.read() >= 0) {
        throw new IOException(name + " is longer than " + most + " bytes");
      }
      return content;
    }
  }

  /** The entries {@code data/<key>}; the zip is opened anew for each storage that is read. */
  private record Entries(Path file, String root, Map<String, Long> sizes)
      implements TorchTensors.Storages {
    static Entries of(Path file, ZipFile zip, String root) throws IOException {
      Map<String, Long> sizes = new HashMap<>();
      for (ZipEntry entry : Collections.list(zip.entries())) {
        if (sizes.put(entry.getName(), entry.getSize()) != null) {
          throw new IOException(
              String.format(Locale.ROOT, "[%.100s] stands in the zip twice", entry.getName()));
        }
        if (entry.getSize() / MOST_PACKED > entry.getCompressedSize()) {
          throw new IOException(
              String.format(
                  Locale.ROOT,
                  "[%.100s] unpacks to %d bytes from %d, and torch.save packs nothing",
                  entry.getName(),
                  entry.getSize(),
                  entry.getCompressedSize()));
        }
      }
      return new Entries(file, root, sizes);
    }

    @Override
    public String place(TorchPickle.Storage storage) {
      return root + "data/" + storage.key();
    }

    @Override
    public long bytes(TorchPickle.Storage storage) {
      return sizes.getOrDefault(place(storage), -1L);
    }

    @Override
    public InputStream open(TorchPickle.Storage storage) throws IOException {
      ZipFile zip = new ZipFile(file.toFile());
      try {
        return new FilterInputStream(zip.getInputStream(zip.getEntry(place(storage)))) {
          @Override
          public void close() throws IOException {
            zip.close();
          }
        };
      } catch (IOException | RuntimeException e) {
        zip.close();
        throw e;
      }
    }
  }
}
