/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KarpathyReaderTest {

  @TempDir Path folder;
  private Path images;
  private Path json;

  @BeforeEach
  void makeFolders() throws IOException {
    images = Files.createDirectory(folder.resolve("images"));
    json = folder.resolve("dataset.json");
    for (String name : List.of("a.jpg", "b.tif", "c.jpg")) {
      Files.write(images.resolve(name), new byte[] {1});
    }
  }

  private static String image(String filename, Object id, String split, String... captions) {
    StringBuilder sentences = new StringBuilder();
    for (String caption : captions) {
      sentences
          .append(sentences.length() == 0 ? "" : ",")
          .append("{\"raw\":\"")
          .append(caption)
          .append("\",\"tokens\":[],\"sentid\":0}");
    }
    return "{\"filename\":\""
        + filename
        + "\",\"imgid\":"
        + id
        + ",\"split\":\""
        + split
        + "\",\"sentids\":[0],\"sentences\":["
        + sentences
        + "]}";
  }

  private void write(String... entries) throws IOException {
    Files.writeString(json, "{\"images\":[" + String.join(",", entries) + "],\"dataset\":\"toy\"}");
  }

  private InvalidDatasetException refused() {
    return assertThrows(InvalidDatasetException.class, () -> KarpathyReader.read(json));
  }

  private void refusedFor(String part) {
    InvalidDatasetException e = refused();
    assertTrue(e.getMessage().contains(part), e.getMessage());
    assertEquals(1, e.problems().size(), e.getMessage());
  }

  @Test
  void readsThePublishedLayout() throws IOException {
    write(
        image("a.jpg", 0, "train", " a pond . ", "one pond ."),
        image("b.tif", 1, "restval", "a road ."),
        image("c.jpg", 2, "test", "a river ."));
    CaptionedDataset read = KarpathyReader.read(json);
    assertEquals("toy", read.name());
    assertEquals(List.of("a pond .", "one pond ."), read.images().get(0).captions());
    assertEquals(2, read.split(Split.TRAIN).size());
    assertEquals(0, read.split(Split.VAL).size());
    assertEquals(images.resolve("c.jpg").toAbsolutePath(), read.split(Split.TEST).get(0).file());
    assertEquals(read.images(), KarpathyReader.read(json, images.toAbsolutePath(), 0).images());
  }

  @Test
  void imagesMayLieBesideTheJsonOrInAFolderOfTheirOwn() throws IOException {
    Path flat = Files.createDirectory(folder.resolve("flat"));
    Files.createDirectory(flat.resolve("val2014"));
    Files.write(flat.resolve("val2014").resolve("x.jpg"), new byte[] {1});
    json = flat.resolve("d.json");
    String entry = image("x.jpg", 0, "val", "a pond .");
    write(entry.replace("\"imgid\"", "\"filepath\":\"val2014\",\"imgid\""));
    assertEquals(1, KarpathyReader.read(json).split(Split.VAL).size());
  }

  @Test
  void refusesAMissingFile() throws IOException {
    write(image("gone.jpg", 0, "train", "a pond ."));
    refusedFor("images[0] gone.jpg: there is no file");
  }

  @Test
  void refusesADuplicateFilename() throws IOException {
    write(image("a.jpg", 0, "train", "a pond ."), image("a.jpg", 1, "train", "a road ."));
    refusedFor("images[1] a.jpg repeats the filename of images[0]");
  }

  @Test
  void refusesADuplicateImgid() throws IOException {
    write(image("a.jpg", 7, "train", "a pond ."), image("c.jpg", 7, "train", "a road ."));
    refusedFor("images[1] c.jpg repeats the imgid 7 of a.jpg");
  }

  @Test
  void refusesAMissingOrBrokenImgid() throws IOException {
    write(image("a.jpg", "\"x\"", "train", "a pond ."));
    refusedFor("no whole number as imgid: \"x\"");
    write(image("a.jpg", 1.5, "train", "a pond ."));
    refusedFor("no whole number as imgid: 1.5");
  }

  @Test
  void refusesEmptyCaptions() throws IOException {
    write(image("a.jpg", 0, "train", "a pond .", " . "));
    refusedFor("images[0] a.jpg has an empty caption at sentences[1]");
    write(image("a.jpg", 0, "train"));
    refusedFor("images[0] a.jpg has no sentences");
  }

  @Test
  void refusesAnUnknownSplit() throws IOException {
    write(image("a.jpg", 0, "dev", "a pond ."));
    refusedFor("unknown split \"dev\"; train, restval, val or test expected");
  }

  @Test
  void refusesAFilenameOutsideItsFolder() throws IOException {
    Files.write(folder.resolve("secret.jpg"), new byte[] {1});
    write(image("../secret.jpg", 0, "train", "a pond ."));
    refusedFor("points outside the folder of images");
  }

  @Test
  void refusesDamagedJson() throws IOException {
    Files.writeString(json, "{\"images\":[{\"filename\":\"a.jp");
    refusedFor("is not valid JSON");
    Files.writeString(json, "[]");
    refusedFor("is no JSON object");
    Files.writeString(json, "");
    refusedFor("JSON");
    Files.writeString(json, "{\"pictures\":[]}");
    refusedFor("has no array \"images\"");
    Files.writeString(json, "{\"images\":[]}");
    refusedFor("holds no usable image");
    Files.writeString(json, "{\"images\":[3,{\"imgid\":1}]}");
    assertEquals(2, refused().problems().size());
    Files.delete(json);
    refusedFor("is not a file");
  }

  @Test
  void refusesAMissingFolderOfImages() throws IOException {
    write(image("a.jpg", 0, "train", "a pond ."));
    InvalidDatasetException e =
        assertThrows(
            InvalidDatasetException.class,
            () -> KarpathyReader.read(json, folder.resolve("nowhere"), 0));
    assertTrue(e.getMessage().contains("nowhere is not a folder"), e.getMessage());
  }

  @Test
  void listsTheFirstTenProblemsAndTheNumberOfAll() throws IOException {
    String[] entries = new String[14];
    for (int i = 0; i < entries.length; i++) {
      entries[i] = image("gone" + i + ".jpg", i, "train", "a pond .");
    }
    write(entries);
    InvalidDatasetException e = refused();
    assertEquals(14, e.problems().size());
    assertTrue(e.getMessage().contains("14 problems"), e.getMessage());
    assertTrue(e.getMessage().contains("gone9.jpg"), e.getMessage());
    assertTrue(!e.getMessage().contains("gone10.jpg"), e.getMessage());
    assertTrue(e.getMessage().contains("... and 4 more"), e.getMessage());
  }

  @Test
  void skipsUpToTheAllowedNumberAndReportsThem() throws IOException {
    write(
        image("a.jpg", 0, "train", "a pond ."),
        image("gone.jpg", 1, "train", "a road ."),
        image("c.jpg", 2, "dev", "a river ."));
    CaptionedDataset read = KarpathyReader.read(json, images, 2);
    assertEquals(1, read.images().size());
    assertEquals(2, read.problems().size());
    assertThrows(InvalidDatasetException.class, () -> KarpathyReader.read(json, images, 1));
    assertThrows(IllegalArgumentException.class, () -> KarpathyReader.read(json, images, -1));
  }

  @Test
  void leavesOutAnEmptyCaptionAloneWhereAllowed() throws IOException {
    write(image("a.jpg", 0, "train", "a pond .", " . ", "a lake ."));
    CaptionedDataset read = KarpathyReader.read(json, images, 1);
    assertEquals(List.of("a pond .", "a lake ."), read.images().get(0).captions());
    assertEquals(1, read.problems().size());
    write(image("a.jpg", 0, "train", "a pond ."), image("c.jpg", 1, "train", "."));
    assertEquals(1, KarpathyReader.read(json, images, 1).images().size());
  }

  @Test
  void captionKeyFoldsWhatDoesNotMatter() {
    assertEquals("a pond and two cars", CaptionedDataset.captionKey(" A pond, and\ttwo  cars . "));
    // Two Hindi words that differ in a vowel sign alone.
    assertNotEquals(
        CaptionedDataset.captionKey("\u0915\u0932"),
        CaptionedDataset.captionKey("\u0915\u0932\u093e"));
    assertEquals(
        CaptionedDataset.captionKey("many planes are here."),
        CaptionedDataset.captionKey("Many planes are here ."));
    assertEquals("", CaptionedDataset.captionKey(" . , "));
    assertEquals("été 3", CaptionedDataset.captionKey("Été 3!"));
  }

  @Test
  void readsRealPhotographs() throws IOException {
    Path shared = Path.of(System.getProperty("crossmodal.shared", "../../shared"));
    Path real = shared.resolve("data/rsicd-aid/dataset_rsicd_aid.json");
    if (!Files.exists(real)) {
      System.out.println("skipped: no " + real + " (set -Dcrossmodal.shared)");
    }
    Assumptions.assumeTrue(Files.exists(real));
    // As published, three of its captions are nothing but a full stop.
    CaptionedDataset read = KarpathyReader.read(real, real.resolveSibling("images"), 3);
    assertEquals(3, read.problems().size());
    assertEquals(8087, read.split(Split.TRAIN).size());
    assertEquals(886, read.split(Split.VAL).size());
    int captions = read.images().stream().mapToInt(image -> image.captions().size()).sum();
    assertEquals(5 * 8973 - 3, captions);
  }
}
