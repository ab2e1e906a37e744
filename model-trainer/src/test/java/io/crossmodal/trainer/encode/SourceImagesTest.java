/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.image.FileKind;
import io.crossmodal.trainer.train.MicroTraining;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SourceImagesTest {
  @TempDir Path folder;

  private void files(String... names) throws IOException {
    for (String name : names) {
      Path file = folder.resolve(name);
      Files.createDirectories(file.getParent());
      Files.write(file, new byte[] {1});
    }
  }

  private SourceImages read(Path path) throws IOException {
    return SourceImages.read(path, Optional.empty(), 0);
  }

  private static List<String> paths(SourceImages read) {
    return read.images().stream().map(SourceImage::path).toList();
  }

  private static List<Optional<String>> classes(SourceImages read) {
    return read.images().stream().map(SourceImage::sceneClass).toList();
  }

  @Test
  void walksAFolderHoweverDeep() throws IOException {
    files(
        "b.PNG", "2020/BareLand/a.jpg", "2020/pond/c.tiff", "notes.txt", ".cache/d.jpg", ".e.png");
    SourceImages read = read(folder);
    assertEquals(List.of("2020/BareLand/a.jpg", "2020/pond/c.tiff", "b.PNG"), paths(read));
    assertEquals(
        List.of(Optional.of("bare land"), Optional.of("pond"), Optional.empty()), classes(read));
  }

  @Test
  void readsOnePicture() throws IOException {
    files("scenes/one.TIF", "scenes/two.tif");
    assertEquals(List.of("one.TIF"), paths(read(folder.resolve("scenes/one.TIF"))));
  }

  @Test
  void aSingleFolderIsNoClass() throws IOException {
    files("images/a.jpg", "images/b.jpg");
    assertEquals(List.of(Optional.empty(), Optional.empty()), classes(read(folder)));
  }

  @Test
  void readsCaptionsAsTheTrainerDoes() throws Exception {
    Path json = MicroTraining.scenes(folder.resolve("scenes"), 3, 1, 1, MicroTraining.seed());
    for (Path path : List.of(json, json.getParent())) {
      SourceImages read = read(path);
      assertEquals(5, read.images().size());
      assertTrue(read.images().stream().allMatch(image -> image.captions().size() == 5));
      assertTrue(read.images().stream().allMatch(image -> Files.exists(image.files().get(0))));
    }
  }

  @Test
  void readsAList() throws IOException {
    Path list = folder.resolve("list.txt");
    Files.writeString(list, "\ufeff# mine\na b.jpg\ta pond\n\n/far/away.png\nmissing.tif\t\n");
    SourceImages read = read(list);
    assertEquals(List.of("a b.jpg", "/far/away.png", "missing.tif"), paths(read));
    assertEquals(folder.resolve("a b.jpg"), read.images().get(0).files().get(0));
    assertEquals(Path.of("/far/away.png"), read.images().get(1).files().get(0));
    assertEquals(List.of("a pond"), read.images().get(0).captions());
    assertEquals(List.of(), read.images().get(2).captions());
    Files.writeString(list, "\ufeffa b.jpg");
    assertEquals(List.of("a b.jpg"), paths(read(list)));
  }

  /** A picture stands in a list once for each caption, by whatever way its path goes. */
  @Test
  void aListMayHaveSeveralCaptionsOfAPicture() throws IOException {
    Path list = folder.resolve("list.txt");
    Files.writeString(list, "a.jpg\tfirst\na.jpg\tsecond\nb.jpg\tonly\n./x/../a.jpg\tfirst\na.jpg");
    SourceImages read = read(list);
    assertEquals(List.of("a.jpg", "b.jpg"), paths(read));
    assertEquals(List.of("first", "second"), read.images().get(0).captions());
    assertEquals(List.of("only"), read.images().get(1).captions());
  }

  @Test
  void linksThatLeadBackOrNowhereAreSkippedAndCounted() throws IOException {
    files("deep/a.jpg", "elsewhere/b.jpg");
    Files.createSymbolicLink(folder.resolve("deep/back"), folder);
    Files.createSymbolicLink(folder.resolve("deep/gone.jpg"), folder.resolve("nowhere"));
    Files.createSymbolicLink(folder.resolve("deep/c.jpg"), folder.resolve("elsewhere/b.jpg"));
    SourceImages read = read(folder);
    assertEquals(List.of("deep/a.jpg", "deep/c.jpg", "elsewhere/b.jpg"), paths(read));
    assertEquals(2, read.problems().size(), read.problems().toString());
    assertTrue(read.problems().get(0).contains("deep/back: a link to a folder that it lies in"));
    assertTrue(read.problems().get(1).contains("deep/gone.jpg: a link to what is not there"));
  }

  @Test
  void picturesOfOtherKindsAreNamedAndCounted() throws IOException {
    files("a.jpg", "notes.txt");
    for (String name : List.of("b.webp", "c.WEBP", "d")) {
      Files.writeString(folder.resolve(name), "RIFF\0\0\0\0WEBPVP8 ");
    }
    Files.writeString(folder.resolve("e.gif"), "GIF89a");
    SourceImages read = read(folder);
    assertEquals(Map.of(FileKind.WEBP, 3, FileKind.GIF, 1), read.unread());
    assertTrue(read.unreadLines().get(0).contains("3 WebP files, not read: convert, as by dwebp"));
    Files.delete(folder.resolve("a.jpg"));
    refused(folder, "3 WebP files");
  }

  @Test
  void readsTheCaptionsOfCoco() throws IOException {
    files("train2017/a.jpg", "train2017/b.jpg");
    Path json = folder.resolve("annotations/captions_train2017.json");
    Files.createDirectories(json.getParent());
    Files.writeString(
        json,
        """
        {"info": {}, "images": [{"id": 3, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}],
         "annotations": [{"image_id": 1, "caption": "x"}, {"image_id": 3, "caption": "y"},
                         {"image_id": 1, "caption": "z"}]}
        """);
    SourceImages read = read(json);
    assertEquals(List.of("a.jpg", "b.jpg"), paths(read));
    assertEquals(List.of("x", "z"), read.images().get(1).captions());
    assertEquals(
        folder.resolve("train2017/a.jpg").toAbsolutePath(), read.images().get(0).files().get(0));
  }

  @Test
  void saysWhatItCannotRead() throws IOException {
    files("notes.txt");
    Path binary = Files.write(folder.resolve("x.bin"), new byte[] {(byte) 0xff, 0, (byte) 0xfe});
    refused(folder, "holds no JPEG");
    refused(folder.resolve("nowhere"), "does not exist");
    refused(binary, "not UTF-8");
    refused(Files.writeString(folder.resolve("empty.txt"), "# none\n"), "names none");
    IllegalArgumentException images =
        assertThrows(
            IllegalArgumentException.class,
            () -> SourceImages.read(folder, Optional.of(folder), 0));
    assertTrue(images.getMessage().contains("no captions"), images.getMessage());
  }

  private void refused(Path path, String part) {
    IllegalArgumentException refused =
        assertThrows(IllegalArgumentException.class, () -> read(path));
    assertTrue(refused.getMessage().contains(part), refused.getMessage());
    assertTrue(refused.getMessage().contains(path.toString()), refused.getMessage());
  }
}
