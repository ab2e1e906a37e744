/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.worker;

import io.crossmodal.model.inference.DevicePolicy;
import io.crossmodal.model.inference.InferenceSettings;
import io.crossmodal.model.inference.PrecisionPolicy;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine;
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
        "Computes with models for OpenSearch nodes on this machine, whose"
            + " [plugins.cross_modal.engine] is [process].")
final class WorkerCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--socket",
      paramLabel = "FILE",
      description = "Unix domain socket to listen on; nobody but its owner is served")
  private Path socket;

  @Option(
      names = "--listen",
      paramLabel = "HOST:PORT",
      converter = Address.class,
      description = "loopback address to listen on too; every user of the machine is served")
  private List<InetSocketAddress> listen = List.of();

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

  /** Reads a host and a port. */
  static final class Address implements ITypeConverter<InetSocketAddress> {
    @Override
    public InetSocketAddress convert(String text) {
      int colon = text.lastIndexOf(':');
      try {
        String host = text.substring(0, colon);
        if (host.isEmpty()) {
          throw new IllegalArgumentException("no host");
        }
        return new InetSocketAddress(host, Integer.parseInt(text.substring(colon + 1)));
      } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
        throw new TypeConversionException("must be HOST:PORT, got [" + text + "]");
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
              memory,
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
    Files.createDirectories(data);
    WorkerServer server = WorkerServer.start(settings);
    Runtime.getRuntime().addShutdownHook(new Thread(server::close, "worker-close"));
    server.join();
    return 0;
  }

  /** Runs it. */
  public static void main(String[] arguments) {
    CommandLine command = new CommandLine(new WorkerCommand());
    command.setExecutionExceptionHandler(
        (failure, line, parsed) -> {
          line.getErr().println("crossmodal-worker: " + failure.getMessage());
          return 1;
        });
    System.exit(command.execute(arguments));
  }
}
