/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.worker;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.inference.protocol.RemoteOperation;
import java.util.ArrayList;
import java.util.List;

/** Inputs and outputs of the operations, as a model's metadata tell them; -1 is any extent. */
final class Signatures {
  private Signatures() {}

  /** Returns {@code inputs} and {@code outputs}. */
  static JsonObject of(RemoteOperation operation, ModelConfig config) {
    int h = config.hidden();
    int t = config.tokenWidth();
    int d = config.embeddingDimension();
    List<JsonObject> inputs = new ArrayList<>();
    List<JsonObject> outputs = new ArrayList<>();
    switch (operation) {
      case ENCODE_TEXT -> {
        inputs.add(tensor("input_ids", "INT32", -1, -1));
        inputs.add(tensor("attention_mask", "INT32", -1, -1));
      }
      case ENCODE_IMAGE -> inputs.add(tensor("pixels", "FP32", -1, -1, -1, -1));
      default -> {
        inputs.add(tensor("asking", "FP32", -1, -1, operation == RemoteOperation.MAX_SIM ? t : h));
        inputs.add(tensor("asking_lengths", "INT32", -1));
        inputs.add(tensor("asking_of", "INT32", -1));
        inputs.add(tensor("image_blocks", "UINT8", -1));
        inputs.add(tensor("image_lengths", "INT32", -1));
      }
    }
    switch (operation) {
      case ENCODE_TEXT, ENCODE_IMAGE -> {
        outputs.add(tensor("embedding", "FP32", -1, d));
        outputs.add(
            tensor("tokens", "FP32", -1, -1, operation == RemoteOperation.ENCODE_IMAGE ? t : h));
      }
      case SCORE -> {
        outputs.add(tensor("itm", "FP32", -1));
        outputs.add(tensor("bi_encoder", "FP32", -1));
      }
      case MAX_SIM -> outputs.add(tensor("similarity", "FP32", -1));
      case PRE_RANK -> outputs.add(tensor("logit", "FP32", -1));
      case ATTENTION -> outputs.add(tensor("weights", "FP32", -1));
    }
    JsonObject json = new JsonObject();
    json.add("inputs", array(inputs));
    json.add("outputs", array(outputs));
    return json;
  }

  private static JsonArray array(List<JsonObject> tensors) {
    JsonArray array = new JsonArray();
    tensors.forEach(array::add);
    return array;
  }

  private static JsonObject tensor(String name, String type, long... shape) {
    JsonObject json = new JsonObject();
    json.addProperty("name", name);
    json.addProperty("datatype", type);
    JsonArray extents = new JsonArray();
    for (long extent : shape) {
      extents.add(extent);
    }
    json.add("shape", extents);
    return json;
  }
}
