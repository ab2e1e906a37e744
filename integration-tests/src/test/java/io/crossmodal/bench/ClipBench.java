/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.bench;

import io.crossmodal.it.OpenSearchHome;
import io.crossmodal.it.OpenSearchNode;
import io.crossmodal.it.PluginNode;
import io.crossmodal.trainer.data.CaptionedImage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.opensearch.client.Request;

/**
 * CLIPs of published shapes on their way to a search: what a checkpoint's import and a node that
 * serves it take, each in a process of its own with a small heap. Weights are random, {@code
 * -Dbench.tokenizer} names {@code bpe_simple_vocab_16e6.txt.gz}, {@code -Dbench.shapes} some of
 * {@code B32,L14}.
 */
final class ClipBench {
  private static final int PICTURES = 16;
  private static final String MODELS = "/_plugins/_cross_modal/models/";

  private final Path work;
  private final Report report;

  private ClipBench(Path work, Report report) {
    this.work = work;
    this.report = report;
  }

  static void run() throws Exception {
    Path tokenizer = Path.of(System.getProperty("bench.tokenizer", ""));
    if (!Files.isRegularFile(tokenizer)) {
      throw new IllegalArgumentException(
          "-Dbench.tokenizer must name bpe_simple_vocab_16e6.txt.gz of OpenAI's or OpenCLIP's"
              + " repository, got ["
              + tokenizer
              + "]");
    }
    Path work = Path.of(System.getProperty("crossmodal.work", "target/bench")).toAbsolutePath();
    Report report = new Report("clip");
    report.table(
        "Random weights in fp32; import, deploy and node are processes of their own",
        "shape | step | heap, MB | seconds | highest resident, MB | what");
    for (String name : System.getProperty("bench.shapes", "B32,L14").split(",", -1)) {
      RandomClip shape = RandomClip.valueOf(name.toUpperCase(Locale.ROOT));
      boolean small = shape == RandomClip.B32;
      new ClipBench(Files.createTempDirectory(Files.createDirectories(work), "clip-"), report)
          .measure(shape, small ? 512 : 1024, small ? 1024 : 2048);
    }
    report.publish();
  }

  private void measure(RandomClip shape, int importHeap, int nodeHeap) throws Exception {
    String id = shape.name().toLowerCase(Locale.ROOT);
    Path checkpoint = work.resolve(id + ".safetensors");
    Path bundle = work.resolve(id + ".zip");
    shape.write(checkpoint);
    long weights = Files.size(checkpoint);
    row(
        shape,
        "import",
        importHeap,
        command(
            importHeap,
            "import",
            "--clip",
            checkpoint.toString(),
            "--arch",
            shape.architecture(),
            "--tokenizer",
            System.getProperty("bench.tokenizer"),
            "--id",
            id,
            "--out",
            bundle.toString()),
        String.format(Locale.ROOT, "%.0f MB to %.0f MB", weights / 1e6, Files.size(bundle) / 1e6));
    Files.delete(checkpoint);
    List<CaptionedImage> scenes = Scenes.generate(work, PICTURES, 3);
    OpenSearchHome home = OpenSearchHome.create(work.resolve("home"));
    home.install(PluginNode.zip());
    try (OpenSearchNode node =
        OpenSearchNode.builder(home, work.resolve("node"))
            .heapMegabytes(nodeHeap)
            .setting("plugins.cross_modal.precision", "fp32")
            .environment("OMP_WAIT_POLICY", "passive")
            .start()) {
      String address = node.baseUri().toString();
      row(
          shape,
          "deploy",
          importHeap,
          command(importHeap, "deploy", "--bundle", bundle.toString(), "--node", address),
          "upload, check, load");
      serve(shape, node, nodeHeap, id, scenes);
    }
    try (Stream<Path> files = Files.walk(work)) {
      for (Path file : files.sorted((a, b) -> b.compareTo(a)).toList()) {
        Files.delete(file);
      }
    }
  }

  private void serve(
      RandomClip shape, OpenSearchNode node, int heap, String id, List<CaptionedImage> scenes)
      throws IOException {
    call(
        node,
        "PUT",
        "/" + id,
        "{\"mappings\":{\"properties\":{\"image\":{\"type\":\"cross_modal\",\"model\":\""
            + id
            + "\"}}}}");
    StringBuilder bulk = new StringBuilder();
    for (CaptionedImage scene : scenes) {
      bulk.append("{\"index\":{}}\n{\"image\":{\"bytes\":\"")
          .append(Base64.getEncoder().encodeToString(Files.readAllBytes(scene.file())))
          .append("\"}}\n");
    }
    for (String which : List.of("first", "next")) {
      long start = System.nanoTime();
      String answer = call(node, "POST", "/" + id + "/_bulk?refresh=true", bulk.toString());
      if (!answer.contains("\"errors\":false")) {
        throw new IOException(answer.substring(0, Math.min(400, answer.length())));
      }
      row(shape, "bulk", heap, taken(start, node), which + " " + scenes.size() + " pictures");
    }
    for (String which : List.of("first", "next")) {
      long start = System.nanoTime();
      String answer =
          call(
              node,
              "POST",
              "/" + id + "/_search",
              "{\"query\":{\"cross_modal\":{\"field\":\"image\",\"query_text\":\"a pond "
                  + which
                  + "\"}}}");
      if (!answer.contains("\"_score\"")) {
        throw new IOException("no hits: " + answer);
      }
      row(shape, "search", heap, taken(start, node), which + " words");
    }
    String models = call(node, "GET", MODELS + id, null);
    System.out.println(models.substring(0, Math.min(2000, models.length())));
  }

  /** Seconds and highest resident memory. */
  private record Taken(double seconds, double megabytes) {}

  private static Taken taken(long start, OpenSearchNode node) throws IOException {
    return new Taken((System.nanoTime() - start) / 1e9, highest(node.process().pid()));
  }

  private void row(RandomClip shape, String step, int heap, Taken taken, String what) {
    report.row(shape.architecture(), step, heap, taken.seconds, taken.megabytes, what);
  }

  private Taken command(int heap, String... arguments) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-Xmx" + heap + "m");
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-Dai.djl.offline=true"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add("io.crossmodal.trainer.cli.CrossModal");
    command.addAll(List.of(arguments));
    long start = System.nanoTime();
    Path printed = Files.createTempFile(work, "printed", ".txt");
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(printed.toFile())
            .start();
    process.getOutputStream().close();
    double highest = 0;
    while (!process.waitFor(50, TimeUnit.MILLISECONDS)) {
      highest = Math.max(highest, highest(process.pid()));
    }
    if (process.exitValue() != 0) {
      throw new IOException(Files.readString(printed));
    }
    return new Taken((System.nanoTime() - start) / 1e9, highest);
  }

  /** Returns the highest resident memory of a process so far, in MB; 0 once it is gone. */
  private static double highest(long pid) throws IOException {
    try (Stream<String> lines = Files.lines(Path.of("/proc", Long.toString(pid), "status"))) {
      return lines
          .filter(line -> line.startsWith("VmHWM:"))
          .mapToDouble(line -> Double.parseDouble(line.replaceAll("\\D", "")) * 1024 / 1e6)
          .findFirst()
          .orElse(0);
    } catch (NoSuchFileException | UncheckedIOException e) {
      return 0;
    }
  }

  private static String call(OpenSearchNode node, String method, String path, String body)
      throws IOException {
    Request request = new Request(method, path);
    if (body != null) {
      request.setJsonEntity(body);
    }
    try (var in = node.client().performRequest(request).getEntity().getContent()) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }
}
