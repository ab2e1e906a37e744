/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.bench;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * A checkpoint of a published shape in OpenCLIP's names, fp32, with random weights of the size that
 * trained ones have; written as it is made.
 */
enum RandomClip {
  B32("ViT-B-32", 512, 768, 12, 32, 512),
  L14("ViT-L-14", 768, 1024, 24, 14, 768);

  private static final int SIDE = 224;
  private static final int CONTEXT = 77;
  private static final int WORDS = 49_408;
  private static final int TEXT_LAYERS = 12;
  private static final int PIECE = 1 << 16;

  private final String architecture;
  private final int joint;
  private final int width;
  private final int layers;
  private final int patch;
  private final int text;

  RandomClip(String architecture, int joint, int width, int layers, int patch, int text) {
    this.architecture = architecture;
    this.joint = joint;
    this.width = width;
    this.layers = layers;
    this.patch = patch;
    this.text = text;
  }

  private record Tensor(String name, double mean, double deviation, int... shape) {
    private long size() {
      long size = 1;
      for (int extent : shape) {
        size *= extent;
      }
      return size;
    }
  }

  /** Returns OpenCLIP's name of the shape. */
  String architecture() {
    return architecture;
  }

  /** Writes safetensors. */
  void write(Path file) throws IOException {
    List<Tensor> tensors = tensors();
    JsonObject header = new JsonObject();
    long position = 0;
    for (Tensor tensor : tensors) {
      JsonObject entry = new JsonObject();
      entry.addProperty("dtype", "F32");
      JsonArray shape = new JsonArray();
      for (int extent : tensor.shape) {
        shape.add(extent);
      }
      entry.add("shape", shape);
      JsonArray offsets = new JsonArray();
      offsets.add(position);
      position += Float.BYTES * tensor.size();
      offsets.add(position);
      entry.add("data_offsets", offsets);
      header.add(tensor.name, entry);
    }
    byte[] json = header.toString().getBytes(StandardCharsets.UTF_8);
    ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    SplittableRandom random = new SplittableRandom(1);
    // Normal values of unit length, drawn once: their sum is what matters, not their independence.
    float[] normal = new float[PIECE + 1];
    for (int i = 0; i < normal.length; i++) {
      normal[i] = (float) random.nextGaussian();
    }
    try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file), 1 << 20)) {
      out.write(length.putLong(json.length).array());
      out.write(json);
      ByteBuffer piece = ByteBuffer.allocate(4 * PIECE).order(ByteOrder.LITTLE_ENDIAN);
      for (Tensor tensor : tensors) {
        long left = tensor.size();
        while (left > 0) {
          piece.clear();
          int from = random.nextInt(normal.length);
          int count = (int) Math.min(left, PIECE);
          for (int i = 0; i < count; i++) {
            float value = normal[(from + i) % normal.length];
            piece.putFloat((float) (tensor.mean + tensor.deviation * value));
          }
          out.write(piece.array(), 0, piece.position());
          left -= count;
        }
      }
    }
  }

  private List<Tensor> tensors() {
    List<Tensor> all = new ArrayList<>();
    int grid = SIDE / patch;
    double w = 1 / Math.sqrt(width);
    double t = 1 / Math.sqrt(text);
    all.add(new Tensor("logit_scale", Math.log(100), 0));
    all.add(new Tensor("visual.class_embedding", 0, w, width));
    all.add(new Tensor("visual.positional_embedding", 0, w, 1 + grid * grid, width));
    all.add(new Tensor("visual.conv1.weight", 0, 0.02, width, 3, patch, patch));
    all.add(new Tensor("visual.proj", 0, w, width, joint));
    norm(all, "visual.ln_pre", width);
    norm(all, "visual.ln_post", width);
    layers(all, "visual.transformer", width, layers);
    all.add(new Tensor("token_embedding.weight", 0, 0.02, WORDS, text));
    all.add(new Tensor("positional_embedding", 0, 0.01, CONTEXT, text));
    all.add(new Tensor("text_projection", 0, t, text, joint));
    norm(all, "ln_final", text);
    layers(all, "transformer", text, TEXT_LAYERS);
    return all;
  }

  private static void norm(List<Tensor> all, String name, int w) {
    all.add(new Tensor(name + ".weight", 1, 0.02, w));
    all.add(new Tensor(name + ".bias", 0, 0.02, w));
  }

  private static void layers(List<Tensor> all, String tower, int w, int count) {
    double in = 1 / Math.sqrt(w);
    double out = in / Math.sqrt(2.0 * count);
    for (int i = 0; i < count; i++) {
      String layer = tower + ".resblocks." + i + ".";
      norm(all, layer + "ln_1", w);
      norm(all, layer + "ln_2", w);
      all.add(new Tensor(layer + "attn.in_proj_weight", 0, in, 3 * w, w));
      all.add(new Tensor(layer + "attn.in_proj_bias", 0, 0.02, 3 * w));
      linear(all, layer + "attn.out_proj", out, w, w);
      linear(all, layer + "mlp.c_fc", in / Math.sqrt(2), 4 * w, w);
      linear(all, layer + "mlp.c_proj", out, w, 4 * w);
    }
  }

  private static void linear(List<Tensor> all, String name, double deviation, int out, int in) {
    all.add(new Tensor(name + ".weight", 0, deviation, out, in));
    all.add(new Tensor(name + ".bias", 0, 0.02, out));
  }
}
