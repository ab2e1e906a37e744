/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.models;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.plugin.TestModels;
import java.io.IOException;
import java.util.List;
import java.util.stream.IntStream;
import org.opensearch.OpenSearchStatusException;
import org.opensearch.cluster.Diff;
import org.opensearch.cluster.NamedDiff;
import org.opensearch.cluster.metadata.Metadata;
import org.opensearch.core.common.io.stream.NamedWriteableRegistry;
import org.opensearch.core.common.io.stream.Writeable;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.xcontent.XContentParser;
import org.opensearch.test.AbstractDiffableSerializationTestCase;

public class ModelsMetadataTests extends AbstractDiffableSerializationTestCase<Metadata.Custom> {
  private static final ModelBundle MICRO = TestModels.micro();

  private static StoredModel model(String id, ModelBundle bundle, String sha256) {
    return StoredModel.of(id, bundle.manifest(), sha256, randomLongBetween(1, 100_000), 1024);
  }

  private static String sha256() {
    return randomAlphaOfLength(64);
  }

  @Override
  protected ModelsMetadata createTestInstance() {
    return new ModelsMetadata(
        IntStream.range(0, randomInt(3))
            .mapToObj(i -> model("m" + i, MICRO, sha256()).withVersion(randomIntBetween(1, 9)))
            .toList());
  }

  @Override
  protected Metadata.Custom mutateInstance(Metadata.Custom instance) {
    return makeTestChanges(instance);
  }

  @Override
  protected Metadata.Custom makeTestChanges(Metadata.Custom instance) {
    ModelsMetadata models = (ModelsMetadata) instance;
    return models.models().isEmpty() || randomBoolean()
        ? models.with(model("new", MICRO, sha256()))
        : models.without(models.models().keySet().iterator().next());
  }

  @Override
  protected Writeable.Reader<Metadata.Custom> instanceReader() {
    return ModelsMetadata::new;
  }

  @Override
  protected Writeable.Reader<Diff<Metadata.Custom>> diffReader() {
    return ModelsMetadata::readDiffFrom;
  }

  @Override
  protected ModelsMetadata doParseInstance(XContentParser parser) throws IOException {
    return ModelsMetadata.fromXContent(parser);
  }

  @Override
  protected NamedWriteableRegistry getNamedWriteableRegistry() {
    return new NamedWriteableRegistry(
        List.of(
            new NamedWriteableRegistry.Entry(
                Metadata.Custom.class, ModelsMetadata.TYPE, ModelsMetadata::new),
            new NamedWriteableRegistry.Entry(
                NamedDiff.class, ModelsMetadata.TYPE, ModelsMetadata::readDiffFrom)));
  }

  public void testAnIdMovesToTheNextVersionOfTheSameSpaces() {
    StoredModel first = model("m", MICRO, "a");
    ModelsMetadata one = RegisterModelAction.register(ModelsMetadata.EMPTY, first);
    assertEquals(1, one.models().get("m").version());
    assertSame("the same bytes again", one, RegisterModelAction.register(one, first));
    ModelsMetadata two = RegisterModelAction.register(one, model("m", MICRO, "b"));
    assertEquals(2, two.models().get("m").version());
    assertEquals("b", two.models().get("m").sha256());
    assertEquals("immutable", 1, one.models().get("m").version());
  }

  public void testAnIdKeepsItsSpaces() {
    StoredModel first = model("m", MICRO, "a");
    StoredModel foreign = model("m", TestModels.foreign(), "b");
    OpenSearchStatusException e =
        expectThrows(
            OpenSearchStatusException.class,
            () -> RegisterModelAction.register(ModelsMetadata.EMPTY.with(first), foreign));
    assertEquals(RestStatus.CONFLICT, e.status());
    for (String part :
        List.of(
            first.embeddingSpace(),
            first.tokenSpace(),
            foreign.embeddingSpace(),
            foreign.tokenSpace(),
            "choose another id")) {
      assertThat(e.getMessage(), containsString(part));
    }
  }

  public void testNodesWithoutThePluginAreNamed() {
    RegisterModelAction.requireOnEveryNode(List.of());
    OpenSearchStatusException e =
        expectThrows(
            OpenSearchStatusException.class,
            () -> RegisterModelAction.requireOnEveryNode(List.of("plain-1", "plain-2")));
    assertEquals(RestStatus.CONFLICT, e.status());
    assertThat(e.getMessage(), containsString("the nodes [plain-1, plain-2] have no cross-modal"));
  }

  public void testThereIsAnEnd() {
    ModelsMetadata full =
        new ModelsMetadata(
            IntStream.range(0, ModelsMetadata.MAX_MODELS)
                .mapToObj(i -> model("m" + i, MICRO, "a"))
                .toList());
    assertEquals(
        RestStatus.BAD_REQUEST,
        expectThrows(
                OpenSearchStatusException.class,
                () -> RegisterModelAction.register(full, model("more", MICRO, "a")))
            .status());
    assertEquals(
        2,
        RegisterModelAction.register(full, model("m0", MICRO, "b")).models().get("m0").version());
  }

  /** Every node holds it, and each change of the cluster state is sent to all. */
  public void testAManifestIsKeptInBrief() throws Exception {
    ModelManifest manifest = MICRO.manifest();
    List<ModelManifest.Metric> metrics =
        IntStream.range(0, 1000)
            .mapToObj(i -> new ModelManifest.Metric("metric " + i + "x".repeat(900), i))
            .toList();
    ModelBundle measured =
        ModelBundle.of(
            "m",
            manifest.config(),
            MICRO.words(),
            MICRO.weights(),
            manifest.calibration(),
            new ModelManifest.Training("y".repeat(1000), 1, 1, "z"),
            metrics);
    StoredModel model = model("m", measured, "abc");
    assertTrue(model.manifestJson().length < 5000);
    assertEquals(manifest.config(), ModelManifest.fromJson(model.manifestJson()).config());
  }

  public void testAManifestIsBounded() {
    List<SensorConfig> sensors =
        IntStream.range(0, 64)
            .mapToObj(
                i ->
                    new SensorConfig(
                        "s" + i,
                        16,
                        random().doubles(100).boxed().toList(),
                        random().doubles(100, 1, 2).boxed().toList()))
            .toList();
    ModelConfig micro = ModelConfig.micro();
    ModelBundle many =
        TestBundles.random("many", ModelConfig.ofSensors(4, 1, 4, 4, micro.image(), sensors), 1);
    IllegalArgumentException e =
        expectThrows(IllegalArgumentException.class, () -> model("m", many, "abc"));
    assertThat(e.getMessage(), containsString("the cluster state takes a manifest of at most"));
  }

  public void testChunksCoverTheBundle() {
    StoredModel model = StoredModel.of("m", MICRO.manifest(), "abc", 2049, 1024);
    assertEquals(
        List.of("chunk.abc.1024.0", "chunk.abc.1024.1", "chunk.abc.1024.2"), model.chunks());
    assertEquals(1, StoredModel.of("m", MICRO.manifest(), "abc", 1024, 1024).chunks().size());
  }
}
