/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.raster;

import io.crossmodal.model.image.ImageFormatException;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * GDAL's programs, each run as a process of its own within a time and a number of bytes: what
 * crashes there crashes there. Thread-safe.
 *
 * @param info path of gdalinfo
 * @param translate path of gdal_translate
 * @param version such as "GDAL 3.6.2"
 */
record Gdal(Path info, Path translate, String version) {
  /** For a header: remote ones need several requests. */
  private static final Duration HEADER_TIME = Duration.ofMinutes(2);

  /** For a part of a raster. */
  private static final Duration PART_TIME = Duration.ofMinutes(10);

  private static final long HEADER_BYTES = 64L << 20;
  private static final int ERROR_BYTES = 4 << 10;
  private static final int BUFFER = 1 << 16;

  /** A path has one slash where a URL has two. */
  private static final Pattern FOLDED = Pattern.compile("\\b(https?|ftp):/(?!/)");

  private static final Pattern DRIVER = Pattern.compile("[A-Z][A-Z0-9_]+:.+");

  /**
   * Set where the user has not set them: an archive is read at places, over a network that fails.
   */
  private static final Map<String, String> REMOTE =
      Map.of(
          "GDAL_DISABLE_READDIR_ON_OPEN", "EMPTY_DIR",
          "GDAL_HTTP_MAX_RETRY", "5",
          "GDAL_HTTP_RETRY_DELAY", "1",
          "GDAL_HTTP_CONNECTTIMEOUT", "30",
          "GDAL_HTTP_LOW_SPEED_LIMIT", "1",
          "GDAL_HTTP_LOW_SPEED_TIME", "60");

  /** Finds the programs on a search path, as of PATH; empty where one is missing. */
  static Optional<Gdal> find(String searchPath) {
    Optional<Path> info = program("gdalinfo", searchPath);
    Optional<Path> translate = program("gdal_translate", searchPath);
    if (info.isEmpty() || translate.isEmpty()) {
      return Optional.empty();
    }
    String version;
    try {
      byte[] said =
          run(List.of(info.get().toString(), "--version"), false, HEADER_BYTES, HEADER_TIME);
      version = new String(said, StandardCharsets.UTF_8).replaceFirst("(?s),.*", "").strip();
    } catch (IOException | IllegalArgumentException e) {
      return Optional.empty();
    }
    return Optional.of(new Gdal(info.get(), translate.get(), version));
  }

  /** Returns a coordinate reference system in PROJ's words; empty where that cannot be known. */
  static Optional<String> parameters(String searchPath, String system) {
    Optional<Path> program = program("gdalsrsinfo", searchPath);
    if (program.isEmpty()) {
      return Optional.empty();
    }
    try {
      List<String> command = List.of(program.get().toString(), "-o", "proj4", system);
      byte[] said = run(command, false, HEADER_BYTES, HEADER_TIME);
      String text = new String(said, StandardCharsets.UTF_8).strip();
      return text.startsWith("+proj=") ? Optional.of(text) : Optional.empty();
    } catch (IOException | IllegalArgumentException e) {
      return Optional.empty();
    }
  }

  private static Optional<Path> program(String name, String searchPath) {
    for (String folder : searchPath.split(File.pathSeparator, -1)) {
      Path file = Path.of(folder, name);
      if (!folder.isEmpty() && Files.isExecutable(file)) {
        return Optional.of(file);
      }
    }
    return Optional.empty();
  }

  /** Returns whether a path is a name of GDAL's and no file. */
  static boolean isName(Path path) {
    String name = path.toString();
    return name.startsWith("/vsi") || DRIVER.matcher(name).matches();
  }

  /** Returns a path as GDAL's programs take it. */
  static String name(Path path) {
    return isName(path)
        ? FOLDED.matcher(path.toString()).replaceAll("$1://")
        : path.toAbsolutePath().toString();
  }

  /**
   * Returns what gdalinfo says of a raster, JSON.
   *
   * @throws ImageFormatException when GDAL does not read it, with what it says
   * @throws IOException when the program cannot be run, or does not end in time
   */
  String header(Path raster) throws IOException {
    List<String> command =
        List.of(
            info.toString(),
            "-json",
            "-mdd",
            "IMAGERY",
            "-mdd",
            "RPC",
            "-norat",
            "-noct",
            name(raster));
    return new String(
        run(command, isRemote(raster), HEADER_BYTES, HEADER_TIME), StandardCharsets.UTF_8);
  }

  /**
   * Returns what gdal_translate writes to its standard output, a TIFF.
   *
   * @param options of gdal_translate
   * @param most bytes that it may have
   * @throws ImageFormatException when GDAL cannot read it, with what it says
   * @throws IOException when the program cannot be run, or does not end in time
   */
  byte[] part(Path raster, List<String> options, long most) throws IOException {
    List<String> command = new ArrayList<>(List.of(translate.toString(), "-q", "-of", "GTiff"));
    command.addAll(options);
    command.addAll(List.of(name(raster), "/vsistdout/"));
    return run(command, isRemote(raster), most, PART_TIME);
  }

  private static boolean isRemote(Path raster) {
    return isName(raster);
  }

  /**
   * Runs a program.
   *
   * @param remote whether the network is asked
   * @param most bytes that it may write
   * @param time after which it is ended
   * @throws ImageFormatException when it does not end with status 0, with what it says
   * @throws IOException when it cannot be run, or does not end in time
   */
  static byte[] run(List<String> command, boolean remote, long most, Duration time)
      throws IOException {
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().put("LC_ALL", "C");
    if (remote) {
      REMOTE.forEach(builder.environment()::putIfAbsent);
    }
    Process process = builder.start();
    AtomicBoolean late = new AtomicBoolean();
    Executor later = CompletableFuture.delayedExecutor(time.toSeconds(), TimeUnit.SECONDS);
    CompletableFuture<Void> watch =
        CompletableFuture.runAsync(
            () -> {
              late.set(true);
              process.destroyForcibly();
            },
            later);
    String program = Path.of(command.get(0)).getFileName().toString();
    Taken errors = new Taken(ERROR_BYTES, true);
    Taken output = new Taken(most, false);
    Thread listener = Thread.ofVirtual().start(() -> errors.fill(process.getErrorStream()));
    try {
      process.getOutputStream().close();
      output.fill(process.getInputStream());
      if (output.exceeded) {
        throw new ImageFormatException(
            program + " writes more than the " + most + " bytes that its header comes to");
      }
      int status = process.waitFor();
      listener.join();
      if (late.get()) {
        throw new IOException(program + " did not end within " + time.toSeconds() + " s");
      }
      if (status != 0 || output.cut || output.bytes.size() == 0) {
        throw new ImageFormatException(
            program + " ended with status " + status + ": " + errors.lines());
      }
      return output.bytes.toByteArray();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException(program + " was interrupted", e);
    } finally {
      watch.cancel(false);
      process.destroyForcibly();
    }
  }

  /** Takes what a program writes, up to a number of bytes. */
  private static final class Taken {
    private final long most;

    /** Whether what follows is read all the same, so that the program need not wait. */
    private final boolean drained;

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private boolean exceeded;
    private boolean cut;

    Taken(long most, boolean drained) {
      this.most = most;
      this.drained = drained;
    }

    void fill(InputStream in) {
      byte[] buffer = new byte[BUFFER];
      try {
        for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
          int room = (int) Math.min(read, most - bytes.size());
          bytes.write(buffer, 0, room);
          exceeded |= room < read;
          if (exceeded && !drained) {
            return;
          }
        }
      } catch (IOException e) {
        // The program was ended, and is known to have been.
        cut = true;
      }
    }

    /** Returns what was written as one line, errors first where some are marked as such. */
    String lines() {
      List<String> all = bytes.toString(StandardCharsets.UTF_8).lines().distinct().toList();
      List<String> marked = all.stream().filter(line -> line.startsWith("ERROR")).toList();
      return (marked.isEmpty() ? all : marked)
          .stream().map(String::strip).limit(3).collect(Collectors.joining("; "));
    }
  }
}
