/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import io.crossmodal.plugin.action.EncodedQuery;
import io.crossmodal.plugin.action.QuerySource;
import java.io.IOException;
import java.util.Objects;
import java.util.Optional;
import java.util.function.BiFunction;
import org.apache.lucene.util.SetOnce;
import org.opensearch.core.xcontent.ToXContent;
import org.opensearch.core.xcontent.XContentBuilder;
import org.opensearch.index.query.QueryRewriteContext;

/**
 * The stage of a query source on its way from the request to the shards; the query and the rescorer
 * both go through it. Immutable, but for the result of a pending encoding.
 *
 * @param <E> the half of an {@link EncodedQuery} that shards take
 */
public sealed interface QueryState<E> {

  /** As the request says it. */
  record Typed<E>(QuerySource source) implements QueryState<E> {
    public Typed {
      Objects.requireNonNull(source, "source");
    }

    @Override
    public QueryState<E> rewrite(
        QueryRewriteContext context, String field, BiFunction<String, EncodedQuery, E> half) {
      if (context.convertToShardContext() != null) {
        return this;
      }
      SetOnce<EncodedQuery> result = new SetOnce<>();
      QueryEncoder.encode(context, field, source, result::set);
      return new Pending<>(source, result);
    }
  }

  /**
   * While the encoding is under way.
   *
   * @param result set before the same builder is rewritten again
   */
  record Pending<E>(QuerySource source, SetOnce<EncodedQuery> result) implements QueryState<E> {
    @Override
    public QueryState<E> rewrite(
        QueryRewriteContext context, String field, BiFunction<String, EncodedQuery, E> half) {
      EncodedQuery encoded = result.get();
      return encoded == null
          ? this
          : new Encoded<>(source.label(), half.apply(source.key(), encoded));
    }
  }

  /**
   * As shards take it.
   *
   * @param label of the source; null for a vector that the request brought
   */
  record Encoded<E>(QuerySource.Label label, E half) implements QueryState<E> {
    @Override
    public QueryState<E> rewrite(
        QueryRewriteContext context, String field, BiFunction<String, EncodedQuery, E> unused) {
      return this;
    }
  }

  /**
   * Takes the next step to the shards: starts the encoding as an asynchronous action of the
   * rewrite, or takes its result.
   *
   * @param field that is searched
   * @param half makes what shards take, given the source's {@link QuerySource#key}
   * @return this where there is no step to take
   */
  QueryState<E> rewrite(
      QueryRewriteContext context, String field, BiFunction<String, EncodedQuery, E> half);

  /** Returns the source as typed; empty once it is encoded. */
  default Optional<QuerySource> typed() {
    if (this instanceof Typed<E> typed) {
      return Optional.of(typed.source());
    }
    return this instanceof Pending<E> pending ? Optional.of(pending.source()) : Optional.empty();
  }

  /** Returns what shards take; empty before. */
  default Optional<Encoded<E>> encoded() {
    return this instanceof Encoded<E> encoded ? Optional.of(encoded) : Optional.empty();
  }

  /**
   * Refuses to send a state that no other node can go on from.
   *
   * @param name of the query or rescorer
   * @throws IllegalStateException while the encoding is under way
   */
  default void checkSendable(String name) {
    if (this instanceof Pending<E>) {
      throw new IllegalStateException("[" + name + "] is sent while its encoding is under way");
    }
  }

  /** Prints the source, or its label. */
  default void print(XContentBuilder builder, ToXContent.Params params) throws IOException {
    Optional<QuerySource> source = typed();
    if (source.isPresent()) {
      source.get().toXContent(builder, params);
    } else {
      encoded().orElseThrow().label().toXContent(builder, params);
    }
  }
}
