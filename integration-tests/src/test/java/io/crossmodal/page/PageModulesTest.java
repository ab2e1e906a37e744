/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.page;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.microsoft.playwright.Page;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * The search page's modules without a node: what they compute, tested in JavaScript by {@code
 * modules.test.js}, and the types that their JSDoc says, checked by TypeScript. Both run in the
 * browser; without one they are skipped.
 */
class PageModulesTest {
  private static final Path MODULES =
      Path.of("../plugin/src/main/resources/io/crossmodal/plugin/ui");
  private static final String TYPESCRIPT = "/META-INF/resources/_static/typescript/5.8.3/lib/";

  private static Chromium chromium;
  private static HttpServer server;

  @BeforeAll
  static void start() throws IOException {
    assumeTrue(Chromium.installed().isPresent(), Chromium.MISSING);
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext("/", PageModulesTest::serve);
    server.start();
    chromium = Chromium.start();
  }

  @AfterAll
  static void stop() {
    if (chromium != null) {
      chromium.close();
      server.stop(0);
    }
  }

  private static void serve(HttpExchange exchange) throws IOException {
    String name = exchange.getRequestURI().getPath().replaceFirst(".*/", "");
    byte[] content = new byte[0];
    if (Files.exists(MODULES.resolve(name)) && !name.isEmpty()) {
      content = Files.readAllBytes(MODULES.resolve(name));
    } else if (name.equals("modules.test.js")) {
      content = resource(name);
    }
    String type = name.endsWith(".js") ? "text/javascript" : "text/html";
    exchange.getResponseHeaders().set("Content-Type", type + "; charset=UTF-8");
    exchange.sendResponseHeaders(200, content.length == 0 ? -1 : content.length);
    exchange.getResponseBody().write(content);
    exchange.close();
  }

  private static byte[] resource(String name) throws IOException {
    try (InputStream in = PageModulesTest.class.getResourceAsStream(name)) {
      return Objects.requireNonNull(in, name).readAllBytes();
    }
  }

  private static Page page() {
    Page page = chromium.browser().newPage();
    page.navigate(
        "http://localhost:" + server.getAddress().getPort() + "/_plugins/_cross_modal/ui");
    return page;
  }

  @Test
  void modulesComputeWhatTheirTestsSay() {
    try (Page page = page()) {
      Object failures = page.evaluate("import('./ui/modules.test.js').then((all) => all.run())");
      assertEquals(List.of(), failures);
    }
  }

  @Test
  void modulesKeepTheTypesThatTheySay() throws IOException {
    Map<String, String> files = new TreeMap<>(libraries());
    try (Stream<Path> modules = Files.list(MODULES)) {
      for (Path module : modules.filter(file -> file.toString().endsWith(".js")).toList()) {
        files.put("/ui/" + module.getFileName(), Files.readString(module));
      }
    }
    List<String> roots =
        new ArrayList<>(files.keySet().stream().filter(name -> name.startsWith("/ui/")).toList());
    // Of Leaflet no types are shipped: whatever the map takes from it is any.
    files.put("/ui/leaflet.js", "export {};");
    try (Page page = page()) {
      for (String script : List.of(TYPESCRIPT + "typescript.js", "types.js")) {
        String text = new String(resource(script), StandardCharsets.UTF_8);
        page.addScriptTag(new Page.AddScriptTagOptions().setContent(text));
      }
      Object complaints =
          page.evaluate(
              "({files, roots}) => checked(files, roots)", Map.of("files", files, "roots", roots));
      assertEquals(List.of(), complaints);
    }
  }

  /** TypeScript's declarations of the language and of browsers, by their names. */
  private static Map<String, String> libraries() throws IOException {
    Map<String, String> libraries = new TreeMap<>();
    // Its WebJar has them packed.
    try (InputStream in = PageModulesTest.class.getResourceAsStream("/META-INF/.more.tgz");
        TarArchiveInputStream tar =
            new TarArchiveInputStream(new GZIPInputStream(Objects.requireNonNull(in)))) {
      for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
        String name = entry.getName().replaceFirst(".*/", "");
        if (name.startsWith("lib.") && name.endsWith(".d.ts")) {
          libraries.put("/lib/" + name, new String(tar.readAllBytes(), StandardCharsets.UTF_8));
        }
      }
    }
    return libraries;
  }
}
