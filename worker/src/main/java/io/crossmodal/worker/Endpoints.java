/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.worker;

import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.crossmodal.model.Messages;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.inference.Futures;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.batching.Job;
import io.crossmodal.model.inference.batching.JobRunner;
import io.crossmodal.model.inference.engine.ModelEngine;
import io.crossmodal.model.inference.memory.BoundedMemory;
import io.crossmodal.model.inference.protocol.Failure;
import io.crossmodal.model.inference.protocol.InferMessage;
import io.crossmodal.model.inference.protocol.JobReceiver;
import io.crossmodal.model.inference.protocol.RemoteOperation;
import io.crossmodal.model.inference.protocol.Tensor;
import io.crossmodal.model.inference.registry.LoadedModel;
import io.crossmodal.model.inference.registry.ModelStatus;
import io.crossmodal.model.inference.stats.InferenceStats;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * What the worker answers, without HTTP: KServe's Open Inference Protocol v2, with Triton's model
 * repository and statistics beside it. Thread-safe.
 */
final class Endpoints {
  static final String SERVER = "crossmodal-worker";

  private static final Gson GSON = new Gson();

  private final Repository repository;
  private final ModelEngine engine;
  private final BoundedMemory memory;
  private final BoundedMemory heap;
  private final BundleFiles files;
  private final Connections connections;

  /** Tells one start of the worker from the next. */
  private final String instance = UUID.randomUUID().toString();

  /**
   * @param memory that the engine computes in
   * @param heap for requests' bodies and answers
   * @param connections whose counters {@code GET /v2} shows
   */
  Endpoints(
      Repository repository,
      ModelEngine engine,
      BoundedMemory memory,
      BoundedMemory heap,
      BundleFiles files,
      Connections connections) {
    this.repository = repository;
    this.engine = engine;
    this.memory = memory;
    this.heap = heap;
    this.files = files;
    this.connections = connections;
  }

  /**
   * An answer.
   *
   * @param jsonLength bytes of the JSON before the tensors; -1: there are none behind it
   */
  record Answer(int status, InferMessage.Body body, int jsonLength) {
    static Answer of(int status, JsonElement json) {
      return new Answer(
          status,
          new InferMessage.Body(json.toString().getBytes(StandardCharsets.UTF_8), List.of()),
          -1);
    }
  }

  /**
   * An answer on its way.
   *
   * @param cancel called when nobody waits for it any more
   */
  record Pending(CompletableFuture<Answer> answer, Runnable cancel) {
    static Pending of(Answer now) {
      return new Pending(CompletableFuture.completedFuture(now), () -> {});
    }
  }

  BundleFiles files() {
    return files;
  }

  /** Returns the answer to a failure. */
  static Answer failure(Throwable thrown) {
    Throwable cause = Futures.cause(thrown);
    Failure failure;
    if (cause instanceof RequestException refused) {
      failure = refused.failure();
    } else {
      // The heap's end is no fault of a model: the request may do better when others have ended.
      failure = cause instanceof OutOfMemoryError ? Failure.MODEL_UNAVAILABLE : Failure.of(cause);
    }
    String text = cause.getMessage() == null ? cause.toString() : cause.getMessage();
    return Answer.of(failure.status(), failure.json(text));
  }

  /**
   * Answers a request whose body is whole.
   *
   * @param path without the query, decoded
   * @param jsonLength of {@link InferMessage#JSON_LENGTH}; -1 where the request has no such header
   */
  Pending answer(String method, String path, byte[] body, int jsonLength) {
    String[] parts = path.replaceAll("^/+|/+$", "").split("/", -1);
    try {
      if (parts[0].equals("v2") && method.equals("GET")) {
        return Pending.of(get(parts));
      } else if (parts[0].equals("v2") && method.equals("POST")) {
        return post(parts, body, jsonLength);
      }
      throw notFound(method, path);
    } catch (RuntimeException e) {
      return Pending.of(failure(e));
    }
  }

  private static RequestException notFound(String method, String path) {
    return new RequestException(
        Failure.NOT_FOUND,
        "there is no " + Messages.excerpt(method) + " " + Messages.excerpt(path));
  }

  private Answer get(String[] parts) {
    String path = String.join("/", parts);
    if (parts.length == 1) {
      return Answer.of(200, server());
    } else if (path.equals("v2/health/live") || path.equals("v2/health/ready")) {
      return Answer.of(200, new JsonObject());
    } else if (path.equals("v2/models/stats")) {
      return Answer.of(200, stats(repository.index()));
    } else if (parts.length >= 3 && parts[1].equals("models")) {
      boolean versioned = parts.length >= 5 && parts[3].equals("versions");
      Repository.Name name =
          repository.find(RemoteOperation.model(parts[2]), versioned ? parts[4] : "");
      int next = versioned ? 5 : 3;
      String what = parts.length == next ? "" : parts[next];
      if (parts.length <= next + 1) {
        switch (what) {
          case "" -> {
            return Answer.of(200, metadata(name, parts[2]));
          }
          case "ready" -> {
            return ready(name);
          }
          case "stats" -> {
            return Answer.of(
                200, stats(List.of(new Repository.Entry(name, repository.status(name)))));
          }
          default -> {}
        }
      }
    }
    throw notFound("GET", "/" + path);
  }

  private JsonObject server() {
    JsonObject json = new JsonObject();
    json.addProperty("name", SERVER);
    String version = Endpoints.class.getPackage().getImplementationVersion();
    json.addProperty("version", version == null ? "unknown" : version);
    json.addProperty("instance", instance);
    json.add(
        "extensions",
        GSON.toJsonTree(
            List.of("binary_tensor_data", "model_repository", "schedule_policy", "statistics")));
    json.add("native_memory", budget(memory));
    json.add("heap", budget(heap));
    json.add("connections", connections.json());
    json.addProperty("queued", engine.jobs().queued());
    return json;
  }

  private static JsonObject budget(BoundedMemory memory) {
    JsonObject json = new JsonObject();
    json.addProperty("used_in_bytes", memory.used());
    json.addProperty("limit_in_bytes", memory.limit());
    return json;
  }

  private Answer ready(Repository.Name name) {
    boolean ready = repository.status(name).state() == ModelStatus.State.LOADED;
    return ready
        ? Answer.of(200, new JsonObject())
        : Answer.of(503, Failure.MODEL_UNAVAILABLE.json("the model is not loaded yet"));
  }

  private JsonObject metadata(Repository.Name name, String asked) {
    RemoteOperation operation = RemoteOperation.at(asked);
    ModelConfig config = repository.version(name).manifest().config();
    if (!operation.isOf(config)) {
      throw new RequestException(
          Failure.NOT_FOUND,
          "model [" + name.id() + "] has no operation [" + operation.key() + "]");
    }
    JsonObject json = Signatures.of(operation, config);
    json.addProperty("name", asked);
    json.add("versions", GSON.toJsonTree(List.of(name.version())));
    json.addProperty("platform", "pytorch_libtorch");
    return json;
  }

  private JsonObject stats(List<Repository.Entry> entries) {
    JsonArray all = new JsonArray();
    for (Repository.Entry entry : entries) {
      InferenceStats stats = engine.jobs().stats().of(entry.name().key());
      JsonObject json = new JsonObject();
      json.addProperty("name", entry.name().id());
      json.addProperty("version", entry.name().version());
      json.addProperty("execution_count", stats.get(InferenceStats.Counter.BATCHES));
      JsonObject counts = new JsonObject();
      for (InferenceStats.Counter counter : InferenceStats.Counter.values()) {
        if (stats.get(counter) != 0) {
          counts.addProperty(counter.name().toLowerCase(Locale.ROOT), stats.get(counter));
        }
      }
      json.add("counters", counts);
      JsonObject micros = new JsonObject();
      for (InferenceStats.Timing timing : InferenceStats.Timing.values()) {
        if (stats.get(timing).count() != 0) {
          micros.add(timing.name().toLowerCase(Locale.ROOT), GSON.toJsonTree(stats.get(timing)));
        }
      }
      json.add("micros", micros);
      json.addProperty("weights_in_bytes", entry.status().bytes());
      all.add(json);
    }
    JsonObject json = new JsonObject();
    json.add("model_stats", all);
    return json;
  }

  private Pending post(String[] parts, byte[] body, int jsonLength) {
    String last = parts[parts.length - 1];
    boolean ofRepository = parts.length == 3 && parts[1].equals("repository");
    if (ofRepository && last.equals("retain")) {
      RetainRequest request = RetainRequest.read(InferMessage.json(body, 0, body.length));
      repository.retain(request.owner(), request.models());
      return Pending.of(Answer.of(200, new JsonObject()));
    } else if (ofRepository && last.equals("index")) {
      JsonArray index = new JsonArray();
      repository.index().forEach(entry -> index.add(listed(entry)));
      return Pending.of(Answer.of(200, index));
    } else if (parts.length == 5 && parts[1].equals("repository") && parts[2].equals("models")) {
      JsonObject json =
          body.length == 0 ? new JsonObject() : InferMessage.json(body, 0, body.length);
      if (last.equals("load")) {
        return load(parts[3], LoadRequest.read(json));
      } else if (last.equals("unload")) {
        LoadRequest request = LoadRequest.read(json);
        repository.unload(parts[3], request.version(), request.owner());
        return Pending.of(Answer.of(200, new JsonObject()));
      }
    } else if (last.equals("infer")
        && parts[1].equals("models")
        && (parts.length == 4 || (parts.length == 6 && parts[3].equals("versions")))) {
      return infer(parts[2], parts.length == 6 ? parts[4] : "", body, jsonLength);
    }
    throw notFound("POST", "/" + String.join("/", parts));
  }

  /** Loads a bundle that is here; takes as long as checking it does. */
  Pending load(String id, LoadRequest request) {
    try {
      return new Pending(
          repository
              .load(id, request.sha256(), request.precision(), request.owner())
              .handle(
                  (entry, failure) ->
                      failure == null ? Answer.of(200, listed(entry)) : failure(failure)),
          () -> {});
    } catch (IOException | BundleException e) {
      return Pending.of(failure(e));
    }
  }

  private static JsonObject listed(Repository.Entry entry) {
    ModelStatus status = entry.status();
    JsonObject json = new JsonObject();
    json.addProperty("name", entry.name().id());
    json.addProperty("version", entry.name().version());
    json.addProperty(
        "state",
        switch (status.state()) {
          case LOADED -> "READY";
          case LOADING -> "LOADING";
          default -> "UNAVAILABLE";
        });
    json.addProperty("reason", status.error());
    json.addProperty("precision", status.precision());
    json.addProperty("bytes", status.bytes());
    json.add("devices", GSON.toJsonTree(status.devices()));
    json.add("trials", GSON.toJsonTree(status.trials()));
    return json;
  }

  private Pending infer(String model, String version, byte[] body, int jsonLength) {
    RemoteOperation operation = RemoteOperation.at(model);
    Repository.Name name = repository.find(RemoteOperation.model(model), version);
    InferMessage request = InferMessage.readRequest(body, jsonLength);
    LoadedModel.Lease lease = repository.lease(name);
    try {
      return computed(model, name, request, JobReceiver.job(operation, lease.of(), request), lease);
    } catch (Throwable e) {
      // Whatever it is: a lease that nobody ends keeps the weights for ever.
      lease.close();
      throw e;
    }
  }

  /** Has a job computed; the lease ends with it, unless this throws. */
  private Pending computed(
      String model,
      Repository.Name name,
      InferMessage request,
      Job<?, ?> job,
      LoadedModel.Lease lease) {
    JobRunner jobs = engine.jobs();
    jobs.submit(JobReceiver.priority(request), job);
    CompletableFuture<Answer> answer =
        job.result()
            // The queue looks at a deadline when it looks at the job; whoever waits is told at
            // once.
            .orTimeout(Math.max(0, job.deadline().remainingNanos()), TimeUnit.NANOSECONDS)
            .handle(
                (outcomes, failure) -> {
                  lease.close();
                  if (failure instanceof TimeoutException) {
                    return failure(
                        new InferenceException.DeadlineExceeded(
                            "a job of " + job.items().size() + " items"));
                  }
                  return failure == null
                      ? inferred(model, name, request, job, outcomes)
                      : failure(Futures.unwrap(failure));
                });
    return new Pending(answer, () -> jobs.cancel(job));
  }

  private static Answer inferred(
      String model, Repository.Name name, InferMessage request, Job<?, ?> job, List<?> outcomes) {
    List<Tensor> outputs = JobReceiver.outputs(job.operation(), outcomes);
    JsonObject header = new JsonObject();
    header.addProperty("model_name", model);
    header.addProperty("model_version", name.version());
    if (request.header().get("id") instanceof JsonPrimitive id) {
      header.add("id", id);
    }
    Job.Times times = job.times();
    JsonObject parameters = new JsonObject();
    parameters.addProperty("queue_ns", times.queueNanos());
    parameters.addProperty("copy_ns", times.copyNanos());
    parameters.addProperty("compute_ns", times.modelNanos());
    header.add("parameters", parameters);
    boolean binary = request.wantsBinary();
    InferMessage.Body body = new InferMessage(header, outputs).response(binary);
    return new Answer(200, body, binary ? body.json().length : -1);
  }
}
