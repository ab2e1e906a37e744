/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.worker;

import io.crossmodal.model.inference.DevicePolicy;
import io.crossmodal.model.inference.InferenceSettings;
import io.crossmodal.model.inference.PrecisionPolicy;
import java.io.PrintStream;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.function.IntConsumer;
import picocli.CommandLine;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code java -jar crossmodal-worker.jar}: runs a worker until it is ended. */
@Command(
    name = "crossmodal-worker",
    mixinStandardHelpOptions = true,
    versionProvider = WorkerCommand.Version.class,
    showDefaultValues = true,
    description =
        "Computes with models for OpenSearch nodes, on this machine or by TLS, whose"
            + " [plugins.cross_modal.engine] is [process].")
final class WorkerCommand implements Callable<Integer> {
  /**
   * The exit status of a worker whose engine hangs, or one of whose threads has ended by a failure:
   * EX_SOFTWARE of sysexits.h.
   */
  static final int BROKEN = 70;

  @Spec private CommandSpec spec;

  @Option(
      names = "--socket",
      paramLabel = "FILE",
      description = "Unix domain socket to listen on; nobody but its owner is served")
  private Path socket;

  @Option(
      names = "--listen",
      paramLabel = "[https://]HOST:PORT",
      converter = Address.class,
      description =
          "address to listen on too: of this machine alone (every user of it is served), or with"
              + " https:// any, where both ends show certificates")
  private List<WorkerSettings.Listen> listen = List.of();

  @ArgGroup(exclusive = false)
  private TlsOptions tls;

  @Option(
      names = "--max-connections",
      paramLabel = "N",
      defaultValue = "1000",
      description = "connections at once; what is beyond is refused")
  private int maxConnections;

  @Option(
      names = "--patience-seconds",
      paramLabel = "N",
      defaultValue = "10",
      description = "time in which whoever sends a request brings 64 KiB of it, or its end")
  private long patience;

  @Option(
      names = "--hang-seconds",
      paramLabel = "N",
      defaultValue = "300",
      description =
          "the worker ends itself when a model's call has not returned for so long after anybody"
              + " waits for it; 0: never")
  private long hang;

  @Option(
      names = "--device",
      paramLabel = "auto|cpu|gpu",
      defaultValue = "auto",
      converter = Device.class,
      description = "where models compute")
  private DevicePolicy device;

  @Option(
      names = "--memory",
      paramLabel = "BYTES",
      defaultValue = "8g",
      converter = Bytes.class,
      description = "most memory for weights and calls, with k, m or g behind the number")
  private long memory;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "threads that one operation uses; default: the machine's processors")
  private int threads = Runtime.getRuntime().availableProcessors();

  @Option(
      names = "--data",
      paramLabel = "DIR",
      description = "folder of this worker alone, for libtorch and the bundles that nodes sent")
  private Path data = Path.of(System.getProperty("user.home"), ".cache", "crossmodal-worker");

  @Option(
      names = "--queue-size",
      paramLabel = "N",
      defaultValue = "200",
      description = "jobs that may wait, of searches and of documents each")
  private int queueSize;

  @Option(
      names = "--encode-batch",
      paramLabel = "N",
      defaultValue = "32",
      description = "most texts or images in one call")
  private int encodeBatch;

  @Option(
      names = "--score-batch",
      paramLabel = "N",
      defaultValue = "128",
      description = "most pairs in one call")
  private int scoreBatch;

  @Option(
      names = "--batch-wait-micros",
      paramLabel = "N",
      defaultValue = "1000",
      description = "how long a call that is not full waits for more, in microseconds")
  private long batchWait;

  @Option(
      names = "--allow-foreign-code",
      description =
          "run bundles' own TorchScript, for makers who are trusted as this program's are")
  private boolean allowForeignCode;

  /** All of them or none. */
  static final class TlsOptions {
    @Option(
        names = "--tls-certificate",
        required = true,
        paramLabel = "FILE",
        description = "this worker's certificate for https://, PEM")
    private Path certificate;

    @Option(
        names = "--tls-key",
        required = true,
        paramLabel = "FILE",
        description = "its private key, PEM, PKCS#8 without a password")
    private Path key;

    @Option(
        names = "--tls-clients",
        required = true,
        paramLabel = "FILE",
        description =
            "whom https:// serves, PEM: holders of these certificates, and of those that they have"
                + " signed")
    private Path clients;
  }

  /** Tells the version of the jar. */
  static final class Version implements CommandLine.IVersionProvider {
    @Override
    public String[] getVersion() {
      return new String[] {
        "crossmodal-worker " + WorkerCommand.class.getPackage().getImplementationVersion()
      };
    }
  }

  /** Reads a device's name. */
  static final class Device implements ITypeConverter<DevicePolicy> {
    @Override
    public DevicePolicy convert(String text) {
      for (DevicePolicy policy : DevicePolicy.values()) {
        if (policy.name().toLowerCase(Locale.ROOT).equals(text)) {
          return policy;
        }
      }
      throw new TypeConversionException("must be auto, cpu or gpu, got [" + text + "]");
    }
  }

  /** Reads a host and a port, with https:// before them or not. */
  static final class Address implements ITypeConverter<WorkerSettings.Listen> {
    private static final String TLS = "https://";

    @Override
    public WorkerSettings.Listen convert(String given) {
      boolean tls = given.startsWith(TLS);
      String text = tls ? given.substring(TLS.length()) : given;
      int colon = text.lastIndexOf(':');
      try {
        String host = text.substring(0, colon);
        if (host.isEmpty()) {
          throw new IllegalArgumentException("no host");
        }
        int port = Integer.parseInt(text.substring(colon + 1));
        return new WorkerSettings.Listen(new InetSocketAddress(host, port), tls);
      } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
        throw new TypeConversionException("must be [https://]HOST:PORT, got [" + given + "]");
      }
    }
  }

  /** Reads a number of bytes such as 8g. */
  static final class Bytes implements ITypeConverter<Long> {
    @Override
    public Long convert(String text) {
      try {
        int unit = "kmg".indexOf(Character.toLowerCase(text.charAt(text.length() - 1)));
        String number = unit < 0 ? text : text.substring(0, text.length() - 1);
        return Math.multiplyExact(Long.parseLong(number), 1L << (10 * (unit + 1)));
      } catch (IllegalArgumentException | ArithmeticException | IndexOutOfBoundsException e) {
        throw new TypeConversionException(
            "must be a number of bytes such as 8g or 512m, got [" + text + "]");
      }
    }
  }

  @Override
  public Integer call() throws Exception {
    WorkerSettings settings;
    try {
      settings =
          new WorkerSettings(
              socket,
              listen,
              tls == null ? null : new WorkerSettings.Tls(tls.certificate, tls.key, tls.clients),
              new Connections.Limits(maxConnections, Duration.ofSeconds(patience)),
              memory,
              Duration.ofSeconds(hang),
              allowForeignCode,
              new InferenceSettings(
                  device,
                  // Each load says its own.
                  PrecisionPolicy.AUTO,
                  threads,
                  queueSize,
                  encodeBatch,
                  scoreBatch,
                  true,
                  Duration.ofNanos(1000 * batchWait),
                  0,
                  // Each request says its own.
                  Duration.ofDays(1),
                  data));
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
    // Not by exit: what closes the worker waits for the call that hangs.
    WorkerServer server = WorkerServer.start(settings, () -> Runtime.getRuntime().halt(BROKEN));
    Runtime.getRuntime().addShutdownHook(new Thread(server::close, "worker-close"));
    server.join();
    return 0;
  }

  /**
   * Returns what ends the process when a thread ends by a failure that nobody has caught: without
   * its only thread a device computes nothing ever after, while all else looks well.
   *
   * @param halt takes the exit status
   */
  static Thread.UncaughtExceptionHandler ending(PrintStream err, IntConsumer halt) {
    return (thread, failure) -> {
      try {
        err.println(
            "crossmodal-worker: thread ["
                + thread.getName()
                + "] has failed, and the worker ends itself");
        failure.printStackTrace(err);
      } finally {
        // Even where no heap is left to print with.
        halt.accept(BROKEN);
      }
    };
  }

  /** Runs it. */
  public static void main(String[] arguments) {
    // Not by exit: what closes the worker waits for threads that may be gone.
    Thread.setDefaultUncaughtExceptionHandler(ending(System.err, Runtime.getRuntime()::halt));
    CommandLine command = new CommandLine(new WorkerCommand());
    command.setExecutionExceptionHandler(
        (failure, line, parsed) -> {
          line.getErr().println("crossmodal-worker: " + failure.getMessage());
          return 1;
        });
    System.exit(command.execute(arguments));
  }
}
