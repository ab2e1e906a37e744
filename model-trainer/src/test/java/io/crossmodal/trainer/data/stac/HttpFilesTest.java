/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.stac;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.bundle.Sha256;
import io.crossmodal.trainer.data.stac.StacItem.Asset;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class HttpFilesTest {
  private static final byte[] CONTENT = content(1, 300_000);

  @TempDir Path folder;

  private final List<Duration> waits = Collections.synchronizedList(new ArrayList<>());
  private MoodyServer server;
  private HttpFiles http;

  private static byte[] content(int seed, int size) {
    byte[] bytes = new byte[size];
    new Random(seed).nextBytes(bytes);
    // By its first bytes a TIFF, which is what assets are.
    System.arraycopy(new byte[] {'I', 'I', 42, 0}, 0, bytes, 0, Math.min(size, 4));
    return bytes;
  }

  @BeforeEach
  void start() throws IOException {
    server = new MoodyServer();
    http =
        new HttpFiles(MoodyServer.patience(Duration.ofMinutes(10), waits), Duration.ofMinutes(1));
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private byte[] download(String path) throws Exception {
    Path file = folder.resolve("file");
    http.download(server.at(path), file, bytes -> {});
    return Files.readAllBytes(file);
  }

  private String failure(String path) {
    return assertThrows(IOException.class, () -> download(path)).getMessage();
  }

  @Test
  void aFullServerIsAskedAgainAfterAsLongAsItSays() throws Exception {
    server.put("/scene.tif", CONTENT);
    server.once("/scene.tif", MoodyServer.status(429, "Retry-After", "7"));
    server.once("/scene.tif", MoodyServer.status(503, "", ""));
    server.once(
        "/scene.tif", MoodyServer.status(429, "Retry-After", "Fri, 01 Jan 1999 00:00:00 GMT"));
    assertArrayEquals(CONTENT, download("/scene.tif"));
    assertEquals(
        List.of(Duration.ofSeconds(7), Duration.ofMillis(500), Duration.ofSeconds(1)), waits);
  }

  @Test
  void aServerThatAsksForMorePatienceThanThereIsIsGivenUpAtOnce() {
    server.put("/scene.tif", CONTENT);
    server.once("/scene.tif", MoodyServer.status(429, "Retry-After", "3600"));
    String said = failure("/scene.tif");
    assertTrue(said.contains("429") && said.contains("asked to wait 3600 s"), said);
    assertEquals(List.of(), waits);
  }

  @Test
  void whatIsNotThereIsNotAskedForAgain() {
    String said = failure("/away.tif?signature=secret");
    assertTrue(said.endsWith("/away.tif?... answered 404"), said);
    assertEquals(List.of(), waits);
    assertEquals(1, server.requests().size());
  }

  @Test
  void aBrokenConnectionIsGoneOnWithFromThere() throws Exception {
    server.put("/scene.tif", CONTENT);
    server.once("/scene.tif", MoodyServer.breaksAfter(100_000));
    assertArrayEquals(CONTENT, download("/scene.tif"));
    assertEquals(List.of("GET /scene.tif", "GET /scene.tif bytes=100000-"), server.requests());
  }

  @Test
  void aFileThatChangedMeanwhileIsFetchedFromItsBeginning() throws Exception {
    server.put("/scene.tif", content(2, 200_000));
    server.once("/scene.tif", MoodyServer.breaksAfter(100_000));
    server.once(
        "/scene.tif",
        (exchange, old) -> {
          server.put("/scene.tif", CONTENT);
          exchange.sendResponseHeaders(502, -1);
        });
    assertArrayEquals(CONTENT, download("/scene.tif"));
    assertEquals(3, server.requests().size());
  }

  @Test
  void withoutATagNothingIsGoneOnWith() throws Exception {
    server.put("/scene.tif", CONTENT);
    server.once(
        "/scene.tif",
        (exchange, content) -> {
          exchange.sendResponseHeaders(200, content.length);
          exchange.getResponseBody().write(content, 0, 1000);
          exchange.close();
        });
    assertArrayEquals(CONTENT, download("/scene.tif"));
    assertEquals(List.of("GET /scene.tif", "GET /scene.tif"), server.requests());
  }

  @Test
  void anotherRangeThanWasAskedForIsRefused() {
    server.put("/scene.tif", CONTENT);
    server.once("/scene.tif", MoodyServer.breaksAfter(1000));
    server.once(
        "/scene.tif",
        (exchange, content) -> {
          exchange.getResponseHeaders().set("Content-Range", "bytes 500-999/1000");
          exchange.sendResponseHeaders(206, 500);
          exchange.getResponseBody().write(content, 500, 500);
        });
    String said = failure("/scene.tif");
    assertTrue(said.contains("bytes from 1000 on and sends [bytes 500-999/1000]"), said);
  }

  @Test
  void redirectsAreFollowed() throws Exception {
    server.put("/there.tif", CONTENT);
    server.once(
        "/here.tif", MoodyServer.status(302, "Location", server.at("/there.tif").toString()));
    assertArrayEquals(CONTENT, download("/here.tif"));
  }

  @Test
  void aConnectionOnWhichNothingComesIsGivenUp() throws Exception {
    CountDownLatch end = new CountDownLatch(1);
    http = new HttpFiles(MoodyServer.patience(Duration.ZERO, waits), Duration.ofMillis(200));
    server.put("/scene.tif", CONTENT);
    server.once(
        "/scene.tif",
        (exchange, content) -> {
          exchange.sendResponseHeaders(200, content.length);
          exchange.getResponseBody().write(content, 0, 1000);
          exchange.getResponseBody().flush();
          try {
            end.await();
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
        });
    String said = failure("/scene.tif");
    end.countDown();
    assertTrue(said.contains("nothing came"), said);
  }

  private Asset asset(String path, String checksum, OptionalLong size) {
    return new Asset("visual", server.at(path), "image/tiff", List.of(), checksum, size);
  }

  private List<String> spooled() throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      return files.filter(Files::isRegularFile).map(file -> file.getFileName().toString()).toList();
    }
  }

  @Test
  void assetsAreCheckedAndDeletedAfterUse() throws Exception {
    server.put("/scene.tif", CONTENT);
    try (AssetFiles files = new AssetFiles(http, Spool.in(folder, 1 << 20))) {
      String checksum = "1220" + Sha256.hex(CONTENT);
      try (AssetFiles.Fetched fetched =
          files.fetch(
              List.of(asset("/scene.tif", checksum, OptionalLong.empty())), Optional.empty())) {
        assertArrayEquals(CONTENT, Files.readAllBytes(fetched.file()));
      }
      assertEquals(List.of(), spooled());
      List<Asset> other =
          List.of(asset("/scene.tif", "1220" + Sha256.hex(new byte[1]), OptionalLong.empty()));
      IOException e = assertThrows(IOException.class, () -> files.fetch(other, Optional.empty()));
      assertTrue(e.getMessage().contains("file:checksum"), e.getMessage());
      List<Asset> shorter = List.of(asset("/scene.tif", "", OptionalLong.of(3)));
      IOException size =
          assertThrows(IOException.class, () -> files.fetch(shorter, Optional.empty()));
      assertTrue(
          size.getMessage().contains("300000 bytes where its item says 3"), size.getMessage());
      assertEquals(List.of(), spooled());
    }
  }

  /** GDAL opens it, whatever it is called, and what it names. */
  @Test
  void aVirtualRasterIsNotFetched() throws Exception {
    String raster =
        "<VRTDataset rasterXSize=\"8\" rasterYSize=\"8\"><VRTRasterBand dataType=\"Byte\""
            + " band=\"1\">"
            + "<SimpleSource><SourceFilename>/home/own.tif</SourceFilename></SimpleSource>"
            + "</VRTRasterBand></VRTDataset>";
    for (String path : List.of("/scene.tif", "/scene.vrt")) {
      server.put(path, raster.getBytes(StandardCharsets.UTF_8));
      try (AssetFiles files = new AssetFiles(http, Spool.in(folder, 1 << 20))) {
        List<Asset> asset = List.of(asset(path, "", OptionalLong.empty()));
        IOException e = assertThrows(IOException.class, () -> files.fetch(asset, Optional.empty()));
        assertTrue(e.getMessage().contains(path + " is no picture of its own pixels"), "" + e);
        assertEquals(List.of(), spooled());
      }
    }
  }

  @Test
  void aSpoolTakesNoMoreThanItsLimit() throws Exception {
    server.put("/scene.tif", CONTENT);
    List<Asset> asset = List.of(asset("/scene.tif", "", OptionalLong.empty()));
    try (AssetFiles files = new AssetFiles(http, Spool.in(folder, 100_000))) {
      IOException e = assertThrows(IOException.class, () -> files.fetch(asset, Optional.empty()));
      assertTrue(e.getMessage().contains("raise --spool-limit"), e.getMessage());
    }
    // A server that does not say beforehand how much it sends.
    server.once(
        "/scene.tif",
        (exchange, content) -> {
          exchange.sendResponseHeaders(200, 0);
          exchange.getResponseBody().write(content);
        });
    Spool spool = Spool.in(folder, 100_000);
    try (spool;
        Spool.Lease lease = spool.lease(0)) {
      IOException e =
          assertThrows(
              IOException.class,
              () -> http.download(server.at("/scene.tif"), lease.file(".tif"), lease::grow));
      assertTrue(e.getMessage().contains("raise --spool-limit"), e.getMessage());
    }
    assertEquals(List.of(), spooled());
  }

  @Test
  void aLeaseWaitsForRoom() throws Exception {
    try (Spool spool = Spool.in(folder, 1000)) {
      Spool.Lease first = spool.lease(600);
      CompletableFuture<Spool.Lease> second =
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  return spool.lease(600);
                } catch (IOException | InterruptedException e) {
                  throw new IllegalStateException(e);
                }
              });
      first.close();
      second.get().close();
      spool.lease(1000).close();
      assertThrows(IOException.class, () -> spool.lease(1001));
    }
  }

  /** What a server does not say beforehand waits, too, until others have let go. */
  @Test
  void whatGrowsWaitsForRoom() throws Exception {
    server.put("/scene.tif", CONTENT);
    server.refuseHead("/scene.tif");
    CountDownLatch asked = new CountDownLatch(1);
    server.once(
        "/scene.tif",
        (exchange, content) -> {
          asked.countDown();
          exchange.sendResponseHeaders(200, 0);
          exchange.getResponseBody().write(content);
        });
    Spool spool = Spool.in(folder, CONTENT.length);
    Spool.Lease other = spool.lease(1);
    List<Asset> asset = List.of(asset("/scene.tif", "", OptionalLong.empty()));
    try (AssetFiles files = new AssetFiles(http, spool)) {
      CompletableFuture<byte[]> fetched =
          CompletableFuture.supplyAsync(
              () -> {
                try (AssetFiles.Fetched here = files.fetch(asset, Optional.empty())) {
                  return Files.readAllBytes(here.file());
                } catch (IOException | InterruptedException e) {
                  throw new CompletionException(e);
                }
              });
      asked.await();
      while (spooled().stream().anyMatch(name -> name.endsWith(".tif"))) {
        Thread.onSpinWait();
      }
      other.close();
      assertArrayEquals(CONTENT, fetched.get());
    }
  }

  @Test
  void roomIsRefusedOrWaitedFor() throws Exception {
    try (Spool spool = Spool.in(folder, 1000)) {
      Spool.Lease first = spool.lease(600);
      Spool.Lease second = spool.lease(0);
      second.grow(400);
      assertThrows(Spool.FullException.class, () -> second.grow(401));
      second.close();
      CompletableFuture<Spool.Lease> all =
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  return spool.leaseAll();
                } catch (InterruptedException e) {
                  throw new CompletionException(e);
                }
              });
      first.close();
      all.get().grow(1000);
      IOException e = assertThrows(IOException.class, () -> all.get().grow(1001));
      assertTrue(e.getMessage().contains("raise --spool-limit"), e.getMessage());
      all.get().close();
      spool.lease(1000).close();
    }
  }

  /** What is fetched already is kept while room for more is waited for, by one lease at a time. */
  @Test
  void aLeaseKeepsWhatItHasWhileItWaits() throws Exception {
    try (Spool spool = Spool.in(folder, 1000)) {
      Spool.Lease first = spool.lease(400);
      Spool.Lease second = spool.lease(300);
      Spool.Lease third = spool.lease(300);
      Thread waiting =
          new Thread(
              () -> {
                try {
                  second.growPatiently(700);
                } catch (IOException | InterruptedException e) {
                  throw new CompletionException(e);
                }
              });
      waiting.start();
      while (waiting.getState() != Thread.State.WAITING) {
        Thread.onSpinWait();
      }
      assertThrows(Spool.FullException.class, () -> third.growPatiently(400));
      first.close();
      waiting.join();
      assertThrows(Spool.FullException.class, () -> third.grow(301));
      // A lease that took too much gives it back.
      Files.write(third.file(""), new byte[10]);
      third.settle();
      spool.lease(290).close();
      third.close();
      second.close();
      spool.lease(1000).close();
    }
  }

  @Test
  void filesOfThisMachineStayWhereTheyAre() throws Exception {
    Path own = Files.write(folder.resolve("own.tif"), CONTENT);
    URI href = own.toUri();
    Asset asset = new Asset("visual", href, "", List.of(), "", OptionalLong.empty());
    try (AssetFiles files = new AssetFiles(http, Spool.in(folder.resolve("spool"), 1))) {
      AssetFiles.Fetched fetched = files.fetch(List.of(asset), Optional.empty());
      fetched.close();
      assertEquals(own, fetched.file());
    }
    assertArrayEquals(CONTENT, Files.readAllBytes(own));
  }
}
