/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.crossmodal.trainer.data.DatasetBuilder.Caption;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Reads data sets in Karpathy style (RSICD, RSITMD, UCM, Sydney, COCO, Flickr30k and our generated
 * scenes): {"dataset", "images": [{"filename", "imgid", "split", "sentences": [{"raw"}]}]}, with
 * "filepath" as an optional folder of an image. Further fields are ignored.
 *
 * <p>For callers who know that they have this format; {@link Datasets} finds out.
 */
public final class KarpathyReader {
  private final DatasetBuilder builder;

  private KarpathyReader(DatasetBuilder builder) {
    this.builder = builder;
  }

  /**
   * Reads a data set whose images lie in a folder "images" beside the JSON, or beside the JSON
   * itself where there is no such folder. Any problem is an error.
   *
   * @throws InvalidDatasetException listing all problems
   * @throws IOException where the file cannot be read
   */
  public static CaptionedDataset read(Path json) throws IOException {
    return read(Datasets.Options.of(json));
  }

  /**
   * Reads a data set.
   *
   * @param json the JSON file, UTF-8
   * @param images the folder that the filenames are relative to
   * @param allowedProblems as in {@link Datasets.Options}
   * @throws InvalidDatasetException where there are more problems, listing all of them; also where
   *     the JSON itself is damaged or nothing usable is left
   * @throws IOException where the file cannot be read
   */
  public static CaptionedDataset read(Path json, Path images, int allowedProblems)
      throws IOException {
    return read(new Datasets.Options(json, Optional.of(images), allowedProblems, Optional.empty()));
  }

  private static CaptionedDataset read(Datasets.Options options) throws IOException {
    if (!Files.isRegularFile(options.path())) {
      throw new InvalidDatasetException(
          options.path() + " is not a file; a Karpathy-style JSON is expected there");
    }
    return Datasets.read(options, source(options.path()));
  }

  static Datasets.Source source(Path json) {
    return new Datasets.Source(
        Datasets.imagesBeside(json), false, builder -> new KarpathyReader(builder).parse(json));
  }

  private String parse(Path json) throws IOException {
    JsonElement element =
        TextFiles.json(json, Map.of("images", (i, image) -> image(image, "images[" + i + "]")));
    if (!element.isJsonObject()) {
      throw new InvalidDatasetException(json + " is no JSON object: {\"images\": [...]} expected");
    }
    JsonObject root = element.getAsJsonObject();
    JsonElement list = root.get("images");
    if (list == null || !list.isJsonArray()) {
      throw new InvalidDatasetException(
          json + " has no array \"images\"; it is not a Karpathy-style data set");
    }
    return TextFiles.text(root, "dataset").orElse(json.getFileName().toString());
  }

  private void image(JsonElement element, String place) {
    if (!element.isJsonObject()) {
      builder.problem(place + " is no object");
      return;
    }
    JsonObject entry = element.getAsJsonObject();
    Optional<String> filename = TextFiles.text(entry, "filename").filter(name -> !name.isBlank());
    if (filename.isEmpty()) {
      builder.problem(place + " has no filename");
      return;
    }
    String where = place + " " + filename.get();
    Optional<Integer> id = TextFiles.integer(entry.get("imgid"));
    if (id.isEmpty()) {
      builder.problem(where + " has no whole number as imgid: " + entry.get("imgid"));
      return;
    }
    Optional<Split> split = TextFiles.text(entry, "split").flatMap(Split::of);
    if (split.isEmpty()) {
      builder.problem(
          where + " has the unknown split " + entry.get("split") + "; " + Split.EXPECTED);
      return;
    }
    JsonElement sentences = entry.get("sentences");
    if (sentences == null || !sentences.isJsonArray() || sentences.getAsJsonArray().isEmpty()) {
      builder.problem(where + " has no sentences");
      return;
    }
    String file =
        TextFiles.text(entry, "filepath")
            .filter(folder -> !folder.isEmpty())
            .map(folder -> folder + "/" + filename.get())
            .orElse(filename.get());
    builder.add(
        new DatasetBuilder.Entry(
            place,
            filename.get(),
            List.of(file),
            id,
            split.get(),
            captions(sentences.getAsJsonArray())));
  }

  private static List<Caption> captions(JsonArray sentences) {
    List<Caption> captions = new ArrayList<>();
    for (int i = 0; i < sentences.size(); i++) {
      JsonElement sentence = sentences.get(i);
      captions.add(
          new Caption(
              "sentences[" + i + "]",
              sentence.isJsonObject()
                  ? TextFiles.text(sentence.getAsJsonObject(), "raw")
                  : Optional.empty()));
    }
    return captions;
  }
}
