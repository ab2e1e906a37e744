/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.Sha256;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.fixtures.TestTiffs;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.plugin.inference.encoding.PictureOptions;
import io.crossmodal.plugin.mapper.FieldDefinition;
import io.crossmodal.plugin.mapper.Modality;
import io.crossmodal.plugin.mapper.Spaces;
import io.crossmodal.plugin.mapper.TokenStorage;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.UnaryOperator;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageWriteParam;
import javax.imageio.ImageWriter;
import javax.imageio.stream.ImageOutputStream;
import javax.imageio.stream.MemoryCacheImageOutputStream;

/** Models of random weights, and pictures and tokens for them. */
public final class TestModels {
  public static final String ID = "micro";

  private TestModels() {}

  /** The model that the tests' nodes serve, with an MLP filter. */
  public static ModelBundle micro() {
    return TestBundles.random(ID, ModelConfig.micro().withPreRanker(true), 42);
  }

  /** A model of the same shape and other weights. */
  public static ModelBundle foreign() {
    return TestBundles.random("foreign", ModelConfig.micro(), 43);
  }

  /** Radar and optical towers over one space, without text. */
  public static ModelBundle sensors() {
    ModelConfig micro = ModelConfig.micro();
    return TestBundles.random(
        "sensors",
        ModelConfig.ofSensors(
            micro.hidden(),
            micro.heads(),
            micro.feedForward(),
            micro.embeddingDimension(),
            micro.image(),
            List.of(SensorConfig.s1(16), SensorConfig.s2(16))),
        44);
  }

  /** A GeoTIFF of random values with as many bands as a sensor has channels. */
  public static byte[] geoTiff(Random random, SensorConfig sensor, int side) {
    float[] values = new float[sensor.channels() * side * side];
    for (int i = 0; i < values.length; i++) {
      int band = i / (side * side);
      values[i] =
          (float) (sensor.mean().get(band) + sensor.std().get(band) * random.nextGaussian());
    }
    return TestTiffs.write(new BandImage(sensor.channels(), side, side, values));
  }

  /** A field "field" of a model that is the only one. */
  public static FieldDefinition field(ModelBundle model, Modality modality, TokenStorage tokens) {
    return new FieldDefinition(
        "field",
        model.manifest().id(),
        Spaces.of(model.manifest()),
        modality,
        tokens,
        1,
        PictureOptions.PLAIN,
        new ModelCatalog(() -> List.of(model)));
  }

  /** The towers of {@link #micro}, thus its spaces, with another fusion head. */
  public static ModelBundle newHead(String id, long seed) throws IOException {
    ModelBundle micro = micro();
    Map<String, ScriptTensor> weights = new LinkedHashMap<>(micro.weights().tensors());
    TestBundles.random(id, ModelConfig.micro(), seed)
        .weights()
        .tensors()
        .forEach(
            (name, tensor) -> {
              if (name.startsWith("fusion.")) {
                weights.put(name, tensor);
              }
            });
    return ModelBundle.of(
        id,
        micro.manifest().config(),
        micro.words(),
        new StateDict(weights),
        Calibration.NONE,
        micro.manifest().training(),
        List.of());
  }

  /** {@link #micro}, whose scores are the differences of large numbers: few bits keep little. */
  public static ModelBundle coarse() throws IOException {
    ModelBundle micro = micro();
    Map<String, ScriptTensor> weights = new LinkedHashMap<>(micro.weights().tensors());
    ScriptTensor itm = weights.get("itm.weight"); // (2, H)
    float[] large = itm.values().clone();
    int hidden = large.length / 2;
    for (int i = 0; i < hidden; i++) {
      float same = 1000 * itm.values()[hidden + i];
      large[i] += same;
      large[hidden + i] += same;
    }
    weights.put("itm.weight", ScriptTensor.parameter(large, itm.shape()));
    return ModelBundle.of(
        ID,
        micro.manifest().config(),
        micro.words(),
        new StateDict(weights),
        Calibration.NONE,
        micro.manifest().training(),
        List.of());
  }

  /** The same bundle with more code in its archive than the library writes. */
  public static byte[] withForeignCode(byte[] zip) throws IOException {
    return withCode(
        zip, code -> code + "  def more(self, x: Tensor) -> Tensor:\n" + "    return x + x\n");
  }

  /** A bundle whose engine breaks off when it is to score more pairs than so many in one call. */
  public static byte[] thatBreaksOffAbove(int pairs, byte[] zip) throws IOException {
    return withCode(
        zip,
        code ->
            code.replace(
                "    z = self.fuse(text, mask, image, owner)",
                "    if torch.gt(torch.size(owner, 0), "
                    + pairs
                    + "):\n"
                    + "      text = torch.reshape(text, [7, 999983])\n"
                    + "    else:\n"
                    + "      pass\n"
                    + "    z = self.fuse(text, mask, image, owner)"));
  }

  private static byte[] withCode(byte[] zip, UnaryOperator<String> change) throws IOException {
    Map<String, byte[]> bundle = entries(zip);
    Map<String, byte[]> archive = entries(bundle.get("model.pt"));
    archive.computeIfPresent(
        "model/code/__torch__/mtgfe.py",
        (name, code) ->
            change
                .apply(new String(code, StandardCharsets.UTF_8))
                .getBytes(StandardCharsets.UTF_8));
    String before = Sha256.hex(bundle.get("model.pt"));
    bundle.put("model.pt", zip(archive));
    String manifest = new String(bundle.get("manifest.json"), StandardCharsets.UTF_8);
    bundle.put(
        "manifest.json",
        manifest
            .replace(before, Sha256.hex(bundle.get("model.pt")))
            .getBytes(StandardCharsets.UTF_8));
    return zip(bundle);
  }

  /** The content of a zip by name. */
  public static Map<String, byte[]> entries(byte[] zip) throws IOException {
    Map<String, byte[]> entries = new LinkedHashMap<>();
    try (ZipInputStream in = new ZipInputStream(new ByteArrayInputStream(zip))) {
      for (ZipEntry entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
        entries.put(entry.getName(), in.readAllBytes());
      }
    }
    return entries;
  }

  /** Of stored entries, as an archive's must be. */
  private static byte[] zip(Map<String, byte[]> entries) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream out = new ZipOutputStream(bytes)) {
      for (Map.Entry<String, byte[]> content : entries.entrySet()) {
        CRC32 crc = new CRC32();
        crc.update(content.getValue());
        ZipEntry entry = new ZipEntry(content.getKey());
        entry.setMethod(ZipEntry.STORED);
        entry.setSize(content.getValue().length);
        entry.setCrc(crc.getValue());
        out.putNextEntry(entry);
        out.write(content.getValue());
        out.closeEntry();
      }
    }
    return bytes.toByteArray();
  }

  /** The file of a bundle, with golden outputs. */
  public static byte[] zip(ModelBundle bundle, Path folder) {
    try {
      Path file = folder.resolve(bundle.manifest().id() + ".zip");
      TestBundles.write(
          bundle, file, bundle.manifest().config().hasText() ? List.of("a b", "c") : List.of());
      return Files.readAllBytes(file);
    } catch (IOException | BundleException e) {
      throw new AssertionError(e);
    }
  }

  /** A PNG file of random colours. */
  public static byte[] png(Random random, int side) {
    BufferedImage image = new BufferedImage(side, side, BufferedImage.TYPE_INT_RGB);
    for (int y = 0; y < side; y++) {
      for (int x = 0; x < side; x++) {
        image.setRGB(x, y, random.nextInt(0x1000000));
      }
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try {
      ImageIO.write(image, "png", out);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  /** A black TIFF of one tile, packed. */
  public static byte[] tile(int side) throws IOException {
    ImageWriter writer = ImageIO.getImageWritersByFormatName("tiff").next();
    ImageWriteParam param = writer.getDefaultWriteParam();
    param.setCompressionMode(ImageWriteParam.MODE_EXPLICIT);
    param.setCompressionType("Deflate");
    param.setTilingMode(ImageWriteParam.MODE_EXPLICIT);
    param.setTiling(side, side, 0, 0);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (ImageOutputStream stream = new MemoryCacheImageOutputStream(out)) {
      writer.setOutput(stream);
      BufferedImage black = new BufferedImage(side, side, BufferedImage.TYPE_BYTE_GRAY);
      writer.write(null, new IIOImage(black, null, null), param);
    } finally {
      writer.dispose();
    }
    return out.toByteArray();
  }

  public static String base64(byte[] bytes) {
    return Base64.getEncoder().encodeToString(bytes);
  }

  /** M of the model's only sensor. */
  public static int imageTokens(ModelBundle bundle) {
    ModelConfig config = bundle.manifest().config();
    return config.imageTokens(config.sensors().get(0));
  }

  /** Tokens of random values. */
  public static TokenBlock tokens(Random random, ModelBundle bundle, int count) {
    int hidden = bundle.manifest().config().hidden();
    float[] values = new float[count * hidden];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return new TokenBlock(count, hidden, values);
  }

  /** MaxSim by the plain formula, without the class tokens. */
  public static float maxSim(TokenBlock query, TokenBlock image) {
    double sum = 0;
    for (int i = 1; i < query.count(); i++) {
      double best = -1;
      for (int j = 1; j < image.count(); j++) {
        double dot = 0;
        double own = 0;
        double others = 0;
        for (int h = 0; h < query.hidden(); h++) {
          double q = query.values()[i * query.hidden() + h];
          double v = image.values()[j * image.hidden() + h];
          dot += q * v;
          own += q * q;
          others += v * v;
        }
        best = Math.max(best, dot / Math.sqrt(own * others));
      }
      sum += best;
    }
    return (float) (sum / (query.count() - 1));
  }

  /** A direction of random values. */
  public static float[] vector(Random random, int dimension) {
    float[] values = new float[dimension];
    for (int i = 0; i < dimension; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }
}
