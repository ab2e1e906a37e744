/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CocoReaderTest {
  @TempDir Path folder;

  private Path write(String name, String split, int from, int images) throws IOException {
    List<String> pictures = new ArrayList<>();
    List<String> captions = new ArrayList<>();
    Path place = Files.createDirectories(folder.resolve(split));
    for (int i = from; i < from + images; i++) {
      Files.write(place.resolve(i + ".jpg"), new byte[] {1});
      pictures.add("{\"license\": 1, \"id\": " + i + ", \"file_name\": \"" + i + ".jpg\"}");
      for (int caption = 0; caption < 2; caption++) {
        captions.add("{\"image_id\": " + i + ", \"caption\": \"pond " + i + caption + "\"}");
      }
    }
    return Files.writeString(
        Files.createDirectories(folder.resolve("annotations")).resolve(name),
        "{\"annotations\": " + captions + ", \"images\": " + pictures + "}");
  }

  @Test
  void theFilesOfAFolderAreOneDataSet() throws IOException {
    write("captions_train2017.json", "train2017", 0, 5);
    write("captions_val2017.json", "val2017", 100, 2);
    Files.writeString(
        folder.resolve("annotations/instances_val2017.json"),
        "{\"images\": [{\"id\": 1, \"file_name\": \"x\"}], \"annotations\": [{\"bbox\": []}]}");
    CaptionedDataset dataset = Datasets.read(Datasets.Options.of(folder.resolve("annotations")));
    assertEquals(5, dataset.split(Split.TRAIN).size());
    assertEquals(2, dataset.split(Split.VAL).size());
    assertEquals(List.of("pond 1010", "pond 1011"), dataset.split(Split.VAL).get(1).captions());
    assertEquals(101, dataset.split(Split.VAL).get(1).imageId());
  }

  @Test
  void whereNoSplitIsNamedImagesAreDealtOut() throws IOException {
    Path json = write("coco-captions.json", "annotations", 0, 200);
    CaptionedDataset dataset = Datasets.read(Datasets.Options.of(json));
    for (Split split : Split.values()) {
      int images = dataset.split(split).size();
      assertTrue(images > 5 && images < 190, split + ": " + images);
    }
    FolderOptions all = new FolderOptions(FolderOptions.TEMPLATES, new Split.Shares(0, 0, 1), 1);
    Datasets.Options options = new Datasets.Options(json, Optional.empty(), 0, Optional.of(all));
    assertEquals(200, Datasets.read(options).split(Split.TEST).size());
  }

  @Test
  void whatIsMissingIsNamed() throws IOException {
    Path json = folder.resolve("captions_val2014.json");
    Files.writeString(
        json,
        """
        {"images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2}, 7],
         "annotations": [{"caption": "x", "image_id": 9}, {"caption": "y"}]}
        """);
    InvalidDatasetException e =
        assertThrows(InvalidDatasetException.class, () -> Datasets.read(Datasets.Options.of(json)));
    String all = String.join("\n", e.problems());
    for (String part :
        List.of(
            "annotations[1] has no image_id",
            "images[1] has no file_name",
            "images[2] is no object",
            "there is no file",
            "annotations[0] is of an image that is not in the file")) {
      assertTrue(all.contains(part), all);
    }
  }
}
