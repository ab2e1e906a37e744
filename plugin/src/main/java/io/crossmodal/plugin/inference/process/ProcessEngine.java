/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.process;

import io.crossmodal.model.inference.InferenceSettings;
import io.crossmodal.model.inference.batching.JobRunner;
import io.crossmodal.model.inference.engine.ModelEngine;
import io.crossmodal.model.inference.memory.DeviceBudgets.GpuMemory;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.registry.LoadedModels;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.handler.ssl.SslContext;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;

/**
 * Models in workers beside the node, which need not be there yet: whoever needs a model meanwhile
 * is told so. Thread-safe.
 */
public final class ProcessEngine implements ModelEngine {
  private static final Logger LOGGER = LogManager.getLogger(ProcessEngine.class);
  private static final int IO_THREADS = 2;

  private final EventLoopGroup group;
  private final List<WorkerLink> workers;
  private final ProcessRunner runner;
  private final LoadedModels models;
  private volatile InferenceSettings settings;

  /**
   * @param addresses of the workers, at least one
   * @param tls for those that take it; null where none does
   * @param owner names this node to them, the same after a restart
   * @param disk writes bundles that are sent, and looks up workers' hosts
   * @param silenceMillis for which a worker may not respond
   */
  public ProcessEngine(
      ModelCatalog catalog,
      InferenceSettings settings,
      List<WorkerAddress> addresses,
      WorkerTls tls,
      String owner,
      Executor disk,
      long silenceMillis) {
    this.settings = settings;
    SslContext certificates = tls == null ? null : tls.context();
    this.group =
        new MultiThreadIoEventLoopGroup(
            IO_THREADS,
            new DefaultThreadFactory("cross-modal-worker", true),
            NioIoHandler.newFactory());
    Path directory = settings.directory();
    try {
      HeldModels.deleteLeftovers(directory);
    } catch (IOException e) {
      // It costs disk, nothing else; the next start tries again.
      LOGGER.warn("cannot delete what a killed node left of a model on its way to a worker", e);
    }
    WorkerHttp.Trust trust = new WorkerHttp.Trust(user(directory), certificates);
    Set<RemoteModel> wanted = ConcurrentHashMap.newKeySet();
    this.workers =
        addresses.stream()
            .map(
                address ->
                    new WorkerLink(
                        address, owner, trust, directory, disk, group, silenceMillis, wanted))
            .toList();
    this.runner = new ProcessRunner(() -> this.settings, workers, group);
    this.models = new LoadedModels(catalog, settings, new ProcessLoader(workers, wanted), () -> {});
  }

  /** Returns the name of the user that this process runs as: the owner of what it makes. */
  private static String user(Path directory) {
    try {
      Files.createDirectories(directory);
      Path made = Files.createTempFile(directory, "to-worker-", ".owner");
      try {
        return Files.getOwner(made).getName();
      } finally {
        Files.delete(made);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot write below the node's data path", e);
    }
  }

  @Override
  public LoadedModels models() {
    return models;
  }

  @Override
  public JobRunner jobs() {
    return runner;
  }

  /** Those of the workers, which tell them themselves. */
  @Override
  public Map<String, GpuMemory> gpus() {
    return Map.of();
  }

  @Override
  public Optional<MemoryBudget.Level> nativeMemory() {
    return Optional.empty();
  }

  @Override
  public List<WorkerStatus> workers() {
    return workers.stream().map(WorkerLink::status).toList();
  }

  @Override
  public void update(InferenceSettings changed) {
    settings = changed;
  }

  @Override
  public void close() {
    runner.close();
    // Workers are told that these are needed no more, while there are connections.
    models.close();
    workers.forEach(WorkerLink::close);
    Future<?> unused = group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
  }
}
