/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.fixtures.TestClips;
import io.crossmodal.trainer.train.MicroTraining;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** A CLIP by the command line: imported, encoded with, evaluated; and what is refused. */
class ClipCommandTest {
  private static final long SEED = MicroTraining.seed();

  @TempDir static Path folder;
  private static String data;
  private static String bundle;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @BeforeAll
  static void importOne() throws Exception {
    data = MicroTraining.scenes(folder.resolve("scenes"), 4, 4, 6, SEED).toString();
    TestClips.write(folder.resolve("clip"), SEED);
    bundle = folder.resolve("clip.zip").toString();
    ClipCommandTest test = new ClipCommandTest();
    List<String> arguments = importing();
    arguments.addAll(List.of("--prompt", "a photo of {}", "--prompt", "{} from above"));
    assertEquals(0, test.run(arguments), test.err.toString());
    String said = test.out.toString();
    assertTrue(said.contains("query texts: [a photo of {}, {} from above]"), said);
    assertTrue(said.contains("wrote " + bundle), said);
  }

  private static List<String> importing() {
    return new ArrayList<>(
        List.of(
            "import",
            "--clip",
            folder.resolve("clip").toString(),
            "--id",
            "mine",
            "--out",
            bundle));
  }

  private int run(List<String> arguments) {
    PrintStream before = System.out;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
    try {
      CommandLine line = CrossModal.commandLine();
      line.setOut(new PrintWriter(out, true));
      line.setErr(new PrintWriter(err, true));
      return line.execute(arguments.toArray(new String[0]));
    } finally {
      System.setOut(before);
      out.append(printed.toString(StandardCharsets.UTF_8));
    }
  }

  private void assertUserError(List<String> arguments, String... parts) {
    err.getBuffer().setLength(0);
    assertEquals(2, run(arguments), err.toString());
    for (String part : parts) {
      assertTrue(err.toString().contains(part), err.toString());
    }
  }

  @Test
  void encodesPicturesForAnIndex() throws Exception {
    Path lines = folder.resolve("lines.ndjson");
    assertEquals(
        0,
        run(List.of("encode", "--data", data, "--bundle", bundle, "--out", lines.toString())),
        err.toString());
    List<String> written = Files.readAllLines(lines);
    assertEquals(28, written.size());
    assertTrue(written.get(1).contains("\"tokens\""), written.get(1));
  }

  @Test
  void isMeasuredByItsEmbeddingsWithItsPromptsOrWithout() {
    List<String> evaluate = List.of("evaluate", "--data", data, "--bundle", bundle);
    assertEquals(0, run(evaluate), err.toString());
    String plain = out.toString();
    assertTrue(plain.contains("ranked by the cosine of embeddings"), plain);
    assertTrue(plain.contains("| filter only |"), plain);
    assertFalse(plain.contains("fusion, k"), plain);
    out.getBuffer().setLength(0);
    List<String> prompted = new ArrayList<>(evaluate);
    prompted.add("--prompts");
    assertEquals(0, run(prompted), err.toString());
    assertTrue(out.toString().contains("put into the model's prompts"), out.toString());
    for (String option : List.of("--full", "--two-fold", "--lambda=0", "--max-sim=4")) {
      List<String> fused = new ArrayList<>(evaluate);
      fused.add(option);
      assertUserError(fused, bundle, "has no fusion encoder", "--two-fold");
    }
  }

  @Test
  void whatNeedsAFusionEncoderRefusesIt() {
    String other = folder.resolve("other.zip").toString();
    assertUserError(
        List.of("export", "--data", data, "--bundle", bundle, "--out", other, "--id", "other"),
        bundle,
        "two towers without a fusion encoder");
    assertUserError(
        List.of(
            "train", "--data", data, "--init", bundle, "--run", folder.resolve("run").toString()),
        "is a CLIP of two towers",
        "train-fusion");
  }

  /** From the towers alone to a bundle that fuses: trained, exported, measured. */
  @Test
  void aFusionEncoderIsTrainedOverIt() {
    String run = folder.resolve("fusion").toString();
    List<String> training =
        List.of(
            "train-fusion",
            "--head-on",
            bundle,
            "--data",
            data,
            "--run",
            run,
            "--layers",
            "2",
            "--width",
            "8",
            "--steps",
            "2",
            "--queries",
            "2",
            "--candidates",
            "2",
            "--pool",
            "4",
            "--similar-captions",
            "1",
            "--augment",
            "NONE",
            "--precision",
            "FP32");
    assertEquals(0, run(training), err.toString());
    assertTrue(out.toString().contains("embeddings and tokens are those of mine"), out.toString());
    String trained = folder.resolve("fusion").resolve("model.zip").toString();
    String exported = folder.resolve("exported.zip").toString();
    assertEquals(
        0,
        run(
            List.of(
                "export", "--data", data, "--bundle", trained, "--out", exported, "--id", "mine")),
        err.toString());
    assertTrue(out.toString().contains("encoded no second time"), out.toString());
    List<String> measuring =
        List.of("evaluate", "--data", data, "--bundle", exported, "--two-fold", "--k", "4");
    assertEquals(0, run(measuring), err.toString());
    assertTrue(out.toString().contains("lambda of the other half"), out.toString());
  }

  /** The spelling of those who look for it with train leads to its command. */
  @Test
  void trainSaysWhereAFusionEncoderIsTrained() {
    assertUserError(
        List.of(
            "train",
            "--head-on",
            bundle,
            "--data",
            data,
            "--run",
            folder.resolve("head").toString()),
        "train-fusion --head-on " + bundle);
    assertFalse(Files.exists(folder.resolve("head")));
  }

  @Test
  void partsAndAWholeAreTwoThings() {
    List<String> both = importing();
    both.addAll(List.of("--image", "a", "--text", "b", "--vocab", "c"));
    assertUserError(both, "mutually exclusive");
    assertUserError(List.of("import", "--out", bundle), "--clip");
    List<String> nameless = importing();
    nameless.removeAll(List.of("--id", "mine"));
    assertUserError(nameless, "--id");
    List<String> upper = importing();
    upper.set(upper.indexOf("mine"), "Mine");
    assertUserError(upper, "id must match", "[Mine]");
    List<String> onto = importing();
    onto.set(onto.indexOf(bundle), folder.toString());
    assertUserError(onto, folder.toString(), "is a folder");
    List<String> missing = importing();
    missing.set(2, folder.resolve("none.pt").toString());
    assertUserError(missing, "none.pt", "no such file");
    List<String> unknown = importing();
    unknown.addAll(Arrays.asList("--activation", "relu"));
    assertUserError(unknown, "--activation", "relu", "QUICK_GELU");
  }
}
