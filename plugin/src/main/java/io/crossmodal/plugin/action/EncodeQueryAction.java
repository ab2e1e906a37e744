/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.action;

import io.crossmodal.model.Messages;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.image.Stretch;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.plugin.errors.InferenceErrors;
import io.crossmodal.plugin.inference.encoding.Encoded;
import io.crossmodal.plugin.inference.encoding.EncodingService;
import io.crossmodal.plugin.inference.encoding.QueryInput;
import io.crossmodal.plugin.mapper.CrossModalFieldMapper;
import io.crossmodal.plugin.mapper.FieldDefinition;
import io.crossmodal.plugin.mapper.MappingFields;
import io.crossmodal.plugin.mapper.Modality;
import io.crossmodal.plugin.mapper.Spaces;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import org.opensearch.action.ActionRunnable;
import org.opensearch.action.ActionType;
import org.opensearch.action.OriginalIndices;
import org.opensearch.action.support.ActionFilters;
import org.opensearch.action.support.ContextPreservingActionListener;
import org.opensearch.action.support.HandledTransportAction;
import org.opensearch.cluster.ClusterState;
import org.opensearch.cluster.metadata.IndexNameExpressionResolver;
import org.opensearch.cluster.service.ClusterService;
import org.opensearch.common.inject.Inject;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.core.action.ActionListener;
import org.opensearch.core.index.Index;
import org.opensearch.search.SearchService;
import org.opensearch.tasks.Task;
import org.opensearch.threadpool.ThreadPool;
import org.opensearch.transport.RemoteClusterAware;
import org.opensearch.transport.RemoteClusterService;
import org.opensearch.transport.TransportService;
import org.opensearch.transport.client.Client;

/**
 * Encodes the query source of a search on the node that coordinates it, which is step 2 of a
 * search.
 */
public final class EncodeQueryAction extends ActionType<EncodedQuery> {
  // Under indices:data/read, for the right to search includes the encoding of its query.
  public static final String NAME = "indices:data/read/cross_modal/encode_query";
  public static final EncodeQueryAction INSTANCE = new EncodeQueryAction();

  private EncodeQueryAction() {
    super(NAME, EncodedQuery::new);
  }

  /**
   * Finds the field's model in the cluster state and encodes the query once, or gets what a
   * document was encoded to.
   */
  public static final class Transport
      extends HandledTransportAction<EncodeQueryRequest, EncodedQuery> {
    private final ClusterService clusterService;
    private final IndexNameExpressionResolver resolver;
    private final ThreadPool threadPool;
    private final Client client;
    private final EncodingService service;
    private final RemoteClusterService remoteClusters;
    private final MappedFields fields = new MappedFields();

    @Inject
    public Transport(
        TransportService transportService,
        ActionFilters actionFilters,
        ClusterService clusterService,
        IndexNameExpressionResolver resolver,
        ThreadPool threadPool,
        Client client,
        EncodingService service) {
      super(NAME, transportService, actionFilters, EncodeQueryRequest::new);
      this.clusterService = clusterService;
      this.resolver = resolver;
      this.threadPool = threadPool;
      this.client = client;
      this.service = service;
      this.remoteClusters = transportService.getRemoteClusterService();
    }

    @Override
    protected void doExecute(
        Task task, EncodeQueryRequest request, ActionListener<EncodedQuery> listener) {
      // Searches are rewritten on the thread that took them, often the network's: mappings of many
      // indices are not for it.
      threadPool
          .generic()
          .execute(
              ActionRunnable.wrap(listener, done -> encode((EncodingTask) task, request, done)));
    }

    private void encode(
        EncodingTask task, EncodeQueryRequest request, ActionListener<EncodedQuery> listener) {
      ClusterState state = clusterService.state();
      Index[] indices = indices(request, state);
      FieldDefinition field = field(request, state, indices);
      if (request.source() instanceof Sides sides) {
        SidesQuery.encode(
            sides,
            (side, done) ->
                encode(task, request.of(side.source()), side.name(), state, indices, field, done),
            listener);
      } else {
        encode(task, request, request.source().key(), state, indices, field, listener);
      }
    }

    /**
     * @param request of one side
     * @param name of the side, for messages
     */
    private void encode(
        EncodingTask task,
        EncodeQueryRequest request,
        String name,
        ClusterState state,
        Index[] indices,
        FieldDefinition field,
        ActionListener<EncodedQuery> listener) {
      if (request.source() instanceof QuerySource.Document document) {
        new DocumentQuery(state, resolver, fields, service.models().catalog())
            .read(
                client,
                request,
                document,
                indices,
                field,
                ActionListener.wrap(
                    listener::onResponse,
                    e ->
                        listener.onFailure(
                            e instanceof IllegalArgumentException bad ? describe(name, bad) : e)));
        return;
      }
      ModelManifest model = field.model();
      // The encoding may complete on a helper's thread, where this request's context is unknown.
      ActionListener<EncodedQuery> inContext =
          new ContextPreservingActionListener<>(
              threadPool.getThreadContext().newRestorableContext(false), listener);
      QueryInput input = input(request.source(), field, model);
      CompletableFuture<Encoded.Success> encoding = service.encodeQuery(model.id(), input);
      bound(encoding, task, request, name, model.id());
      CompletableFuture<?> unused =
          encoding.whenComplete(
              (encoded, failure) -> {
                if (failure != null) {
                  inContext.onFailure(describe(name, InferenceErrors.toOpenSearch(failure)));
                } else {
                  inContext.onResponse(response(input, field, model, encoded));
                }
              });
    }

    /** Returns what is encoded of a source that is no document. */
    private static QueryInput input(
        QuerySource source, FieldDefinition field, ModelManifest model) {
      if (source instanceof QuerySource.Image image) {
        return new QueryInput.Image(
            Spaces.of(model).sensor(image.sensor()),
            image.bytes(),
            field.pictures().withoutThumbnails().stretched(image.stretch()));
      }
      QuerySource.Text text = (QuerySource.Text) source;
      return new QueryInput.Text(
          text.text(), text.prompt() ? model.prompted(text.text()) : List.of());
    }

    /**
     * Ends the wait for an encoding with the search: by its timeout, by the longest that any waits
     * for a model, or by its cancellation.
     */
    private void bound(
        CompletableFuture<Encoded.Success> encoding,
        EncodingTask task,
        EncodeQueryRequest request,
        String name,
        String model) {
      TimeValue longest = TimeValue.timeValueNanos(service.longestWait().toNanos());
      TimeValue timeout =
          request.timeout() != null
              ? request.timeout()
              : clusterService
                  .getClusterSettings()
                  .get(SearchService.DEFAULT_SEARCH_TIMEOUT_SETTING);
      task.bound(
          encoding,
          threadPool,
          timeout.nanos() < 0 || timeout.compareTo(longest) > 0 ? longest : timeout,
          wait ->
              String.format(
                  Locale.ROOT,
                  "the encoding of [%s] by model [%s], which is %s on this node and had [%s],",
                  name,
                  model,
                  service.models().status(model).state(),
                  wait));
    }

    private static EncodedQuery response(
        QueryInput input, FieldDefinition field, ModelManifest model, Encoded.Success encoded) {
      String sensor = input instanceof QueryInput.Image image ? image.sensor() : null;
      return new EncodedQuery(
          new EncodedQuery.Embedding(
              model.fingerprints().embeddingSpace(),
              encoded.encoding().embedding(),
              field.calibrations(sensor)),
          new EncodedQuery.Tokens(
              sensor == null ? Modality.TEXT : Modality.IMAGE,
              model.id(),
              model.fingerprints().tokenSpace(),
              encoded.encoding().tokens(),
              encoded.words(),
              field.maxSimCalibrations(sensor)),
          encoded.notice());
    }

    private static RuntimeException describe(String name, RuntimeException failure) {
      return failure instanceof IllegalArgumentException
          ? new IllegalArgumentException("[" + name + "]: " + failure.getMessage(), failure)
          : failure;
    }

    /**
     * Returns the searched indices of this cluster; none where they are unknown. Core takes out
     * names of remote clusters after the rewrite, so they are still there.
     *
     * @throws IllegalArgumentException when all of them are remote
     * @throws org.opensearch.index.IndexNotFoundException when there is no such index
     */
    private Index[] indices(EncodeQueryRequest request, ClusterState state) {
      if (!request.indicesKnown()) {
        return new Index[0];
      }
      Map<String, OriginalIndices> byCluster =
          remoteClusters.groupIndices(
              request.indicesOptions(),
              request.indices(),
              name -> resolver.hasIndexAbstraction(name, state));
      OriginalIndices local = byCluster.get(RemoteClusterAware.LOCAL_CLUSTER_GROUP_KEY);
      if (local == null) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT,
                "[field] [%s]: only remote clusters are searched, %s, and this one cannot know the"
                    + " model there: name a local index with the same field beside them, or search"
                    + " the remote cluster itself",
                Messages.excerpt(request.field()),
                new TreeSet<>(byCluster.keySet())));
      }
      return resolver.concreteIndices(
          state, local.indicesOptions(), request.includeDataStreams(), local.indices());
    }

    /**
     * Returns the field as its mapping defines it; the model must be the same in all of the
     * searched indices that have the field. Where the indices are unknown, a field of the default
     * model.
     */
    private FieldDefinition field(EncodeQueryRequest request, ClusterState state, Index[] indices) {
      ModelCatalog catalog = service.models().catalog();
      FieldDefinition anyField = FieldDefinition.of(request.field(), Map.of(), catalog);
      if (!request.indicesKnown()) {
        return anyField;
      }
      Map<String, FieldDefinition> fieldByIndex = new TreeMap<>();
      Map<String, String> typeByIndex = new TreeMap<>();
      for (Index index : indices) {
        MappingFields.Field found = fields.find(state.metadata().index(index), request.field());
        if (found != null && CrossModalFieldMapper.TYPE.equals(found.type())) {
          fieldByIndex.put(
              index.getName(), FieldDefinition.of(found.path(), found.node(), catalog));
        } else if (found != null) {
          typeByIndex.put(index.getName(), String.valueOf(found.type()));
        }
      }
      if (fieldByIndex.isEmpty()) {
        if (indices.length == 0) {
          // Nothing is searched, so any model will do.
          return anyField;
        }
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT,
                "[field] [%s] is no field of type [%s] in the searched indices%s",
                Messages.excerpt(request.field()),
                CrossModalFieldMapper.TYPE,
                typeByIndex.isEmpty() ? "" : ", its type is " + typeByIndex));
      }
      Map<String, String> modelByIndex = new TreeMap<>();
      fieldByIndex.forEach((index, field) -> modelByIndex.put(index, field.modelId()));
      if (modelByIndex.values().stream().distinct().count() > 1) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT,
                "[field] [%s] has different models, search their indices one by one: %s",
                Messages.excerpt(request.field()),
                modelByIndex));
      }
      Map<String, String> spaceByIndex = new TreeMap<>();
      fieldByIndex.forEach((index, field) -> spaceByIndex.put(index, field.spaces().embedding()));
      if (spaceByIndex.values().stream().distinct().count() > 1) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT,
                "[field] [%s] was made with models of different filter spaces, search their indices"
                    + " one by one: %s",
                request.field(),
                spaceByIndex));
      }
      Map<String, String> stretchByIndex = new TreeMap<>();
      fieldByIndex.forEach(
          (index, field) ->
              stretchByIndex.put(
                  index, field.pictures().stretch().map(Stretch::toString).orElse("none")));
      if (readsByFieldsStretch(request.source())
          && stretchByIndex.values().stream().distinct().count() > 1) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT,
                "[field] [%s] has different values of [stretch], by which a picture of measured"
                    + " values is read: give the query a [stretch] of its own, or search their"
                    + " indices one by one: %s",
                Messages.excerpt(request.field()),
                stretchByIndex));
      }
      // Calibrations of MaxSim are for all indices or for none: not where one pools its tokens.
      return Collections.max(
          fieldByIndex.values(), Comparator.comparingInt(FieldDefinition::tokenPooling));
    }

    /** Returns whether a picture is searched by that says nothing of its own values. */
    private static boolean readsByFieldsStretch(QuerySource source) {
      return source instanceof QuerySource.Image image
          ? image.stretch().isEmpty()
          : source instanceof Sides sides
              && sides.placed().stream().anyMatch(side -> readsByFieldsStretch(side.source()));
    }
  }
}
