/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.registry;

import ai.djl.Device;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.Golden;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.Footprint;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.inference.DevicePolicy;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.InferenceSettings;
import io.crossmodal.model.inference.PrecisionPolicy;
import io.crossmodal.model.inference.memory.DeviceBudgets;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.registry.ModelStatus.PrecisionTrial;
import io.crossmodal.model.tokens.TokenBlock;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Random;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * Brings a bundle into this process's native memory, once for each device, in the precision that
 * the policy asks for. Loading is for one thread.
 */
public final class EngineLoader implements ModelLoader {
  /** Pairs of the call that is timed: enough to be dominated by the layers, quick on a CPU. */
  private static final int PAIRS = 16;

  private static final int REPEATS = 3;

  /** What another precision may take of fp32's time to be chosen: noise must not decide. */
  private static final double WORTHWHILE = 0.8;

  private final InferenceSettings settings;
  private final DeviceBudgets budgets;
  private final Supplier<List<Device>> devices;

  /** Null where nothing is being loaded. */
  private volatile Loading loading;

  /** A model on its way, since {@link System#nanoTime} said so much. */
  private record Loading(String model, long start) {}

  /**
   * @param devices starts the engine where it does not run yet and says where models compute; at
   *     least one
   */
  public EngineLoader(
      InferenceSettings settings, DeviceBudgets budgets, Supplier<List<Device>> devices) {
    this.settings = settings;
    this.budgets = budgets;
    this.devices = devices;
  }

  /**
   * A model in native memory.
   *
   * @param copies one for each device, in the devices' order
   * @param fallback takes what a GPU does not; empty where the CPU computes anyway or must not
   * @param trials the precisions that were compared; empty where there was no choice
   */
  public record Copies(
      List<FusionModel> copies,
      List<MemoryBudget.Reservation> memory,
      Optional<CpuFallback> fallback,
      List<PrecisionTrial> trials)
      implements Loaded {
    public Copies {
      copies = List.copyOf(copies);
      memory = List.copyOf(memory);
      trials = List.copyOf(trials);
    }

    @Override
    public List<String> devices() {
      return copies.stream().map(copy -> copy.device().toString()).toList();
    }

    @Override
    public Precision precision() {
      return copies.get(0).precision();
    }

    @Override
    public long bytes() {
      return copies.stream().mapToLong(FusionModel::weightBytes).sum()
          + fallback.map(CpuFallback::bytes).orElse(0L);
    }

    @Override
    public void close() {
      copies.forEach(FusionModel::close);
      memory.forEach(MemoryBudget.Reservation::close);
      fallback.ifPresent(CpuFallback::close);
    }
  }

  /**
   * A copy on the CPU, loaded when it is first needed: most GPUs never give out, and a node with
   * GPUs may lack the memory for it. Used by one thread at a time, whichever asks.
   */
  public final class CpuFallback implements AutoCloseable {
    private final ModelBundle bundle;
    private Copy copy;

    // Read by those who only ask, while a call may run for long.
    private volatile long bytes;

    CpuFallback(ModelBundle bundle) {
      this.bundle = bundle;
    }

    /**
     * Calls the copy.
     *
     * @throws InferenceException when it cannot be loaded
     */
    public synchronized <T> T use(Function<FusionModel, T> call) {
      if (copy == null) {
        try {
          copy = copy(bundle, Device.cpu(), Precision.FP32);
          bytes = copy.model.weightBytes();
        } catch (BundleException e) {
          throw new InferenceException.ModelUnavailable(
              "model [" + bundle.manifest().id() + "] cannot be loaded on the CPU: " + e, e);
        }
      }
      return call.apply(copy.model);
    }

    private long bytes() {
      return bytes;
    }

    @Override
    public synchronized void close() {
      if (copy != null) {
        copy.close();
        copy = null;
      }
    }
  }

  /** One copy and what it takes. */
  private record Copy(FusionModel model, MemoryBudget.Reservation memory) implements AutoCloseable {
    @Override
    public void close() {
      model.close();
      memory.close();
    }
  }

  @Override
  public Copies load(ModelBundle bundle, PrecisionPolicy policy) throws BundleException {
    loading = new Loading(bundle.manifest().id(), System.nanoTime());
    try {
      return copies(bundle, policy);
    } finally {
      loading = null;
    }
  }

  /** Returns a model whose loading has not ended for so long; empty where there is none. */
  public Optional<String> overdue(Duration longest) {
    Loading now = loading;
    Duration took = now == null ? Duration.ZERO : Duration.ofNanos(System.nanoTime() - now.start);
    return took.compareTo(longest) <= 0
        ? Optional.empty()
        : Optional.of(
            "model [" + now.model + "] is still being loaded after " + took.toSeconds() + " s");
  }

  private Copies copies(ModelBundle bundle, PrecisionPolicy policy) throws BundleException {
    Optional<Precision> fixed = fixed(bundle, policy);
    List<Device> on = devices.get();
    List<PrecisionTrial> trials = new ArrayList<>();
    List<Copy> copies = new ArrayList<>();
    boolean complete = false;
    try {
      copies.add(
          fixed.isPresent()
              ? copy(bundle, on.get(0), fixed.get())
              : fastest(bundle, on.get(0), trials));
      Precision chosen = copies.get(0).model.precision();
      for (Device device : on.subList(1, on.size())) {
        copies.add(copy(bundle, device, chosen));
      }
      complete = true;
      return new Copies(
          copies.stream().map(Copy::model).toList(),
          copies.stream().map(Copy::memory).toList(),
          settings.device() == DevicePolicy.AUTO && on.get(0).isGpu()
              ? Optional.of(new CpuFallback(bundle))
              : Optional.empty(),
          trials);
    } finally {
      if (!complete) {
        copies.forEach(Copy::close);
      }
    }
  }

  /**
   * Returns the precision that is not to be measured; a model of images alone has no other than
   * fp32, and int8 is of the fusion encoder.
   */
  private static Optional<Precision> fixed(ModelBundle bundle, PrecisionPolicy policy)
      throws BundleException {
    if (bundle.manifest().config().hasText()) {
      if (policy.fixed().equals(Optional.of(Precision.INT8))
          && !bundle.manifest().config().hasFusion()) {
        throw new BundleException(
            String.format(
                Locale.ROOT,
                "model [%s] has no fusion encoder, which is what int8 packs; load it with auto,"
                    + " fp32, bf16 or fp16",
                bundle.manifest().id()));
      }
      return policy.fixed();
    }
    Precision asked = policy.fixed().orElse(Precision.FP32);
    if (asked != Precision.FP32) {
      throw new BundleException(
          String.format(
              Locale.ROOT,
              "model [%s] encodes images alone and is served in fp32, got the precision %s; load it"
                  + " with auto or fp32",
              bundle.manifest().id(),
              asked.name().toLowerCase(Locale.ROOT)));
    }
    return Optional.of(Precision.FP32);
  }

  private Copy copy(ModelBundle bundle, Device device, Precision precision) throws BundleException {
    String what = "model [" + bundle.manifest().id() + "]";
    MemoryBudget budget = budgets.of(device);
    FusionModel model;
    // For the archive as it is and the golden outputs; what stays is less.
    MemoryBudget.Reservation loading =
        budget.reserve(what, bundle.weightBytes() + goldenBytes(bundle.manifest().config()));
    try (loading) {
      model =
          FusionModel.load(
              bundle, Files.createDirectories(settings.directory()), device, precision);
    } catch (IOException e) {
      throw new InferenceException.ModelUnavailable(what + " cannot be loaded: " + e, e);
    }
    try {
      return new Copy(model, budget.reserve(what, model.weightBytes()));
    } catch (RuntimeException e) {
      model.close();
      throw e;
    }
  }

  /** Returns memory of the largest call that golden outputs take, at most. */
  private static long goldenBytes(ModelConfig config) {
    long most = 0;
    for (SensorConfig sensor : config.sensors()) {
      most = Math.max(most, Footprint.encodeImages(config, sensor, Golden.IMAGES));
      int n = config.hasText() ? config.text().maxTokens() : 0;
      if (config.hasFusion()) {
        most = Math.max(most, Footprint.score(config, PAIRS, n, config.imageTokens(sensor)));
      } else if (config.hasText()) {
        most = Math.max(most, Footprint.encodeTexts(config, 1, n));
      }
    }
    return most;
  }

  /** Loads the fastest precision. Only fp32 must do: whatever else fails is a trial that failed. */
  private Copy fastest(ModelBundle bundle, Device device, List<PrecisionTrial> trials)
      throws BundleException {
    Copy best = copy(bundle, device, Precision.FP32);
    if (bundle.manifest().golden() == null) {
      return best;
    }
    long exact = micros(best.model);
    trials.add(new PrecisionTrial(Precision.FP32, 0, 0, exact, ""));
    long limit = (long) (exact * WORTHWHILE);
    // On a CPU fp16 has no kernels worth the name, and int8 is for those who ask for it: a score
    // would depend on what shares its call.
    List<Precision> others =
        device.isGpu() ? List.of(Precision.FP16, Precision.BF16) : List.of(Precision.BF16);
    for (Precision precision : others) {
      Copy other = null;
      try {
        other = copy(bundle, device, precision);
        Golden.Deviation deviation = other.model.goldenDeviation();
        long micros = micros(other.model);
        trials.add(
            new PrecisionTrial(precision, deviation.embedding(), deviation.logit(), micros, ""));
        if (micros < limit) {
          Copy slower = best;
          best = other;
          other = slower;
          limit = micros;
        }
      } catch (BundleException | RuntimeException e) {
        trials.add(new PrecisionTrial(precision, 0, 0, 0, String.valueOf(e.getMessage())));
      } finally {
        if (other != null) {
          other.close();
        }
      }
    }
    return best;
  }

  /** Returns the shortest of a few calls: of scores, or where it fuses nothing, of images. */
  private static long micros(FusionModel model) {
    ModelConfig config = model.bundle().manifest().config();
    SensorConfig sensor = config.sensors().get(0);
    Random random = new Random(1);
    Runnable call;
    if (config.hasFusion()) {
      TokenBlock text = tokens(random, config.text().maxTokens(), config.hidden());
      List<TokenBlock> images = new ArrayList<>();
      for (int i = 0; i < PAIRS; i++) {
        images.add(tokens(random, config.imageTokens(sensor), config.tokenWidth()));
      }
      call = () -> model.score(List.of(text), images);
    } else {
      int side = sensor.imageSize();
      float[] values = tokens(random, sensor.channels() * side, side).values();
      List<PixelTensor> pictures =
          Collections.nCopies(Golden.IMAGES, new PixelTensor(sensor.channels(), side, values));
      call = () -> model.encodeImages(sensor.name(), pictures);
    }
    long shortest = Long.MAX_VALUE;
    for (int i = 0; i <= REPEATS; i++) {
      long start = System.nanoTime();
      call.run();
      // The first one warms up.
      shortest = i == 0 ? shortest : Math.min(shortest, System.nanoTime() - start);
    }
    return shortest / 1000;
  }

  private static TokenBlock tokens(Random random, int count, int hidden) {
    float[] values = new float[count * hidden];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return new TokenBlock(count, hidden, values);
  }
}
