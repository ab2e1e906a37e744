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
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads data sets in the JSON style of PIR (Pan et al. 2023), which is that of ALBEF and BLIP: one
 * array a split, of {"image", "caption"}, where "caption" is a list of texts or, in training files,
 * one text, and an image's entries add up. "image_id" tells images apart where there is one;
 * further fields are ignored.
 *
 * <p>The split is what the file's name ends in (rsitmd_train.json), or else the folder that "image"
 * begins with (val/farmland_1767.tif). Without such a folder the image is taken from where the rest
 * of its name says, as the data sets are published without one.
 */
final class PirReader {
  private static final Pattern SPLIT = Pattern.compile("(?:(.*)_)?(train|val|test)\\.json");

  private final DatasetBuilder builder;

  private PirReader(DatasetBuilder builder) {
    this.builder = builder;
  }

  /**
   * Returns the files of one data set.
   *
   * @param files at least one, all in the same folder
   */
  static Datasets.Source source(List<Path> files, String name) {
    return new Datasets.Source(
        Datasets.imagesBeside(files.get(0)),
        false,
        builder -> {
          for (Path file : files) {
            new PirReader(builder).parse(file);
          }
          return name;
        });
  }

  /**
   * Returns the part of a file's name before its split ("rsitmd"); empty where it names no split.
   */
  static Optional<String> stem(Path file) {
    Matcher matcher = SPLIT.matcher(file.getFileName().toString());
    return matcher.matches()
        ? Optional.of(Optional.ofNullable(matcher.group(1)).orElse(""))
        : Optional.empty();
  }

  /** An image with the captions of all its entries. */
  private record Group(String place, String image, List<Caption> captions) {}

  private void parse(Path file) throws IOException {
    List<Group> groups = new ArrayList<>();
    Map<String, Group> rows = new LinkedHashMap<>();
    JsonElement root =
        TextFiles.json(file, Map.of("", (i, entry) -> entry(entry, file, i, groups, rows)));
    if (!root.isJsonArray()) {
      throw new InvalidDatasetException(
          file + " is no JSON array: [{\"image\", \"caption\"}, ...] expected");
    }
    Matcher matcher = SPLIT.matcher(file.getFileName().toString());
    Optional<Split> split = matcher.matches() ? Split.of(matcher.group(2)) : Optional.empty();
    groups.forEach(group -> add(group, split));
  }

  private void entry(
      JsonElement element, Path file, int index, List<Group> groups, Map<String, Group> rows) {
    String position = "[" + index + "]";
    String place = file.getFileName() + position;
    if (!element.isJsonObject()) {
      builder.problem(place + " is no object");
      return;
    }
    JsonObject entry = element.getAsJsonObject();
    Optional<String> image = TextFiles.text(entry, "image").filter(name -> !name.isBlank());
    if (image.isEmpty()) {
      builder.problem(place + " has no text as image: " + entry.get("image"));
      return;
    }
    String where = place + " " + image.get();
    JsonElement caption = entry.get("caption");
    Optional<String> text = TextFiles.text(caption);
    if (text.isEmpty() && (caption == null || !caption.isJsonArray())) {
      builder.problem(where + " has neither a text nor a list of texts as caption: " + caption);
      return;
    }
    Group group = text.isPresent() ? rows.get(image.get()) : null;
    if (group == null) {
      // Numbered within its file: other splits count from 0 again.
      String id = "image_id " + entry.get("image_id");
      if (entry.has("image_id") && !builder.register(where, id + file, id, image.get())) {
        return;
      }
      group = new Group(place, image.get(), new ArrayList<>());
      groups.add(group);
    }
    if (text.isPresent()) {
      rows.put(image.get(), group);
      group.captions().add(new Caption(position, text));
    } else {
      JsonArray texts = caption.getAsJsonArray();
      for (int i = 0; i < texts.size(); i++) {
        group.captions().add(new Caption("caption[" + i + "]", TextFiles.text(texts.get(i))));
      }
    }
  }

  private void add(Group group, Optional<Split> ofFile) {
    String image = group.image();
    int slash = image.indexOf('/');
    Optional<Split> ofFolder = slash < 0 ? Optional.empty() : Split.of(image.substring(0, slash));
    Optional<Split> split = ofFile.or(() -> ofFolder);
    if (split.isEmpty()) {
      builder.problem(
          group.place()
              + " "
              + image
              + " is of unknown split: a file name such as rsitmd_train.json or an image in a"
              + " folder train, val or test expected");
      return;
    }
    List<String> files =
        ofFolder.isPresent() ? List.of(image, image.substring(slash + 1)) : List.of(image);
    builder.add(
        new DatasetBuilder.Entry(
            group.place(), image, files, Optional.empty(), split.get(), group.captions()));
  }
}
