/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.trainer.cluster.ClusterClient;
import io.crossmodal.trainer.cluster.Retry;
import io.crossmodal.trainer.encode.BulkSink;
import io.crossmodal.trainer.encode.Cutting;
import io.crossmodal.trainer.encode.DocumentFormat;
import io.crossmodal.trainer.encode.EncodeRun;
import io.crossmodal.trainer.encode.SourceImages;
import io.crossmodal.trainer.encode.TargetIndex;
import io.crossmodal.trainer.encode.TokenForm;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * What is encoded, how, by which model and into which field: options that {@code encode} has in
 * common with the same work on many machines.
 */
public final class EncodeArguments {
  @Option(
      names = "--data",
      paramLabel = "PATH",
      description =
          "a picture, a folder of pictures, however deep, or of BigEarthNet patches (Sentinel-2,"
              + " seen in true colours); a caption file (JSON of Karpathy, COCO or PIR, _caps.txt)"
              + " or a folder of such files; or a list, a path a line, a caption behind a tab;"
              + " encode alone: or FILE.parquet that it wrote")
  private Path data;

  @Option(
      names = "--images",
      paramLabel = "DIR",
      description =
          "captions: folder of the images (default: \"images\" beside the caption file, or beside"
              + " it)")
  private Path images;

  @Option(
      names = "--bundle",
      paramLabel = "FILE",
      description = "the field's model (default: the shipped scenes-tiny)")
  private Path bundle;

  @Mixin private NodeArguments node;
  @Mixin private SceneArguments scenes;

  @Option(names = "--field", defaultValue = "image", description = "field of type cross_modal")
  private String field;

  @Option(names = "--create-index", description = "make the index where there is none")
  private boolean createIndex;

  @Option(
      names = "--model",
      paramLabel = "ID",
      description =
          "--create-index: id under which the cluster serves the bundle (default: the bundle's"
              + " own)")
  private String model;

  @Option(
      names = "--tokens",
      defaultValue = "INT8",
      description =
          "what a new index, or a file, keeps for the fusion encoder (${COMPLETION-CANDIDATES}); an"
              + " index that is there says it itself")
  private TokenForm tokens;

  @Option(
      names = "--sensor",
      paramLabel = "NAME",
      description = "that took the pictures (default: the bundle's only one)")
  private String sensor;

  @Option(
      names = "--allow-problems",
      defaultValue = "100",
      description = "leave out up to so many pictures that are broken, missing or refused")
  private int allowedProblems;

  @Option(names = "--batch", defaultValue = "32", description = "pictures in a call of the model")
  private int batch;

  @Option(names = "--connections", defaultValue = "2", description = "_bulk requests at a time")
  private int connections;

  @Option(
      names = "--retry-for",
      paramLabel = "SECONDS",
      defaultValue = "600",
      description = "patience with a cluster that is full or away")
  private int retrySeconds;

  /** Returns what to call the source in messages. */
  public Path data() {
    return data;
  }

  /** Returns whether an option is given that only an index has. */
  boolean namesIndex() {
    return createIndex || model != null;
  }

  /**
   * Returns how pictures are encoded.
   *
   * @param threads that read and decode
   */
  public EncodeRun.Options options(int threads) {
    return new EncodeRun.Options(batch, threads, allowedProblems, scenes.look());
  }

  /** Returns how scenes are cut; empty where pictures are encoded as they are. */
  public Optional<Cutting> cutting() {
    return scenes.cutting();
  }

  public Retry retry() {
    return Retry.lasting(Duration.ofSeconds(retrySeconds));
  }

  /** Returns whether the source is what {@code --data} names. */
  boolean isGiven() {
    return data != null;
  }

  void refuseImages() {
    if (images != null) {
      throw new IllegalArgumentException("--images is for captions of --data");
    }
  }

  /** Lists what is to be encoded. */
  public SourceImages source() throws IOException {
    return source(false);
  }

  /**
   * Lists what is to be encoded.
   *
   * @param none whether there may be no picture
   */
  SourceImages source(boolean none) throws IOException {
    if (data == null) {
      throw new IllegalArgumentException("--data is missing");
    }
    Optional<Path> folder = Optional.ofNullable(images);
    SourceImages all =
        none
            ? SourceImages.readAny(data, folder, allowedProblems, scenes::takes)
            : SourceImages.read(data, folder, allowedProblems, scenes::takes);
    // Here, since whoever looks at scenes one by one cannot tell.
    return all.withoutClassifications(cutting());
  }

  /** Returns the file of the model; empty for the shipped one. */
  public Optional<Path> bundleFile() {
    return Optional.ofNullable(bundle);
  }

  /** Returns the file of certificates that are trusted; empty for those that the JVM trusts. */
  public Optional<Path> authorities() {
    return node.authorities();
  }

  /** Reads the model. */
  public ModelBundle bundle() throws IOException, BundleException {
    return bundle == null ? ModelBundle.demo() : ModelBundle.read(bundle);
  }

  /** Returns the header {@code Authorization} of the user, who may be asked for the password. */
  public Optional<String> authorization() {
    return node.authorization();
  }

  /** Makes a client of the cluster, see {@link #authorization}. */
  public ClusterClient client(Optional<String> authorization) throws IOException {
    return node.client(authorization);
  }

  /** Returns whether the index is to be made, there being none. */
  boolean isYetToBeMade(ClusterClient cluster, String name)
      throws IOException, InterruptedException {
    return createIndex && !TargetIndex.isThere(cluster, name);
  }

  /**
   * Looks at an index, and makes it where there is none and that is asked for.
   *
   * @param say is told what was made, and what documents will not have there
   */
  public TargetIndex index(
      ClusterClient cluster, String name, ModelManifest manifest, Consumer<String> say)
      throws IOException, InterruptedException {
    if (createIndex) {
      String served = model == null ? manifest.id() : model;
      if (TargetIndex.create(cluster, name, field, manifest, served, tokens, scenes.look())) {
        say.accept("made the index " + name);
      }
    }
    TargetIndex index = TargetIndex.of(cluster, name, field, manifest);
    if (!index.places()) {
      say.accept(
          name
              + " has no geo_shape footprint and geo_point centre: documents do not say where their"
              + " picture lies");
    }
    if (!index.thumbnails() && scenes.look().thumbnail() > 0) {
      say.accept(
          name
              + " has no binary thumbnail: documents have none. PUT "
              + name
              + "/_mapping {\"properties\": {\"thumbnail\": {\"type\": \"binary\"}}} adds it");
    }
    return index;
  }

  /** Returns the form of documents for an index that is there. */
  public DocumentFormat format(ModelManifest manifest, TargetIndex index) {
    return format(manifest, index.tokens(), index.places(), index.thumbnails());
  }

  /** Returns the form of documents for a file. */
  DocumentFormat format(ModelManifest manifest) {
    return format(manifest, tokens, true, true);
  }

  private DocumentFormat format(
      ModelManifest manifest, TokenForm form, boolean places, boolean thumbnails) {
    List<String> sensors = manifest.config().sensors().stream().map(SensorConfig::name).toList();
    if (sensor == null && sensors.size() > 1) {
      throw new IllegalArgumentException("--sensor is missing, this bundle has " + sensors);
    }
    String named = sensor == null ? sensors.get(0) : sensor;
    return new DocumentFormat(
        field, named, manifest, form, places, thumbnails && scenes.look().thumbnail() > 0);
  }

  /** Returns what sends documents of this form by {@code _bulk}. */
  public EncodeRun.SinkFactory bulk(BulkSink.Transport transport, DocumentFormat format) {
    return listener -> new BulkSink(transport, format, connections, retry(), listener);
  }
}
