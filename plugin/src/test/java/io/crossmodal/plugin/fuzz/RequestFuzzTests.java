/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.fuzz;

import com.carrotsearch.randomizedtesting.annotations.TimeoutSuite;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.plugin.ClusterTestCase;
import io.crossmodal.plugin.TestModels;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hc.core5.http.ContentType;
import org.apache.hc.core5.http.io.entity.ByteArrayEntity;
import org.opensearch.client.Request;
import org.opensearch.common.xcontent.XContentHelper;
import org.opensearch.common.xcontent.json.JsonXContent;
import org.opensearch.core.common.bytes.BytesReference;
import org.opensearch.test.OpenSearchIntegTestCase;

/**
 * Damaged searches, documents, uploads and the rest over HTTP: whatever comes, the node answers,
 * says of none that it was its own fault, gives back all memory and goes on.
 */
@OpenSearchIntegTestCase.ClusterScope(
    scope = OpenSearchIntegTestCase.Scope.SUITE,
    numDataNodes = 1,
    numClientNodes = 0,
    supportsDedicatedMasters = false)
@TimeoutSuite(millis = 48 * 60 * 60 * 1000)
public class RequestFuzzTests extends ClusterTestCase {
  private static final int CLIENTS = 3;

  /** Searches, documents, {@code _encode} and uploads: as much as fuzzers of their own. */
  private static final int SHARE = 3;

  /** Errors of a program, as the reason for which a shard failed in an answer of the others. */
  private static final Pattern FAULT =
      Pattern.compile(
          "\"reason\":\\{\"type\":\"(null_pointer|class_cast|array_index_out_of_bounds|index_out_of_bounds"
              + "|string_index_out_of_bounds|negative_array_size|illegal_state|arithmetic"
              + "|unsupported_operation|no_such_element|runtime|assertion|i_o|e_o_f"
              + "|buffer_underflow|array_store|concurrent_modification|unchecked_i_o"
              + "|stack_overflow|out_of_memory)_?(exception|error)\"");

  /**
   * OpenSearch's own faults that need a query as it was: of the documents that it finds, and of a
   * field named with dots alone.
   */
  private static final Pattern OF_CORE =
      Pattern.compile(
          "the collapse field must be single valued"
              + "|DefaultDerivedFieldResolver\\s*\\.\\s*getParentDerivedField");

  private final AtomicLong cases = new AtomicLong();
  private final AtomicReference<AssertionError> failed = new AtomicReference<>();
  private final Map<Integer, Long> statuses = new ConcurrentHashMap<>();
  private final Map<String, Long> ofCore = new ConcurrentHashMap<>();
  private List<String> pictures;
  private ModelBundle model;

  private static Answer send(String method, String path, String type, byte[] body)
      throws IOException {
    Request request = new Request(method, path);
    if (body != null) {
      request.setEntity(new ByteArrayEntity(body, ContentType.parse(type)));
    }
    return send(request);
  }

  private static Answer json(String method, String path, String body) throws IOException {
    return send(
        method,
        path,
        "application/json",
        body == null ? null : body.replace('\'', '"').getBytes(StandardCharsets.UTF_8));
  }

  private void index() throws IOException {
    Answer made =
        json(
            "PUT",
            "/docs",
            "{'settings':{'number_of_shards':2,'number_of_replicas':0},'mappings':"
                + "{'dynamic':false,'properties':{'image':{'type':'cross_modal'},"
                + "'words':{'type':'cross_modal','modality':'text'},"
                + "'bare':{'type':'cross_modal','tokens':'none'},"
                + "'caption':{'type':'text'},'number':{'type':'integer'}}}}");
    assertEquals(made.toString(), 200, made.status());
    for (int i = 0; i < 20; i++) {
      Answer indexed =
          json(
              "PUT",
              "/docs/_doc/" + i + "?refresh=true",
              String.format(
                  Locale.ROOT,
                  "{'caption':'a pond','number':%d,'image':{'bytes':'%s'},'words':'a pond %d'}",
                  i % 3,
                  pictures.get(i % 3),
                  i));
      assertEquals(indexed.toString(), 201, indexed.status());
    }
  }

  public void testTheNodeTakesWhatever() throws Exception {
    long seed = Long.getLong("crossmodal.fuzz.seed", 0);
    long root = seed == 0 ? random().nextLong() : seed;
    model = TestModels.micro();
    Random drawing = new Random(root);
    pictures = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      byte[] picture = TestModels.png(drawing, 16 + i);
      if (i % 4 == 3) {
        picture = Arrays.copyOf(picture, picture.length / 2);
      }
      pictures.add(TestModels.base64(picture));
    }
    // It draws index.codec, and an index may be one that no node can open.
    client().admin().indices().prepareDeleteTemplate("random_index_template").get();
    index();
    assertEquals(200, json("POST", "/_plugins/_cross_modal/models/micro/_load", null).status());
    long weights = breaker("cross_modal");
    long end =
        System.nanoTime()
            + TimeUnit.SECONDS.toNanos(SHARE * Long.getLong("crossmodal.fuzz.seconds", 3));
    List<Thread> clients = new ArrayList<>();
    for (int i = 0; i < CLIENTS; i++) {
      Thread client = new Thread(() -> run(root, end), "fuzz-" + i);
      client.start();
      clients.add(client);
    }
    for (Thread client : clients) {
      client.join();
    }
    System.out.printf(
        Locale.ROOT,
        "RequestFuzzTests: -Dcrossmodal.fuzz.seed=%d, %d requests, answers by status %s, 5xx of"
            + " OpenSearch alone %s%n",
        root,
        cases.get(),
        new TreeMap<>(statuses),
        new TreeMap<>(ofCore));
    if (failed.get() != null) {
      throw failed.get();
    }
    for (String breaker : List.of("request", "in_flight_requests")) {
      assertBusy(() -> assertEquals(breaker, 0, breaker(breaker)));
    }
    assertBusy(() -> assertEquals("weights alone", weights, breaker("cross_modal")));
    String side = "{'field':'image','query_text':'a pond'}";
    Answer plain =
        json(
            "POST",
            "/docs/_search",
            "{'query':{'cross_modal':" + side + "},'rescore':{'fusion':" + side + "}}");
    assertEquals(plain.toString(), 200, plain.status());
    assertTrue(plain.toString(), plain.text().contains("\"failed\":0"));
  }

  /** Bytes; what the question itself takes is in flight, and is left out. */
  private static long breaker(String name) throws IOException {
    Answer stats = json("GET", "/_nodes/stats/breaker", null);
    Map<String, Object> nodes =
        at(XContentHelper.convertToMap(JsonXContent.jsonXContent, stats.text(), false), "nodes");
    Map<String, Object> node = at(nodes, nodes.keySet().iterator().next());
    return ClusterTestCase.<Number>at(node, "breakers", name, "estimated_size_in_bytes")
        .longValue();
  }

  private void run(long root, long end) {
    while (failed.get() == null && System.nanoTime() < end) {
      long number = cases.getAndIncrement();
      try {
        check(root, number);
      } catch (AssertionError e) {
        failed.compareAndSet(null, e);
      } catch (IOException | RuntimeException e) {
        failed.compareAndSet(null, new AssertionError("case " + number + " of " + root, e));
      }
    }
  }

  private void check(long root, long number) throws IOException {
    // Each by itself, whichever client takes it.
    BodyFuzzer fuzzer = new BodyFuzzer(new Random(31 * root + number));
    RequestGrammar.Request request = new RequestGrammar(fuzzer, pictures, model).next();
    fuzzer.damage(request.body());
    BodyFuzzer.Body body = fuzzer.write(request.body());
    // An index of each case's own: core waits for the shards of one that another client deletes.
    boolean creates = request.path().equals("/fuzzed");
    String path = creates ? "/fuzzed-" + number : request.path();
    Answer answer;
    try {
      answer =
          send(
              request.method(),
              path,
              body.type().mediaType(),
              BytesReference.toBytes(body.bytes()));
    } catch (IOException e) {
      throw new AssertionError(
          String.format(
              Locale.ROOT,
              "case %d of seed %d has no answer: %s %s %s",
              number,
              root,
              request.method(),
              request.path(),
              printable(body)),
          e);
    }
    statuses.merge(answer.status(), 1L, Long::sum);
    if (creates && answer.status() == 200) {
      json("DELETE", path, null);
    }
    boolean late =
        answer.status() == 504
            && new String(BytesReference.toBytes(body.bytes()), StandardCharsets.ISO_8859_1)
                .contains("timeout");
    if (isFault(answer) && !late) {
      judge(request, body, "case " + number + " of seed " + root);
    }
  }

  private static boolean isFault(Answer answer) {
    return answer.status() >= 500
        || (answer.status() == 200 && FAULT.matcher(answer.text()).find());
  }

  /** Fails unless OpenSearch alone answers likewise. */
  private void judge(RequestGrammar.Request request, BodyFuzzer.Body body, String which)
      throws IOException {
    String path = request.path() + (request.path().contains("?") ? "&" : "?") + "error_trace=true";
    Answer again =
        send(request.method(), path, body.type().mediaType(), BytesReference.toBytes(body.bytes()));
    BodyFuzzer.Body without =
        BodyFuzzer.plain(body.type(), RequestGrammar.withoutOurs(request.body()));
    // Who threw decides, not through whom it passed: where OpenSearch alone fails as well, it is
    // it.
    boolean alone =
        isFault(
            send(
                request.method(),
                request.path(),
                without.type().mediaType(),
                BytesReference.toBytes(without.bytes())));
    boolean unknown = body.damaged() && !again.text().contains("io.crossmodal");
    if (alone || unknown || OF_CORE.matcher(again.text()).find()) {
      ofCore.merge(reason(again.text()), 1L, Long::sum);
      return;
    }
    throw new AssertionError(
        String.format(
            Locale.ROOT,
            "%s: %s %s %s%n%s%n%s%n%s",
            which,
            request.method(),
            path,
            body.type().mediaType(),
            printable(body),
            again.status(),
            again.text()));
  }

  private static String reason(String text) {
    Matcher found = Pattern.compile("\"type\":\"([a-z_]+)\",\"reason\":\"([^\"]*)").matcher(text);
    return found.find() ? found.group(1) + ": " + found.group(2) : text;
  }

  private static String printable(BodyFuzzer.Body body) {
    String text = new String(BytesReference.toBytes(body.bytes()), StandardCharsets.UTF_8);
    return text.chars().anyMatch(c -> c == 0xfffd || (c < ' ' && c != '\n'))
        ? HexFormat.of().formatHex(BytesReference.toBytes(body.bytes()))
        : text;
  }
}
