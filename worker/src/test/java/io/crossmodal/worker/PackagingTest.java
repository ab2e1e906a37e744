/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.worker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonParser;
import io.crossmodal.model.fixtures.SourceFiles;
import io.crossmodal.model.fixtures.WorkerProcess;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** The command lines of the systemd unit and the images, and the command line itself. */
final class PackagingTest {
  private static final Path PACKAGING =
      SourceFiles.moduleOf(PackagingTest.class).resolve("src/main/packaging");
  private static final String JAR = "/usr/share/cross-modal/crossmodal-worker.jar";

  @TempDir private Path directory;

  private static String read(String file) throws IOException {
    return Files.readString(PACKAGING.resolve(file));
  }

  private static String line(String file, String start) throws IOException {
    return read(file)
        .lines()
        .filter(line -> line.startsWith(start))
        .map(line -> line.substring(start.length()))
        .findFirst()
        .orElseThrow();
  }

  private static List<String> array(String json) {
    List<String> items = new ArrayList<>();
    JsonParser.parseString(json).getAsJsonArray().forEach(item -> items.add(item.getAsString()));
    return items;
  }

  /** What stands before the jar is the JVM's, what follows it the worker's. */
  private static List<String> options(List<String> command) {
    int jar = command.indexOf(JAR);
    assertEquals("-jar", command.get(jar - 1), command.toString());
    return command.subList(jar + 1, command.size());
  }

  private List<String> unit() throws IOException {
    return Arrays.asList(line("crossmodal-worker.service", "ExecStart=").split(" "));
  }

  @Test
  void theirOptionsAreTheWorkers() throws Exception {
    new CommandLine(new WorkerCommand()).parseArgs(options(unit()).toArray(String[]::new));
    Matcher compose = Pattern.compile("command: (\\[.*])").matcher(read("compose.yml"));
    assertTrue(compose.find());
    for (String file : List.of("Dockerfile", "Dockerfile.cuda")) {
      for (String more : List.of(line(file, "CMD "), compose.group(1))) {
        List<String> all = new ArrayList<>(options(array(line(file, "ENTRYPOINT "))));
        all.addAll(array(more));
        new CommandLine(new WorkerCommand()).parseArgs(all.toArray(String[]::new));
      }
      assertTrue(read(file).contains("USER 1000:1000"), file);
    }
  }

  /** The unit's command line, in this folder instead of the machine's. */
  @Test
  void theUnitsCommandRuns() throws Exception {
    List<String> unit = unit();
    List<String> launcher = new ArrayList<>(WorkerProcess.fromClassPath());
    launcher.addAll(1, unit.subList(1, unit.indexOf("-jar")));
    List<String> options = new ArrayList<>(options(unit));
    for (String own : List.of("--socket", "--data", "--device")) {
      int at = options.indexOf(own);
      options.subList(at, at + 2).clear();
    }
    Path socket = directory.resolve("w.sock");
    try (WorkerProcess worker =
        WorkerProcess.start(
            launcher, directory.resolve("data"), socket, options.toArray(String[]::new))) {
      assertTrue(worker.process().isAlive());
    }
  }

  @Test
  void systemdUnderstandsTheUnit() throws Exception {
    assumeTrue(
        Files.isExecutable(Path.of("/usr/bin/systemd-analyze")), "there is no systemd-analyze");
    Path unit = directory.resolve("crossmodal-worker.service");
    Files.writeString(
        unit,
        read("crossmodal-worker.service")
            .replace("User=opensearch", "User=root")
            .replace("Group=opensearch", "Group=root")
            .replaceAll("ExecStart=\\S+", "ExecStart=/bin/true"));
    Process process =
        new ProcessBuilder("systemd-analyze", "verify", unit.toString())
            .redirectErrorStream(true)
            .start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertTrue(process.waitFor(1, TimeUnit.MINUTES));
    List<String> own =
        said.lines().filter(line -> line.contains("crossmodal-worker.service")).toList();
    assertEquals(List.of(), own, said);
  }

  @Test
  void badOptionsAreRefused() {
    for (String[] bad :
        List.of(
            new String[] {"--memory", "much", "--socket", "/tmp/w"},
            new String[] {"--memory", "", "--socket", "/tmp/w"},
            new String[] {"--device", "tpu", "--socket", "/tmp/w"},
            new String[] {"--listen", "8000"})) {
      assertThrows(
          CommandLine.ParameterException.class,
          () -> new CommandLine(new WorkerCommand()).parseArgs(bad),
          String.join(" ", bad));
    }
    assertEquals(
        CommandLine.ExitCode.USAGE, new CommandLine(new WorkerCommand()).execute(), "no address");
    assertEquals(
        CommandLine.ExitCode.USAGE,
        new CommandLine(new WorkerCommand()).execute("--listen", "0.0.0.0:0"));
  }
}
