/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import io.crossmodal.trainer.data.DatasetBuilder.Caption;
import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;

/**
 * Reads webdataset's tar files: entries of one key are one sample, {@code key.jpg} (or png, tif)
 * with {@code key.txt}, a caption a line, or {@code key.json}, whose names are those of {@link
 * CaptionTableReader}. The split is that of the tar's name, as in {@code train-000.tar}; where it
 * has none, images are dealt out by their names.
 *
 * <p>Pictures are unpacked once into a folder {@code <tar>.unpacked} beside the tar, for all that
 * reads them later.
 */
final class WebDatasetReader {
  private static final long MAX_TEXT = 1 << 20;
  private static final Set<String> PICTURES = Set.of("jpg", "jpeg", "png", "tif", "tiff");
  private static final Pattern SPLIT =
      Pattern.compile("(?:^|.*[-_.])(train|validation|valid|val|dev|test)(?:[-_.].*|\\d*)");

  private final DatasetBuilder builder;
  private final FolderOptions options;

  private WebDatasetReader(DatasetBuilder builder, FolderOptions options) {
    this.builder = builder;
    this.options = options;
  }

  /** A sample as far as it was read. */
  private static final class Sample {
    private String picture;
    private final List<Caption> captions = new ArrayList<>();
  }

  static boolean isTar(Path file) {
    return file.getFileName().toString().endsWith(".tar") && Files.isRegularFile(file);
  }

  /** Returns the tar files of a folder, in alphabetical order. */
  static List<Path> tars(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(WebDatasetReader::isTar).sorted().toList();
    }
  }

  /** Returns whether a path is, or holds, such files. */
  static boolean holdsTars(Path path) throws IOException {
    return isTar(path) || (Files.isDirectory(path) && !tars(path).isEmpty());
  }

  /**
   * Returns the tars of one data set.
   *
   * @param files at least one, all in the same folder
   */
  static Datasets.Source source(List<Path> files, String name, FolderOptions options) {
    return new Datasets.Source(
        files.get(0).toAbsolutePath().getParent(),
        files.stream().allMatch(file -> split(file).isEmpty()),
        builder -> {
          CaptionTableReader images = new CaptionTableReader(builder, options);
          for (Path file : files) {
            new WebDatasetReader(builder, options).parse(file, images);
          }
          images.finish();
          return name;
        });
  }

  private static Optional<Split> split(Path tar) {
    String name = tar.getFileName().toString();
    Matcher matcher = SPLIT.matcher(name.substring(0, name.length() - 4).toLowerCase(Locale.ROOT));
    return matcher.matches() ? CaptionTableReader.split(matcher.group(1)) : Optional.empty();
  }

  private void parse(Path tar, CaptionTableReader images) throws IOException {
    String name = tar.getFileName().toString();
    Path unpacked = tar.resolveSibling(name + ".unpacked");
    Map<String, Sample> samples = new LinkedHashMap<>();
    try (TarArchiveInputStream entries =
        new TarArchiveInputStream(new BufferedInputStream(Files.newInputStream(tar)))) {
      TarArchiveEntry entry = entries.getNextEntry();
      if (entry == null) {
        throw new EOFException("it holds no file");
      }
      for (; entry != null; entry = entries.getNextEntry()) {
        if (entry.isFile() && !entry.isLink() && !entry.isSymbolicLink()) {
          read(name, entry.getName(), entry.getSize(), entries, unpacked, samples);
        }
      }
    } catch (IOException e) {
      throw new InvalidDatasetException(
          tar + " is no whole tar file, or cannot be unpacked beside it: " + e, e);
    }
    samples.forEach(
        (key, sample) -> {
          String place = name + ": " + key;
          if (sample.picture == null) {
            builder.problem(place + " has no picture; " + PICTURES + " are expected");
          } else {
            images.add(
                unpacked.getFileName() + "/" + sample.picture, place, split(tar), sample.captions);
          }
        });
  }

  private void read(
      String tar,
      String entry,
      long size,
      InputStream content,
      Path unpacked,
      Map<String, Sample> samples)
      throws IOException {
    String path = entry.replaceFirst("^\\./", "");
    int dot = path.indexOf('.', path.lastIndexOf('/') + 1);
    if (dot <= path.lastIndexOf('/') + 1) {
      return;
    }
    String place = tar + ": " + path;
    String suffix = path.substring(dot + 1).toLowerCase(Locale.ROOT);
    boolean text = suffix.equals("txt") || suffix.equals("json");
    if (!text && !PICTURES.contains(suffix)) {
      return;
    }
    Path file = unpacked.resolve(path).normalize();
    if (!file.startsWith(unpacked)) {
      builder.problem(place + " points outside the tar");
      return;
    }
    Sample sample = samples.computeIfAbsent(path.substring(0, dot), key -> new Sample());
    if (text && size > MAX_TEXT) {
      builder.problem(place + " has " + size + " bytes, a caption " + MAX_TEXT);
    } else if (suffix.equals("txt")) {
      new String(content.readAllBytes(), StandardCharsets.UTF_8)
          .lines()
          .filter(line -> !line.isBlank())
          .forEach(line -> sample.captions.add(new Caption(path, Optional.of(line))));
    } else if (text) {
      json(place, new String(content.readAllBytes(), StandardCharsets.UTF_8), sample);
    } else if (sample.picture != null) {
      builder.problem(place + " is a second picture of its sample");
    } else {
      sample.picture = path;
      if (!Files.exists(file) || Files.size(file) != size) {
        Files.createDirectories(file.getParent());
        // Whole or not at all: what was cut short would be taken for the picture the next time.
        Path part = file.resolveSibling(file.getFileName() + ".part");
        Files.copy(content, part, StandardCopyOption.REPLACE_EXISTING);
        Files.move(part, file, StandardCopyOption.REPLACE_EXISTING);
      }
    }
  }

  private void json(String place, String text, Sample sample) {
    try {
      JsonElement element = JsonParser.parseString(text);
      if (element.isJsonObject()) {
        JsonObject object = element.getAsJsonObject();
        List<Caption> captions = CaptionTableReader.captions(object, place, options);
        // Most json beside a txt repeats its caption, or says where the picture is from.
        captions.stream()
            .filter(
                caption ->
                    !sample.captions.stream().map(Caption::text).toList().contains(caption.text()))
            .forEach(sample.captions::add);
        return;
      }
    } catch (JsonParseException e) {
      // Said below.
    }
    builder.problem(place + " is no JSON object");
  }
}
