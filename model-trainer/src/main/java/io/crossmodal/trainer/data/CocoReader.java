/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.crossmodal.trainer.data.DatasetBuilder.Caption;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads captions as COCO publishes them (Lin et al. 2014), {@code captions_train2017.json}:
 * {"images": [{"id", "file_name"}], "annotations": [{"image_id", "caption"}]}. Further fields are
 * ignored.
 *
 * <p>The split is the one that the file's name has (captions_val2014.json). Where it has none, each
 * image is dealt out by its name, as {@link LabelledFolderReader} does. An image lies in the folder
 * of images, or in one there that is named as the captions are (train2017/000000000009.jpg).
 */
final class CocoReader {
  private static final Pattern NAME =
      Pattern.compile("(?:captions_)?((?:.*[_-])?(train|val|test)(?:\\d{4})?)\\.json");

  private final DatasetBuilder builder;
  private final FolderOptions options;

  private CocoReader(DatasetBuilder builder, FolderOptions options) {
    this.builder = builder;
    this.options = options;
  }

  /**
   * Returns the files of one data set.
   *
   * @param files at least one, all in the same folder
   */
  static Datasets.Source source(List<Path> files, String name, FolderOptions options) {
    return new Datasets.Source(
        images(files.get(0)),
        !namesItsSplit(files.get(0)),
        builder -> {
          for (Path file : files) {
            new CocoReader(builder, options).parse(file);
          }
          return name;
        });
  }

  /** Returns whether a file's name says of which split its images are. */
  static boolean namesItsSplit(Path file) {
    return name(file).isPresent();
  }

  private static Optional<Matcher> name(Path file) {
    return Optional.of(NAME.matcher(file.getFileName().toString())).filter(Matcher::matches);
  }

  /** Returns the folder of the images: as COCO is unpacked, captions lie in a folder beside it. */
  private static Path images(Path file) {
    Path above = file.toAbsolutePath().normalize().getParent().getParent();
    return name(file)
        .filter(name -> above != null && Files.isDirectory(above.resolve(name.group(1))))
        .map(name -> above)
        .orElseGet(() -> Datasets.imagesBeside(file));
  }

  private void parse(Path file) throws IOException {
    // Twice, for either may come first.
    Map<String, List<Caption>> captions = captions(file);
    Optional<Matcher> name = name(file);
    String images = file.getFileName() + ": images[";
    TextFiles.json(
        file, Map.of("images", (i, image) -> image(image, images + i + "]", name, captions)));
    captions
        .values()
        .forEach(
            left ->
                builder.problem(
                    file.getFileName()
                        + ": "
                        + left.get(0).place()
                        + " is of an image that is not in the file"));
  }

  private Map<String, List<Caption>> captions(Path file) throws IOException {
    Map<String, List<Caption>> captions = new LinkedHashMap<>();
    JsonObject root =
        TextFiles.json(
                file,
                Map.of(
                    "annotations",
                    (i, entry) -> caption(entry, file, "annotations[" + i + "]", captions)))
            .getAsJsonObject();
    if (root.get("annotations") == null || !root.get("annotations").isJsonArray()) {
      throw new InvalidDatasetException(
          file + " has no array \"annotations\", where COCO has the captions");
    }
    return captions;
  }

  private void caption(
      JsonElement entry, Path file, String place, Map<String, List<Caption>> captions) {
    if (!entry.isJsonObject() || !isId(entry.getAsJsonObject().get("image_id"))) {
      builder.problem(file.getFileName() + ": " + place + " has no image_id");
      return;
    }
    JsonObject annotation = entry.getAsJsonObject();
    captions
        .computeIfAbsent(annotation.get("image_id").getAsString(), id -> new ArrayList<>())
        .add(new Caption(place, TextFiles.text(annotation, "caption")));
  }

  private static boolean isId(JsonElement id) {
    return id != null && id.isJsonPrimitive();
  }

  private void image(
      JsonElement element,
      String place,
      Optional<Matcher> name,
      Map<String, List<Caption>> captions) {
    if (!element.isJsonObject()) {
      builder.problem(place + " is no object");
      return;
    }
    JsonObject image = element.getAsJsonObject();
    Optional<String> filename = TextFiles.text(image, "file_name").filter(text -> !text.isBlank());
    if (filename.isEmpty() || !isId(image.get("id"))) {
      builder.problem(place + " has no file_name or no id");
      return;
    }
    String file = filename.get();
    List<Caption> own = captions.remove(image.get("id").getAsString());
    builder.add(
        new DatasetBuilder.Entry(
            place,
            file,
            name.map(matcher -> List.of(file, matcher.group(1) + "/" + file)).orElse(List.of(file)),
            TextFiles.integer(image.get("id")),
            name.flatMap(matcher -> Split.of(matcher.group(2)))
                .orElseGet(() -> options.split(file)),
            own == null ? List.of() : own));
  }
}
