/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.ingest;

import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.plugin.errors.InferenceErrors;
import io.crossmodal.plugin.inference.encoding.Encoded;
import io.crossmodal.plugin.inference.encoding.EncodingRequest;
import io.crossmodal.plugin.inference.encoding.EncodingService;
import io.crossmodal.plugin.inference.encoding.PictureOptions;
import io.crossmodal.plugin.inference.encoding.QueryInput;
import io.crossmodal.plugin.mapper.DocumentValue;
import io.crossmodal.plugin.mapper.Embeddings;
import io.crossmodal.plugin.mapper.FieldDefinition;
import io.crossmodal.plugin.mapper.FieldValues;
import io.crossmodal.plugin.mapper.Modality;
import io.crossmodal.plugin.mapper.SourceForm;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.opensearch.common.logging.HeaderWarning;
import org.opensearch.common.util.concurrent.ThreadContext;
import org.opensearch.core.concurrency.OpenSearchRejectedExecutionException;
import org.opensearch.ingest.AbstractBatchingSystemProcessor;
import org.opensearch.ingest.IngestDocument;
import org.opensearch.ingest.IngestDocumentWrapper;

/**
 * Encodes the pictures and texts of a bulk and writes {@code embedding}, {@code tokens} and {@code
 * encoded_from} beside them.
 *
 * <p>The work is asynchronous: the write thread that came with the bulk returns at once.
 * IngestService counts results down and TransportBulkAction goes on, on a write thread again, when
 * the last has come, on whatever thread that is; it needs the request's thread context restored. A
 * document that fails is reported with its exception and does not reach the index; the others do.
 */
final class EncodingProcessor extends AbstractBatchingSystemProcessor {
  static final String TYPE = "cross_modal_encoding";

  // The whole bulk at once: the service cuts it to batches that fit the model, and what each batch
  // became is stored in the documents before the next one is encoded.
  private static final int WHOLE_BULK = Integer.MAX_VALUE;

  private static final long BOXED_FLOAT = 20;
  private static final long PRINTED_FLOAT = 12;
  private static final double BASE64 = 4.0 / 3;

  private final List<FieldDefinition> fields;
  private final Supplier<EncodingService> encoding;
  private final DecodingBudget budget;
  private final ThreadContext threadContext;

  EncodingProcessor(
      String tag,
      String description,
      List<FieldDefinition> fields,
      Supplier<EncodingService> encoding,
      DecodingBudget budget,
      ThreadContext threadContext) {
    super(tag, description, WHOLE_BULK);
    this.fields = fields;
    this.encoding = encoding;
    this.budget = budget;
    this.threadContext = threadContext;
  }

  /** One value that waits for its encoding. */
  private record Item(
      IngestDocumentWrapper document,
      FieldDefinition field,
      Map<String, Object> map,
      DocumentValue value,
      DecodingBudget.Share share) {
    private void fail(Throwable failure) {
      share.close();
      EncodingProcessor.fail(document, field, failure);
    }

    /**
     * Returns the heap that the encoding takes until the bulk goes on: the decoded picture beside
     * the source that has it as text; the embedding boxed and as text in the document, and all once
     * more in the source that is written of it.
     */
    private long bytes() {
      QueryInput content = value.content().orElseThrow();
      int count =
          content instanceof QueryInput.Image image
              ? field.spaces().imageTokens().get(image.sensor())
              : field.spaces().textTokens();
      long picture = content instanceof QueryInput.Image image ? image.bytes().length : 0;
      return picture
          + (BOXED_FLOAT + PRINTED_FLOAT) * field.spaces().dimension()
          + (long) (2 * BASE64 * field.storedBytes(count))
          + 2L * field.pictures().thumbnails().documentBytes();
    }
  }

  /**
   * Key of the items that can go into one batch.
   *
   * @param model id
   * @param sensor empty for texts
   * @param options how pictures are read
   */
  private record Group(String model, String sensor, PictureOptions options) {
    private static Group of(Item item) {
      QueryInput content = item.value.content().orElseThrow();
      return new Group(
          item.field.modelId(),
          content instanceof QueryInput.Image image ? image.sensor() : "",
          item.field.pictures());
    }
  }

  @Override
  protected void subBatchExecute(
      List<IngestDocumentWrapper> documents, Consumer<List<IngestDocumentWrapper>> handler) {
    Map<Group, List<Item>> groups = new LinkedHashMap<>();
    for (IngestDocumentWrapper document : documents) {
      if (document.getException() == null) {
        for (Item item : items(document)) {
          groups.computeIfAbsent(Group.of(item), group -> new ArrayList<>()).add(item);
        }
      }
    }
    if (groups.isEmpty()) {
      handler.accept(documents);
      return;
    }
    List<Item> all = groups.values().stream().flatMap(List::stream).toList();
    MemoryBudget.Reservation memory;
    try {
      memory = reserve(all);
    } catch (InferenceException.MemoryExceeded e) {
      all.forEach(item -> item.fail(e));
      handler.accept(documents);
      return;
    }
    List<CompletableFuture<?>> encodings = new ArrayList<>();
    Map<String, Integer> notices = new TreeMap<>();
    groups.forEach(
        (group, items) ->
            encodings.add(
                encode(
                        group,
                        items,
                        (i, outcome) -> {
                          synchronized (notices) {
                            complete(items.get(i), outcome, notices);
                          }
                        })
                    .exceptionally(
                        failure -> {
                          synchronized (notices) {
                            items.forEach(item -> item.fail(failure));
                          }
                          return null;
                        })));
    Supplier<ThreadContext.StoredContext> context = threadContext.newRestorableContext(false);
    CompletableFuture<?> unused =
        CompletableFuture.allOf(encodings.toArray(CompletableFuture<?>[]::new))
            .whenComplete(
                (done, failure) -> {
                  ThreadContext.StoredContext restored = context.get();
                  try {
                    notices.forEach(
                        (notice, count) ->
                            HeaderWarning.addWarning("{} in [{}] documents", notice, count));
                    handler.accept(documents);
                  } finally {
                    // The documents are written as sources by now, which core counts itself.
                    memory.close();
                    restored.close();
                  }
                });
  }

  /**
   * Takes heap for what the encodings add to the bulk: pictures of a few bytes become many times
   * that.
   *
   * @throws InferenceException.MemoryExceeded saying what to do
   */
  private MemoryBudget.Reservation reserve(List<Item> items) {
    return encoding
        .get()
        .heap()
        .reserve(
            "keeping the encodings of the " + items.size() + " values of this bulk",
            items.stream().mapToLong(Item::bytes).sum());
  }

  /**
   * Returns the document's values to encode; none, and the document failed, where one of them is
   * bad.
   */
  private List<Item> items(IngestDocumentWrapper document) {
    List<Item> items = new ArrayList<>();
    for (FieldDefinition field : fields) {
      try {
        FieldValues.visit(
            document.getIngestDocument().getSourceAndMetadata(),
            field.path(),
            field.modality() == Modality.TEXT,
            map -> {
              DocumentValue value = new DocumentValue(field, map);
              if (value.needsEncoding()) {
                // Refuses a model whose outputs do not belong into the field.
                field.model();
                DecodingBudget.Share share = budget.take(value.content().orElseThrow());
                items.add(new Item(document, field, map, value, share));
              } else if (value.encoded()) {
                // As it will come back from the index, so that a source never changes.
                write(map, value.storedEmbedding(), value.storedTokens(), value.mark());
              }
            });
      } catch (IllegalArgumentException | OpenSearchRejectedExecutionException e) {
        items.forEach(item -> item.share.close());
        fail(document, field, e);
        return List.of();
      }
    }
    return items;
  }

  private CompletableFuture<Void> encode(
      Group group, List<Item> items, EncodingRequest.Listener listener) {
    try {
      return start(group, items, listener);
    } catch (RuntimeException e) {
      return CompletableFuture.failedFuture(e);
    }
  }

  private CompletableFuture<Void> start(
      Group group, List<Item> items, EncodingRequest.Listener listener) {
    List<QueryInput> contents =
        items.stream().map(item -> item.value.content().orElseThrow()).toList();
    if (group.sensor.isEmpty()) {
      return encoding
          .get()
          .encodeTexts(
              EncodingRequest.ofDocuments(
                  group.model,
                  contents.stream().map(content -> ((QueryInput.Text) content).text()).toList(),
                  listener));
    }
    return encoding
        .get()
        .encodeImages(
            group.sensor,
            group.options,
            EncodingRequest.ofDocuments(
                group.model,
                contents.stream().map(content -> ((QueryInput.Image) content).bytes()).toList(),
                listener));
  }

  private static void complete(Item item, Encoded outcome, Map<String, Integer> notices) {
    item.share.close();
    if (outcome instanceof Encoded.Failure failed) {
      item.fail(failed.cause());
    } else {
      complete(item, (Encoded.Success) outcome, notices);
    }
  }

  private static void complete(Item item, Encoded.Success success, Map<String, Integer> notices) {
    try {
      write(item, success.encoding());
      if (!success.thumbnail().isEmpty()) {
        item.map.put(DocumentValue.THUMBNAIL, success.thumbnail());
      }
    } catch (IllegalArgumentException e) {
      // A model's tokens may lie beyond what fp16 holds.
      item.fail(e);
      return;
    }
    if (!success.notice().isEmpty()) {
      notices.merge("[" + item.field.path() + "]: " + success.notice(), 1, Integer::sum);
    }
  }

  private static void write(Item item, Encoding encoding) {
    float[] embedding =
        Embeddings.unit(
            DocumentValue.EMBEDDING, encoding.embedding(), item.field.spaces().dimension());
    Optional<byte[]> block = item.field.store(encoding.tokens());
    write(item.map, embedding, block, item.value.mark(embedding, block.orElse(null)));
  }

  /**
   * Writes in the form that is there. Tokens that are not there go: those beside another embedding,
   * or of a field with none.
   */
  private static void write(
      Map<String, Object> map, float[] embedding, Optional<byte[]> block, String mark) {
    if (form(map, DocumentValue.EMBEDDING) == SourceForm.BYTES) {
      map.put(DocumentValue.EMBEDDING, Embeddings.toBytes(embedding));
    } else {
      // No float[]: core does not know how to copy one.
      List<Float> values = new ArrayList<>(embedding.length);
      for (float value : embedding) {
        values.add(value);
      }
      map.put(DocumentValue.EMBEDDING, values);
    }
    if (block.isPresent()) {
      map.put(DocumentValue.TOKENS, form(map, DocumentValue.TOKENS).tokens(block.get()));
    } else if (map.get(DocumentValue.TOKENS) != null) {
      // A null stays: in a partial document it takes away what the whole one has.
      map.remove(DocumentValue.TOKENS);
    }
    map.put(DocumentValue.ENCODED_FROM, mark);
  }

  private static SourceForm form(Map<String, Object> map, String key) {
    return SourceForm.of(key, map.get(key));
  }

  private static void fail(
      IngestDocumentWrapper document, FieldDefinition field, Throwable failure) {
    RuntimeException cause = InferenceErrors.toOpenSearch(failure);
    document.update(
        document.getIngestDocument(),
        cause instanceof IllegalArgumentException
            ? new IllegalArgumentException(
                String.format(Locale.ROOT, "field [%s]: %s", field.path(), cause.getMessage()),
                cause)
            : cause);
  }

  @Override
  public void execute(IngestDocument document, BiConsumer<IngestDocument, Exception> handler) {
    IngestDocumentWrapper wrapper = new IngestDocumentWrapper(0, 0, document, null);
    subBatchExecute(
        List.of(wrapper),
        done ->
            handler.accept(
                wrapper.getException() == null ? wrapper.getIngestDocument() : null,
                wrapper.getException()));
  }

  @Override
  public IngestDocument execute(IngestDocument document) {
    throw new UnsupportedOperationException(TYPE + " works asynchronously only");
  }

  @Override
  public String getType() {
    return TYPE;
  }
}
