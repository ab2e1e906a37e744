/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.wire;

import io.crossmodal.plugin.action.EncodeQueryAction;
import io.crossmodal.plugin.action.QuerySource;
import io.crossmodal.plugin.action.Sides;
import io.crossmodal.plugin.query.CrossModalQueryBuilder;
import io.crossmodal.plugin.query.Recall;
import io.crossmodal.plugin.rescore.FusionOptions;
import io.crossmodal.plugin.rescore.FusionOptions.FailurePolicy;
import io.crossmodal.plugin.rescore.FusionOptions.FusionScoreMode;
import io.crossmodal.plugin.rescore.FusionOptions.MissingPolicy;
import io.crossmodal.plugin.rescore.FusionRescorerBuilder;
import io.crossmodal.plugin.rescore.ScoreCombiner;
import io.crossmodal.plugin.rescore.Selection;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.opensearch.action.ActionRequest;
import org.opensearch.action.ActionType;
import org.opensearch.action.search.SearchRequest;
import org.opensearch.action.support.PlainActionFuture;
import org.opensearch.common.io.stream.BytesStreamOutput;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.core.action.ActionListener;
import org.opensearch.core.action.ActionResponse;
import org.opensearch.core.common.bytes.BytesReference;
import org.opensearch.core.common.io.stream.NamedWriteableAwareStreamInput;
import org.opensearch.core.common.io.stream.NamedWriteableRegistry;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.Writeable;
import org.opensearch.core.xcontent.NamedXContentRegistry;
import org.opensearch.index.query.BaseQueryRewriteContext;
import org.opensearch.index.query.QueryBuilder;
import org.opensearch.index.query.QueryCoordinatorContext;
import org.opensearch.index.query.QueryRewriteContext;
import org.opensearch.index.query.Rewriteable;
import org.opensearch.index.query.TermQueryBuilder;
import org.opensearch.search.builder.SearchSourceBuilder;
import org.opensearch.test.OpenSearchTestCase;
import org.opensearch.test.client.NoOpClient;
import org.opensearch.threadpool.TestThreadPool;
import org.opensearch.threadpool.ThreadPool;

/**
 * The bytes of what a search sends between nodes, as format {@value WireFormat#NUMBER} has them: a
 * change of one is a change of {@link WireFormat#NUMBER}.
 */
public class FrozenBytesTests extends OpenSearchTestCase {
  private static final HexFormat HEX = HexFormat.of();
  private static final String[] INDICES = {"archive", "views"};

  /** What a node answers that encoded a text of two words in three tokens of two values. */
  private static final String TEXT =
      "8801067363656e65730773706163652d660773706163652d74023f19999a3f4ccccd010302063f80000040000000404000004080000040a0000040c00000020161010204706f6e64020300000000";

  /** The same of an image, with calibrations and a notice. */
  private static final String IMAGE =
      "8800067363656e65730773706163652d660773706163652d74023f4ccccdbf19999a010202043f000000bf0000003e8000003f80000000020273310273314004000000000000bff00000000000000273310273324008000000000000c000000000000000010273310273314054000000000000c04e000000000000056c6172676500";

  /** Answers what it is given, and keeps what it was asked. */
  private static final class EncodingClient extends NoOpClient {
    private final ActionResponse answer;
    private ActionRequest asked;

    private EncodingClient(ThreadPool threadPool, String answer) throws IOException {
      super(threadPool);
      this.answer =
          EncodeQueryAction.INSTANCE
              .getResponseReader()
              .read(StreamInput.wrap(HEX.parseHex(answer)));
    }

    @Override
    @SuppressWarnings("unchecked")
    protected <Q extends ActionRequest, R extends ActionResponse> void doExecute(
        ActionType<R> action, Q request, ActionListener<R> listener) {
      assertEquals(EncodeQueryAction.NAME, action.name());
      asked = request;
      listener.onResponse((R) answer);
    }
  }

  private TestThreadPool threadPool;

  @Override
  public void setUp() throws Exception {
    super.setUp();
    threadPool = new TestThreadPool(getTestName());
  }

  @Override
  public void tearDown() throws Exception {
    ThreadPool.terminate(threadPool, 10, TimeUnit.SECONDS);
    super.tearDown();
  }

  /**
   * Checks what is sent, as typed and as encoded, and that both are read again.
   *
   * @param answer of the node that encodes
   * @return the request to that node
   */
  private <T extends Writeable & Rewriteable<T>> String check(
      T typed, String typedHex, String answer, String encodedHex, Writeable.Reader<T> reader)
      throws IOException {
    assertSent(typedHex, typed, reader);
    EncodingClient client = new EncodingClient(threadPool, answer);
    QueryRewriteContext context =
        new BaseQueryRewriteContext(
            NamedXContentRegistry.EMPTY, named(), client, System::currentTimeMillis);
    SearchRequest search = new SearchRequest(INDICES);
    search.source(new SearchSourceBuilder().timeout(TimeValue.timeValueSeconds(7)));
    PlainActionFuture<T> encoded = new PlainActionFuture<>();
    Rewriteable.rewriteAndFetch(typed, new QueryCoordinatorContext(context, search), encoded);
    assertSent(encodedHex, encoded.actionGet(), reader);
    return hex(client.asked);
  }

  private static <T extends Writeable> void assertSent(
      String expected, T sent, Writeable.Reader<T> reader) throws IOException {
    assertEquals(expected, hex(sent));
    try (StreamInput in =
        new NamedWriteableAwareStreamInput(StreamInput.wrap(HEX.parseHex(expected)), named())) {
      T read = reader.read(in);
      assertEquals(0, in.available());
      assertEquals(sent, read);
      assertEquals(expected, hex(read));
    }
  }

  private static NamedWriteableRegistry named() {
    return new NamedWriteableRegistry(
        List.of(
            new NamedWriteableRegistry.Entry(
                QueryBuilder.class, TermQueryBuilder.NAME, TermQueryBuilder::new)));
  }

  private static String hex(Writeable sent) throws IOException {
    try (BytesStreamOutput out = new BytesStreamOutput()) {
      sent.writeTo(out);
      return HEX.formatHex(BytesReference.toBytes(out.bytes()));
    }
  }

  private static byte[] picture() {
    return "picture".getBytes(StandardCharsets.UTF_8);
  }

  private static FusionOptions options() {
    return new FusionOptions(
        new ScoreCombiner(FusionScoreMode.AVG, 0.5f, 2),
        MissingPolicy.SCORE_ZERO,
        FailurePolicy.KEEP_FIRST_PASS,
        TimeValue.timeValueMillis(200),
        3);
  }

  public void testAnswersOfTheNodeThatEncodes() throws IOException {
    for (String answer : List.of(TEXT, IMAGE)) {
      assertEquals(answer, hex(new EncodingClient(threadPool, answer).answer));
    }
  }

  public void testQueryByText() throws IOException {
    String request =
        check(
            new CrossModalQueryBuilder(
                    "image",
                    new QuerySource.Text("a pond"),
                    7,
                    new TermQueryBuilder("place", "north"),
                    false)
                .boost(2)
                .queryName("near"),
            "4000000001046e6561728805696d6167650100066120706f6e640100000701047465726d3f8000000005706c61636515056e6f72746800000000000000",
            TEXT,
            "4000000001046e6561728805696d61676500010a71756572795f74657874066120706f6e64023f19999a3f4ccccd010773706163652d660701047465726d3f8000000005706c61636515056e6f72746800000000000000",
            CrossModalQueryBuilder::new);
    assertEquals(
        "00880207617263686976650576696577730302040501000105696d61676500066120706f6e6401010e03",
        request);
  }

  public void testQueryByImage() throws IOException {
    String request =
        check(
            new CrossModalQueryBuilder(
                "image", new QuerySource.Image(picture(), "s1"), 7, null, true),
            "3f800000008805696d61676501010770696374757265010273310000000700010000000000",
            IMAGE,
            "3f800000008805696d61676500010b71756572795f696d6167651270696374757265206f662037206279746573023f4ccccdbf19999a010773706163652d66070001020273310273314004000000000000bff00000000000000273310273324008000000000000c00000000000000000000000",
            CrossModalQueryBuilder::new);
    assertEquals(
        "00880207617263686976650576696577730302040501000105696d6167650107706963747572650102733100010e03",
        request);
    assertWarnings("[query_image]: large");
  }

  public void testQueryByDocument() throws IOException {
    String request =
        check(
            new CrossModalQueryBuilder(
                "image", new QuerySource.Document("17", "archive", "view", "r"), 7, null),
            "3f800000008805696d616765010202313701076172636869766501047669657701017200000700020000000000",
            IMAGE,
            "3f800000008805696d61676500010871756572795f6964023137023f4ccccdbf19999a010773706163652d66070002020273310273314004000000000000bff00000000000000273310273324008000000000000c00000000000000000000000",
            CrossModalQueryBuilder::new);
    assertEquals(
        "00880207617263686976650576696577730302040501000105696d61676502023137010761726368697665010476696577010172010e03",
        request);
    assertWarnings("[query_id]: large");
  }

  public void testQueryByVector() throws IOException {
    assertSent(
        "3f800000008805696d6167650000023f19999a3f4ccccd000700020000000000",
        new CrossModalQueryBuilder("image", new float[] {3, 4}, 7, null),
        CrossModalQueryBuilder::new);
    String vector = "3f800000008805696d6167650000023f19999a3f4ccccd0007000200";
    CrossModalQueryBuilder query = new CrossModalQueryBuilder("image", new float[] {3, 4}, 7, null);
    assertSent(
        vector + "01c801013fc000000000",
        query.with(new Recall(200, 1.5f, false)),
        CrossModalQueryBuilder::new);
    assertSent(
        vector + "00000100", query.with(new Recall(null, null, true)), CrossModalQueryBuilder::new);
  }

  public void testQueryBySeveralSides() throws IOException {
    String request =
        check(
            new CrossModalQueryBuilder(
                "image",
                new Sides(
                    List.of(new Sides.Side(new QuerySource.Text("a pond"), 1)),
                    List.of(new Sides.Side(new QuerySource.Document("17", null, null), 2))),
                7,
                null),
            "3f800000008805696d616765010301"
                + "00066120706f6e64013f800000"
                + "01"
                + "0202313700000040000000"
                + "00000700020000000000",
            // One part: like, pond, weight 1, coefficient 2, of two values.
            TEXT.substring(0, TEXT.length() - 2)
                + "01046c696b6504706f6e643f80000040000000023f19999a3f4ccccd",
            "3f800000008805696d6167650001046c696b65306c696b655b305d2e74657874206120706f6e6420782031"
                + "2e302c20756e6c696b655b305d2e6964203137207820322e30"
                + "023f19999a3f4ccccd010773706163652d6607000200000000"
                + "01046c696b6504706f6e643f80000040000000023f19999a3f4ccccd",
            CrossModalQueryBuilder::new);
    assertEquals(
        "00880207617263686976650576696577730302040501000105696d616765"
            + "030100066120706f6e64013f800000010202313700000040000000010e03",
        request);
  }

  public void testRescorerThatSelects() throws IOException {
    FusionRescorerBuilder typed =
        new FusionRescorerBuilder(
            "image",
            new QuerySource.Text("a pond"),
            FusionOptions.DEFAULT.with(new Selection(0.5f, "place", 0.25f)),
            null);
    String head = "008805696d6167650000066120706f6e6401003f8000003f80000000010000";
    String selection = "3f0000000105706c616365013e800000";
    assertSent(head + selection + "00000200", typed, FusionRescorerBuilder::new);
    assertSent(
        "0104"
            + head.substring(2).replace("003f8000003f80000000010000", "01000000003f80000000010000")
            + "000000000105706c616365013e800000"
            + "03000200",
        typed.forScoring(4),
        FusionRescorerBuilder::new);
    assertSent(
        head + selection + "000002" + "0109010167033f000000",
        typed.selected(Map.of(9, new Selection.Outcome("g", 3, 0.5f))),
        FusionRescorerBuilder::new);
  }

  public void testRescorerByText() throws IOException {
    String request =
        check(
            new FusionRescorerBuilder("image", new QuerySource.Text("a pond"), options(), null)
                .windowSize(128)
                .reported(),
            "0180018805696d6167650000066120706f6e6401033f000000400000000100019003020300000000000000010200",
            TEXT,
            "0180018805696d61676501010a71756572795f74657874066120706f6e64067363656e65730773706163652d740302063f80000040000000404000004080000040a0000040c00000020161010204706f6e64020300033f000000400000000100019003020300000000000000010200",
            FusionRescorerBuilder::new);
    assertEquals(
        "00880207617263686976650576696577730302040501000105696d61676500066120706f6e6401010e03",
        request);
  }

  public void testRescorerByImage() throws IOException {
    FusionRescorerBuilder typed =
        new FusionRescorerBuilder(
            "image", new QuerySource.Image(picture(), null), FusionOptions.DEFAULT, true);
    check(
        typed,
        "008805696d616765000107706963747572650000003f8000003f8000000001000000000000000000000100",
        IMAGE,
        "008805696d61676501000b71756572795f696d6167651270696374757265206f662037206279746573067363656e65730773706163652d740202043f000000bf0000003e8000003f80000000010273310273314054000000000000c04e000000000000003f8000003f8000000001000000000000000000000100",
        FusionRescorerBuilder::new);
    assertSent(
        "01048805696d61676500010770696374757265000001000000003f8000000001000000000000000003000100",
        typed.forScoring(4),
        FusionRescorerBuilder::new);
    assertSent(
        "01048805696d616765000107706963747572650000003f8000003f8000000001000000000000000002000100",
        typed.forPreRanking(4),
        FusionRescorerBuilder::new);
    assertSent(
        "01048805696d616765000107706963747572650000003f8000003f8000000001000000000000000001000100",
        typed.deferred(4),
        FusionRescorerBuilder::new);
    assertWarnings("[query_image]: large");
  }
}
