/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.runtime;

import ai.djl.util.Platform;
import ai.djl.util.Utils;
import io.crossmodal.model.Messages;
import io.crossmodal.model.inference.InferenceException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;
import java.util.function.UnaryOperator;

/**
 * A folder with the libtorch that this node is to load: the operator's, or the one of the plugin's
 * zip, unpacked.
 *
 * @param folder holds {@code libtorch.so}
 * @param version such as {@code 2.7.1}
 * @param flavor {@code cpu}, or the CUDA build such as {@code cu128}
 */
record Libtorch(Path folder, String version, String flavor) {
  static final String PATH = "PYTORCH_LIBRARY_PATH";
  static final String VERSION = "PYTORCH_VERSION";
  static final String FLAVOR = "PYTORCH_FLAVOR";

  private static final String LIBRARY = System.mapLibraryName("torch");
  private static final String JNI_LIBRARY = System.mapLibraryName("djl_torch");

  /**
   * Finds the operator's libtorch. {@link #PATH} means this plugin where {@link #VERSION} beside it
   * is the version that the plugin is built for: another plugin may want another one. What the
   * environment says goes before system properties, in DJL as here, so a foreign path there cannot
   * be overruled.
   *
   * @param environment of the process; null for what is absent
   * @param properties of the JVM; null for what is absent
   * @return empty where the zip's own is to be taken
   * @throws InferenceException.ModelUnavailable when the operator's is not to be used
   */
  static Optional<Libtorch> ofOperator(
      UnaryOperator<String> environment, UnaryOperator<String> properties) {
    String ours = release(platform().getVersion());
    String path = effective(PATH, environment, properties);
    String version = effective(VERSION, environment, properties);
    String flavor = effective(FLAVOR, environment, properties);
    if (path == null) {
      return Optional.empty();
    }
    if (!ours.equals(version == null ? null : release(version))) {
      if (environment.apply(PATH) == null) {
        return Optional.empty();
      }
      throw refused(
          PATH
              + " stands in the environment, and "
              + VERSION
              + " says ["
              + Messages.excerpt(version)
              + "]",
          "this plugin needs libtorch " + ours,
          "take both out of the node's environment; a plugin that needs them can have them as"
              + " system properties (-D in jvm.options)");
    }
    Path folder = Path.of(path);
    if (!Files.isRegularFile(folder.resolve(LIBRARY))) {
      throw refused(
          PATH + " is [" + Messages.path(path) + "]",
          "there is no " + LIBRARY + " in it",
          "name the folder of libtorch's libraries, or take the variable away");
    }
    if (flavor == null || flavor.isEmpty()) {
      throw refused(
          PATH + " is [" + Messages.path(path) + "] without " + FLAVOR,
          "the library may be one for the CPU or for CUDA",
          "set " + FLAVOR + " to cpu, or to the CUDA build such as cu128");
    }
    return Optional.of(new Libtorch(folder, version, flavor));
  }

  /**
   * Unpacks the libtorch of the plugin's zip, about 430 MB, where that has not been done yet, and
   * DJL's own library beside it, where DJL looks first. The context class loader must be the
   * plugin's.
   *
   * @param directory of nobody else
   * @throws InferenceException.ModelUnavailable when there is none for this platform, or it cannot
   *     be written
   */
  static Libtorch unpacked(Path directory) {
    Platform platform = platform();
    if (platform.isPlaceholder() || platform.getLibraries().length == 0) {
      throw refused(
          "the plugin's zip brings no libtorch for " + platform.getClassifier(),
          "the slim zip brings none, the others one each",
          "install the plugin's zip that contains it, or set "
              + PATH
              + ", "
              + VERSION
              + " and "
              + FLAVOR
              + " before starting the node");
    }
    String flavor = platform.getFlavor();
    String classifier = platform.getClassifier();
    String name = platform.getVersion() + '-' + flavor + '-' + classifier;
    Path folder = directory.resolve("libtorch").resolve(name);
    // Earlier versions of the plugin had DJL unpack it here.
    Utils.deleteQuietly(directory.resolve("pytorch").resolve(name));
    try {
      Files.createDirectories(folder);
      for (String library : platform.getLibraries()) {
        copy("pytorch/" + flavor + '/' + classifier + '/' + library, folder.resolve(library));
      }
      copy(
          "jnilib/" + classifier + '/' + flavor + '/' + JNI_LIBRARY,
          folder.resolve(platform.getApiVersion() + '-' + JNI_LIBRARY));
    } catch (IOException e) {
      throw new InferenceException.ModelUnavailable(
          "libtorch (430 MB) cannot be unpacked into ["
              + folder
              + "]: "
              + e
              + "; make room there and let it be written, then load a model again (_load)",
          e);
    }
    return new Libtorch(folder, release(platform.getVersion()), flavor);
  }

  /** Copies a resource; a file that is there is whole, whenever the node was killed. */
  private static void copy(String resource, Path file) throws IOException {
    if (Files.exists(file)) {
      return;
    }
    Path part = file.resolveSibling(file.getFileName() + ".part");
    try (InputStream in = Libtorch.class.getClassLoader().getResourceAsStream(resource)) {
      if (in == null) {
        throw new IOException("the plugin's jars hold no " + resource);
      }
      Files.copy(in, part, StandardCopyOption.REPLACE_EXISTING);
      PrivateNames.apply(part);
      Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(part);
    }
  }

  private static Platform platform() {
    return Platform.detectPlatform("pytorch");
  }

  /** Returns a version without the date of its build. */
  private static String release(String version) {
    return version.replaceAll("-.*", "");
  }

  private static String effective(
      String name, UnaryOperator<String> environment, UnaryOperator<String> properties) {
    String value = environment.apply(name);
    return value == null ? properties.apply(name) : value;
  }

  private static InferenceException.ModelUnavailable refused(
      String what, String why, String advice) {
    return new InferenceException.ModelUnavailable(
        "the native PyTorch library does not start on this node: "
            + what
            + "; "
            + why
            + "; "
            + advice,
        null);
  }
}
