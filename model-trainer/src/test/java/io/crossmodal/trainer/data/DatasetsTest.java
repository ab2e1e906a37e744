/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import static io.crossmodal.trainer.data.DatasetFiles.assertOneProblem;
import static io.crossmodal.trainer.data.DatasetFiles.assertUseless;
import static io.crossmodal.trainer.data.DatasetFiles.read;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** PIR's JSON and the precomp texts; and that every format is recognised. */
class DatasetsTest {
  private static final String ROW = "{\"image\":\"%s\",\"caption\":%s}";
  private static final String GOOD =
      "{\"image\":\"train/a.png\",\"caption\":[\"a pond .\",\" one pond .\"]}";

  @TempDir Path folder;
  private DatasetFiles files;

  @BeforeEach
  void paint() throws IOException {
    files = new DatasetFiles(folder);
    files.pictures("images/train/a.png", "images/train/b.png", "images/val/c.png", "images/d.png");
  }

  private static String row(String image, String caption) {
    return ROW.replaceFirst("%s", image).replace("%s", caption);
  }

  private Path pir(String name, String... rows) throws IOException {
    return files.write(name, "[" + String.join(",", rows) + "]");
  }

  // PIR

  @Test
  void readsPirListsOfCaptions() throws IOException {
    Path json = pir("toy_train.json", GOOD, row("b.png", "[\"a road\"]"));
    files.pictures("images/b.png");
    CaptionedDataset read = read(json);
    assertEquals("toy_train", read.name());
    assertEquals(List.of("a pond .", "one pond ."), read.images().get(0).captions());
    assertEquals("train/a.png", read.images().get(0).filename());
    assertEquals(folder.resolve("images/train/a.png"), read.images().get(0).file());
    assertEquals(2, read.split(Split.TRAIN).size());
    assertEquals(List.of(0, 1), read.images().stream().map(CaptionedImage::imageId).toList());
  }

  @Test
  void addsUpPirEntriesOfOneImage() throws IOException {
    String first = "{\"image\":\"train/a.png\",\"image_id\":7,\"caption\":\"a pond\",\"label\":3}";
    String other = "{\"image\":\"train/b.png\",\"image_id\":8,\"caption\":\"a road\"}";
    Path json = pir("toy_train.json", first, other, first.replace("a pond", "one pond"));
    CaptionedDataset read = read(json);
    assertEquals(2, read.images().size());
    assertEquals(List.of("a pond", "one pond"), read.images().get(0).captions());
    assertEquals(List.of("a road"), read.images().get(1).captions());
  }

  @Test
  void readsTheFilesOfOnePirDataSetTogether() throws IOException {
    pir("toy_train.json", GOOD);
    pir("toy_val.json", row("val/c.png", "[\"a river\"]"));
    // Published without folders for the splits.
    pir("toy_test.json", row("test/d.png", "[\"a lake\"]"));
    CaptionedDataset read = read(folder);
    assertEquals("toy", read.name());
    assertEquals(folder.resolve("images/d.png"), read.split(Split.TEST).get(0).file());
    assertEquals("test/d.png", read.split(Split.TEST).get(0).filename());
    assertEquals(1, read.split(Split.VAL).size());
    assertEquals(1, read.split(Split.TRAIN).size());
    // Another data set beside it: which one is meant?
    pir("other_train.json", GOOD);
    assertUseless(folder, "several data sets", "other_train.json, toy_test.json, toy_train.json");
  }

  @Test
  void takesThePirSplitFromTheFolderWhereTheFileNamesNone() throws IOException {
    Path json = pir("captions.json", GOOD, row("val/c.png", "[\"a river\"]"));
    CaptionedDataset read = read(json);
    assertEquals(1, read.split(Split.TRAIN).size());
    assertEquals(1, read.split(Split.VAL).size());
    assertEquals(2, read(folder).images().size());
    assertOneProblem(
        pir("captions.json", GOOD, row("d.png", "[\"a lake\"]")),
        "captions.json[1] d.png is of unknown split");
  }

  @Test
  void refusesDamagedPirEntries() throws IOException {
    String b = "train/b.png";
    List<List<String>> damage =
        List.of(
            List.of("3", "toy_train.json[1] is no object"),
            List.of("{\"caption\":\"a\"}", "[1] has no text as image: null"),
            List.of("{\"image\":5,\"caption\":\"a\"}", "[1] has no text as image: 5"),
            List.of(row(b, "5"), b + " has neither a text nor a list of texts as caption: 5"),
            List.of("{\"image\":\"train/b.png\"}", "has neither a text nor a list"),
            List.of(row(b, "[]"), b + " has no caption"),
            List.of(row(b, "[\"a road\",\" . \"]"), b + " has an empty caption at caption[1]"),
            List.of(row(b, "[\"a road\",null]"), b + " has an empty caption at caption[1]"),
            List.of(row(b, "\"\""), b + " has an empty caption at [1]"),
            List.of(row("train/x.png", "\"a\""), "train/x.png: there is no file " + folder),
            List.of(row("../../x.png", "\"a\""), "points outside the folder of images"),
            List.of(row("/x.png", "\"a\""), "points outside the folder of images"),
            List.of(
                row("train/a.png", "[\"a\"]"),
                "[1] train/a.png repeats the filename of toy_train.json[0]"));
    for (List<String> each : damage) {
      assertOneProblem(pir("toy_train.json", GOOD, each.get(0)), each.get(1));
    }
  }

  @Test
  void refusesAPirNumberOfTwoImages() throws IOException {
    String one = "{\"image\":\"train/a.png\",\"image_id\":7,\"caption\":\"a pond\"}";
    String two = "{\"image\":\"train/b.png\",\"image_id\":7,\"caption\":\"a road\"}";
    assertOneProblem(
        pir("toy_train.json", one, two),
        "toy_train.json[1] train/b.png repeats the image_id 7 of train/a.png");
    // Every file counts from 0.
    pir("toy_train.json", one);
    pir("toy_val.json", two.replace("train/b", "val/c"));
    assertEquals(2, read(folder).images().size());
  }

  @Test
  void refusesAnImageInTwoSplits() throws IOException {
    pir("toy_train.json", GOOD);
    pir("toy_test.json", row("train/a.png", "[\"a pond\"]"));
    assertOneProblem(folder, "repeats the filename of toy_test.json[0]");
  }

  @Test
  void refusesPirJsonOfAnotherType() throws IOException {
    assertUseless(files.write("x_train.json", "[{\"image\":"), "x_train.json", "not valid JSON");
    assertUseless(files.write("x_train.json", "\"text\""), "x_train.json is no data set");
    assertUseless(files.write("x_train.json", ""), "x_train.json is no data set", "Karpathy");
    assertUseless(files.write("x_train.json", "{\"a\":[]}"), "no array \"images\"");
    assertUseless(pir("x_train.json"), "holds no usable image");
    String accent = "[{\"image\":\"train/a.png\",\"caption\":\"\u00e9t\u00e9\"}]";
    Path latin =
        Files.write(files.path("x_train.json"), accent.getBytes(StandardCharsets.ISO_8859_1));
    assertUseless(latin, "x_train.json is not UTF-8 text");
  }

  // Precomp

  private Path precomp(String split, List<String> names, List<String> captions) throws IOException {
    files.write("p/" + split + "_filename.txt", String.join("\n", names) + "\n");
    return files.write("p/" + split + "_caps.txt", String.join("\n", captions) + "\n");
  }

  private static List<String> captions(String... of) {
    return Arrays.stream(of)
        .flatMap(
            what -> List.of("a", "one", "the", "this", "some").stream().map(w -> w + " " + what))
        .toList();
  }

  @Test
  void readsPrecompTextsWithANameForEachImageOrEachCaption() throws IOException {
    files.pictures("p/images/a.png", "p/images/b.png", "p/images/c.png");
    Path train = precomp("train", List.of("a.png", "b.png"), captions("pond", "road"));
    precomp("dev", Collections.nCopies(5, "c.png"), captions("river"));
    CaptionedDataset read = read(folder.resolve("p"));
    assertEquals("p", read.name());
    assertEquals(captions("road"), read.split(Split.TRAIN).get(1).captions());
    assertEquals("c.png", read.split(Split.VAL).get(0).filename());
    assertEquals(captions("river"), read.split(Split.VAL).get(0).captions());
    assertEquals(2, read(train).images().size());
    assertEquals(3, read.images().stream().mapToInt(CaptionedImage::imageId).distinct().count());
  }

  @Test
  void refusesDamagedPrecompTexts() throws IOException {
    files.pictures("p/a.png", "p/b.png", "x.png");
    Path p = folder.resolve("p");
    List<String> pond = captions("pond");
    precomp("train", List.of("a.png", "gone.png"), captions("pond", "road"));
    assertOneProblem(p, "train_filename.txt:2 gone.png: there is no file");
    precomp("train", List.of("a.png", "a.png"), captions("pond", "road"));
    assertOneProblem(p, "train_filename.txt:2 a.png repeats the filename of train_filename.txt:1");
    precomp("train", List.of("a.png", " "), captions("pond", "road"));
    assertOneProblem(p, "train_filename.txt:2 has no name");
    precomp("train", List.of("a.png", "../x.png"), captions("pond", "road"));
    assertOneProblem(p, "../x.png points outside");
    precomp("train", List.of("a.png"), List.of("a pond", "one pond", "", "the pond", "pond"));
    assertOneProblem(p, "train_filename.txt:1 a.png has an empty caption at train_caps.txt:3");
    assertEquals(4, read(p, 1).images().get(0).captions().size());
    precomp(
        "train",
        List.of("a.png", "a.png", "a.png", "a.png", "a.png", "b.png", "b.png", "b.png", "b.png"),
        captions("pond", "road").subList(0, 9));
    assertOneProblem(p, "train_filename.txt:6 b.png has 4 lines, 5 expected");
    precomp("train", List.of("a.png", "b.png"), captions("pond", "road").subList(0, 9));
    assertUseless(p, "train_caps.txt has 9 lines and train_filename.txt has 2", "5 captions");
    precomp("train", List.of("a.png"), pond);
    precomp("extra", List.of("b.png"), pond);
    assertOneProblem(p, "extra_caps.txt is of the unknown split \"extra\"; train, restval, val");
    Files.delete(p.resolve("extra_caps.txt"));
    Files.delete(p.resolve("train_filename.txt"));
    assertUseless(p, "train_caps.txt needs train_filename.txt beside it");
    Files.write(p.resolve("train_filename.txt"), new byte[] {'a', (byte) 0xff, '\n'});
    assertUseless(p, "train_filename.txt is not UTF-8 text");
  }

  // Recognition

  @Test
  void prefersCaptionFilesToFoldersAndIgnoresOtherJson() throws IOException {
    files.write("labels.json", "{\"train\":0,\"val\":1}");
    files.write("broken.json", "{\"train\":");
    Path images = folder.resolve("images");
    files.write("images/label_map.json", "{\"train\":0,\"val\":1}");
    // One picture lies beside the two folders, as a stray.
    assertEquals("images", read(images).name());
    files.write(
        "images/dataset.json",
        "{\"dataset\":\"k\",\"images\":[{\"filename\":\"train/a.png\",\"imgid\":4,"
            + "\"split\":\"test\",\"sentences\":[{\"raw\":\"a pond\"}]}]}");
    assertEquals("k", read(images).name());
    assertEquals("k", read(images.resolve("dataset.json")).name());
    assertEquals(4, read(images).images().get(0).imageId());
  }

  @Test
  void saysWhatItExpectedWhereNothingFits() throws IOException {
    assertUseless(folder.resolve("nowhere"), "nowhere is not a file and not a folder; expected is");
    assertUseless(
        files.write("notes.txt", "hello"), "notes.txt is no data set", "<class>/<picture>");
    assertUseless(files.path("images/d.png"), "d.png is no data set", "Karpathy", "_caps.txt");
    // Its folder "images" holds folders of pictures.
    assertUseless(folder, "holds no data set", "one deeper: perhaps " + folder.resolve("images"));
    Path one = folder.resolve("one");
    files.pictures("one/only/a.png");
    assertUseless(one, "one holds no data set that is known here; expected", "two or more folders");
  }

  private static void assertRefused(Datasets.Options options, String part) {
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> Datasets.read(options));
    assertTrue(e.getMessage().contains(part), e.getMessage());
  }

  @Test
  void refusesOptionsThatHaveNoEffect() throws IOException {
    Path json = pir("toy_train.json", GOOD);
    Optional<Path> images = Optional.of(folder.resolve("images"));
    assertRefused(
        new Datasets.Options(json, images, 0, Optional.of(FolderOptions.DEFAULT)),
        "for labelled folders only");
    assertRefused(
        new Datasets.Options(images.get(), images, 0, Optional.empty()),
        "name no folder of images");
    assertRefused(
        new Datasets.Options(json, Optional.of(folder.resolve("gone")), 0, Optional.empty()),
        "gone is not a folder; the images of " + json);
    Files.move(images.get(), folder.resolve("pictures"));
    Optional<Path> pictures = Optional.of(folder.resolve("pictures"));
    assertEquals(
        1,
        Datasets.read(new Datasets.Options(json, pictures, 0, Optional.empty())).images().size());
    assertThrows(
        IllegalArgumentException.class,
        () -> new Datasets.Options(json, pictures, -1, Optional.empty()));
  }
}
