/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.ext;

import io.crossmodal.plugin.wire.WireFormat;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.xcontent.XContentBuilder;
import org.opensearch.search.aggregations.InternalAggregation;
import org.opensearch.search.aggregations.InternalAggregations;
import org.opensearch.search.query.QuerySearchResult;

/**
 * The reports of a shard's fusion rescores on their way to the coordinating node. They travel as an
 * aggregation, the one part of a shard's result that is open to types of a plugin, and are taken
 * out again before core reduces the results.
 */
public final class ShardReports extends InternalAggregation {
  public static final String NAME = "cross_modal_rescore_reports";

  private final List<RescoreReport> reports;
  private final HitTraits traits;

  private ShardReports(List<RescoreReport> reports, HitTraits traits) {
    super(NAME, Map.of());
    this.reports = List.copyOf(reports);
    this.traits = traits;
  }

  /**
   * What a shard reported.
   *
   * @param reports in the order of the request's fusion rescorers; empty where none were requested
   * @param traits of the hits that the coordinating node chose
   */
  public record Detached(List<RescoreReport> reports, HitTraits traits) {
    private static final Detached NOTHING = new Detached(List.of(), HitTraits.NONE);
  }

  public ShardReports(StreamInput in) throws IOException {
    super(in);
    WireFormat.read(in, NAME);
    reports = in.readList(RescoreReport::read);
    traits = new HitTraits(in);
  }

  @Override
  protected void doWriteTo(StreamOutput out) throws IOException {
    WireFormat.write(out);
    out.writeList(reports);
    traits.writeTo(out);
  }

  /**
   * Puts reports into a shard's result, which carries them to the coordinating node.
   *
   * @param reports in the order of the request's fusion rescorers
   * @param traits of the hits that the coordinating node chose
   */
  public static void attach(
      QuerySearchResult result, List<RescoreReport> reports, HitTraits traits) {
    if (reports.isEmpty() || result.isNull()) {
      return;
    }
    List<InternalAggregation> all = new ArrayList<>();
    if (result.hasAggs()) {
      all.addAll(result.consumeAggs().expand().copyResults());
    }
    all.add(new ShardReports(reports, traits));
    result.aggregations(InternalAggregations.from(all));
  }

  /**
   * Takes the reports out of a shard's result.
   *
   * @param aggregated whether the request has aggregations of its own
   */
  public static Detached detach(QuerySearchResult result, boolean aggregated) {
    if (!result.hasAggs() || result.aggregations() == null) {
      return Detached.NOTHING;
    }
    Detached reports = Detached.NOTHING;
    List<InternalAggregation> others = new ArrayList<>();
    for (InternalAggregation one : result.consumeAggs().expand().copyResults()) {
      if (one instanceof ShardReports found) {
        reports = new Detached(found.reports, found.traits);
      } else {
        others.add(one);
      }
    }
    result.aggregations(aggregated ? InternalAggregations.from(others) : null);
    return reports;
  }

  @Override
  public InternalAggregation reduce(List<InternalAggregation> others, ReduceContext context) {
    throw new UnsupportedOperationException("[" + NAME + "] is taken out before the reduction");
  }

  @Override
  protected boolean mustReduceOnSingleInternalAgg() {
    return false;
  }

  @Override
  public Object getProperty(List<String> path) {
    throw new IllegalArgumentException("[" + NAME + "] has no properties");
  }

  @Override
  public XContentBuilder doXContentBody(XContentBuilder builder, Params params) {
    return builder;
  }

  @Override
  public String getWriteableName() {
    return NAME;
  }

  @Override
  public boolean equals(Object other) {
    return super.equals(other)
        && other instanceof ShardReports that
        && reports.equals(that.reports)
        && traits.equals(that.traits);
  }

  @Override
  public int hashCode() {
    return Objects.hash(super.hashCode(), reports, traits);
  }
}
