/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.process;

import com.google.gson.Gson;
import com.google.gson.JsonObject;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.inference.PrecisionPolicy;
import io.crossmodal.model.inference.batching.Operation;
import io.crossmodal.model.inference.protocol.RemoteOperation;
import io.crossmodal.model.inference.registry.ModelLoader;
import io.crossmodal.model.inference.registry.ModelStatus.PrecisionTrial;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;

/** A model that workers hold for this node, by the digest of its bundle. */
final class RemoteModel implements ModelLoader.Loaded {
  private static final Gson GSON = new Gson();

  private final ModelBundle bundle;
  private final String sha256;
  private final PrecisionPolicy policy;
  private final Consumer<RemoteModel> onClose;
  private volatile Held held;

  /** What a worker says of a model that it has loaded. */
  private record Held(
      String version,
      Precision precision,
      long bytes,
      List<String> devices,
      List<PrecisionTrial> trials) {
    private static Held of(JsonObject json) {
      try {
        return new Held(
            json.get("version").getAsString(),
            Precision.valueOf(json.get("precision").getAsString().toUpperCase(Locale.ROOT)),
            json.get("bytes").getAsLong(),
            List.of(GSON.fromJson(json.get("devices"), String[].class)),
            List.of(GSON.fromJson(json.get("trials"), PrecisionTrial[].class)));
      } catch (RuntimeException e) {
        throw new IllegalArgumentException("this says nothing of a loaded model: " + json, e);
      }
    }
  }

  /**
   * @param onClose has the workers let it go
   */
  RemoteModel(
      ModelBundle bundle, String sha256, PrecisionPolicy policy, Consumer<RemoteModel> onClose) {
    this.bundle = bundle;
    this.sha256 = sha256;
    this.policy = policy;
    this.onClose = onClose;
  }

  ModelBundle bundle() {
    return bundle;
  }

  ModelConfig config() {
    return bundle.manifest().config();
  }

  /** Returns the path that loads it. */
  String loadPath() {
    return "/v2/repository/models/" + bundle.manifest().id() + "/load";
  }

  /** Returns what workers call it; those that they do not tell apart have one name. */
  JsonObject name() {
    JsonObject name = new JsonObject();
    name.addProperty("name", bundle.manifest().id());
    name.addProperty("version", RemoteOperation.version(sha256, policy));
    return name;
  }

  /** Returns the path of an operation on it. */
  String inferPath(Operation<?, ?> operation) {
    return "/v2/models/"
        + RemoteOperation.of(operation).of(bundle.manifest().id())
        + (isLoadedByDigest() ? "/versions/" + held.version : "")
        + "/infer";
  }

  /** Returns the body of a request to load it. */
  JsonObject request(String owner) {
    JsonObject parameters = new JsonObject();
    parameters.addProperty("sha256", sha256);
    parameters.addProperty("precision", policy.name().toLowerCase(Locale.ROOT));
    parameters.addProperty("owner", owner);
    JsonObject json = new JsonObject();
    json.add("parameters", parameters);
    return json;
  }

  /**
   * Takes note of what a worker has loaded; all of them load the same.
   *
   * @throws IllegalArgumentException when it does not say what
   */
  void heldAs(JsonObject json) {
    held = Held.of(json);
  }

  /**
   * Returns the path that tells whether a server of another make has this model, which nobody loads
   * into it by the digest of a bundle.
   */
  String readyPath() {
    RemoteOperation one =
        bundle.manifest().config().hasText()
            ? RemoteOperation.ENCODE_TEXT
            : RemoteOperation.ENCODE_IMAGE;
    return "/v2/models/" + one.of(bundle.manifest().id()) + "/ready";
  }

  /** Returns whether workers of this project hold it, whose versions are bundles' digests. */
  private boolean isLoadedByDigest() {
    return held != null && !held.version.isEmpty();
  }

  /** Takes note that a server of another make has it; the operator answers for what it is. */
  void heldElsewhere(String address) {
    held = new Held("", Precision.FP32, 0, List.of(address), List.of());
  }

  @Override
  public List<String> devices() {
    return held.devices;
  }

  @Override
  public Precision precision() {
    return held.precision;
  }

  @Override
  public long bytes() {
    return held.bytes;
  }

  @Override
  public List<PrecisionTrial> trials() {
    return held.trials;
  }

  @Override
  public void close() {
    onClose.accept(this);
  }
}
