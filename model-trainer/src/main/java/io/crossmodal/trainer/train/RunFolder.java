/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import com.google.gson.FieldNamingPolicy;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The files of a training that can be resumed: {@code options.json}, {@code data.sha256}, {@code
 * metrics.jsonl} and the last checkpoint.
 */
public final class RunFolder {
  private static final String CHECKPOINT = "checkpoint.safetensors";
  private static final String DATA = "data.sha256";
  private static final String LOCK = "run.lock";
  private static final String METRICS = "metrics.jsonl";
  private static final String OPTIONS = "options.json";
  private static final Gson GSON =
      new GsonBuilder()
          .setFieldNamingPolicy(FieldNamingPolicy.LOWER_CASE_WITH_UNDERSCORES)
          .create();

  private final Path folder;

  private RunFolder(Path folder) {
    this.folder = folder;
  }

  /**
   * Opens a run folder, or makes it.
   *
   * @param options a record
   * @throws IllegalArgumentException when the folder holds a run of other options, or of unknown
   *     ones
   */
  public static RunFolder open(Path folder, Object options) throws IOException {
    Files.createDirectories(folder);
    Path file = folder.resolve(OPTIONS);
    String json = GSON.toJson(options);
    RunFolder run = new RunFolder(folder);
    if (!run.resumes()) {
      Files.writeString(file, json);
      return run;
    }
    String before = Files.exists(file) ? Files.readString(file) : "no " + OPTIONS;
    if (!before.equals(json)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "%s holds a run of other options; resume with those, or name another folder.%n "
                  + " there: %s%n  given: %s",
              folder,
              before,
              json));
    }
    return run;
  }

  /**
   * Returns the options that a run folder was made with.
   *
   * @throws IOException when the folder holds no run
   */
  static <T> T options(Path folder, Class<T> type) throws IOException {
    try {
      return GSON.fromJson(Files.readString(folder.resolve(OPTIONS)), type);
    } catch (JsonParseException | NumberFormatException e) {
      throw new IOException(folder + " holds no run: " + e.getMessage(), e);
    }
  }

  public Path path() {
    return folder;
  }

  /** Returns where the last checkpoint lies, or will. */
  public Path checkpoint() {
    return folder.resolve(CHECKPOINT);
  }

  /** Returns whether there is a checkpoint to go on from. */
  public boolean resumes() {
    return Files.exists(checkpoint());
  }

  /**
   * Refuses other data: they would resume without a word where the shapes happen to fit.
   *
   * @param digest of all that the data says of itself
   * @param what the data are, for the message
   * @return the digest in hexadecimal
   * @throws IllegalArgumentException when the run to resume is one over other data
   */
  public String requireSameData(MessageDigest digest, String what) throws IOException {
    String hash = hash(digest);
    Path file = folder.resolve(DATA);
    if (!resumes()) {
      Files.writeString(file, hash + "\n");
    } else if (!Files.exists(file) || !Files.readString(file).strip().equals(hash)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "%s holds a run over other %s; resume with those, or name another folder",
              folder,
              what));
    }
    return hash;
  }

  /** Returns a digest as it stands, in hexadecimal; it can be added to afterwards. */
  public static String hash(MessageDigest digest) {
    try {
      return HexFormat.of().formatHex(((MessageDigest) digest.clone()).digest());
    } catch (CloneNotSupportedException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * Keeps others from the folder until it is closed; a process that dies lets go of it.
   *
   * @throws IllegalArgumentException when another training has it
   */
  FileChannel lock() throws IOException {
    FileChannel channel =
        FileChannel.open(folder.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    try {
      if (channel.tryLock() != null) {
        return channel;
      }
    } catch (OverlappingFileLockException e) {
      // By this process: the same to the caller.
    } catch (IOException e) {
      channel.close();
      throw e;
    }
    channel.close();
    throw new IllegalArgumentException(
        "another training writes to " + folder + "; wait for it, or name another folder");
  }

  /** Drops the start of a line that a run that was killed, or a full disk, may have left. */
  void dropHalfLine() throws IOException {
    Path metrics = folder.resolve(METRICS);
    if (!Files.exists(metrics)) {
      return;
    }
    byte[] text = Files.readAllBytes(metrics);
    int end = text.length;
    while (end > 0 && text[end - 1] != '\n') {
      end--;
    }
    try (FileChannel channel = FileChannel.open(metrics, StandardOpenOption.WRITE)) {
      channel.truncate(end);
    }
  }

  /**
   * Returns the lines of {@code metrics.jsonl} by their steps. What lines of the same step say adds
   * up, and counts as it was said last: a run that was killed and resumed takes steps twice.
   *
   * @throws IOException when a line is no metrics line, unless it is the last, which may be cut
   *     short
   */
  public static SortedMap<Integer, JsonObject> metrics(Path folder) throws IOException {
    Path file = folder.resolve(METRICS);
    SortedMap<Integer, JsonObject> lines = new TreeMap<>();
    List<String> all = Files.exists(file) ? Files.readAllLines(file) : List.of();
    for (int i = 0; i < all.size(); i++) {
      try {
        JsonObject line = JsonParser.parseString(all.get(i)).getAsJsonObject();
        JsonObject known =
            lines.computeIfAbsent(line.get("step").getAsInt(), step -> new JsonObject());
        line.entrySet().forEach(entry -> known.add(entry.getKey(), entry.getValue()));
      } catch (JsonParseException
          | IllegalStateException
          | NullPointerException
          | NumberFormatException e) {
        if (i < all.size() - 1) {
          throw new IOException(file + ", line " + (i + 1) + " is no metrics line", e);
        }
      }
    }
    return lines;
  }

  SortedMap<Integer, JsonObject> metrics() throws IOException {
    return metrics(folder);
  }

  /** Appends a record to {@code metrics.jsonl}. */
  void log(Object line) throws IOException {
    Files.writeString(
        folder.resolve(METRICS),
        GSON.toJson(line) + "\n",
        StandardCharsets.UTF_8,
        StandardOpenOption.CREATE,
        StandardOpenOption.APPEND);
  }
}
