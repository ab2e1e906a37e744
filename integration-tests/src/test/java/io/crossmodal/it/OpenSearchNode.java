/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.it;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.hc.core5.http.HttpHost;
import org.apache.hc.core5.util.Timeout;
import org.opensearch.client.Request;
import org.opensearch.client.RestClient;

/**
 * A running OpenSearch node: a process of its own, with its own configuration, data and logs, never
 * as root. {@link #close} ends this process and no other.
 *
 * <pre>{@code
 * OpenSearchHome home = OpenSearchHome.create(folder.resolve("home"));
 * home.install(zip);
 * try (OpenSearchNode node = OpenSearchNode.builder(home, folder.resolve("node")).start()) {
 *   node.client().performRequest(new Request("GET", "/_cat/plugins"));
 * }
 * }</pre>
 */
public final class OpenSearchNode implements AutoCloseable {
  private static final Pattern HTTP_ADDRESS =
      Pattern.compile("AbstractHttpServerTransport.*publish_address \\{(127\\.0\\.0\\.1:\\d+)}");
  private static final Pattern TRANSPORT_ADDRESS =
      Pattern.compile("TransportService.*publish_address \\{(127\\.0\\.0\\.1:\\d+)}");

  /** Long enough for a shard to be written out and for libtorch to let go. */
  private static final Duration STOP_TIMEOUT = Duration.ofSeconds(30);

  /** A client's patience for one answer; encoding a large bulk on a slow CPU takes its time. */
  private static final Duration RESPONSE_TIMEOUT = Duration.ofMinutes(10);

  private final String name;
  private final Process process;
  private final Path log;
  private final Thread stopAtExit;
  private String httpAddress;
  private String transportAddress;
  private RestClient client;

  private OpenSearchNode(String name, Process process, Path log) {
    this.name = name;
    this.process = process;
    this.log = log;
    this.stopAtExit = new Thread(() -> end(process), "stop OpenSearch node " + name);
    Runtime.getRuntime().addShutdownHook(stopAtExit);
  }

  /**
   * Describes a node.
   *
   * @param home the installation it runs from
   * @param folder its own folder, for configuration, data, logs and temporary files; a second node
   *     started there, after the first one has ended, finds the first one's data
   */
  public static Builder builder(OpenSearchHome home, Path folder) {
    return new Builder(home, folder);
  }

  /** Returns the node's name. */
  public String name() {
    return name;
  }

  /** Returns the address of its REST interface, {@code http://127.0.0.1:port}. */
  public URI baseUri() {
    return URI.create("http://" + httpAddress);
  }

  /** Returns a client of this node, which the node closes. */
  public RestClient client() {
    return client;
  }

  /** Returns the process, to watch it; to end it, use {@link #close} or {@link #kill}. */
  public ProcessHandle process() {
    return process.toHandle();
  }

  /** Returns what the process has logged since its start. */
  public String log() throws IOException {
    return Files.readString(log);
  }

  /** Ends the process at once, as a power failure would (SIGKILL), and waits until it is gone. */
  public void kill() throws IOException {
    process.destroyForcibly();
    close();
  }

  /** Stops the node in good order (SIGTERM), by force if that takes too long. Idempotent. */
  @Override
  public void close() throws IOException {
    end(process);
    try {
      Runtime.getRuntime().removeShutdownHook(stopAtExit);
    } catch (IllegalStateException e) {
      // The JVM is on its way out and the hook runs, or has run.
    }
    if (client != null) {
      client.close();
    }
  }

  private static void end(Process process) {
    process.destroy();
    boolean interrupted = false;
    try {
      if (!process.waitFor(STOP_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)) {
        process.destroyForcibly();
      }
    } catch (InterruptedException e) {
      interrupted = true;
      process.destroyForcibly();
    }
    process.onExit().join();
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void awaitAddresses(long deadline) throws IOException, InterruptedException {
    while (httpAddress == null) {
      boolean ended = process.waitFor(100, TimeUnit.MILLISECONDS);
      String text = log();
      if (ended) {
        throw failure("ended with exit code " + process.exitValue() + " before it answered");
      }
      if (System.nanoTime() - deadline > 0) {
        throw failure("did not answer in time");
      }
      Matcher transport = TRANSPORT_ADDRESS.matcher(text);
      Matcher http = HTTP_ADDRESS.matcher(text);
      if (transport.find() && http.find()) {
        transportAddress = transport.group(1);
        httpAddress = http.group(1);
      }
    }
  }

  /**
   * Waits for the cluster: HTTP answers before the node has one and before shards have recovered.
   */
  private void awaitHealth(int nodes, boolean shards, long deadline) throws IOException {
    client =
        RestClient.builder(HttpHost.create(baseUri()))
            .setRequestConfigCallback(
                config ->
                    config.setResponseTimeout(Timeout.ofMilliseconds(RESPONSE_TIMEOUT.toMillis())))
            .build();
    long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
    long millis = Math.clamp(left, 1000, RESPONSE_TIMEOUT.dividedBy(2).toMillis());
    Request health = new Request("GET", "/_cluster/health");
    if (shards) {
      health.addParameter("wait_for_status", "yellow");
    }
    health.addParameter("wait_for_nodes", ">=" + nodes);
    health.addParameter("timeout", millis + "ms");
    health.addParameter("cluster_manager_timeout", millis + "ms");
    try {
      client.performRequest(health);
    } catch (IOException e) {
      IOException failure = failure("did not become healthy");
      failure.addSuppressed(e);
      throw failure;
    }
  }

  private IOException failure(String what) throws IOException {
    List<String> lines = log().lines().toList();
    String tail = String.join("\n", lines.subList(Math.max(0, lines.size() - 40), lines.size()));
    return new IOException(
        "OpenSearch node " + name + " " + what + "; the end of its log (" + log + "):\n" + tail);
  }

  /** Options of a node, checked as they are given. */
  public static final class Builder {
    private static final Pattern NAME = Pattern.compile("[a-z0-9][a-z0-9_-]{0,62}");
    private static final Pattern SETTING = Pattern.compile("[A-Za-z0-9_*-]+(\\.[A-Za-z0-9_*-]+)*");
    private static final Pattern JVM_OPTION = Pattern.compile("-\\S+");
    private static final Pattern VARIABLE = Pattern.compile("[A-Za-z_][A-Za-z0-9_]*");

    private final OpenSearchHome home;
    private final Path folder;
    private final Map<String, String> settings = new TreeMap<>();
    private final Map<String, String> environment = new LinkedHashMap<>();
    private final List<String> jvmOptions = new ArrayList<>();
    private final List<OpenSearchNode> peers = new ArrayList<>();
    private String name = "node";
    private int heapMegabytes = 512;
    private int httpPort;
    private Duration startTimeout = Duration.ofMinutes(10);
    private boolean awaitShards = true;
    private int diskMegabytes;

    private Builder(OpenSearchHome home, Path folder) {
      this.home = home;
      this.folder = folder.toAbsolutePath().normalize();
      // A developer's disk is often fuller than OpenSearch likes: it would assign no shard.
      settings.put("cluster.routing.allocation.disk.threshold_enabled", "false");
    }

    /** Names the node; lower-case letters, digits, hyphens. Default {@code node}. */
    public Builder name(String value) {
      require(NAME.matcher(value).matches(), "a node's name must match " + NAME, value);
      name = value;
      return this;
    }

    /** Sets the JVM's heap, 256 to 31744 MB. Default 512. */
    public Builder heapMegabytes(int value) {
      require(value >= 256 && value <= 31 * 1024, "heapMegabytes must be from 256 to 31744", value);
      heapMegabytes = value;
      return this;
    }

    /** Sets the port of the REST interface, 1024 to 65535; 0, the default: a free one. */
    public Builder httpPort(int value) {
      require(
          value == 0 || (value >= 1024 && value <= 65535),
          "httpPort must be 0 or from 1024 to 65535",
          value);
      httpPort = value;
      return this;
    }

    /**
     * Limits the time from the process's start to a healthy cluster. Default 10 minutes, for a
     * machine with better things to do; a process that ends is noticed at once.
     */
    public Builder startTimeout(Duration value) {
      require(value.toMillis() >= 1, "startTimeout must be at least 1 ms", value);
      startTimeout = value;
      return this;
    }

    /**
     * Adds a line to {@code opensearch.yml}; OpenSearch itself judges key and value. The items of a
     * list are separated by commas.
     */
    public Builder setting(String key, String value) {
      require(SETTING.matcher(key).matches(), "a setting's key must match " + SETTING, key);
      require(
          !fixedSettings().containsKey(key),
          "this setting is the fixture's own (name, httpPort and joining change some of them)",
          key);
      require(
          value.chars().noneMatch(Character::isISOControl),
          "a setting's value must be one line without control characters",
          value);
      settings.put(key, value);
      return this;
    }

    /** Lets {@link #start} return though some index has no shard, as without a plugin it needs. */
    public Builder withoutAwaitingShards() {
      awaitShards = false;
      return this;
    }

    /**
     * Gives the data a file system of their own, in memory, which ends with the process. Needs a
     * machine that lets its user mount one ({@code unshare --map-root-user --mount}).
     */
    public Builder diskMegabytes(int value) {
      require(value >= 16, "diskMegabytes must be at least 16", value);
      diskMegabytes = value;
      return this;
    }

    /** Adds an environment variable. The process inherits nothing but {@code PATH}. */
    public Builder environment(String variable, String value) {
      require(
          VARIABLE.matcher(variable).matches(),
          "an environment variable's name must match " + VARIABLE,
          variable);
      environment.put(variable, value);
      return this;
    }

    /** Adds a line to the JVM's options, such as {@code -Dname=value}. */
    public Builder jvmOption(String option) {
      require(
          JVM_OPTION.matcher(option).matches(), "a JVM option must match " + JVM_OPTION, option);
      jvmOptions.add(option);
      return this;
    }

    /** Makes the node join the cluster of these running nodes. Default: a cluster of its own. */
    public Builder joining(OpenSearchNode... running) {
      peers.addAll(List.of(running));
      return this;
    }

    /**
     * Starts the node and waits until its cluster is healthy. Can be called again after the node
     * has ended: then the data are still there.
     *
     * @throws IOException with the end of the node's log, if it does not get there in time
     */
    public OpenSearchNode start() throws IOException {
      long deadline = System.nanoTime() + startTimeout.toNanos();
      Path config = folder.resolve("config");
      Path logs = Files.createDirectories(folder.resolve("logs"));
      Path temporary = Files.createDirectories(folder.resolve("tmp"));
      writeConfiguration(config);

      List<String> command = new ArrayList<>();
      if (diskMegabytes > 0) {
        command.addAll(List.of("unshare", "--map-root-user", "--mount", "sh", "-c"));
        command.add("mount -t tmpfs -o size=" + diskMegabytes + "m tmpfs \"$0\" && exec \"$@\"");
        command.add(Files.createDirectories(folder.resolve("data")).toString());
      }
      command.addAll(home.command(config, temporary, diskMegabytes > 0));

      Path log = nextLog(logs);
      // The JVM options name the agent relative to the home.
      ProcessBuilder builder = new ProcessBuilder(command).directory(home.folder().toFile());
      builder.environment().keySet().retainAll(List.of("PATH"));
      builder.environment().put("LANG", "C.UTF-8");
      builder.environment().put("HOME", temporary.toString());
      builder.environment().putAll(environment);
      Process process = builder.redirectErrorStream(true).redirectOutput(log.toFile()).start();
      OpenSearchNode node = new OpenSearchNode(name, process, log);
      boolean up = false;
      try {
        process.getOutputStream().close();
        node.awaitAddresses(deadline);
        node.awaitHealth(1 + peers.size(), awaitShards, deadline);
        up = true;
        return node;
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new InterruptedIOException("interrupted while OpenSearch node " + name + " started");
      } finally {
        if (!up) {
          node.kill();
        }
      }
    }

    private void writeConfiguration(Path config) throws IOException {
      List<String> options = new ArrayList<>(jvmOptions);
      options.addAll(List.of("-Xms" + heapMegabytes + "m", "-Xmx" + heapMegabytes + "m"));
      Map<String, String> all = new TreeMap<>(settings);
      all.putAll(fixedSettings());
      home.configure(config, all, options);
    }

    private Map<String, String> fixedSettings() {
      Map<String, String> fixed = new TreeMap<>();
      fixed.put("cluster.name", "cross-modal");
      fixed.put("node.name", name);
      fixed.put("path.data", folder.resolve("data").toString());
      fixed.put("path.logs", folder.resolve("logs").toString());
      fixed.put("network.host", "127.0.0.1");
      fixed.put("http.port", Integer.toString(httpPort));
      fixed.put("transport.port", "0");
      fixed.put(
          "discovery.seed_hosts",
          peers.stream().map(peer -> peer.transportAddress).collect(Collectors.joining(",")));
      if (peers.isEmpty()) {
        fixed.put("cluster.initial_cluster_manager_nodes", name);
      }
      return fixed;
    }

    private static Path nextLog(Path logs) throws IOException {
      try (Stream<Path> files = Files.list(logs)) {
        long started = files.filter(file -> file.toString().endsWith(".log")).count();
        return logs.resolve("start-" + (started + 1) + ".log");
      }
    }

    private static void require(boolean valid, String accepted, Object got) {
      if (!valid) {
        throw new IllegalArgumentException(accepted + ", got: " + got);
      }
    }
  }
}
