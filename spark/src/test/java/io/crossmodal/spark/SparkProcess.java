/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.spark;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.spark.launcher.JavaModuleOptions;

/**
 * {@code spark-submit crossmodal-spark.jar} as a process, on a cluster of two executors, which are
 * processes of its own, with a core each. Without an installed Spark: its jars come from Maven.
 */
final class SparkProcess {
  private static final String JAR = "crossmodal.spark.jar";
  private static final String CLASS_PATH = "crossmodal.spark.classpath";

  private final Process process;
  private final Path output;

  private SparkProcess(Process process, Path output) {
    this.process = process;
    this.output = output;
  }

  /** Returns why it cannot run here; empty where it can. */
  static String obstacle() {
    String jar = System.getProperty(JAR, "");
    String classPath = System.getProperty(CLASS_PATH, "");
    if (!Files.isRegularFile(Path.of(jar)) || !Files.isRegularFile(Path.of(classPath))) {
      return "NOT TESTED: no crossmodal-spark.jar at [" + jar + "], which mvn package makes";
    }
    String machine = System.getProperty("os.name") + " " + System.getProperty("os.arch");
    return machine.equals("Linux amd64")
        ? ""
        : "NOT TESTED: the jar has libtorch for Linux on x86_64, this is " + machine;
  }

  /**
   * Starts it.
   *
   * @param folder for what it writes
   * @param conf of Spark, a setting each
   * @param arguments of the application
   */
  static SparkProcess start(Path folder, List<String> conf, List<String> arguments)
      throws IOException {
    Path home = Files.createTempDirectory(folder, "spark-");
    Files.createDirectories(home.resolve("jars"));
    Files.createDirectories(home.resolve("bin"));
    String classPath = Files.readString(Path.of(System.getProperty(CLASS_PATH))).strip();
    List<String> command = new ArrayList<>();
    command.add(ProcessHandle.current().info().command().orElseThrow());
    command.addAll(Arrays.asList(JavaModuleOptions.defaultModuleOptionArray()));
    command.addAll(List.of("-Xmx512m", "-cp", classPath, "org.apache.spark.deploy.SparkSubmit"));
    command.addAll(List.of("--master", "local-cluster[2,1,1024]"));
    List<String> settings = new ArrayList<>(conf);
    settings.add("spark.executor.memory=768m");
    settings.add("spark.executor.extraClassPath=" + classPath);
    settings.add("spark.executor.extraJavaOptions=-Dai.djl.offline=true");
    settings.add("spark.ui.enabled=false");
    settings.add("spark.driver.host=127.0.0.1");
    String cache = System.getenv("DJL_CACHE_DIR");
    if (cache != null) {
      settings.add("spark.executorEnv.DJL_CACHE_DIR=" + cache);
    }
    settings.forEach(setting -> command.addAll(List.of("--conf", setting)));
    command.add(System.getProperty(JAR));
    command.addAll(arguments);
    Path output = home.resolve("output.txt");
    ProcessBuilder builder = new ProcessBuilder(command).directory(home.toFile());
    builder.environment().put("SPARK_HOME", home.toString());
    builder.environment().put("SPARK_LOCAL_IP", "127.0.0.1");
    builder.environment().put("SPARK_LOCAL_DIRS", home.resolve("local").toString());
    builder.environment().put("SPARK_SCALA_VERSION", "2.13");
    builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
    // Lets executors start without Spark's own folders.
    builder.environment().put("SPARK_TESTING", "1");
    Process process = builder.redirectErrorStream(true).redirectOutput(output.toFile()).start();
    process.getOutputStream().close();
    return new SparkProcess(process, output);
  }

  Process process() {
    return process;
  }

  Path outputFile() {
    return output;
  }

  /** Returns what it has printed. */
  String output() throws IOException {
    return Files.readString(output);
  }

  /** Waits a moment for its end, and returns whether it came. */
  boolean ends() throws InterruptedException {
    return process.waitFor(100, TimeUnit.MILLISECONDS);
  }

  /** Waits for its end and returns its exit status. */
  int status() throws InterruptedException, IOException {
    assertTrue(process.waitFor(10, TimeUnit.MINUTES), output());
    return process.exitValue();
  }

  /** Returns its executors. */
  List<ProcessHandle> executors() {
    return process
        .descendants()
        .filter(
            child ->
                child
                    .info()
                    .arguments()
                    .map(arguments -> Arrays.asList(arguments).toString())
                    .orElse("")
                    .contains("CoarseGrainedExecutorBackend"))
        .toList();
  }

  /** Ends it, and its executors, where it has not ended itself. */
  void kill() {
    List<ProcessHandle> executors = executors();
    process.destroyForcibly();
    executors.forEach(ProcessHandle::destroyForcibly);
    process.onExit().join();
  }
}
