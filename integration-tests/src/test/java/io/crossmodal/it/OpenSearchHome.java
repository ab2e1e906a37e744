/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.it;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * An OpenSearch installation in a folder of its own, as its tarball would unpack to, without a JDK.
 *
 * <p>The build assembles one installation from Maven Central (module {@code opensearch-home});
 * {@link #create} lays out another one from it, by hard links where the file system has them, so
 * that a test can install plugins without touching anybody else's.
 */
public final class OpenSearchHome {
  /** System property that names the assembled installation. The build sets it. */
  public static final String ASSEMBLED_PROPERTY = "crossmodal.opensearch.home";

  private final Path folder;

  private OpenSearchHome(Path folder) {
    this.folder = folder;
  }

  /**
   * Lays out a fresh installation without plugins.
   *
   * @param folder where; created with its parents, must be empty if it is there
   * @throws IOException if the assembled installation is missing, the folder is not empty, or a
   *     file cannot be written
   */
  public static OpenSearchHome create(Path folder) throws IOException {
    Path home = folder.toAbsolutePath().normalize();
    Files.createDirectories(home);
    try (Stream<Path> there = Files.list(home)) {
      if (there.findAny().isPresent()) {
        throw new FileSystemException(
            home.toString(), null, "an OpenSearch home needs an empty folder");
      }
    }
    Path assembled = assembled();
    try (Stream<Path> files = Files.walk(assembled)) {
      for (Path file : (Iterable<Path>) files::iterator) {
        Path target = home.resolve(assembled.relativize(file).toString());
        if (Files.isDirectory(file)) {
          Files.createDirectories(target);
        } else if (file.toString().endsWith(".jar")) {
          linkOrCopy(file, target);
        } else {
          Files.copy(file, target);
        }
      }
    }
    // OpenSearch refuses to start without these two, even empty.
    Files.createDirectories(home.resolve("bin"));
    Files.createDirectories(home.resolve("plugins"));
    return new OpenSearchHome(home);
  }

  /** Returns an installation that {@link #create} has laid out before. */
  static OpenSearchHome existing(Path folder) {
    return new OpenSearchHome(folder.toAbsolutePath().normalize());
  }

  /** Returns the installation's folder. */
  public Path folder() {
    return folder;
  }

  /**
   * Installs a plugin with OpenSearch's own command line tool, in its own process. Nodes that run
   * already do not see it.
   *
   * @param zip the plugin's zip
   * @throws IOException with the tool's output, if it refuses
   */
  public void install(Path zip) throws IOException {
    if (!Files.isRegularFile(zip)) {
      throw new IOException("no plugin zip at " + zip.toAbsolutePath() + ": run mvn package first");
    }
    runTool(
        List.of(
            "-cp",
            folder.resolve("lib/*") + ":" + folder.resolve("lib/tools/plugin-cli/*"),
            "-Dopensearch.path.home=" + folder,
            "-Dopensearch.path.conf=" + folder.resolve("config"),
            "-Dopensearch.distribution.type=tar",
            "org.opensearch.tools.cli.plugin.PluginCli",
            "install",
            "--batch",
            zip.toAbsolutePath().toUri().toString()),
        folder.resolve("config"));
  }

  /** Writes a node's configuration: what is delivered, its settings, more options for its JVM. */
  void configure(Path config, Map<String, String> settings, List<String> jvmOptions)
      throws IOException {
    Files.createDirectories(config.resolve("jvm.options.d"));
    for (String file : List.of("jvm.options", "log4j2.properties")) {
      Files.write(config.resolve(file), Files.readAllBytes(folder.resolve("config").resolve(file)));
    }
    Files.write(config.resolve("jvm.options.d").resolve("node.options"), jvmOptions);
    StringBuilder yaml = new StringBuilder();
    // In single quotes only the quote itself is special.
    settings.forEach(
        (key, value) ->
            yaml.append(key).append(": '").append(value.replace("'", "''")).append("'\n"));
    Files.writeString(config.resolve("opensearch.yml"), yaml);
  }

  /**
   * Returns the command that starts a node, never as root, which OpenSearch refuses: in a user
   * namespace the process is an ordinary user, and its files still belong to the caller.
   *
   * @param root whether whoever runs the command is root
   */
  List<String> command(Path config, Path temporary, boolean root) throws IOException {
    List<String> command = new ArrayList<>();
    if (root || "root".equals(System.getProperty("user.name"))) {
      command.addAll(List.of("unshare", "--user", "--map-user=1000", "--map-group=1000"));
    }
    command.add(java());
    command.addAll(jvmOptions(config, temporary));
    command.add("-Dopensearch.path.home=" + folder);
    command.add("-Dopensearch.path.conf=" + config);
    command.add("-Dopensearch.distribution.type=tar");
    command.add("-Dopensearch.bundled_jdk=false");
    command.addAll(List.of("-cp", folder.resolve("lib/*").toString()));
    command.add("org.opensearch.bootstrap.OpenSearch");
    return command;
  }

  /**
   * Returns what OpenSearch's launcher makes of {@code config/jvm.options}, ergonomics included.
   */
  private List<String> jvmOptions(Path config, Path temporary) throws IOException {
    String options =
        runTool(
            List.of(
                "-cp",
                folder.resolve("lib/*").toString(),
                "org.opensearch.tools.launchers.JvmOptionsParser",
                config.toString()),
            temporary);
    return List.of(options.strip().split("\\s+"));
  }

  /**
   * Returns the zips of the plugins that the build keeps beside the assembled installation, in the
   * order in which they can be installed.
   *
   * @throws IOException if there is no assembled installation
   */
  static List<Path> neighbours() throws IOException {
    Path folder = assembled().resolveSibling("neighbours");
    // The second extends the first.
    return List.of(folder.resolve("opensearch-knn.zip"), folder.resolve("neural-search.zip"));
  }

  /**
   * Returns the version of the assembled installation.
   *
   * @throws IOException if there is none
   */
  static String version() throws IOException {
    return assembled().getFileName().toString().replaceFirst("^opensearch-", "");
  }

  /** Returns the java command of the JDK that runs this code. */
  static String java() {
    return Path.of(System.getProperty("java.home"), "bin", "java").toString();
  }

  private static Path assembled() throws IOException {
    String value = System.getProperty(ASSEMBLED_PROPERTY);
    if (value == null || !Files.isDirectory(Path.of(value, "lib"))) {
      throw new IOException(
          "no assembled OpenSearch at "
              + value
              + ": run mvn package -pl integration-tests/opensearch-home and set -D"
              + ASSEMBLED_PROPERTY
              + "=integration-tests/opensearch-home/target/opensearch-<version>");
    }
    return Path.of(value).toAbsolutePath().normalize();
  }

  private static void linkOrCopy(Path file, Path target) throws IOException {
    try {
      Files.createLink(target, file);
    } catch (FileSystemException | UnsupportedOperationException e) {
      // Another file system, or one without links.
      Files.copy(file, target, StandardCopyOption.REPLACE_EXISTING);
    }
  }

  private String runTool(List<String> arguments, Path temporary) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(java());
    command.add("-Xmx256m");
    command.addAll(arguments);
    ProcessBuilder builder = new ProcessBuilder(command).directory(folder.toFile());
    builder.environment().put("OPENSEARCH_TMPDIR", temporary.toString());
    // Tools write their answer to stdout and complain on stderr.
    Path complaints = Files.createTempFile("opensearch-tool", ".txt");
    try {
      Process process = builder.redirectError(complaints.toFile()).start();
      process.getOutputStream().close();
      String answer = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (process.waitFor() != 0) {
        throw new IOException(
            "OpenSearch's tool failed: "
                + String.join(" ", command)
                + "\n"
                + answer
                + Files.readString(complaints));
      }
      return answer;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while OpenSearch's tool ran");
    } finally {
      Files.deleteIfExists(complaints);
    }
  }
}
