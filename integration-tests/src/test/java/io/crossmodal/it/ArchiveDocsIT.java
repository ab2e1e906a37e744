/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.crossmodal.model.fixtures.Gdal;
import io.crossmodal.model.fixtures.SourceFiles;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;

/**
 * Every command of docs/archive.md's way from a scene to a search, in its order, against a node.
 */
final class ArchiveDocsIT {
  private static final Pattern SUMMARY =
      Pattern.compile("(\\d+) chips of 1 scene encoded.* (\\d+) showing too little");

  private static final Pattern COMMANDS = Pattern.compile("(?s)\n```\n(.*?)\n```\n");

  @Test
  void theDocumentsCommandsWork() throws Exception {
    assumeTrue(Gdal.isInstalled(), "gdal_translate is not installed");
    Path module = SourceFiles.moduleOf(ArchiveDocsIT.class).toAbsolutePath();
    String text = Files.readString(module.resolveSibling("docs").resolve("archive.md"));
    String way =
        text.substring(
            text.indexOf("## From a scene to a search"), text.indexOf("## A STAC catalogue"));
    List<String> blocks = new ArrayList<>();
    for (Matcher block = COMMANDS.matcher(way); block.find(); ) {
      blocks.add(block.group(1));
    }
    assertEquals(5, blocks.size(), "blocks of commands");
    Path folder = Nodes.folder("archive-docs").toAbsolutePath();
    Files.createSymbolicLink(
        folder.resolve("model-trainer"), module.resolveSibling("model-trainer"));
    try (OpenSearchNode node = PluginNode.start(folder.resolve("opensearch"), 0)) {
      List<String> printed = new ArrayList<>();
      for (String block : blocks) {
        String here = "127.0.0.1:" + node.baseUri().getPort();
        printed.add(bash(folder, block.replace("localhost:9200", here)));
        // Readers are slower than an index's refreshes.
        Nodes.call(node, "POST", "/_refresh", null);
      }
      assertTrue(printed.get(1).contains("64 chips of 1 scene encoded"), printed.get(1));
      // Of the 64 some show clouds alone, by the scene classification.
      Matcher granule = SUMMARY.matcher(printed.get(2));
      assertTrue(granule.find(), printed.get(2));
      int kept = Integer.parseInt(granule.group(1));
      assertEquals(64, kept + Integer.parseInt(granule.group(2)), printed.get(2));
      assertTrue(kept > 32 && kept < 64, printed.get(2));
      JsonObject first = JsonParser.parseString(printed.get(3)).getAsJsonObject();
      assertEquals(3, first.getAsJsonObject("hits").getAsJsonArray("hits").size(), printed.get(3));
      JsonObject found = source(printed.get(4));
      assertEquals("[256,128,128,128]", found.get("window").toString());
      assertEquals("2023-06-14T16:08:31Z", found.get("acquired").getAsString());
      for (String index : List.of("archive", "granule")) {
        Nodes.call(node, "POST", "/" + index + "/_refresh", null);
        JsonObject chip = source(Nodes.call(node, "GET", "/" + index + "/_search?size=1", null));
        byte[] thumbnail = Base64.getDecoder().decode(chip.get("thumbnail").getAsString());
        assertEquals(128, ImageIO.read(new ByteArrayInputStream(thumbnail)).getWidth());
        assertEquals(5, chip.get("resolution").getAsDouble(), 1e-9);
        assertEquals("granule".equals(index), chip.has("cloud"));
      }
    }
  }

  private static JsonObject source(String response) {
    return JsonParser.parseString(response)
        .getAsJsonObject()
        .getAsJsonObject("hits")
        .getAsJsonArray("hits")
        .get(0)
        .getAsJsonObject()
        .getAsJsonObject("_source");
  }

  /** Runs commands, the first of which that fails ends them; returns what they print. */
  private static String bash(Path folder, String commands) throws Exception {
    ProcessBuilder builder = new ProcessBuilder("bash", "-e", "-c", commands);
    String java = Path.of(OpenSearchHome.java()).getParent().toString();
    builder.environment().merge("PATH", java, (old, own) -> own + ":" + old);
    builder.directory(folder.toFile()).redirectErrorStream(true);
    Process process = builder.start();
    process.getOutputStream().close();
    String printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), commands + "\n" + printed);
    return printed;
  }
}
