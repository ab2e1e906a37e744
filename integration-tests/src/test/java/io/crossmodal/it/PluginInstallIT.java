/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The zips, through OpenSearch's own plugin command line. */
final class PluginInstallIT {
  private static final Path ZIP = Path.of(System.getProperty("crossmodal.plugin.zip"));

  /** A line of the list of licences: a jar's artifact, its licence, the licence's file. */
  private static final Pattern LICENCE =
      Pattern.compile("(\\S+) +(?:Apache-2\\.0|MIT|BSD-[23]-Clause) +(\\S+) +.*");

  private static Path folder;

  @BeforeAll
  static void makeFolder() throws IOException {
    folder = Nodes.folder("install");
  }

  @Test
  void installsIntoAStockOpenSearchWhichThenStarts() throws IOException {
    OpenSearchHome home = OpenSearchHome.create(folder.resolve("home"));
    home.install(ZIP);
    try (OpenSearchNode node = OpenSearchNode.builder(home, folder.resolve("node")).start()) {
      String plugins = Nodes.call(node, "GET", "/_cat/plugins?h=name,component", null);
      assertEquals("node cross-modal", plugins.strip());
      String descriptor =
          Files.readString(
              home.folder().resolve("plugins/cross-modal/plugin-descriptor.properties"));
      assertTrue(descriptor.contains("opensearch: \"~"), "later patch releases too: " + descriptor);
      refusesANodeOfAnotherFormat(home, node);
    }
  }

  /**
   * Checks a refusal: the setting stands for a version of the plugin whose nodes speak otherwise.
   */
  private static void refusesANodeOfAnotherFormat(OpenSearchHome home, OpenSearchNode node)
      throws IOException {
    Path other = folder.resolve("other");
    assertThrows(
        IOException.class,
        () ->
            OpenSearchNode.builder(home, other)
                .name("other")
                .setting("node.attr.cross_modal.format", "0")
                .joining(node)
                .startTimeout(Duration.ofSeconds(45))
                .start()
                .close());
    String said = Files.readString(other.resolve("logs/start-1.log"));
    assertTrue(
        said.contains("the cross-modal plugin of node [other] has the node format [0]"), said);
    String nodes = Nodes.call(node, "GET", "/_cat/nodes?h=name", null);
    assertEquals("node", nodes.strip());
  }

  private static Path zip(String kind) {
    return Path.of(ZIP.toString().replace(".zip", kind + ".zip"));
  }

  @Test
  void everyZipNamesTheLicenceOfEveryJar() throws IOException {
    Set<String> named = new TreeSet<>();
    Set<String> contained = new TreeSet<>();
    for (String kind : List.of("", "-slim", "-linux-aarch64")) {
      try (ZipFile zip = new ZipFile(zip(kind).toFile())) {
        assertNotNull(zip.getEntry("NOTICE"));
        try (InputStream list = zip.getInputStream(zip.getEntry("licenses/THIRD-PARTY.txt"))) {
          for (String line :
              new String(list.readAllBytes(), StandardCharsets.UTF_8).lines().toList()) {
            Matcher jar = LICENCE.matcher(line);
            if (jar.matches()) {
              named.add(jar.group(1));
              Path text = Path.of("licenses").resolve(jar.group(2)).normalize();
              assertNotNull(zip.getEntry(text.toString()), line);
            }
          }
        }
        zip.stream()
            .map(ZipEntry::getName)
            .filter(name -> name.endsWith(".jar"))
            .forEach(name -> contained.add(name.replaceAll("-\\d.*", "")));
      }
    }
    assertEquals(contained, named, "jars in the zips, and lines of THIRD-PARTY.txt");
  }

  /** Not run on such a machine: what is in it is all that is known. */
  @Test
  void theZipForAarch64BringsItsOwnLibtorch() throws IOException {
    OpenSearchHome home = OpenSearchHome.create(folder.resolve("aarch64-home"));
    home.install(zip("-linux-aarch64"));
    try (Stream<Path> jars = Files.list(home.folder().resolve("plugins/cross-modal"))) {
      List<String> natives =
          jars.map(jar -> jar.getFileName().toString())
              .filter(jar -> jar.contains("native-cpu"))
              .toList();
      assertEquals(1, natives.size(), natives.toString());
      assertTrue(natives.get(0).endsWith("linux-aarch64.jar"), natives.toString());
    }
  }

  @Test
  void theSlimZipLeavesOutLibtorchOnly() throws IOException {
    Path slim = zip("-slim");
    OpenSearchHome home = OpenSearchHome.create(folder.resolve("slim-home"));
    home.install(slim);
    try (Stream<Path> jars = Files.list(home.folder().resolve("plugins/cross-modal"))) {
      assertTrue(jars.noneMatch(jar -> jar.getFileName().toString().contains("native-cpu")));
    }
  }

  @Test
  void aForeignZipIsRefusedWithTheToolsOwnWords() throws IOException {
    OpenSearchHome home = OpenSearchHome.create(folder.resolve("refusing-home"));
    Path foreign = Files.writeString(folder.resolve("foreign.zip"), "no zip at all");
    IOException refused = assertThrows(IOException.class, () -> home.install(foreign));
    assertTrue(refused.getMessage().contains("OpenSearch's tool failed"), refused.getMessage());
  }
}
