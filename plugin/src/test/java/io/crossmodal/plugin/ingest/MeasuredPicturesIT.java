/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.ingest;

import io.crossmodal.model.fixtures.TestTiffs;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.plugin.ClusterTestCase;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;
import org.opensearch.index.reindex.ReindexModulePlugin;
import org.opensearch.plugins.Plugin;
import org.opensearch.test.OpenSearchIntegTestCase;

/** Pictures of measured values are stretched as the mapping says, stored ones and queries alike. */
@OpenSearchIntegTestCase.ClusterScope(
    scope = OpenSearchIntegTestCase.Scope.TEST,
    numDataNodes = 1,
    numClientNodes = 0,
    supportsDedicatedMasters = false)
public class MeasuredPicturesIT extends ClusterTestCase {
  private static final int SIDE = 80;

  @Override
  protected Collection<Class<? extends Plugin>> nodePlugins() {
    List<Class<? extends Plugin>> plugins = new ArrayList<>(super.nodePlugins());
    plugins.add(ReindexModulePlugin.class);
    return plugins;
  }

  private static final String MAPPING =
      "{'mappings':{'properties':{'image':{'type':'cross_modal','stretch':'0:3000',"
          + "'thumbnail':64}}}}";

  /** The same ground, as reflectances of 16 bits and as colours of 8. */
  @SuppressWarnings("ArrayRecordComponent") // files, never compared
  private record Ground(byte[] tiff, byte[] png16, byte[] png8) {
    static Ground random() throws IOException {
      float[] values = new float[SIDE * SIDE];
      BufferedImage wide = new BufferedImage(SIDE, SIDE, BufferedImage.TYPE_USHORT_GRAY);
      BufferedImage narrow = new BufferedImage(SIDE, SIDE, BufferedImage.TYPE_INT_RGB);
      int tone = between(0, 150);
      for (int i = 0; i < values.length; i++) {
        int shown = tone + between(0, 100);
        values[i] = Math.round(shown * 3000 / 255f);
        wide.getRaster().setSample(i % SIDE, i / SIDE, 0, (int) values[i]);
        narrow.setRGB(i % SIDE, i / SIDE, shown * 0x10101);
      }
      BandImage image = new BandImage(1, SIDE, SIDE, values);
      return new Ground(TestTiffs.write(image, TestTiffs.Values.UINT16), png(wide), png(narrow));
    }

    private static byte[] png(BufferedImage image) throws IOException {
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      ImageIO.write(image, "png", out);
      return out.toByteArray();
    }
  }

  private static String base64(byte[] file) {
    return Base64.getEncoder().encodeToString(file);
  }

  private static String document(byte[] file) {
    return "{'image':{'bytes':'" + base64(file) + "'}}";
  }

  private static String query(byte[] file) {
    return "{'query':{'cross_modal':{'field':'image','query_image':'" + base64(file) + "'}}}";
  }

  public void testStretchesStoredPicturesAndQueriesAlike() throws Exception {
    ok("PUT", "/archive", MAPPING);
    Ground ground = Ground.random();
    ok("PUT", "/archive/_doc/tiff", document(ground.tiff));
    ok("PUT", "/archive/_doc/png16", document(ground.png16));
    ok("PUT", "/archive/_doc/png8", document(ground.png8));
    ok("PUT", "/archive/_doc/other", document(Ground.random().tiff));
    ok("POST", "/archive/_refresh", null);
    for (byte[] file : new byte[][] {ground.tiff, ground.png16, ground.png8}) {
      Answer found = ok("POST", "/archive/_search", query(file));
      for (Map<String, Object> hit : found.hits()) {
        double score = ((Number) hit.get("_score")).doubleValue();
        if (!"other".equals(hit.get("_id"))) {
          assertEquals(hit.get("_id").toString(), 1, score, 1e-3);
        }
      }
      assertEquals(4, found.hits().size());
    }
    ok("PUT", "/plain", "{'mappings':{'properties':{'image':{'type':'cross_modal'}}}}");
    Answer refused = send("PUT", "/plain/_doc/1", document(ground.tiff));
    assertEquals(400, refused.status());
    assertTrue(refused.text(), refused.text().contains("measured values"));
    ok("PUT", "/plain/_doc/1?refresh=true", document(ground.png8));
    Answer mixed = send("POST", "/archive,plain/_search", query(ground.png8));
    assertEquals(400, mixed.status());
    assertTrue(mixed.text(), mixed.text().contains("different values of [stretch]"));
  }

  private static String query(byte[] file, String stretch) {
    return "{'query':{'cross_modal':{'field':'image','query_image':'"
        + base64(file)
        + "','stretch':'"
        + stretch
        + "'}}}";
  }

  private static List<?> vector(String index, String id) throws IOException {
    String path = "/" + index + "/_doc/" + id + "?_source_includes=image.embedding";
    Map<String, Object> image = ok("GET", path, null).at("_source", "image");
    return (List<?>) image.get("embedding");
  }

  private static double best(Answer found) {
    return ((Number) found.hits().get(0).get("_score")).doubleValue();
  }

  /** A query's own stretch is that of a document in a field that has it in its mapping. */
  public void testAQueryMayNameItsStretch() throws Exception {
    ok("PUT", "/archive", MAPPING);
    ok("PUT", "/wide", MAPPING.replace("0:3000", "0:9000"));
    ok("PUT", "/plain", "{'mappings':{'properties':{'image':{'type':'cross_modal'}}}}");
    Ground ground = Ground.random();
    ok("PUT", "/archive/_doc/1?refresh=true", document(ground.tiff));
    ok("PUT", "/wide/_doc/1?refresh=true", document(ground.tiff));
    ok("PUT", "/plain/_doc/1?refresh=true", document(ground.png8));
    String list = "{'image':'" + base64(ground.tiff) + "','stretch':'0:3000'}";
    for (String index : List.of("archive", "wide")) {
      String values = "archive".equals(index) ? "0:3000" : "0:9000";
      double alike = best(ok("POST", "/archive/_search", query(ground.tiff, values)));
      assertEquals(
          "(1 + cosine) / 2 of the stored embedding",
          (1 + cosine(vector("archive", "1"), vector(index, "1"))) / 2,
          alike,
          1e-4);
    }
    assertEquals(1, best(ok("POST", "/archive/_search", query(ground.tiff))), 1e-5);
    assertEquals(1, best(ok("POST", "/plain/_search", query(ground.tiff, "0:3000"))), 1e-3);
    assertEquals(
        1,
        best(
            ok(
                "POST",
                "/plain/_search",
                "{'query':{'cross_modal':{'field':'image','like':[" + list + "]}}}")),
        1e-3);
    // Indices of different mappings are one search where the query says what its values are.
    assertEquals(
        2, ok("POST", "/archive,wide/_search", query(ground.tiff, "0:3000")).hits().size());
    for (String mixed :
        List.of(
            query(ground.tiff),
            "{'query':{'cross_modal':{'field':'image','like':[{'image':'"
                + base64(ground.tiff)
                + "'}]}}}")) {
      Answer refused = send("POST", "/archive,wide/_search", mixed);
      assertEquals(400, refused.status());
      assertTrue(refused.text(), refused.text().contains("a [stretch] of its own"));
    }
    for (String bad : List.of("2%:98%", "3000", "9:1")) {
      Answer refused = send("POST", "/archive/_search", query(ground.tiff, bad));
      assertEquals(bad, 400, refused.status());
      assertTrue(refused.text(), refused.text().contains("stretch"));
    }
    Answer refused =
        send(
            "POST",
            "/archive/_search",
            "{'query':{'cross_modal':{'field':'image','query_id':'1','stretch':'0:3000'}}}");
    assertEquals(400, refused.status());
    assertTrue(refused.text(), refused.text().contains("[stretch] goes with [query_image] only"));
  }

  private static double cosine(List<?> a, List<?> b) {
    double dot = 0;
    double left = 0;
    double right = 0;
    for (int i = 0; i < a.size(); i++) {
      double x = ((Number) a.get(i)).doubleValue();
      double y = ((Number) b.get(i)).doubleValue();
      dot += x * y;
      left += x * x;
      right += y * y;
    }
    return dot / Math.sqrt(left * right);
  }

  /** What this reader has not is refused by its name, with what to do. */
  public void testNamesWhatIsNotRead() throws Exception {
    ok("PUT", "/archive", MAPPING);
    byte[] tiff = Ground.random().tiff;
    Map<Integer, String> packings =
        Map.of(34887, "LERC", 50001, "WebP", 34712, "JPEG 2000", 50002, "JPEG XL");
    for (Map.Entry<Integer, String> packing : packings.entrySet()) {
      byte[] file = TestTiffs.withCompression(tiff, packing.getKey());
      for (Answer refused :
          List.of(
              send("PUT", "/archive/_doc/1", document(file)),
              send("POST", "/archive/_search", query(file)))) {
        assertEquals(refused.text(), 400, refused.status());
        assertTrue(refused.text(), refused.text().contains(packing.getValue()));
        assertTrue(refused.text(), refused.text().contains("gdal_translate"));
      }
    }
    byte[] jp2 = new byte[200];
    byte[] magic = {0, 0, 0, 12, 'j', 'P', ' ', ' ', 13, 10, (byte) 0x87, 10};
    System.arraycopy(magic, 0, jp2, 0, magic.length);
    Answer refused = send("PUT", "/archive/_doc/1", document(jp2));
    assertEquals(refused.text(), 400, refused.status());
    assertTrue(refused.text(), refused.text().contains("the file is JPEG 2000"));
    assertTrue(refused.text(), refused.text().contains("gdal_translate"));
  }

  private static String thumbnail(String index, String id) throws IOException {
    Map<String, Object> image = ok("GET", "/" + index + "/_doc/" + id, null).at("_source", "image");
    return (String) image.get("thumbnail");
  }

  private static void assertThumbnail(String base64) throws IOException {
    byte[] file = Base64.getDecoder().decode(base64);
    assertEquals(64, ImageIO.read(new ByteArrayInputStream(file)).getWidth());
  }

  public void testKeepsThumbnails() throws Exception {
    ok("PUT", "/archive", MAPPING);
    ok("PUT", "/archive/_doc/1?refresh=true", document(Ground.random().tiff));
    String first = thumbnail("archive", "1");
    assertThumbnail(first);
    ok("POST", "/archive/_update/1", "{'doc':{'label':'a'}}");
    assertEquals("nothing is made anew", first, thumbnail("archive", "1"));
    ok("POST", "/archive/_forcemerge?max_num_segments=1", null);
    ok("PUT", "/copy", MAPPING);
    ok("POST", "/_reindex?refresh=true", "{'source':{'index':'archive'},'dest':{'index':'copy'}}");
    assertEquals(first, thumbnail("copy", "1"));
    String update = document(Ground.random().png8);
    ok("POST", "/archive/_update/1", "{'doc':" + update + "}");
    assertNotEquals(first, thumbnail("archive", "1"));
    assertThumbnail(thumbnail("archive", "1"));
    ok("PUT", "/plain", "{'mappings':{'properties':{'image':{'type':'cross_modal'}}}}");
    String own = "{'image':{'bytes':'" + base64(Ground.random().png8) + "','thumbnail':'abcd'}}";
    Answer refused = send("PUT", "/plain/_doc/1", own);
    assertEquals(400, refused.status());
    assertTrue(refused.text(), refused.text().contains("leave the key out"));
  }

  public void testRefusesParametersThatAreNone() throws Exception {
    for (String parameters :
        new String[] {
          "'stretch':'2%:98%'",
          "'stretch':'3000'",
          "'thumbnail':5",
          "'thumbnail':64,'modality':'text'"
        }) {
      Answer refused =
          send(
              "PUT",
              "/none",
              "{'mappings':{'properties':{'image':{'type':'cross_modal'," + parameters + "}}}}");
      assertEquals(parameters, 400, refused.status());
      assertTrue(
          refused.text(),
          refused.text().contains("[stretch]") || refused.text().contains("[thumbnail]"));
    }
    ok("PUT", "/archive", MAPPING);
    Map<String, Object> image =
        ok("GET", "/archive/_mapping", null).at("archive", "mappings", "properties", "image");
    assertEquals("0:3000", image.get("stretch"));
    assertEquals(64, image.get("thumbnail"));
    Answer changed =
        send(
            "PUT",
            "/archive/_mapping",
            "{'properties':{'image':{'type':'cross_modal',"
                + "'stretch':'0:4000','thumbnail':64}}}");
    assertEquals(400, changed.status());
  }
}
