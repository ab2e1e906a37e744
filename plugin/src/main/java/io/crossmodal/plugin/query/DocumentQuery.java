/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.plugin.inference.ModelCatalog;
import io.crossmodal.plugin.mapper.CrossModalFieldMapper;
import io.crossmodal.plugin.mapper.DocumentValue;
import io.crossmodal.plugin.mapper.FieldDefinition;
import io.crossmodal.plugin.mapper.FieldValues;
import io.crossmodal.plugin.mapper.Modality;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.opensearch.action.get.GetRequest;
import org.opensearch.action.get.GetResponse;
import org.opensearch.cluster.ClusterState;
import org.opensearch.cluster.metadata.IndexNameExpressionResolver;
import org.opensearch.core.action.ActionListener;
import org.opensearch.core.index.Index;
import org.opensearch.search.fetch.subphase.FetchSourceContext;
import org.opensearch.transport.client.Client;

/** {@code query_id}: a document's own embedding and tokens, which need no model to run. */
final class DocumentQuery {
  private final ClusterState state;
  private final IndexNameExpressionResolver resolver;
  private final MappedFields fields;
  private final ModelCatalog catalog;

  DocumentQuery(
      ClusterState state,
      IndexNameExpressionResolver resolver,
      MappedFields fields,
      ModelCatalog catalog) {
    this.state = state;
    this.resolver = resolver;
    this.fields = fields;
    this.catalog = catalog;
  }

  /**
   * Gets the document and takes its field for the query.
   *
   * @param indices the searched ones
   * @param searched the field that is searched
   * @throws IllegalArgumentException when the field the document is to give cannot be one
   * @throws org.opensearch.index.IndexNotFoundException when there is no such index
   */
  void read(
      Client client,
      EncodeQueryRequest request,
      Index[] indices,
      FieldDefinition searched,
      ActionListener<EncodedQuery> listener) {
    QuerySide.Document document = request.side().document();
    String index = index(request, indices);
    FieldDefinition field = field(request, index, searched);
    client.get(
        get(index, document, field.path()),
        ActionListener.map(listener, found -> query(field, searched, found)));
  }

  /** Asks for what the content was encoded to, and not for the content: a picture may be large. */
  static GetRequest get(String index, QuerySide.Document document, String path) {
    return new GetRequest(index, document.id())
        .routing(document.routing())
        .fetchSourceContext(
            new FetchSourceContext(
                true,
                new String[] {path},
                new String[] {path + "." + DocumentValue.BYTES, path + "." + DocumentValue.TEXT}));
  }

  private String index(EncodeQueryRequest request, Index[] searched) {
    String named = request.side().document().index();
    if (named != null) {
      return resolver
          .concreteSingleIndex(state, new GetRequest(named, request.side().document().id()))
          .getName();
    }
    if (searched.length != 1) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "%d indices are searched, name the document's with [%s]",
              searched.length,
              QuerySide.INDEX));
    }
    return searched[0].getName();
  }

  private FieldDefinition field(
      EncodeQueryRequest request, String index, FieldDefinition searched) {
    String named = request.side().document().field();
    String path = named == null ? request.field() : named;
    Map<String, Object> node = fields.find(state.metadata().index(index), path);
    if (node == null || !CrossModalFieldMapper.TYPE.equals(node.get("type"))) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[%s] is no field of type [%s] in index [%s]%s; name one with [%s]",
              path,
              CrossModalFieldMapper.TYPE,
              index,
              node == null ? "" : ", its type is [" + node.get("type") + "]",
              QuerySide.QUERY_FIELD));
    }
    FieldDefinition field = FieldDefinition.of(path, node, catalog);
    if (!field.spaces().filter().equals(searched.spaces().filter())) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "field [%s] of index [%s] was encoded by [%s], the searched field by [%s]: their"
                  + " embeddings cannot be compared",
              path,
              index,
              field.modelId(),
              searched.modelId()));
    }
    return field;
  }

  private static EncodedQuery query(
      FieldDefinition field, FieldDefinition searched, GetResponse found) {
    if (!found.isExists()) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "there is no document [%s] in index [%s]",
              found.getId(),
              found.getIndex()));
    }
    List<Map<String, Object>> values = new ArrayList<>();
    if (found.getSourceAsMap() != null) {
      FieldValues.visit(
          found.getSourceAsMap(), field.path(), field.modality() == Modality.TEXT, values::add);
    }
    if (values.size() != 1) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "document [%s] of index [%s] has %s field [%s]",
              found.getId(),
              found.getIndex(),
              values.isEmpty() ? "no" : "several values in",
              field.path()));
    }
    DocumentValue value = new DocumentValue(field, values.get(0));
    TokenBlock tokens =
        value
            .storedTokens()
            .map(block -> TokenBlockFormat.read(block, 0, block.length))
            .orElse(null);
    String sensor =
        field.modality() == Modality.IMAGE
            ? value.storedSensor().orElseGet(() -> field.spaces().sensor(null))
            : null;
    return new EncodedQuery(
        field.modality(),
        field.modelId(),
        field.spaces().filter(),
        field.spaces().tokens(),
        value.storedEmbedding(),
        tokens,
        List.of(),
        searched.calibrations(sensor),
        field.tokenPooling() == 1 ? searched.maxSimCalibrations(sensor) : List.of(),
        "");
  }
}
