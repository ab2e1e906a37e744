/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.runtime;

import static org.hamcrest.Matchers.containsString;

import ai.djl.pytorch.jni.JniUtils;
import io.crossmodal.model.inference.InferenceException.ModelUnavailable;
import io.crossmodal.model.inference.InferenceSettings;
import io.crossmodal.plugin.TestService;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.stream.Stream;
import org.apache.lucene.tests.util.LuceneTestCase.SuppressFileSystems;
import org.opensearch.test.OpenSearchTestCase;

/** The engine beside other plugins that have a DJL of their own. */
@SuppressFileSystems("ExtrasFS") // puts files of its own into the folders of native code
public class NativeRuntimeTests extends OpenSearchTestCase {
  private static final String LIBRARY = System.mapLibraryName("torch");

  /** What ml-commons 3.6 sets, and what would have DJL load something else, or nothing. */
  private static final Map<String, String> OF_OTHERS =
      Map.ofEntries(
          Map.entry("PYTORCH_VERSION", "2.5.1"),
          Map.entry("PYTORCH_PRECXX11", "true"),
          Map.entry("PYTORCH_FLAVOR", "cu121"),
          Map.entry("PYTORCH_LIBRARY_PATH", "/nowhere/libtorch"),
          Map.entry("PYTORCH_EXTRA_LIBRARY_PATH", "/nowhere/libextra.so"),
          Map.entry("PYTORCH_LIBRARY_EXCLUSION", "libtorch_cpu.so"),
          Map.entry("DJL_CACHE_DIR", "/nowhere/djl"),
          Map.entry("ENGINE_CACHE_DIR", "/nowhere/engines"),
          Map.entry("ai.djl.pytorch.native_helper", "nowhere.Helper"),
          Map.entry("ai.djl.pytorch.num_threads", "7"),
          Map.entry("ai.djl.pytorch.num_interop_threads", "7"),
          Map.entry("ai.djl.default_engine", "OnnxRuntime"),
          Map.entry("ai.djl.offline", "false"));

  private static Map<String, String> properties() {
    Map<String, String> all = new HashMap<>();
    Properties properties = System.getProperties();
    properties.stringPropertyNames().forEach(name -> all.put(name, properties.getProperty(name)));
    return all;
  }

  public void testStartsWhateverOthersHaveSetAndLeavesItAsItWas() {
    Properties properties = System.getProperties();
    Map<String, String> before = properties();
    try {
      OF_OTHERS.forEach(properties::setProperty);
      Map<String, String> set = properties();
      InferenceSettings settings =
          TestService.settings(createTempDir(), 1000, 8, true, Duration.ZERO);
      assertTrue(NativeRuntime.start(settings) >= 0);
      assertTrue("of several nodes in one JVM", NativeRuntime.start(settings) >= 0);
      assertEquals(set, properties());
      assertNotEquals("others' threads are not ours", 7, JniUtils.getNumThreads());
    } finally {
      OF_OTHERS.keySet().forEach(properties::remove);
      before.forEach(properties::setProperty);
    }
  }

  public void testPropertiesComeBackWhateverHappened() {
    Properties properties = System.getProperties();
    String absent = "cross_modal.test.absent";
    String present = "cross_modal.test.present";
    properties.setProperty(present, "before");
    Map<String, String> values = new HashMap<>();
    values.put(absent, "meanwhile");
    values.put(present, null);
    try {
      IllegalStateException thrown =
          expectThrows(
              IllegalStateException.class,
              () ->
                  ScopedProperties.during(
                      values,
                      () -> {
                        assertEquals("meanwhile", properties.getProperty(absent));
                        assertNull(properties.getProperty(present));
                        throw new IllegalStateException("whatever");
                      }));
      assertEquals("whatever", thrown.getMessage());
      assertNull(properties.getProperty(absent));
      assertEquals("before", properties.getProperty(present));
    } finally {
      properties.remove(present);
    }
  }

  public void testAnotherLibtorchInTheProcessIsRefused() throws IOException {
    Path own = createTempDir();
    Path real = own.toRealPath();
    for (String library : List.of("c10", "torch", "torch_cpu")) {
      String file = System.mapLibraryName(library);
      // Whole, however long it is: the operator has to find it.
      String deep = "a-folder-below/".repeat(randomIntBetween(0, 20));
      String foreign = "/var/lib/ml cache/" + deep + "pytorch/2.5.1-cpu/" + file;
      String line = "7fa7e4c5e000-7fa7e4d6c000 r-xp 00000000 fe:00 10004524        ";
      String ours = line + real.resolve(file) + '\n' + line + "/usr/lib/libc.so.6\n";
      NativeRuntime.refuseBeside(NativeRuntime.files("Dynamic libraries:\n" + ours), own);
      String end = randomBoolean() ? "" : " (deleted)";
      ModelUnavailable refused =
          expectThrows(
              ModelUnavailable.class,
              () ->
                  NativeRuntime.refuseBeside(
                      NativeRuntime.files(ours + line + foreign + end + '\n'), own));
      assertThat(refused.getMessage(), containsString("another libtorch, [" + foreign + "]"));
      assertThat(refused.getMessage(), containsString("cross_modal.scorer"));
    }
  }

  private static Optional<Libtorch> operators(Map<String, String> env, Map<String, String> props) {
    return Libtorch.ofOperator(env::get, props::get);
  }

  public void testTheOperatorsLibraryIsTheOneOfOurVersion() throws IOException {
    Path folder = createTempDir();
    Files.createFile(folder.resolve(LIBRARY));
    String path = folder.toString();
    Map<String, String> ours =
        Map.of(Libtorch.PATH, path, Libtorch.VERSION, "2.7.1", Libtorch.FLAVOR, "cu128");
    Map<String, String> mlCommons =
        Map.of(Libtorch.VERSION, "2.5.1", "PYTORCH_PRECXX11", "true", Libtorch.FLAVOR, "cpu");
    Map<String, String> theirs = Map.of(Libtorch.PATH, path, Libtorch.VERSION, "2.5.1");

    assertEquals("cu128", operators(ours, Map.of()).orElseThrow().flavor());
    assertEquals("the environment wins", path, folder(operators(ours, mlCommons)));
    assertEquals(path, folder(operators(Map.of(), ours)));
    assertEquals(Optional.empty(), operators(Map.of(), Map.of()));
    assertEquals(Optional.empty(), operators(Map.of(), mlCommons));
    assertEquals("another plugin's", Optional.empty(), operators(mlCommons, theirs));
    assertEquals("another plugin's", Optional.empty(), operators(Map.of(), theirs));
    assertEquals(Optional.empty(), operators(Map.of(), Map.of(Libtorch.PATH, path)));

    refuses(theirs, "PYTORCH_VERSION says [2.5.1]; this plugin needs libtorch 2.7.1");
    refuses(Map.of(Libtorch.PATH, path), "PYTORCH_VERSION says [null]");
    refuses(
        Map.of(Libtorch.PATH, createTempDir().toString(), Libtorch.VERSION, "2.7.1"),
        "there is no " + LIBRARY + " in it");
    refuses(Map.of(Libtorch.PATH, path, Libtorch.VERSION, "2.7.1"), "set PYTORCH_FLAVOR to cpu");
  }

  private static String folder(Optional<Libtorch> found) {
    return found.orElseThrow().folder().toString();
  }

  private static void refuses(Map<String, String> environment, String because) {
    ModelUnavailable refused =
        expectThrows(ModelUnavailable.class, () -> operators(environment, Map.of()));
    assertThat(refused.getMessage(), containsString(because));
  }

  /** A killed node leaves a part of a file; what has its own name is whole. */
  public void testUnpacksWhatIsMissingAndNothingElse() throws IOException {
    Path directory = createTempDir();
    Path folder = Libtorch.unpacked(directory).folder();
    List<String> names = names(folder);
    assertTrue(names.toString(), names.contains(LIBRARY));
    assertTrue(names.toString(), names.stream().anyMatch(name -> name.endsWith("djl_torch.so")));

    Path c10 = folder.resolve(System.mapLibraryName("c10"));
    long size = Files.size(c10);
    Files.delete(c10);
    Files.write(c10.resolveSibling(c10.getFileName() + ".part"), new byte[3]);
    Files.write(folder.resolve(LIBRARY), new byte[5]);
    assertEquals(folder, Libtorch.unpacked(directory).folder());
    assertEquals(size, Files.size(c10));
    assertEquals("is not written again", 5, Files.size(folder.resolve(LIBRARY)));
    assertEquals(names, names(folder));
  }

  /** Else a libtorch that another plugin loads later is linked to ours, and ends the process. */
  public void testWhatItUnpacksHasNamesOfItsOwn() throws IOException {
    String resource = "pytorch/cpu/linux-x86_64/" + System.mapLibraryName("c10");
    Path library = createTempFile();
    try (InputStream in = getClass().getClassLoader().getResourceAsStream(resource)) {
      Files.copy(in, library, StandardCopyOption.REPLACE_EXISTING);
    }
    byte[] before = Files.readAllBytes(library);
    assertTrue(PrivateNames.apply(library) > 1);
    byte[] after = Files.readAllBytes(library);
    assertEquals(before.length, after.length);
    assertTrue(new String(after, StandardCharsets.ISO_8859_1).contains("\0cm-c10.so\0"));
    assertEquals("all of them", 0, PrivateNames.apply(library));

    Files.write(library, Arrays.copyOf(after, between(64, 1000)));
    expectThrows(EOFException.class, () -> PrivateNames.apply(library));
    Files.write(
        library,
        "a text that is no library, however long it may be, and it is"
            .getBytes(StandardCharsets.UTF_8));
    expectThrows(IOException.class, () -> PrivateNames.apply(library));
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  public void testSaysWhyItCannotUnpack() throws IOException {
    Path directory = createTempDir();
    Files.createFile(directory.resolve("libtorch"));
    ModelUnavailable refused =
        expectThrows(ModelUnavailable.class, () -> Libtorch.unpacked(directory));
    assertNotNull(refused.getCause());
    assertThat(refused.getMessage(), containsString(refused.getCause().toString()));
    assertThat(refused.getMessage(), containsString(directory.toString()));
  }
}
