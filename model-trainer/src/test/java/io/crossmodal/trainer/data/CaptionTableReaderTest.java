/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CaptionTableReaderTest {
  @TempDir Path folder;
  private DatasetFiles files;

  @BeforeEach
  void pictures() throws IOException {
    files = new DatasetFiles(folder);
    files.pictures("a.png", "sub/b.png", "c.png");
  }

  private static List<String> captions(CaptionedDataset dataset, Split split) {
    return dataset.split(split).stream().flatMap(image -> image.captions().stream()).toList();
  }

  /** CSV's quotes, TSV without, JSON Lines with one caption or a list: the same data set. */
  @Test
  void theThreeKindsSayTheSame() throws IOException {
    List<Path> lists =
        List.of(
            files.write(
                "list.csv",
                "File,caption,split,source",
                "a.png,\"a pond, blue\",train,x",
                "sub/b.png,two tanks,validation,x",
                "a.png,a lake,train,x",
                "",
                "c.png,three,test,x"),
            files.write(
                "list.tsv",
                "filename\ttext\tsplit",
                "a.png\ta pond, blue\ttrain",
                "a.png\ta lake\ttrain",
                "sub/b.png\ttwo tanks\tval",
                "c.png\tthree\ttest"),
            files.write(
                "list.jsonl",
                "{\"file_name\":\"a.png\",\"captions\":[\"a pond, blue\",\"a"
                    + " lake\"],\"split\":\"train\"}",
                "{\"file_name\":\"sub/b.png\",\"text\":\"two tanks\",\"split\":\"dev\",\"x\":1}",
                "{\"file_name\":\"c.png\",\"text\":\"three\",\"split\":\"test\"}"));
    for (Path list : lists) {
      CaptionedDataset dataset = DatasetFiles.read(list);
      assertEquals(3, dataset.images().size(), list.toString());
      assertEquals(List.of("a pond, blue", "a lake"), captions(dataset, Split.TRAIN));
      assertEquals(List.of("two tanks"), captions(dataset, Split.VAL));
      assertEquals(List.of("three"), captions(dataset, Split.TEST));
    }
  }

  @Test
  void whereNoSplitIsNamedImagesAreDealtOutByTheirNames() throws IOException {
    String[] names = IntStream.range(0, 60).mapToObj(i -> "p" + i + ".png").toArray(String[]::new);
    files.pictures(names);
    Path list =
        files.write(
            "all.csv",
            "file,caption\n"
                + String.join(
                    "\n", IntStream.range(0, 60).mapToObj(i -> names[i] + ",pond " + i).toList()));
    CaptionedDataset dealt =
        Datasets.read(
            new Datasets.Options(
                list,
                Optional.empty(),
                0,
                Optional.of(
                    new FolderOptions(
                        FolderOptions.TEMPLATES, new Split.Shares(0.5, 0.25, 0.25), 3))));
    for (Split split : Split.values()) {
      assertTrue(dealt.split(split).size() > 3, split.toString());
    }
    Path named = files.write("named.csv", "file,caption,split", "a.png,x,train");
    assertThrows(
        IllegalArgumentException.class,
        () ->
            Datasets.read(
                new Datasets.Options(
                    named, Optional.empty(), 0, Optional.of(FolderOptions.DEFAULT))));
  }

  @Test
  void sharedCaptionsAreCountedAndLeftOut() throws IOException {
    Path list =
        files.write(
            "list.csv",
            "file,caption,split",
            "a.png,A pond.,train",
            "sub/b.png,a pond,val",
            "sub/b.png,two tanks,val",
            "c.png,a  POND,test");
    CaptionedDataset all = DatasetFiles.read(list);
    assertEquals(new CaptionedDataset.Shared(2, 1), all.shared(Split.VAL));
    assertEquals(
        "50.0 % of the captions in val (1 of 2) stand verbatim in train.",
        all.shared(Split.VAL).sentence(Split.VAL));
    CaptionedDataset distinct = all.withDistinctCaptions();
    assertEquals(all.split(Split.TRAIN), distinct.split(Split.TRAIN));
    assertEquals(List.of("two tanks"), captions(distinct, Split.VAL));
    assertEquals(List.of(), distinct.split(Split.TEST));
    for (Split split : List.of(Split.VAL, Split.TEST)) {
      assertEquals(0, distinct.shared(split).shared());
    }
  }

  @Test
  void aLabelBecomesCaptions() throws IOException {
    Path list = files.write("list.csv", "file,label,split", "a.png,BareLand,train");
    assertTrue(
        captions(DatasetFiles.read(list), Split.TRAIN)
            .contains("an aerial photograph of bare land"));
  }

  @Test
  void imagefoldersAreFound() throws IOException {
    files.pictures("hf/train/1.png", "hf/validation/2.png", "flat/images/3.png");
    files.write("hf/train/metadata.jsonl", "{\"file_name\":\"1.png\",\"text\":\"one\"}");
    files.write("hf/validation/metadata.csv", "file_name,text", "2.png,two");
    CaptionedDataset dataset = DatasetFiles.read(files.path("hf"));
    assertEquals(List.of("one"), captions(dataset, Split.TRAIN));
    assertEquals(List.of("two"), captions(dataset, Split.VAL));
    assertEquals("hf", dataset.name());
    // Named from the folder of the list, where images lie below it.
    files.write("flat/metadata.csv", "file_name,text,split", "images/3.png,three,train");
    assertEquals(List.of("three"), captions(DatasetFiles.read(files.path("flat")), Split.TRAIN));
  }

  @Test
  void aTableWithoutCaptionsIsNoDataSetOfAFolder() throws IOException {
    files.write("archive/metadata.csv", "file,latitude,longitude", "a.png,1,2");
    assertFalse(Datasets.holdsCaptions(files.path("archive")));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "a.png,x,nowhere|unknown split \"nowhere\"",
        "none.png,x,train|there is no file",
        "../a.png,x,train|points outside",
        "b.png|1 cells, the header 3",
        ",x,train|names no file",
        "c.png,,train|empty caption",
        "a.png,x,test|another split than at"
      })
  void whatIsWrongIsSaidWithItsPlaceAndCanBeSkipped(String line, String problem)
      throws IOException {
    Path list = files.write("bad.csv", "file,caption,split", "a.png,fine,train", line);
    DatasetFiles.assertOneProblem(list, problem);
    InvalidDatasetException e =
        assertThrows(InvalidDatasetException.class, () -> DatasetFiles.read(list));
    assertTrue(e.getMessage().contains("bad.csv:3"), e.getMessage());
  }

  @Test
  void allProblemsAreSaidAtOnce() throws IOException {
    Path list =
        files.write(
            "bad.jsonl",
            "{\"file\":\"a.png\",\"caption\":\"fine\",\"split\":\"train\"}",
            "{\"file\":\"none.png\",\"caption\":\"x\",\"split\":\"train\"}",
            "{\"file\":\"c.p",
            "[1]",
            "{\"caption\":\"x\"}");
    InvalidDatasetException e =
        assertThrows(InvalidDatasetException.class, () -> DatasetFiles.read(list));
    for (String place : List.of("bad.jsonl:2", "bad.jsonl:3", "bad.jsonl:4", "bad.jsonl:5")) {
      assertTrue(e.getMessage().contains(place), e.getMessage());
    }
    assertEquals(4, DatasetFiles.read(list, 4).problems().size());
  }

  @Test
  void columnsThatAreMissingAreNamed() throws IOException {
    DatasetFiles.assertUseless(
        files.write("other.csv", "s1,s2", "a.png,c.png"), "[s1, s2]", "caption");
  }

  /** A ustar archive; names beyond 100 characters by GNU's or pax's header. */
  private static byte[] tar(String... entries) throws IOException {
    ByteArrayOutputStream tar = new ByteArrayOutputStream();
    for (int i = 0; i < entries.length; i += 2) {
      String name = entries[i];
      if (name.length() > 100 && i % 4 == 0) {
        entry(tar, "././@LongLink", 'L', name + "\0");
      } else if (name.length() > 100) {
        String record = " path=" + name + "\n";
        entry(tar, "pax", 'x', record.length() + 3 + record);
      }
      entry(tar, name.substring(0, Math.min(100, name.length())), '0', entries[i + 1]);
    }
    tar.write(new byte[1024]);
    return tar.toByteArray();
  }

  private static void entry(ByteArrayOutputStream tar, String name, char type, String text)
      throws IOException {
    byte[] content = text.getBytes(StandardCharsets.ISO_8859_1);
    byte[] header = new byte[512];
    String size = String.format(Locale.ROOT, "%011o", content.length);
    System.arraycopy(name.getBytes(StandardCharsets.UTF_8), 0, header, 0, name.length());
    System.arraycopy(size.getBytes(StandardCharsets.UTF_8), 0, header, 124, 11);
    header[156] = (byte) type;
    Arrays.fill(header, 148, 156, (byte) ' ');
    int sum = 0;
    for (byte b : header) {
      sum += b & 0xff;
    }
    String check = String.format(Locale.ROOT, "%06o\0", sum);
    System.arraycopy(check.getBytes(StandardCharsets.UTF_8), 0, header, 148, 7);
    tar.write(header);
    tar.write(content);
    tar.write(new byte[(512 - content.length % 512) % 512]);
  }

  @Test
  void longNamesOfBothKindsAreRead() throws IOException {
    Path tar = folder.resolve("train.tar");
    String deep = "f".repeat(60) + "/" + "g".repeat(60);
    Files.write(
        tar,
        tar(
            deep + "1.png",
            picture(),
            deep + "1.txt",
            "one",
            deep + "2.txt",
            "two",
            deep + "2.png",
            picture()));
    CaptionedDataset dataset = DatasetFiles.read(tar);
    assertEquals(List.of("one", "two"), captions(dataset, Split.TRAIN));
    assertTrue(dataset.images().get(0).filename().endsWith(deep + "1.png"));
  }

  private String picture() throws IOException {
    return Files.readString(folder.resolve("a.png"), StandardCharsets.ISO_8859_1);
  }

  @Test
  void webDatasetsAreUnpackedOnce() throws IOException {
    Path shards = Files.createDirectory(folder.resolve("shards"));
    Files.write(
        shards.resolve("train-000.tar"),
        tar(
            "./k/1.txt",
            "one\nuno\n",
            "./k/1.png",
            picture(),
            "k/1.json",
            "{\"url\":\"x\"}",
            "2.cls",
            "7",
            "2.json",
            "{\"captions\":[\"two\"]}",
            "2.png",
            picture()));
    Files.write(shards.resolve("val-000.tar"), tar("3.png", picture(), "3.txt", "three"));
    CaptionedDataset dataset = DatasetFiles.read(shards);
    assertEquals(List.of("one", "uno", "two"), captions(dataset, Split.TRAIN));
    assertEquals(List.of("three"), captions(dataset, Split.VAL));
    CaptionedImage first = dataset.images().get(0);
    assertEquals(shards.resolve("train-000.tar.unpacked/k/1.png"), first.file());
    assertEquals(picture(), Files.readString(first.file(), StandardCharsets.ISO_8859_1));
    var written = Files.getLastModifiedTime(first.file());
    assertEquals(dataset, DatasetFiles.read(shards));
    assertEquals(written, Files.getLastModifiedTime(first.file()));
    assertThrows(
        IllegalArgumentException.class,
        () ->
            Datasets.read(new Datasets.Options(shards, Optional.of(folder), 0, Optional.empty())));
  }

  @Test
  void whatIsWrongInATarIsSaid() throws IOException {
    Path tar = folder.resolve("train.tar");
    Files.write(
        tar,
        tar(
            "1.png",
            picture(),
            "1.txt",
            "one",
            "../2.png",
            picture(),
            "3.txt",
            "three",
            "4.png",
            picture(),
            "5.png",
            picture(),
            "5.json",
            "{"));
    InvalidDatasetException e =
        assertThrows(InvalidDatasetException.class, () -> DatasetFiles.read(tar));
    for (String part :
        List.of("../2.png points outside", "3 has no picture", "4.png has no caption", "no JSON")) {
      assertTrue(e.getMessage().contains(part), e.getMessage());
    }
    assertFalse(Files.exists(folder.resolve("2.png")));
    Files.write(tar, new byte[] {1, 2, 3});
    DatasetFiles.assertUseless(tar, "no whole tar file");
    byte[] whole = tar("1.png", picture(), "1.txt", "one");
    Files.write(tar, Arrays.copyOf(whole, 600));
    DatasetFiles.assertUseless(tar, "no whole tar file");
  }
}
