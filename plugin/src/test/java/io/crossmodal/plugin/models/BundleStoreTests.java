/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.models;

import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.instanceOf;

import io.crossmodal.model.Precision;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.bundle.Sha256;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.registry.ModelVersion;
import io.crossmodal.plugin.TestModels;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.FileSystem;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import java.util.stream.Stream;
import org.apache.lucene.tests.mockfile.FilterFileSystemProvider;
import org.apache.lucene.tests.mockfile.FilterOutputStream2;
import org.apache.lucene.tests.util.LuceneTestCase.SuppressFileSystems;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.core.common.unit.ByteSizeUnit;
import org.opensearch.core.common.unit.ByteSizeValue;
import org.opensearch.test.OpenSearchTestCase;

@SuppressFileSystems("ExtrasFS") // puts files of its own into the folders
public class BundleStoreTests extends OpenSearchTestCase {
  private static final int CHUNK = 4096;

  private final Map<String, byte[]> chunks = new HashMap<>();
  private final AtomicInteger reads = new AtomicInteger();
  private final AtomicLong clock = new AtomicLong(randomLongBetween(-1L << 40, 1L << 40));
  private MemoryBudget heap = MemoryBudget.UNLIMITED;
  private ExecutorService executor;
  private Path directory;
  private StoredModel model;
  private boolean allowForeignCode;

  @Override
  public void setUp() throws Exception {
    super.setUp();
    executor = Executors.newFixedThreadPool(2);
    directory = createTempDir();
    store(TestModels.micro().manifest(), TestModels.zip(TestModels.micro(), createTempDir()));
    assertTrue("several chunks", model.chunks().size() > 2);
  }

  @Override
  public void tearDown() throws Exception {
    executor.shutdownNow();
    super.tearDown();
  }

  private BundleStore store(Path place) {
    return store(
        place,
        id -> {
          reads.incrementAndGet();
          return chunks.get(id);
        });
  }

  private BundleStore store(Path place, Function<String, byte[]> source) {
    return new BundleStore(
        place,
        source,
        executor,
        heap,
        allowForeignCode,
        new ByteSizeValue(1, ByteSizeUnit.GB),
        TimeValue.timeValueDays(7),
        clock::get);
  }

  private List<String> files() throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  private static String refusal(CompletableFuture<ModelBundle> fetch) {
    CompletionException e = expectThrows(CompletionException.class, fetch::join);
    assertThat(e.getCause(), instanceOf(InferenceException.ModelUnavailable.class));
    assertThat(e.getCause().getMessage(), containsString("model [mine] version 1"));
    return e.getCause().getMessage();
  }

  public void testFetchesOnceAndKeeps() throws IOException {
    ModelBundle bundle = store(directory).fetch(model).join();
    assertEquals("under its alias", "mine", bundle.manifest().id());
    assertEquals(TestModels.micro().manifest().fingerprints(), bundle.manifest().fingerprints());
    assertNotNull(bundle.weights());
    assertEquals(model.chunks().size(), reads.get());
    assertEquals(List.of(model.sha256() + ".zip"), files());
    store(directory).fetch(model).join();
    assertEquals("from the disk", model.chunks().size(), reads.get());
  }

  public void testADamagedCopyIsFetchedAgain() throws IOException {
    store(directory).fetch(model).join();
    Path file = directory.resolve(model.sha256() + ".zip");
    byte[] damaged = Files.readAllBytes(file);
    damaged[damaged.length / 2] ^= 1;
    Files.write(file, damaged);
    store(directory).fetch(model).join();
    assertEquals(model.sha256(), Sha256.hex(file));
  }

  public void testAMissingChunkIsNamedAndAFetchMayBeTriedAgain() throws IOException {
    String id = model.chunks().get(1);
    byte[] chunk = chunks.remove(id);
    ModelVersion version =
        ModelVersion.stored(
            "mine", 1, model.sha256(), model.manifestJson(), () -> store(directory).fetch(model));
    assertThat(refusal(version.bundle()), containsString("chunk 2 of"));
    assertEquals("nothing is left behind", List.of(), files());
    chunks.put(id, chunk);
    assertNotNull(version.bundle().join());
  }

  public void testForeignBytesAreRefused() throws IOException {
    chunks.get(model.chunks().get(0))[100] ^= 1;
    assertThat(refusal(store(directory).fetch(model)), containsString("expected SHA-256"));
    assertEquals(List.of(), files());
  }

  public void testConcurrentCallersShareOneFetch() throws Exception {
    CountDownLatch held = new CountDownLatch(1);
    ModelVersion version =
        ModelVersion.stored(
            "mine",
            1,
            model.sha256(),
            model.manifestJson(),
            () ->
                store(
                        directory,
                        id -> {
                          reads.incrementAndGet();
                          try {
                            held.await();
                          } catch (InterruptedException e) {
                            throw new IllegalStateException(e);
                          }
                          return chunks.get(id);
                        })
                    .fetch(model));
    CompletableFuture<ModelBundle> first = version.bundle();
    assertSame(first, version.bundle());
    held.countDown();
    first.join();
    assertSame(first, version.bundle());
    assertEquals(model.chunks().size(), reads.get());
  }

  public void testAFolderThatCannotBeWritten() throws IOException {
    Path file = Files.createFile(createTempDir().resolve("in-the-way"));
    assertThat(
        refusal(store(file.resolve("models")).fetch(model)), containsString("does not take it"));
  }

  public void testAFullDisk() throws IOException {
    AtomicBoolean full = new AtomicBoolean(true);
    FileSystem disk = new SmallDisk(directory.getFileSystem(), full).getFileSystem(null);
    BundleStore store = store(((SmallDisk) disk.provider()).wrapPath(directory));
    String message = refusal(store.fetch(model));
    assertThat(message, containsString("No space left on device"));
    assertThat(message, containsString(directory.toString()));
    assertEquals("nothing is left behind", List.of(), files());
    full.set(false);
    assertNotNull(store.fetch(model).join());
  }

  /** Takes one chunk while it is full. */
  private static final class SmallDisk extends FilterFileSystemProvider {
    private final AtomicBoolean full;

    private SmallDisk(FileSystem real, AtomicBoolean full) {
      super("small://", real);
      this.full = full;
    }

    @Override
    public OutputStream newOutputStream(Path path, OpenOption... options) throws IOException {
      return new FilterOutputStream2(super.newOutputStream(path, options)) {
        private long written;

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
          written += length;
          if (full.get() && written > CHUNK) {
            throw new IOException("No space left on device");
          }
          super.write(bytes, offset, length);
        }
      };
    }
  }

  public void testTidiesUp() throws IOException {
    BundleStore store = store(directory);
    store.fetch(model).join();
    store.temporary();
    assertEquals(2, files().size());
    store.deleteTemporary();
    assertEquals(List.of(model.sha256() + ".zip"), files());
    store.retain(Set.of(model.sha256(), "other"));
    assertEquals(1, files().size());
    store.retain(Set.of());
    clock.addAndGet(TimeValue.timeValueDays(6).millis());
    store.retain(Set.of());
    assertEquals("kept for days", 1, files().size());
    store.retain(Set.of(model.sha256()));
    clock.addAndGet(TimeValue.timeValueDays(6).millis());
    store.retain(Set.of());
    assertEquals("needed in between", 1, files().size());
    clock.addAndGet(TimeValue.timeValueDays(8).millis());
    store.retain(Set.of());
    assertEquals(List.of(), files());
    store(directory.resolve("nothing")).retain(Set.of());
  }

  /** Each takes memory, and there is enough for one. */
  public void testBundlesAreCheckedOneAfterTheOther() {
    AtomicInteger held = new AtomicInteger();
    heap =
        (what, bytes) -> {
          if (!held.compareAndSet(0, 1)) {
            throw new InferenceException.MemoryExceeded(what, bytes, "two at once", null);
          }
          return () -> held.set(0);
        };
    executor.shutdownNow();
    executor = Executors.newFixedThreadPool(3);
    BundleStore store = store(directory);
    List<CompletableFuture<ModelBundle>> fetches = new ArrayList<>();
    for (int i = 0; i < 9; i++) {
      fetches.add(store.fetch(model));
    }
    fetches.forEach(CompletableFuture::join);
    assertEquals("all is given back", 0, held.get());
  }

  public void testWithoutMemoryItIsTriedAgainLater() {
    heap =
        (what, bytes) -> {
          throw new InferenceException.MemoryExceeded(what, bytes, "full", null);
        };
    BundleStore full = store(directory);
    CompletionException e = expectThrows(CompletionException.class, full.fetch(model)::join);
    assertThat(e.getCause(), instanceOf(InferenceException.MemoryExceeded.class));
    heap = MemoryBudget.UNLIMITED;
    assertNotNull(store(directory).fetch(model).join());
  }

  /** The cluster state is trusted no more than an upload, and older text must not end a model. */
  public void testForeignCodeIsNotLoadedWhereverItComesFrom() throws Exception {
    byte[] own = TestModels.zip(TestModels.micro(), createTempDir());
    byte[] zip = TestModels.withForeignCode(own);
    ModelBundle foreign = store(directory).open(() -> new ByteArrayInputStream(zip));
    assertTrue(foreign.hasForeignCode());
    assertArrayEquals(TestModels.entries(own).get("model.pt"), loaded(foreign));
    store(foreign.manifest(), zip);
    ModelBundle bundle = store(directory).fetch(model).join();
    assertTrue(bundle.hasForeignCode());
    assertArrayEquals(TestModels.entries(own).get("model.pt"), loaded(bundle));
    allowForeignCode = true;
    assertArrayEquals(
        "as it is where it is allowed",
        TestModels.entries(zip).get("model.pt"),
        loaded(store(directory).fetch(model).join()));
  }

  private static byte[] loaded(ModelBundle bundle) throws Exception {
    Path archive = createTempDir().resolve("model.pt");
    assertTrue(bundle.writeModel(archive, Precision.FP32) > 0);
    return Files.readAllBytes(archive);
  }

  public void testAnotherManifestThanTheClusterStatesIsRefused() throws IOException {
    byte[] zip = TestModels.zip(TestModels.foreign(), createTempDir());
    store(TestModels.micro().manifest(), zip);
    assertThat(refusal(store(directory).fetch(model)), containsString("its manifest is another"));
  }

  private void store(ModelManifest manifest, byte[] zip) {
    model = StoredModel.of("mine", manifest, Sha256.hex(zip), zip.length, CHUNK);
    List<String> ids = model.chunks();
    for (int i = 0; i < ids.size(); i++) {
      chunks.put(
          ids.get(i), Arrays.copyOfRange(zip, i * CHUNK, Math.min(zip.length, (i + 1) * CHUNK)));
    }
  }

  public void testACopyThatIsGoneIsFetchedAgain() throws Exception {
    ModelBundle bundle = store(directory).fetch(model).join();
    Files.delete(directory.resolve(model.sha256() + ".zip"));
    Path archive = createTempDir().resolve("model.pt");
    assertTrue(bundle.writeModel(archive, Precision.FP32) > 0);
    assertEquals(List.of(model.sha256() + ".zip"), files());
    assertEquals(2L * model.chunks().size(), reads.get());
  }
}
