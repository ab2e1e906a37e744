/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rights;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.function.Supplier;
import org.apache.lucene.search.BooleanClause;
import org.apache.lucene.search.BooleanQuery;
import org.apache.lucene.search.ConstantScoreQuery;
import org.apache.lucene.util.SetOnce;
import org.opensearch.OpenSearchSecurityException;
import org.opensearch.action.ActionRequest;
import org.opensearch.action.IndicesRequest;
import org.opensearch.action.RealtimeRequest;
import org.opensearch.action.explain.ExplainRequest;
import org.opensearch.action.get.GetRequest;
import org.opensearch.action.get.MultiGetRequest;
import org.opensearch.action.search.DeletePitRequest;
import org.opensearch.action.search.SearchContextId;
import org.opensearch.action.search.SearchRequest;
import org.opensearch.action.support.ActionFilter;
import org.opensearch.action.support.ActionFilterChain;
import org.opensearch.action.support.ActionRequestMetadata;
import org.opensearch.cluster.metadata.IndexAbstraction;
import org.opensearch.cluster.metadata.IndexNameExpressionResolver;
import org.opensearch.cluster.service.ClusterService;
import org.opensearch.common.regex.Regex;
import org.opensearch.common.util.concurrent.ThreadContext;
import org.opensearch.core.action.ActionListener;
import org.opensearch.core.action.ActionResponse;
import org.opensearch.core.common.io.stream.NamedWriteableRegistry;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.xcontent.NamedXContentRegistry;
import org.opensearch.env.Environment;
import org.opensearch.env.NodeEnvironment;
import org.opensearch.index.IndexModule;
import org.opensearch.index.query.ParsedQuery;
import org.opensearch.index.shard.SearchOperationListener;
import org.opensearch.plugins.ActionPlugin;
import org.opensearch.plugins.Plugin;
import org.opensearch.repositories.RepositoriesService;
import org.opensearch.rest.RestHeaderDefinition;
import org.opensearch.script.ScriptService;
import org.opensearch.search.internal.SearchContext;
import org.opensearch.tasks.Task;
import org.opensearch.threadpool.ThreadPool;
import org.opensearch.transport.client.Client;
import org.opensearch.watcher.ResourceWatcherService;

/**
 * Stands in for OpenSearch's security plugin, with its rules as far as they meet this plugin:
 *
 * <ul>
 *   <li>{@code SecurityFilter}: an action is refused unless the user has it, an index action unless
 *       on each of the indices that the request names; no user, as under a stashed context, or
 *       {@code internal:} is the cluster itself.
 *   <li>{@code DlsFlsValveImpl}: in a search the filter of document-level security stands as a
 *       clause beside the whole query; requests that could be real-time are not; {@link
 *       GuardedReader} does the rest.
 * </ul>
 */
public final class SecurityStandIn extends Plugin implements ActionPlugin {
  /** Names the user of a request. */
  static final String USER = "x-user";

  /** Present where documents are read by id: there hidden ones count as deleted. */
  static final String BY_ID = "x-by-id";

  private final SetOnce<Guard> guard = new SetOnce<>();

  /**
   * A user.
   *
   * @param actions that it may ask for
   * @param indices patterns of the indices where it may ask for those on indices
   * @param rules what it sees in there
   */
  record User(Set<String> actions, List<String> indices, GuardedReader.Rules rules) {}

  @Override
  public Collection<Object> createComponents(
      Client client,
      ClusterService clusterService,
      ThreadPool threadPool,
      ResourceWatcherService resourceWatcherService,
      ScriptService scriptService,
      NamedXContentRegistry xContentRegistry,
      Environment environment,
      NodeEnvironment nodeEnvironment,
      NamedWriteableRegistry namedWriteableRegistry,
      IndexNameExpressionResolver indexNameExpressionResolver,
      Supplier<RepositoriesService> repositoriesService) {
    guard.set(new Guard(clusterService, threadPool.getThreadContext(), namedWriteableRegistry));
    return List.of(guard.get());
  }

  @Override
  public Collection<RestHeaderDefinition> getRestHeaders() {
    return List.of(new RestHeaderDefinition(USER, false));
  }

  @Override
  public List<ActionFilter> getActionFilters() {
    return List.of(guard.get());
  }

  @Override
  public void onIndexModule(IndexModule module) {
    Guard mine = guard.get();
    module.setReaderWrapper(
        service ->
            reader -> {
              User user = mine.user();
              return user == null || user.rules.equals(GuardedReader.Rules.NONE)
                  ? reader
                  : GuardedReader.wrap(reader, user.rules, mine.context.getHeader(BY_ID) != null);
            });
    module.addSearchOperationListener(mine);
  }

  /** What a node knows of users, and what they asked for. */
  static final class Guard implements ActionFilter, SearchOperationListener {
    private final ClusterService clusterService;
    private final ThreadContext context;
    private final NamedWriteableRegistry registry;
    private final Map<String, User> users = new ConcurrentHashMap<>();
    private final Map<String, Set<String>> asked = new ConcurrentHashMap<>();

    private Guard(
        ClusterService clusterService, ThreadContext context, NamedWriteableRegistry registry) {
      this.clusterService = clusterService;
      this.context = context;
      this.registry = registry;
    }

    void add(String name, User user) {
      users.put(name, user);
    }

    /** The actions that a user asked for and got. */
    Set<String> granted(String user) {
      return new TreeSet<>(asked.getOrDefault(user, Set.of()));
    }

    private User user() {
      String name = context.getHeader(USER);
      return name == null ? null : users.get(name);
    }

    @Override
    public int order() {
      return Integer.MIN_VALUE;
    }

    @Override
    public <Q extends ActionRequest, A extends ActionResponse> void apply(
        Task task,
        String action,
        Q request,
        ActionRequestMetadata<Q, A> metadata,
        ActionListener<A> listener,
        ActionFilterChain<Q, A> chain) {
      User user = user();
      if (user == null || action.startsWith("internal:")) {
        chain.proceed(task, action, request, listener);
        return;
      }
      if (!user.actions.contains(action) || !mayIn(user, action, request)) {
        listener.onFailure(
            new OpenSearchSecurityException(
                "no permissions for [" + action + "] and User [name={}]",
                RestStatus.FORBIDDEN,
                context.getHeader(USER)));
        return;
      }
      asked
          .computeIfAbsent(context.getHeader(USER), name -> new ConcurrentSkipListSet<>())
          .add(action);
      if (!user.rules.equals(GuardedReader.Rules.NONE)
          && request instanceof RealtimeRequest realtime) {
        realtime.realtime(false);
      }
      if (request instanceof GetRequest
          || request instanceof MultiGetRequest
          || request instanceof ExplainRequest) {
        ThreadContext.StoredContext before = context.newStoredContext(true);
        try {
          context.putHeader(BY_ID, "true");
          chain.proceed(task, action, request, listener);
        } finally {
          before.restore();
        }
        return;
      }
      chain.proceed(task, action, request, listener);
    }

    private boolean mayIn(User user, String action, ActionRequest request) {
      if (!action.startsWith("indices:")) {
        return true;
      }
      String[] patterns = user.indices.toArray(String[]::new);
      return names(request).stream().allMatch(name -> Regex.simpleMatch(patterns, name));
    }

    /** The indices that a request means, resolved; a name of none stays. */
    private Set<String> names(ActionRequest request) {
      Set<String> names = new TreeSet<>();
      if (request instanceof SearchRequest search && search.pointInTimeBuilder() != null) {
        names.addAll(ofPointInTime(search.pointInTimeBuilder().getId()));
      } else if (request instanceof DeletePitRequest delete) {
        delete.getPitIds().forEach(id -> names.addAll(ofPointInTime(id)));
      } else if (request instanceof IndicesRequest named) {
        Map<String, IndexAbstraction> known = clusterService.state().metadata().getIndicesLookup();
        List<String> asking = new ArrayList<>(Arrays.asList(named.indices()));
        if (asking.isEmpty()) {
          asking.add("*");
        }
        for (String name : asking) {
          String pattern = name.equals("_all") ? "*" : name;
          Set<String> meant = new TreeSet<>();
          known.forEach(
              (key, abstraction) -> {
                if (Regex.simpleMatch(pattern, key)) {
                  abstraction.getIndices().forEach(index -> meant.add(index.getIndex().getName()));
                }
              });
          names.addAll(meant.isEmpty() ? Set.of(name) : meant);
        }
      }
      return names;
    }

    private List<String> ofPointInTime(String id) {
      return List.of(SearchContextId.decode(registry, id).getActualIndices());
    }

    @Override
    public void onPreQueryPhase(SearchContext search) {
      User user = user();
      if (user == null || user.rules.visible() == null) {
        return;
      }
      search.parsedQuery(
          new ParsedQuery(
              new BooleanQuery.Builder()
                  .add(new ConstantScoreQuery(user.rules.visible()), BooleanClause.Occur.FILTER)
                  .add(search.parsedQuery().query(), BooleanClause.Occur.MUST)
                  .build()));
      search.preProcess(true);
    }
  }
}
