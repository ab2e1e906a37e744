/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.trainer.bundle.BundleWriter;
import java.awt.image.BufferedImage;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** What {@code encode} says on the command line of catalogues and tables. */
final class EncodeCommandTest {
  private static final long SEED = 3;

  @TempDir Path folder;

  private StringWriter err;

  @BeforeEach
  void write() throws Exception {
    BundleWriter.write(
        TestBundles.random("micro", ModelConfig.micro(), SEED),
        folder.resolve("bundle.zip"),
        List.of("a pond"));
    ImageIO.write(
        new BufferedImage(40, 40, BufferedImage.TYPE_INT_RGB),
        "png",
        folder.resolve("a.png").toFile());
    Files.writeString(
        folder.resolve("items.json"),
        "{\"type\": \"FeatureCollection\", \"features\": ["
            + item("a", "{\"visual\": {\"href\": \"a.png\", \"roles\": [\"visual\"]}}")
            + ","
            + item("bare", "{\"meta\": {\"href\": \"m.xml\"}}")
            + "]}");
  }

  private static String item(String id, String assets) {
    return "{\"type\": \"Feature\", \"stac_version\": \"1.1.0\", \"id\": \""
        + id
        + "\", \"geometry\": null, \"properties\": {\"datetime\": \"2024-05-01T10:20:30Z\"},"
        + " \"links\": [], \"assets\": "
        + assets
        + "}";
  }

  private String run(int expected, String... arguments) {
    err = new StringWriter();
    CommandLine commandLine = CrossModal.commandLine();
    commandLine.setErr(new PrintWriter(err, true));
    List<String> all = new ArrayList<>(List.of("encode"));
    all.addAll(List.of("--bundle", folder.resolve("bundle.zip").toString()));
    all.addAll(List.of("--spool", folder.resolve("spool").toString()));
    for (String argument : arguments) {
      all.add(argument.replace("DIR", folder.toString()));
    }
    if (!all.contains("--stac")) {
      all.subList(3, 5).clear();
    }
    assertEquals(expected, commandLine.execute(all.toArray(String[]::new)), err.toString());
    return err.toString();
  }

  @Test
  void aCatalogueOfThisMachineIsEncoded() throws Exception {
    String said = run(3, "--stac", "DIR/items.json", "--out", "DIR/lines");
    assertTrue(said.contains("1 pictures of 1 item encoded"), said);
    assertTrue(
        said.contains("item bare has no picture, or several: choose one with --asset"), said);
    String line = Files.readAllLines(folder.resolve("lines")).get(1);
    assertTrue(line.contains("\"stac\":{\"id\":\"a\",\"href\":\"file:"), line);
    assertTrue(line.contains("\"acquired\":\"2024-05-01T10:20:30Z\""), line);
    String strict =
        run(2, "--stac", "DIR/items.json", "--out", "DIR/strict", "--allow-problems", "0");
    assertTrue(strict.contains("items cannot be encoded (0 problems allowed)"), strict);
    String none = run(2, "--stac", "DIR/items.json", "--asset", "B04", "--out", "DIR/none");
    assertTrue(none.contains("lists no item that can be encoded"), none);
    assertTrue(none.contains("item a has no asset [B04]; it has [visual]"), none);
    try (var left = Files.list(folder.resolve("spool"))) {
      assertEquals(List.of(), left.toList());
    }
  }

  @Test
  void aTableIsWrittenWholeAndTakenBack() throws Exception {
    run(0, "--data", "DIR/a.png", "--out", "DIR/a.parquet");
    String again = run(2, "--data", "DIR/a.png", "--out", "DIR/a.parquet");
    assertTrue(again.contains("is there already; --restart replaces it"), again);
    run(0, "--data", "DIR/a.png", "--out", "DIR/a.parquet", "--restart");
    run(0, "--data", "DIR/a.png", "--out", "DIR/direct");
    run(0, "--data", "DIR/a.parquet", "--out", "DIR/back");
    assertEquals(
        Files.readString(folder.resolve("direct")), Files.readString(folder.resolve("back")));
    String cut = run(2, "--data", "DIR/a.parquet", "--out", "DIR/x", "--chip", "32");
    assertTrue(cut.contains("is encoded already"), cut);
    Files.writeString(folder.resolve("text.parquet"), "no table");
    String text = run(2, "--data", "DIR/text.parquet", "--out", "DIR/x");
    assertTrue(text.contains("text.parquet is no Parquet, or damaged"), text);
    assertFalse(Files.exists(folder.resolve("x")), "nothing was begun");
  }

  @Test
  void moreBrokenLinksThanAreAllowedAreNamed() throws Exception {
    Path pictures = Files.createDirectory(folder.resolve("pictures"));
    Files.copy(folder.resolve("a.png"), pictures.resolve("a.png"));
    Files.createSymbolicLink(pictures.resolve("b.png"), pictures.resolve("nowhere.png"));
    String said = run(2, "--data", "DIR/pictures", "--out", "DIR/x", "--allow-problems", "0");
    assertTrue(said.contains("pictures cannot be read (0 problems allowed)"), said);
    assertTrue(said.contains("b.png"), said);
  }

  @Test
  void optionsThatContradictOneAnotherAreRefused() {
    String two = run(2, "--data", "DIR", "--stac", "DIR/items.json", "--out", "DIR/x");
    assertTrue(two.contains("--data and --stac are two sources"), two);
    String none = run(2, "--out", "DIR/x");
    assertTrue(none.contains("--data or --stac is missing"), none);
    String asset = run(2, "--data", "DIR", "--asset", "visual", "--out", "DIR/x");
    assertTrue(asset.contains("are for --stac only"), asset);
    String sync = run(2, "--data", "DIR", "--sync", "--out", "DIR/x");
    assertTrue(sync.contains("--sync compares with an index"), sync);
    String source = run(2, "--data", "DIR", "--source", "x", "--out", "DIR/x");
    assertTrue(source.contains("--source and --delete-anyway are for --sync only"), source);
    String search = run(2, "--stac", "DIR/items.json", "--stac-search", "{}", "--out", "DIR/x");
    assertTrue(search.contains("a search is sent to an address of http"), search);
    String journal = run(2, "--data", "DIR/a.png", "--out", "DIR/j.parquet", "--journal", "DIR/j");
    assertTrue(journal.contains("--journal is not for a file of Parquet"), journal);
  }
}
