/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.deploy;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.bundle.Sha256;
import io.crossmodal.trainer.cluster.ClusterClient;
import io.crossmodal.trainer.cluster.Retry;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Objects;
import java.util.function.IntConsumer;

/**
 * Sends a bundle to a node of the cluster, in parts that its HTTP limit takes, and has it loaded.
 * The node checks the bundle before the cluster knows it, so that an upload that is cut off leaves
 * nothing behind; sent again, it starts over.
 */
public final class ModelUpload {
  /** A node takes heap for four times a request, and has not much where it has its usual 1 GB. */
  public static final int PART_BYTES = 8 << 20;

  // A node loads and tries the bundle before it answers.
  private static final Duration TIMEOUT = Duration.ofMinutes(15);

  private final ClusterClient cluster;
  private final int partBytes;
  private final Retry retry = Retry.lasting(Duration.ofMinutes(5));

  /**
   * Makes an upload to one node, which sends a request again for five minutes while the node
   * answers that it has no memory or place for it.
   *
   * @param partBytes most bytes in one request, before base64; at least 1
   */
  public ModelUpload(ClusterClient cluster, int partBytes) {
    if (partBytes < 1) {
      throw new IllegalArgumentException("a part must have at least 1 byte, got " + partBytes);
    }
    this.cluster = Objects.requireNonNull(cluster, "cluster");
    this.partBytes = partBytes;
  }

  /**
   * Uploads a bundle.
   *
   * @param id under which the cluster will serve it
   * @param progress told how many parts are sent
   * @return the node's last answer
   * @throws IOException when the node refuses it, with the node's reason, or cannot be reached
   */
  public String send(Path bundle, String id, IntConsumer progress)
      throws IOException, InterruptedException {
    String sha256 = Sha256.hex(bundle);
    int parts = parts(Files.size(bundle));
    String response = "";
    try (InputStream in = Files.newInputStream(bundle)) {
      for (int part = 0; part < parts; part++) {
        String bytes = Base64.getEncoder().encodeToString(in.readNBytes(partBytes));
        response =
            call(
                "PUT",
                model(id) + "?part=" + part + "&parts=" + parts,
                "{\"sha256\":\"" + sha256 + "\",\"bundle\":\"" + bytes + "\"}");
        progress.accept(part + 1);
      }
    }
    return response;
  }

  /** Returns how many parts so many bytes are sent in. */
  public int parts(long bytes) {
    return Math.toIntExact(Math.max(1, (bytes + partBytes - 1) / partBytes));
  }

  /**
   * Has every node load the model now and not at its first use.
   *
   * @throws IOException when a node cannot, with its reason
   */
  public String load(String id) throws IOException, InterruptedException {
    String response = call("POST", model(id) + "/_load", "{}");
    requireLoaded(id, response);
    return response;
  }

  /**
   * Checks that all nodes have loaded the model: the response is 200 as soon as all were asked, and
   * each says for itself what came of it.
   */
  static void requireLoaded(String id, String response) throws IOException {
    List<String> others = new ArrayList<>();
    try {
      JsonObject model =
          JsonParser.parseString(response)
              .getAsJsonObject()
              .getAsJsonArray("models")
              .get(0)
              .getAsJsonObject();
      for (JsonElement each : model.getAsJsonObject("nodes").asMap().values()) {
        JsonObject node = each.getAsJsonObject();
        String state = node.get("state").getAsString();
        if (!state.equals("loaded")) {
          String why = node.has("error") ? ", " + node.get("error").getAsString() : "";
          others.add(node.get("name").getAsString() + ": " + state + why);
        }
      }
    } catch (JsonParseException | IllegalStateException | IndexOutOfBoundsException e) {
      throw new IOException("no response to loading a model: " + response, e);
    }
    if (!others.isEmpty()) {
      throw new IOException(
          "model ["
              + id
              + "] is uploaded, but these nodes have not loaded it: "
              + String.join("; ", others));
    }
  }

  private static String model(String id) {
    ModelManifest.checkId(id);
    return "/_plugins/_cross_modal/models/" + id;
  }

  private String call(String method, String path, String json)
      throws IOException, InterruptedException {
    byte[] body = json.getBytes(StandardCharsets.UTF_8);
    ClusterClient.Response response =
        retry.whileBusy(() -> cluster.send(method, path, body, TIMEOUT));
    if (response.status() >= 300) {
      throw cluster.refused(method, path, response);
    }
    return response.body();
  }
}
