/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.trainer.bundle.BundleWriter;
import io.crossmodal.trainer.checkpoint.SmallImport;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.GeoTiffWriter;
import io.crossmodal.trainer.data.Georeference;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.report.FontAssumption;
import io.crossmodal.trainer.report.Html;
import io.crossmodal.trainer.sensors.SensorOptions;
import io.crossmodal.trainer.train.MicroTraining;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

class CrossModalTest {
  private static final long SEED = MicroTraining.seed();

  @TempDir static Path folder;
  private static String data;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @BeforeAll
  static void generate() throws Exception {
    data = MicroTraining.scenes(folder.resolve("scenes"), 8, 4, 4, SEED).toString();
  }

  private int run(String... arguments) {
    PrintStream before = System.out;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
    try {
      CommandLine line = CrossModal.commandLine();
      line.setOut(new PrintWriter(out, true));
      line.setErr(new PrintWriter(err, true));
      return line.execute(arguments);
    } finally {
      System.setOut(before);
      out.append(printed.toString(StandardCharsets.UTF_8));
    }
  }

  /** Exit code 2 and one line that says these things. */
  private void assertUserError(List<String> arguments, String... parts) {
    err.getBuffer().setLength(0);
    assertEquals(2, run(arguments.toArray(new String[0])), err.toString());
    String message = err.toString().strip();
    for (String part : parts) {
      assertTrue(message.contains(part), message);
    }
    assertEquals(1, message.lines().count(), message);
  }

  private List<String> train(String run, String... more) {
    List<String> arguments =
        new ArrayList<>(List.of("train", "--data", data, "--run", folder.resolve(run).toString()));
    arguments.addAll(List.of("--preset", "micro", "--batch", "4", "--steps", "3"));
    arguments.addAll(List.of(more));
    return arguments;
  }

  /** The names of the rows of the table last printed. */
  private void assertRows(List<String> names) {
    List<String> found =
        out.toString()
            .lines()
            .filter(line -> line.startsWith("| ") && !line.startsWith("|  |"))
            .filter(line -> !line.startsWith("| ---"))
            .map(line -> line.substring(2, line.indexOf(" | ")))
            .toList();
    assertEquals(names, found, out.toString());
    out.getBuffer().setLength(0);
  }

  private static List<String> with(List<String> arguments, String option, String value) {
    List<String> changed = new ArrayList<>(arguments);
    changed.set(changed.indexOf(option) + 1, value);
    return changed;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "generate",
        "train",
        "distill",
        "evaluate",
        "export",
        "deploy",
        "encode",
        "import",
        "report",
        "generate-pairs",
        "train-sensors",
        "evaluate-sensors"
      })
  void everyCommandExplainsItself(String command) {
    assertEquals(0, command.isEmpty() ? run("--help") : run(command, "--help"));
    assertTrue(out.toString().contains("Usage: crossmodal " + command), out.toString());
    assertEquals("", err.toString());
  }

  @Test
  void encodesToAFileAndGoesOnThere() throws Exception {
    Path lines = folder.resolve("lines.ndjson");
    List<String> encode = List.of("encode", "--data", data, "--out", lines.toString());
    String[] arguments = encode.toArray(new String[0]);
    assertEquals(0, run(arguments), err.toString());
    assertTrue(err.toString().contains("16 pictures encoded, 0 done before"), err.toString());
    List<String> first = Files.readAllLines(lines);
    assertEquals(32, first.size());
    assertTrue(first.get(1).contains("\"caption\":["), first.get(1));
    assertEquals(0, run(arguments), err.toString());
    assertTrue(err.toString().contains("0 pictures encoded, 16 done before"), err.toString());
    assertEquals(first, Files.readAllLines(lines));
    assertEquals("", out.toString());
    assertEquals(0, run("encode", "--data", data, "--out", "-", "--tokens", "none"));
    assertEquals(32, out.toString().lines().count());
    assertTrue(!out.toString().contains("\"tokens\""), "no tokens");

    List<String> again = new ArrayList<>(encode);
    again.add("--restart");
    Path journal = folder.resolve("lines.ndjson.journal");
    byte[] known = Files.readAllBytes(journal);
    try (FileChannel running = FileChannel.open(journal, StandardOpenOption.WRITE)) {
      assertNotNull(running.tryLock());
      assertUserError(again, "another run is writing the journal");
    }
    assertEquals(first, Files.readAllLines(lines));
    assertArrayEquals(known, Files.readAllBytes(journal));
    assertEquals(0, run(again.toArray(new String[0])), err.toString());
    assertTrue(err.toString().contains("16 pictures encoded, 0 done before"), err.toString());
    assertEquals(first, Files.readAllLines(lines));

    List<String> fp16 = new ArrayList<>(encode);
    fp16.addAll(List.of("--tokens", "fp16"));
    assertUserError(fp16, "there already", "lines.ndjson.journal");
    assertUserError(with(encode, "--data", folder.resolve("no").toString()), "does not exist");
    List<String> served = new ArrayList<>(encode);
    served.addAll(List.of("--model", "mine"));
    assertUserError(served, "--model");
    List<String> sensor = new ArrayList<>(encode);
    sensor.addAll(List.of("--sensor", "s9"));
    assertUserError(sensor, "s9", "rgb");
    List<String> impatient = new ArrayList<>(encode);
    impatient.addAll(List.of("--retry-for", "-1"));
    assertUserError(impatient, "patience with the cluster must be at least 0 s, got -1 s");
  }

  /** 3: some are left out, 4: all; each of the kinds is named. */
  @Test
  void theExitStatusTellsWhetherPicturesWereLeftOut() throws Exception {
    Path pictures = Files.createDirectories(folder.resolve("mixed"));
    Files.writeString(pictures.resolve("a.webp"), "RIFF\0\0\0\0WEBPVP8 ");
    Files.writeString(pictures.resolve("b.jpg"), "RIFF\0\0\0\0WEBPVP8 ");
    List<String> encode = new ArrayList<>(List.of("encode", "--data", pictures.toString()));
    encode.addAll(List.of("--out", "-", "--tokens", "none"));
    assertEquals(EncodeWork.ALL_LEFT_OUT, run(encode.toArray(new String[0])), err.toString());
    assertTrue(err.toString().contains("left out: 1 WebP file, not read"), err.toString());
    assertTrue(err.toString().contains("b.jpg: the file is WebP"), err.toString());
    assertTrue(err.toString().contains("2 left out"), err.toString());
    ImageIO.write(
        new BufferedImage(40, 40, BufferedImage.TYPE_INT_RGB),
        "png",
        pictures.resolve("c.png").toFile());
    assertEquals(EncodeWork.SOME_LEFT_OUT, run(encode.toArray(new String[0])), err.toString());
    Files.delete(pictures.resolve("a.webp"));
    Files.delete(pictures.resolve("b.jpg"));
    assertEquals(0, run(encode.toArray(new String[0])), err.toString());
  }

  /** Whether a problem is found while reading captions or while reading pictures, it counts. */
  @Test
  void encodesWithSoManyProblemsAndNoMore() throws Exception {
    Path scenes = brokenScenes("encoded");
    Path bundle = folder.resolve("encoder.zip");
    BundleWriter.write(
        TestBundles.random("micro", ModelConfig.micro(), SEED), bundle, List.of("a pond"));
    List<String> encode = new ArrayList<>(List.of("encode", "--data", scenes.toString()));
    encode.addAll(List.of("--bundle", bundle.toString(), "--out", folder.resolve("l").toString()));
    encode.addAll(List.of("--allow-problems", "2"));
    assertEquals(2, run(encode.toArray(new String[0])), err.toString());
    assertTrue(err.toString().contains("(1 more problems allowed): 2 problems"), err.toString());
    err.getBuffer().setLength(0);
    encode = with(with(encode, "--allow-problems", "3"), "--out", folder.resolve("m").toString());
    assertEquals(3, run(encode.toArray(new String[0])), err.toString());
    assertTrue(err.toString().contains("13 pictures encoded"), err.toString());
    assertTrue(err.toString().contains("3 left out"), err.toString());
  }

  /** One scene to chips; again, nothing is done twice; 4 where nothing was kept. */
  @Test
  void cutsScenes() throws Exception {
    Path scenes = Files.createDirectories(folder.resolve("to-cut"));
    float[] values = new float[3 * 120 * 90];
    for (int i = 0; i < values.length; i++) {
      values[i] = i % 3001;
    }
    Georeference place =
        new Georeference(32633, 120, 90, List.of(500_000d, 10d, 0d, 5_342_400d, 0d, -10d));
    byte[] scene =
        GeoTiffWriter.write(new BandImage(3, 120, 90, values), GeoTiffWriter.Values.UINT16, place);
    Files.write(scenes.resolve("a.tif"), scene);
    Path bundle = folder.resolve("cutter.zip");
    BundleWriter.write(
        TestBundles.random("micro", ModelConfig.micro(), SEED), bundle, List.of("a pond"));
    List<String> encode = new ArrayList<>(List.of("encode", "--data", scenes.toString()));
    encode.addAll(List.of("--bundle", bundle.toString(), "--out", folder.resolve("c").toString()));
    encode.addAll(List.of("--chip-metres", "400", "--stride", "300"));
    assertEquals(EncodeWork.ALL_LEFT_OUT, run(encode.toArray(new String[0])), err.toString());
    assertTrue(err.toString().contains("of 16 bits: these are measured values. --stretch MIN:MAX"));
    err.getBuffer().setLength(0);
    encode.addAll(List.of("--stretch", "2%:98%", "--rgb", "3,2,1"));
    assertEquals(0, run(encode.toArray(new String[0])), err.toString());
    assertTrue(err.toString().contains("1 scene, 12 chips"), err.toString());
    assertTrue(
        err.toString().contains("12 chips of 1 scene encoded, 0 done before"), err.toString());
    String line = Files.readAllLines(folder.resolve("c")).get(1);
    assertTrue(line.contains("\"scene\":\"a.tif\",\"window\":[0,0,40,40],"), line);
    assertTrue(line.contains("\"thumbnail\":\"/9j/"), line);
    err.getBuffer().setLength(0);
    assertEquals(0, run(encode.toArray(new String[0])), err.toString());
    assertTrue(err.toString().contains("0 chips of 1 scene encoded, 12 done"), err.toString());
    err.getBuffer().setLength(0);
    Files.write(scenes.resolve("b.tif"), Arrays.copyOf(scene, 5000));
    assertEquals(EncodeWork.SOME_LEFT_OUT, run(encode.toArray(new String[0])), err.toString());
    assertTrue(err.toString().contains("b.tif: damaged TIFF"), err.toString());
    List<String> strict = new ArrayList<>(encode);
    strict.addAll(List.of("--allow-problems", "0"));
    err.getBuffer().setLength(0);
    assertEquals(2, run(strict.toArray(new String[0])), err.toString());
    assertTrue(err.toString().contains("scenes cannot be cut (0 problems allowed)"));
    assertUserError(with(encode, "--stretch", "9:1"), "lower to a higher number, got 9:1");
    assertUserError(with(encode, "--rgb", "3,2"), "three bands are red, green and blue");
    List<String> both = new ArrayList<>(encode);
    both.addAll(List.of("--chip", "64"));
    assertUserError(both, "--chip and --chip-metres");
    List<String> lost = new ArrayList<>(List.of("encode", "--data", data, "--out", "-"));
    lost.addAll(List.of("--skip-nodata", "0.1"));
    assertUserError(lost, "are for scenes: --chip or --chip-metres");
  }

  /** Text finds tiles of sensors that joined a model one after the other. */
  @Test
  void sensorsJoinAModelWithText() throws Exception {
    Path pairs = folder.resolve("pairs");
    String[] generate = {"generate-pairs", "--out", pairs.toString(), "--size", "32"};
    List<String> all = new ArrayList<>(List.of(generate));
    all.addAll(List.of("--train", "8", "--val", "10", "--test", "6"));
    assertEquals(0, run(all.toArray(new String[0])), err.toString());
    String table = pairs.resolve("pairs.csv").toString();
    Path teacher = folder.resolve("micro.zip");
    BundleWriter.write(
        TestBundles.random("micro", ModelConfig.micro(), SEED), teacher, List.of("a pond"));
    Path radar = folder.resolve("radar");
    List<String> s1 =
        new ArrayList<>(List.of("train-sensors", "--data", table, "--onto", teacher.toString()));
    s1.addAll(List.of("--sensor", "rgb", "--sensor", "s1", "--run", radar.toString()));
    s1.addAll(List.of("--batch", "4", "--steps", "3", "--id", "radar"));
    assertEquals(0, run(s1.toArray(new String[0])), err.toString());
    Path optical = folder.resolve("optical");
    List<String> s2 = with(with(s1, "--onto", radar + "/model.zip"), "--run", optical.toString());
    s2.set(s2.lastIndexOf("--sensor") + 1, "s2");
    assertEquals(0, run(s2.toArray(new String[0])), err.toString());
    ModelBundle bundle = ModelBundle.read(optical.resolve("model.zip"));
    // Four of each pair with a common sensor that the table has, each direction once.
    assertEquals(9, bundle.manifest().sensorCalibrations().size());
    assertEquals(
        9,
        bundle.manifest().sensorCalibrations().stream()
            .map(c -> c.query() + c.archive())
            .distinct()
            .count());

    Path exported = folder.resolve("exported.zip");
    String[] export = {"export", "--data", pairs.resolve("rgb.json").toString(), "--k", "4"};
    List<String> calibrate = new ArrayList<>(List.of(export));
    calibrate.addAll(List.of("--bundle", optical + "/model.zip", "--out", exported.toString()));
    calibrate.addAll(List.of("--id", "exported"));
    assertEquals(0, run(calibrate.toArray(new String[0])), err.toString());
    assertEquals(
        bundle.manifest().sensorCalibrations(),
        ModelBundle.read(exported).manifest().sensorCalibrations());

    List<String> evaluate =
        new ArrayList<>(List.of("evaluate", "--data", pairs.resolve("s1.json").toString()));
    evaluate.addAll(List.of("--bundle", optical.resolve("model.zip").toString(), "--k", "4"));
    evaluate.addAll(List.of("--sensor", "s1"));
    out.getBuffer().setLength(0);
    assertEquals(0, run(evaluate.toArray(new String[0])), err.toString());
    assertRows(List.of("filter only", "kNN, then fusion, k = 4"));
    List<String> changed = new ArrayList<>(evaluate);
    changed.addAll(List.of("--change", "EQUALIZE"));
    assertUserError(changed, "ordinary pictures", "[s1] has bands");
    assertUserError(with(evaluate, "--sensor", "s9"), "unknown sensor [s9]", "[rgb, s1, s2]");
    // Radar's tiles are no pictures of the first sensor.
    evaluate.subList(evaluate.indexOf("--sensor"), evaluate.size()).clear();
    assertNotEquals(0, run(evaluate.toArray(new String[0])));

    List<String> again = with(s2, "--run", folder.resolve("no").toString());
    assertUserError(with(again, "--onto", optical + "/model.zip"), "[s2] already");
    List<String> shaped = new ArrayList<>(s1);
    shaped.addAll(List.of("--image-size", "32"));
    assertUserError(shaped, "--onto", "--image-size");
    List<String> lost = new ArrayList<>(s1);
    lost.subList(lost.indexOf("--sensor"), lost.indexOf("--run")).clear();
    assertUserError(lost, "unknown sensor [s1]", "[rgb]");
  }

  @Test
  void trainsExportsAndEvaluates() throws Exception {
    assertEquals(0, run(train("run", "--id", "raw").toArray(new String[0])), err.toString());
    String trained = folder.resolve("run").resolve("model.zip").toString();
    assertTrue(out.toString().contains("wrote " + trained), out.toString());
    assertEquals("raw", ModelBundle.read(Path.of(trained)).manifest().id());

    Path exported = folder.resolve("served.zip");
    assertEquals(
        0,
        run(
            "export",
            "--data",
            data,
            "--bundle",
            trained,
            "--out",
            exported.toString(),
            "--id",
            "served",
            "--k",
            "3"),
        err.toString());
    ModelBundle bundle = ModelBundle.read(exported);
    assertEquals("served", bundle.manifest().id());
    String card = Files.readString(folder.resolve("served.MODEL_CARD.md"));
    for (String part :
        List.of(
            "# served", "not stated", "val: 4 pictures", "verbatim in train", "| filter only")) {
      assertTrue(card.contains(part), card);
    }
    assertTrue(Pattern.compile("\\| \\d+\\.\\d to \\d+\\.\\d \\|").matcher(card).find(), card);
    // What report shows is what export ships.
    run("report", "--run", folder.resolve("run").toString(), "--data", data, "--k", "4");
    String shown = Files.readString(folder.resolve("run").resolve("MODEL_CARD.md"));
    String ranked = "ranked by match + ";
    Path four = folder.resolve("four.zip");
    List<String> export = new ArrayList<>(List.of("export", "--data", data, "--bundle", trained));
    export.addAll(List.of("--out", four.toString(), "--id", "four"));
    assertEquals(0, run(export.toArray(new String[0])), err.toString());
    double lambda = ModelBundle.read(four).manifest().calibration().lambda();
    assertTrue(shown.contains(ranked + lambda + " filter"), shown);
    assertEquals(1, bundle.manifest().training().seed());
    assertEquals("scenes", bundle.manifest().training().dataSet());
    assertEquals(4, bundle.manifest().metrics().size());
    assertEquals(
        ModelBundle.read(Path.of(trained)).manifest().fingerprints(),
        bundle.manifest().fingerprints());
    assertNotEquals("", bundle.manifest().golden().texts().get(0));

    out.getBuffer().setLength(0);
    evaluate(data, exported, "--k", "500");
    assertTrue(out.toString().contains("4 images, 20 texts"), out.toString());
    // Four images are fewer than 500 candidates.
    assertRows(List.of("filter only", "full fusion"));

    Path json = folder.resolve("table.json");
    evaluate(
        data,
        exported,
        "--k",
        "2",
        "--k",
        "4",
        "--full",
        "--lambda",
        "0",
        "--paper",
        "sydney",
        "--json",
        json.toString());
    String printed = out.toString();
    assertRows(
        List.of(
            "filter only",
            "full fusion",
            "kNN, then fusion, k = 2",
            "kNN, then fusion, k = 4",
            "paper: MTGFE, table 2"));
    assertTrue(printed.contains("65.12"), printed);
    assertTrue(printed.contains("ITM + 0.0 filter"), printed);
    assertTrue(Files.readString(json).contains("\"top_ten_found\": 100.0"), Files.readString(json));

    out.getBuffer().setLength(0);
    evaluate(data, exported, "--split", "val", "--limit", "2");
    assertTrue(out.toString().contains("2 images, 10 texts"), out.toString());
    assertTrue(out.toString().contains("- The first 2 of the split's 4 images"), out.toString());
    assertFalse(printed.contains("of the split's"), printed);

    // The same run with other options is another run.
    assertEquals(2, run(train("run", "--seed", "9").toArray(new String[0])));
    assertTrue(err.toString().contains("run of other options"), err.toString());
  }

  private void evaluate(String data, Path bundle, String... options) {
    List<String> arguments =
        new ArrayList<>(List.of("evaluate", "--data", data, "--bundle", bundle.toString()));
    arguments.addAll(List.of(options));
    assertEquals(0, run(arguments.toArray(new String[0])), err.toString());
  }

  @Test
  void reportsARunAsOneFile() throws Exception {
    FontAssumption.check();
    // A data set of its own, whose captions are markup.
    String caption = "<b>& two tanks";
    Path marked = Path.of(MicroTraining.scenes(folder.resolve("marked"), 4, 4, 0, SEED).toString());
    Files.writeString(
        marked,
        Files.readString(marked)
            .replaceAll("\"raw\":\\s*\"", Matcher.quoteReplacement("\"raw\":\"" + caption + " ")));
    List<String> train = with(train("reported"), "--data", marked.toString());
    assertEquals(0, run(train.toArray(new String[0])), err.toString());
    Path report = folder.resolve("reported").resolve("report.html");
    String run = folder.resolve("reported").toString();

    assertEquals(0, run("report", "--run", run), err.toString());
    assertTrue(out.toString().contains("wrote " + report), out.toString());
    Html plain = new Html(Files.readString(report));
    assertEquals(3, plain.pictures("chart"));
    assertEquals(3, plain.all("img").size());
    assertTrue(plain.rows("options") > 12);
    // The filter's curve beside losses and speed.

    List<String> arguments =
        List.of("report", "--run", run, "--data", marked.toString(), "--k", "2", "--seed", "5");
    assertEquals(0, run(arguments.toArray(new String[0])), err.toString());
    String html = Files.readString(report);
    assertFalse(html.contains("<b>"), "escaped");
    Html full = new Html(html);
    assertEquals(3, full.pictures("chart"));
    assertEquals(5, full.pictures("sheet"));
    // Ten captions; the filter's two candidates in both orders.
    assertEquals(10 * 2 * 2, full.pictures("right") + full.pictures("wrong"));
    assertEquals(1 + 2, full.rows("evaluation"), "heads, filter, k = 2");
    assertEquals(15, full.texts("h3").size());
    assertTrue(full.texts("h3").stream().allMatch(text -> text.startsWith(caption)));

    assertEquals(0, run(arguments.toArray(new String[0])), err.toString());
    assertEquals(full.texts("h3"), new Html(Files.readString(report)).texts("h3"));
    List<String> everyPair = new ArrayList<>(arguments);
    everyPair.add("--full");
    assertEquals(0, run(everyPair.toArray(new String[0])), err.toString());
    assertEquals(1 + 3, new Html(Files.readString(report)).rows("evaluation"), "full fusion too");
    assertUserError(List.of("report", "--run", folder.resolve("none").toString()), "no such file");
  }

  @Test
  void reportsARunThatHasLoggedNothingYet() throws Exception {
    Path run = Files.createDirectory(folder.resolve("young"));
    Files.writeString(run.resolve("options.json"), "{\"seed\": 1}");
    assertEquals(0, run("report", "--run", run.toString()), err.toString());
    String report = Files.readString(run.resolve("report.html"));
    assertTrue(report.contains("The run has logged nothing yet."), report);
  }

  @Test
  void leavesTheFilterOfAStagedRunBesideItsModel() throws Exception {
    List<String> train = new ArrayList<>(with(train("staged"), "--steps", "4"));
    train.addAll(List.of("--filter-alone", "0.5", "--second-peak", "0.3", "--soft-targets", "0.4"));
    train.addAll(List.of("--small-images", "0.25", "--small-side", "8", "--queue", "4"));
    assertEquals(0, run(train.toArray(new String[0])), err.toString());
    ModelBundle filter = ModelBundle.read(folder.resolve("staged").resolve("filter.zip"));
    ModelBundle model = ModelBundle.read(folder.resolve("staged").resolve("model.zip"));
    assertEquals(filter.manifest().training().epochs() * 2, model.manifest().training().epochs());
    assertNotEquals(
        filter.manifest().fingerprints().embeddingSpace(),
        model.manifest().fingerprints().embeddingSpace());
    assertUserError(
        with(with(train, "--small-side", "7"), "--run", folder.resolve("seven").toString()),
        "image size 7 is not a multiple of the tower's stride");
  }

  @Test
  void distilsAndEvaluatesOnChangedPictures() throws Exception {
    Path teacher = folder.resolve("teacher.zip");
    BundleWriter.write(
        TestBundles.random("teacher", ModelConfig.micro(), SEED), teacher, List.of("a"));
    Path distilled = folder.resolve("distilled.zip");
    List<String> distill =
        new ArrayList<>(List.of("distill", "--data", data, "--bundle", teacher.toString()));
    distill.addAll(List.of("--out", distilled.toString(), "--sample", "8", "--batch", "4"));
    distill.addAll(List.of("--hard", "2", "--easy", "1", "--epochs", "2"));
    assertEquals(0, run(distill.toArray(new String[0])), err.toString());
    assertTrue(ModelBundle.read(distilled).manifest().config().preRanker());
    assertUserError(with(distill, "--epochs", "0"), "epochs", "got 0");

    List<String> evaluate =
        List.of(
            "evaluate",
            "--data",
            data,
            "--bundle",
            distilled.toString(),
            "--change",
            "rotate",
            "--magnitude",
            "10");
    assertEquals(0, run(evaluate.toArray(new String[0])), err.toString());
    assertUserError(with(evaluate, "--magnitude", "11"), "magnitude", "11.0");
    assertUsageError(with(evaluate, "--change", "freeze"), "--change", "freeze", "ROTATE");
  }

  @Test
  void namesTheOptionThatCannotBe() {
    assertUserError(train("bad", "--warmup", "-1"), "warmup", "-1");
    assertUserError(train("bad", "--learning-rate", "0"), "learning_rate", "0.0");
    assertUserError(train("bad", "--itc", "-2"), "weight", "-2.0");
    assertUserError(train("bad", "--hard-negatives", "1.5"), "hard_negatives", "1.5");
    assertUserError(with(train("bad"), "--batch", "1"), "batch", "got 1");
    assertUserError(with(train("bad"), "--steps", "0"), "steps", "got 0");
    assertUserError(train("bad", "--epochs", "2"), "--steps and --epochs");
    assertUserError(with(train("bad"), "--batch", "50"), "batch of 50", "has 8");
  }

  /** Picocli adds the usage to what it finds wrong itself. */
  private void assertUsageError(List<String> arguments, String... parts) {
    err.getBuffer().setLength(0);
    assertEquals(2, run(arguments.toArray(new String[0])), err.toString());
    String first = err.toString().lines().findFirst().orElseThrow();
    for (String part : parts) {
      assertTrue(first.contains(part), first);
    }
  }

  @Test
  void namesTheValueThatIsNone() {
    assertUsageError(with(train("bad"), "--preset", "huge"), "--preset", "huge", "MICRO");
    assertUsageError(with(train("bad"), "--steps", "many"), "--steps", "many");
    assertUsageError(List.of("train", "--data", data), "--run");
    assertUsageError(List.of("distil"), "distil");
    assertUsageError(List.of("evaluate", "--nothing"), "--bundle");
  }

  @Test
  void namesTheFileThatIsMissingOrNoDataSet() throws Exception {
    String missing = folder.resolve("missing.json").toString();
    assertUserError(with(train("bad"), "--data", missing), missing, "not a file");
    Path broken = Files.writeString(folder.resolve("broken.json"), "{\"images\": [");
    assertUserError(with(train("bad"), "--data", broken.toString()), broken.toString(), "JSON");
    String bundle = folder.resolve("missing.zip").toString();
    assertUserError(
        List.of("evaluate", "--data", data, "--bundle", bundle), bundle, "no such file");
    assertUserError(
        List.of(
            "export",
            "--data",
            data,
            "--bundle",
            bundle,
            "--id",
            "x",
            "--out",
            folder.resolve("x.zip").toString()),
        bundle,
        "no such file");
  }

  @Test
  void namesTheBundleThatIsNone() {
    assertUserError(List.of("evaluate", "--data", data, "--bundle", data), data, "no zip");
  }

  /** It is told before any picture is encoded. */
  @Test
  void namesTheBundleThatKnowsNoTexts() throws Exception {
    Path run = Files.createDirectory(folder.resolve("no-texts"));
    Path bundle = run.resolve("model.zip");
    BundleWriter.write(
        TestBundles.random(
            "s", SensorOptions.Preset.MICRO.config(List.of(SensorConfig.rgb(16))), SEED),
        bundle,
        List.of());
    String of = bundle.toString();
    String to = folder.resolve("x.zip").toString();
    for (List<String> arguments :
        List.of(
            List.of("evaluate", "--data", data, "--bundle", of),
            List.of("export", "--data", data, "--bundle", of, "--out", to, "--id", "x"),
            List.of("distill", "--data", data, "--bundle", of, "--out", to),
            List.of("report", "--data", data, "--run", run.toString()))) {
      err.getBuffer().setLength(0);
      assertUserError(arguments, of, "sensors alone", "evaluate-sensors");
    }
  }

  /** Also where the cluster is not to call it by its own name. */
  @Test
  void aDamagedBundleIsNotSent() throws Exception {
    Path damaged = Files.writeString(folder.resolve("damaged.zip"), "PK no bundle");
    List<String> deploy = new ArrayList<>(List.of("deploy", "--bundle", damaged.toString()));
    deploy.addAll(List.of("--node", "http://127.0.0.1:1", "--id", "mine"));
    assertUserError(deploy, damaged.toString());
    assertFalse(err.toString().contains("does not answer"), err.toString());
  }

  /** What is thrown, and its one line. */
  private void assertTold(Exception thrown, int code, String line) throws Exception {
    CommandLine command = CrossModal.commandLine();
    command.setErr(new PrintWriter(err, true));
    err.getBuffer().setLength(0);
    assertEquals(
        code,
        command.getExecutionExceptionHandler().handleExecutionException(thrown, command, null));
    assertEquals(line, err.toString().strip());
  }

  @Test
  void saysMoreThanThePathOfAFile() throws Exception {
    assertTold(
        new FileAlreadyExistsException("/a"), 2, "a file is in the way, name another path: /a");
    assertTold(new AccessDeniedException("/a"), 2, "permission denied: /a");
    assertTold(new DirectoryNotEmptyException("/a"), 2, "DirectoryNotEmptyException: /a");
    assertTold(new FileSystemException("/a", null, "Not a directory"), 2, "/a: Not a directory");
    assertTold(new IOException("No space left on device"), 2, "No space left on device");
  }

  @Test
  void anInterruptionIsNoFault() throws Exception {
    Interruption interruption = new Interruption("nothing is kept");
    interruption.check();
    interruption.close();
    PrintStream before = System.err;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    System.setErr(new PrintStream(printed, true, StandardCharsets.UTF_8));
    try {
      interruption.await();
    } finally {
      System.setErr(before);
    }
    assertEquals("", printed.toString(StandardCharsets.UTF_8), "nothing was interrupted");
    assertThrows(CancellationException.class, interruption::check);
    assertTold(new CancellationException("ended, nothing is kept"), 130, "ended, nothing is kept");
  }

  @Test
  void namesTheSplitThatIsEmpty() throws Exception {
    Path bundle = folder.resolve("random.zip");
    BundleWriter.write(
        TestBundles.random("random", ModelConfig.micro(), SEED), bundle, List.of("a"));
    String trainOnly = MicroTraining.scenes(folder.resolve("trainonly"), 4, 0, 0, SEED).toString();
    assertUserError(
        List.of("evaluate", "--data", trainOnly, "--bundle", bundle.toString()), "split", "test");
    assertUserError(
        List.of(
            "export",
            "--data",
            trainOnly,
            "--bundle",
            bundle.toString(),
            "--id",
            "x",
            "--out",
            folder.resolve("x.zip").toString()),
        "validation");
    String testOnly = MicroTraining.scenes(folder.resolve("testonly"), 0, 0, 4, SEED).toString();
    assertUserError(with(train("bad"), "--data", testOnly), "has 0");
    List<String> evaluate =
        List.of("evaluate", "--data", testOnly, "--bundle", bundle.toString(), "--k", "5");
    assertUserError(with(evaluate, "--k", "0"), "k must be at least 1, got 0");
    List<String> limited = new ArrayList<>(evaluate);
    limited.addAll(List.of("--limit", "0"));
    assertUserError(limited, "limit must be at least 1, got 0");
  }

  /** Scenes of which one training and one test picture is broken, and one training picture gone. */
  private static Path brokenScenes(String name) throws Exception {
    Path json = MicroTraining.scenes(folder.resolve(name), 8, 4, 4, SEED);
    CaptionedDataset scenes = MicroTraining.read(json);
    Files.writeString(scenes.split(Split.TRAIN).get(2).file(), "no picture");
    Files.writeString(scenes.split(Split.TEST).get(1).file(), "no picture");
    Files.delete(scenes.split(Split.TRAIN).get(5).file());
    return json;
  }

  private void assertSkipped(int problems, List<String> lines, Path data) {
    String said = err.toString();
    assertTrue(said.contains(data + ", skipped: " + problems + " problem"), said);
    assertEquals(said.indexOf("skipped"), said.lastIndexOf("skipped"), said);
    lines.forEach(line -> assertTrue(said.contains(line), said));
    assertEquals(problems, said.lines().filter(line -> line.startsWith("  - ")).count(), said);
  }

  @Test
  void skipsBrokenPicturesUpToTheAllowedNumberAndSaysSoOnce() throws Exception {
    Path scenes = brokenScenes("broken");
    List<String> train = with(train("lossy"), "--data", scenes.toString());
    assertEquals(2, run(train.toArray(new String[0])));
    assertTrue(err.toString().contains("there is no file"), err.toString());
    // One is found while reading, the other while decoding: together they are two.
    train.addAll(List.of("--allow-problems", "1"));
    err.getBuffer().setLength(0);
    assertEquals(2, run(train.toArray(new String[0])));
    assertTrue(err.toString().contains("pictures cannot be read"), err.toString());
    assertTrue(err.toString().contains("no image"), err.toString());
    err.getBuffer().setLength(0);
    train = with(train, "--allow-problems", "2");
    assertEquals(0, run(train.toArray(new String[0])), err.toString());
    assertSkipped(2, List.of("there is no file", "no image"), scenes);

    List<String> evaluate = new ArrayList<>(List.of("evaluate", "--data", scenes.toString()));
    evaluate.addAll(List.of("--bundle", folder.resolve("lossy/model.zip").toString()));
    evaluate.addAll(List.of("--allow-problems", "1"));
    err.getBuffer().setLength(0);
    assertEquals(2, run(evaluate.toArray(new String[0])));
    assertTrue(err.toString().contains("pictures cannot be read"), err.toString());
    evaluate = with(evaluate, "--allow-problems", "9");
    err.getBuffer().setLength(0);
    assertEquals(0, run(evaluate.toArray(new String[0])), err.toString());
    assertSkipped(2, List.of("there is no file", "no image"), scenes);
    assertTrue(out.toString().contains("3 images, 15 texts"), out.toString());
  }

  @Test
  void readsLabelledFoldersWithTheUsersTemplatesAndShares() throws Exception {
    CaptionedDataset scenes = MicroTraining.read(Path.of(data));
    Path root = folder.resolve("labelled");
    for (int i = 0; i < 8; i++) {
      Path file = scenes.images().get(i).file();
      Path label = root.resolve(i % 2 == 0 ? "BareLand" : "storage_tanks");
      Files.createDirectories(label);
      Files.copy(file, label.resolve(file.getFileName()));
    }
    Path bundle = folder.resolve("labelled.zip");
    BundleWriter.write(
        TestBundles.random("random", ModelConfig.micro(), SEED), bundle, List.of("a"));
    List<String> evaluate = new ArrayList<>(List.of("evaluate", "--data", root.toString()));
    evaluate.addAll(List.of("--bundle", bundle.toString(), "--split-shares", "0.0,0,1"));
    evaluate.addAll(List.of("--split-seed", "5"));
    assertEquals(0, run(evaluate.toArray(new String[0])), err.toString());
    assertTrue(out.toString().contains("8 images, 40 texts"), out.toString());
    evaluate.addAll(List.of("--caption-template", "a {class}", "--caption-template", "{class}s"));
    assertEquals(0, run(evaluate.toArray(new String[0])), err.toString());
    assertTrue(out.toString().contains("8 images, 16 texts"), out.toString());
    assertUserError(with(evaluate, "--caption-template", "a"), "must hold {class}, got \"a\"");
    assertUserError(with(evaluate, "--data", data), data, "for labelled folders only");
    assertUsageError(with(evaluate, "--split-shares", "1,1"), "--split-shares", "three numbers");
    assertUsageError(with(evaluate, "--split-shares", "1,1,x"), "three numbers", "1,1,x");
    assertUsageError(with(evaluate, "--split-shares", "1,1,1"), "add up to 1, got 1.0, 1.0, 1.0");
  }

  @Test
  void takesTheFolderOfImagesFromTheUser() throws Exception {
    Path elsewhere = Files.createDirectory(folder.resolve("elsewhere"));
    Path json = Files.copy(Path.of(data), elsewhere.resolve("dataset.json"));
    List<String> arguments = with(train("elsewhere-run"), "--data", json.toString());
    assertEquals(2, run(arguments.toArray(new String[0])));
    arguments.addAll(List.of("--images", Path.of(data).resolveSibling("images").toString()));
    err.getBuffer().setLength(0);
    assertEquals(0, run(arguments.toArray(new String[0])), err.toString());
    assertTrue(!err.toString().contains("skipped"), err.toString());
    assertUserError(
        with(arguments, "--images", "no-such-folder"), "no-such-folder is not a folder");
    arguments.addAll(List.of("--allow-problems", "-1"));
    assertUserError(arguments, "allowedProblems must be at least 0, got -1");
  }

  @Test
  void anIdThatCannotBeServedIsRefused() throws Exception {
    Path bundle = folder.resolve("id.zip");
    BundleWriter.write(
        TestBundles.random("random", ModelConfig.micro(), SEED), bundle, List.of("a"));
    assertUserError(
        List.of(
            "export",
            "--data",
            data,
            "--bundle",
            bundle.toString(),
            "--id",
            "Not An Id",
            "--out",
            folder.resolve("x.zip").toString()),
        "id must match",
        "[Not An Id]");
    // Found out before the data are read, and before there is a run.
    String missing = folder.resolve("missing").toString();
    String run = folder.resolve("no-run").toString();
    String[][] commands = {
      {"train", "--run", run},
      {"train-sensors", "--run", run},
      {"export", "--bundle", missing, "--out", missing}
    };
    for (String[] command : commands) {
      List<String> arguments = new ArrayList<>(List.of(command));
      arguments.addAll(List.of("--data", missing, "--id", "My Model"));
      assertUserError(arguments, "id must match", "[My Model]");
    }
    assertFalse(Files.exists(Path.of(run)));
  }

  private List<String> importing(Path text, Path image, Path vocab) {
    return List.of(
        "import",
        "--text",
        text.toString(),
        "--image",
        image.toString(),
        "--vocab",
        vocab.toString(),
        "--out",
        folder.resolve("initial").toString());
  }

  @Test
  void namesTheCheckpointThatIsNone() throws Exception {
    Path missing = folder.resolve("missing.safetensors");
    Path vocab = folder.resolve("words.txt");
    assertUserError(importing(missing, missing, vocab), vocab.toString(), "no such file");
    Files.write(vocab, List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"));
    assertUserError(importing(missing, missing, vocab), missing.toString(), "no such file");
    Path text = Files.writeString(folder.resolve("text.bin"), "no tensors at all");
    assertUserError(importing(text, text, vocab), text.toString(), "neither a safetensors file");
  }

  @Test
  void importsPartsAndSaysWhatIsWhose() throws Exception {
    Path initial = SmallImport.checkpoints(folder.resolve("parts"), SEED, 64);
    Path text = initial.resolve("bert.safetensors");
    Path image = initial.resolve("vit.safetensors");
    List<String> arguments = new ArrayList<>(importing(text, image, initial.resolve("vocab.txt")));
    assertUserError(arguments, text.toString(), "24 wide", "--heads");
    arguments.addAll(List.of("--heads", "3", "--preset", "base", "--text-layers", "1"));
    arguments.addAll(List.of("--fusion-layers", "3,1"));
    err.getBuffer().setLength(0);
    assertEquals(2, run(arguments.toArray(new String[0])));
    String longest = "position_embeddings.weight must be [at least 512, 24], found [64, 24]";
    assertTrue(err.toString().contains(longest), err.toString());
    arguments.set(arguments.indexOf("base"), "AERIAL");
    out.getBuffer().setLength(0);
    assertEquals(0, run(arguments.toArray(new String[0])), err.toString());
    for (String part :
        List.of(
            "from the checkpoints: width 24, feed-forward 40, 58 word pieces, image tower VISION",
            "from --preset AERIAL and options: 3 heads, 1 text layers ([CLS] is the mean",
            "2 fusion layers, embeddings of 24",
            "pictures of 16 pixels, mean [0.485, 0.456, 0.406]",
            "start as the identity: model.filter.image",
            "bert.encoder.layer.2.* (16 tensors, a layer that is not taken)")) {
      assertTrue(out.toString().contains(part), out.toString());
    }
    arguments.set(arguments.indexOf("3,1"), "3,3");
    assertUserError(arguments, "from 0 on, each once, got [3, 3]");
    for (String[] wrong :
        new String[][] {{"--preset", "tiny"}, {"--fusion-layers", "a"}, {"--bert", "x"}}) {
      List<String> other = new ArrayList<>(importing(text, image, initial.resolve("vocab.txt")));
      other.addAll(List.of(wrong));
      err.getBuffer().setLength(0);
      assertEquals(2, run(other.toArray(new String[0])));
      assertTrue(err.toString().contains(wrong[0]), err.toString());
    }
  }

  @Test
  void namesTheStartingWeightsThatAreNone() throws Exception {
    String nowhere = folder.resolve("nowhere").toString();
    List<String> arguments =
        new ArrayList<>(
            List.of("train", "--data", data, "--run", folder.resolve("never").toString()));
    arguments.addAll(List.of("--init", nowhere));
    assertUserError(arguments, nowhere, "no such file");
    assertUserError(train("never", "--init", nowhere), "--preset and --init exclude each other");
  }

  @Test
  void trainsFromStartingWeights() throws Exception {
    SmallImport.write(folder.resolve("small"), SEED);
    List<String> arguments =
        List.of(
            "train",
            "--data",
            data,
            "--run",
            folder.resolve("started").toString(),
            "--init",
            folder.resolve("small").resolve("initial").toString(),
            "--batch",
            "4",
            "--steps",
            "1");
    assertEquals(0, run(arguments.toArray(new String[0])), err.toString());
    assertTrue(out.toString().contains("taken from the BERT"), out.toString());
    assertTrue(out.toString().contains("fusion.layer*.cross_attention.query"), out.toString());
    ModelBundle bundle = ModelBundle.read(folder.resolve("started").resolve("model.zip"));
    assertEquals(SmallImport.vocabulary(), bundle.words());
    // A rate for random weights would undo what these have learnt.
    assertTrue(
        Files.readString(folder.resolve("started").resolve("options.json"))
            .contains("\"learning_rate\":1.0E-4"));
    assertEquals(0, run(arguments.toArray(new String[0])), "resumes: " + err);
  }
}
