/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import java.io.IOException;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Reads data sets in Karpathy style (RSICD, RSITMD, UCM, Sydney, COCO, Flickr30k and our generated
 * scenes): {"dataset", "images": [{"filename", "imgid", "split", "sentences": [{"raw"}]}]}, with
 * "filepath" as an optional folder of an image. Further fields are ignored.
 *
 * <p>Everything is checked before a training starts on it: the whole data set is read, and all that
 * is wrong is reported at once.
 */
public final class KarpathyReader {

  private final int allowedProblems;
  private final List<String> problems = new ArrayList<>();
  private final Map<String, Integer> filenames = new HashMap<>();
  private final Map<Integer, String> ids = new HashMap<>();

  private KarpathyReader(int allowedProblems) {
    this.allowedProblems = allowedProblems;
  }

  /**
   * Reads a data set whose images lie in a folder "images" beside the JSON, or beside the JSON
   * itself where there is no such folder. Any problem is an error.
   *
   * @throws InvalidDatasetException listing all problems
   * @throws IOException where the file cannot be read
   */
  public static CaptionedDataset read(Path json) throws IOException {
    Path beside = json.toAbsolutePath().getParent();
    Path images = beside.resolve("images");
    return read(json, Files.isDirectory(images) ? images : beside, 0);
  }

  /**
   * Reads a data set.
   *
   * @param json the JSON file, UTF-8
   * @param images the folder that the filenames are relative to
   * @param allowedProblems up to so many problems are reported in {@link
   *     CaptionedDataset#problems()} only: an empty caption is left out alone, any other problem
   *     leaves its image out; 0 makes each an error. The published RSICD has empty captions.
   * @throws InvalidDatasetException where there are more problems, listing all of them; also where
   *     the JSON itself is damaged or nothing usable is left
   * @throws IOException where the file cannot be read
   */
  public static CaptionedDataset read(Path json, Path images, int allowedProblems)
      throws IOException {
    if (allowedProblems < 0) {
      throw new IllegalArgumentException(
          "allowedProblems must be at least 0, got " + allowedProblems);
    }
    if (!Files.isRegularFile(json)) {
      throw new InvalidDatasetException(
          json + " is not a file; a Karpathy-style JSON is expected there");
    }
    if (!Files.isDirectory(images)) {
      throw new InvalidDatasetException(
          images + " is not a folder; the images of " + json + " are expected there");
    }
    return new KarpathyReader(allowedProblems).parse(json, images);
  }

  private CaptionedDataset parse(Path json, Path folder) throws IOException {
    JsonObject root = root(json);
    JsonElement list = root.get("images");
    if (list == null || !list.isJsonArray()) {
      throw new InvalidDatasetException(
          json + " has no array \"images\"; it is not a Karpathy-style data set");
    }
    List<CaptionedImage> images = new ArrayList<>();
    JsonArray entries = list.getAsJsonArray();
    for (int i = 0; i < entries.size(); i++) {
      image(entries.get(i), i, folder).ifPresent(images::add);
    }
    if (problems.size() > allowedProblems) {
      throw new InvalidDatasetException(
          json + " cannot be used (" + allowedProblems + " problems allowed)", problems);
    }
    if (images.isEmpty()) {
      throw new InvalidDatasetException(json + " holds no usable image");
    }
    String name = text(root, "dataset").orElse(json.getFileName().toString());
    return new CaptionedDataset(name, images, problems);
  }

  private static JsonObject root(Path json) throws IOException {
    try (Reader reader = Files.newBufferedReader(json, StandardCharsets.UTF_8)) {
      JsonElement root = JsonParser.parseReader(reader);
      if (!root.isJsonObject()) {
        throw new InvalidDatasetException(
            json + " is no JSON object: {\"images\": [...]} expected");
      }
      return root.getAsJsonObject();
    } catch (JsonParseException e) {
      throw new InvalidDatasetException(
          json + " is not valid JSON, perhaps cut short: " + e.getMessage(), e);
    }
  }

  private Optional<CaptionedImage> image(JsonElement element, int index, Path folder) {
    if (!element.isJsonObject()) {
      return problem("images[" + index + "] is no object");
    }
    JsonObject entry = element.getAsJsonObject();
    Optional<String> filename = text(entry, "filename");
    if (filename.isEmpty() || filename.get().isBlank()) {
      return problem("images[" + index + "] has no filename");
    }
    String where = "images[" + index + "] " + filename.get();
    Optional<Integer> id = integer(entry, "imgid");
    if (id.isEmpty()) {
      return problem(where + " has no whole number as imgid: " + entry.get("imgid"));
    }
    Optional<Split> split = text(entry, "split").flatMap(Split::of);
    if (split.isEmpty()) {
      return problem(
          where
              + " has the unknown split "
              + entry.get("split")
              + "; train, restval, val or test expected");
    }
    Optional<Path> file = file(entry, filename.get(), folder);
    if (file.isEmpty()) {
      return problem(where + " points outside the folder of images");
    }
    String relative = folder.relativize(file.get()).toString();
    Integer before = filenames.putIfAbsent(relative, index);
    if (before != null) {
      return problem(where + " repeats the filename of images[" + before + "]");
    }
    String other = ids.putIfAbsent(id.get(), filename.get());
    if (other != null) {
      return problem(where + " repeats the imgid " + id.get() + " of " + other);
    }
    if (!Files.isRegularFile(file.get())) {
      return problem(where + ": there is no file " + file.get());
    }
    Optional<List<String>> captions = captions(entry, where);
    return captions.map(
        found -> new CaptionedImage(filename.get(), file.get(), id.get(), split.get(), found));
  }

  /** The captions that are not empty; none where there is no usable one. */
  private Optional<List<String>> captions(JsonObject entry, String where) {
    JsonElement sentences = entry.get("sentences");
    if (sentences == null || !sentences.isJsonArray() || sentences.getAsJsonArray().isEmpty()) {
      return problem(where + " has no sentences");
    }
    List<String> captions = new ArrayList<>();
    JsonArray array = sentences.getAsJsonArray();
    for (int i = 0; i < array.size(); i++) {
      JsonElement sentence = array.get(i);
      Optional<String> raw =
          sentence.isJsonObject() ? text(sentence.getAsJsonObject(), "raw") : Optional.empty();
      if (raw.isEmpty() || CaptionedDataset.captionKey(raw.get()).isEmpty()) {
        problems.add(where + " has an empty caption at sentences[" + i + "]");
      } else {
        captions.add(raw.get().strip());
      }
    }
    return captions.isEmpty() ? Optional.empty() : Optional.of(captions);
  }

  private <T> Optional<T> problem(String text) {
    problems.add(text);
    return Optional.empty();
  }

  private static Optional<Path> file(JsonObject entry, String filename, Path folder) {
    try {
      Path base = text(entry, "filepath").map(folder::resolve).orElse(folder);
      Path file = base.resolve(filename).normalize();
      return file.startsWith(folder.normalize()) ? Optional.of(file) : Optional.empty();
    } catch (InvalidPathException e) {
      return Optional.empty();
    }
  }

  private static Optional<String> text(JsonObject object, String field) {
    return primitive(object, field).filter(JsonPrimitive::isString).map(JsonPrimitive::getAsString);
  }

  private static Optional<Integer> integer(JsonObject object, String field) {
    Optional<JsonPrimitive> value = primitive(object, field).filter(JsonPrimitive::isNumber);
    if (value.isEmpty()) {
      return Optional.empty();
    }
    double number = value.get().getAsDouble();
    return number == Math.rint(number) && Math.abs(number) <= Integer.MAX_VALUE
        ? Optional.of((int) number)
        : Optional.empty();
  }

  private static Optional<JsonPrimitive> primitive(JsonObject object, String field) {
    JsonElement value = object.get(field);
    return value != null && value.isJsonPrimitive()
        ? Optional.of(value.getAsJsonPrimitive())
        : Optional.empty();
  }
}
