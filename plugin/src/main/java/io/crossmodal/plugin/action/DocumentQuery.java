/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.action;

import io.crossmodal.model.Messages;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.plugin.mapper.CrossModalFieldMapper;
import io.crossmodal.plugin.mapper.DocumentValue;
import io.crossmodal.plugin.mapper.FieldDefinition;
import io.crossmodal.plugin.mapper.FieldValues;
import io.crossmodal.plugin.mapper.MappingFields;
import io.crossmodal.plugin.mapper.Modality;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.opensearch.ExceptionsHelper;
import org.opensearch.action.get.GetRequest;
import org.opensearch.action.get.GetResponse;
import org.opensearch.cluster.ClusterState;
import org.opensearch.cluster.metadata.IndexMetadata;
import org.opensearch.cluster.metadata.IndexNameExpressionResolver;
import org.opensearch.core.action.ActionListener;
import org.opensearch.core.index.Index;
import org.opensearch.index.IndexNotFoundException;
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
   * Gets the document and takes its field for the query. The get comes first and with the asker's
   * rights: until it has brought a value, nothing is told of an index, its fields or their types,
   * and what cannot be got has one answer, whatever the reason.
   *
   * @param document of the request
   * @param indices the searched ones
   * @param searched the field that is searched
   * @throws IllegalArgumentException when several indices are searched and none is named
   */
  void read(
      Client client,
      EncodeQueryRequest request,
      QuerySource.Document document,
      Index[] indices,
      FieldDefinition searched,
      ActionListener<EncodedQuery> listener) {
    String index = index(document, indices);
    String named = document.field() == null ? request.field() : document.field();
    MappingFields.Field mapped = fields.find(concrete(index, document), named);
    String path = mapped == null ? named : mapped.path();
    ActionListener<GetResponse> found =
        ActionListener.map(
            listener, response -> query(response, index, path, mapped, searched, named));
    client.get(
        get(index, document, path),
        ActionListener.wrap(
            found::onResponse,
            e ->
                listener.onFailure(
                    ExceptionsHelper.unwrapCause(e) instanceof IndexNotFoundException
                        ? nothingFound(document.id(), index, named)
                        : e)));
  }

  /** Asks for what the content was encoded to, and not for the content: a picture may be large. */
  static GetRequest get(String index, QuerySource.Document document, String path) {
    return new GetRequest(index, document.id())
        .routing(document.routing())
        .fetchSourceContext(
            new FetchSourceContext(
                true,
                new String[] {path},
                new String[] {path + "." + DocumentValue.BYTES, path + "." + DocumentValue.TEXT}));
  }

  private static String index(QuerySource.Document document, Index[] searched) {
    if (document.index() != null) {
      return document.index();
    }
    if (searched.length != 1) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "%d indices are searched, name the document's with [%s]; of a data stream, the one of"
                  + " its backing indices that has it",
              searched.length,
              QuerySource.INDEX));
    }
    return searched[0].getName();
  }

  /** Returns the index that the get will find; null where it will find none, or must not. */
  private IndexMetadata concrete(String index, QuerySource.Document document) {
    try {
      Index concrete = resolver.concreteSingleIndex(state, new GetRequest(index, document.id()));
      return state.metadata().index(concrete);
    } catch (IndexNotFoundException | IllegalArgumentException e) {
      return null;
    }
  }

  private static IllegalArgumentException nothingFound(String id, String index, String field) {
    return new IllegalArgumentException(
        String.format(
            Locale.ROOT,
            "there is no document [%s] in index [%s] with a value in a field [%s] of type [%s];"
                + " name another field with [%s]",
            Messages.excerpt(id),
            Messages.excerpt(index),
            Messages.excerpt(field),
            CrossModalFieldMapper.TYPE,
            QuerySource.QUERY_FIELD));
  }

  private EncodedQuery query(
      GetResponse found,
      String index,
      String path,
      MappingFields.Field mapped,
      FieldDefinition searched,
      String named) {
    List<Map<String, Object>> values = new ArrayList<>();
    if (mapped != null
        && CrossModalFieldMapper.TYPE.equals(mapped.type())
        && found.isExists()
        && found.getSourceAsMap() != null) {
      FieldValues.visit(found.getSourceAsMap(), path, true, values::add);
    }
    if (values.isEmpty()) {
      throw nothingFound(found.getId(), index, named);
    }
    if (values.size() > 1) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "document [%s] of index [%s] has several values in field [%s]",
              found.getId(),
              index,
              path));
    }
    FieldDefinition field = FieldDefinition.of(path, mapped.node(), catalog);
    if (!field.spaces().embedding().equals(searched.spaces().embedding())) {
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
        new EncodedQuery.Embedding(
            field.spaces().embedding(), value.storedEmbedding(), searched.calibrations(sensor)),
        new EncodedQuery.Tokens(
            field.modality(),
            field.modelId(),
            field.spaces().tokens(),
            tokens,
            List.of(),
            field.tokenPooling() == 1 ? searched.maxSimCalibrations(sensor) : List.of()),
        "");
  }
}
