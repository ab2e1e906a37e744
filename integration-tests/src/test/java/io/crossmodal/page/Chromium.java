/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.page;

import com.microsoft.playwright.Browser;
import com.microsoft.playwright.BrowserType;
import com.microsoft.playwright.Playwright;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The Chromium of this machine, without a window, driven by Playwright. Nothing is downloaded:
 * where none is installed there is none. {@code CROSSMODAL_CHROMIUM} names another one.
 */
public final class Chromium implements AutoCloseable {
  /** What a test says that is skipped for want of a browser. */
  public static final String MISSING =
      "no Chromium is installed: apt-get install chromium, or name one in CROSSMODAL_CHROMIUM";

  private static final List<String> PLACES =
      List.of("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome");

  private final Playwright playwright;
  private final Browser browser;

  private Chromium(Path executable) {
    playwright =
        Playwright.create(
            new Playwright.CreateOptions().setEnv(Map.of("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")));
    browser =
        playwright
            .chromium()
            .launch(
                new BrowserType.LaunchOptions()
                    .setExecutablePath(executable)
                    // Root's Chromium has no sandbox of its own; it shows this build's pages only.
                    .setArgs(List.of("--no-sandbox", "--disable-dev-shm-usage")));
  }

  /** Returns where a browser is installed; empty for none. */
  public static Optional<Path> installed() {
    String named = System.getenv("CROSSMODAL_CHROMIUM");
    return Stream.concat(Stream.ofNullable(named), PLACES.stream())
        .map(Path::of)
        .filter(Files::isExecutable)
        .findFirst();
  }

  /**
   * Starts the browser that {@link #installed} found.
   *
   * @throws java.util.NoSuchElementException where there is none
   */
  public static Chromium start() {
    return new Chromium(installed().orElseThrow());
  }

  /** Returns the browser, for contexts and pages of a test's own. */
  public Browser browser() {
    return browser;
  }

  @Override
  public void close() {
    playwright.close();
  }
}
