/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.spark;

import io.crossmodal.trainer.encode.EncodeRun;
import java.io.Serializable;
import org.apache.spark.SparkContext;
import org.apache.spark.util.CollectionAccumulator;
import org.apache.spark.util.LongAccumulator;

/**
 * What tasks have done. Spark counts a task once, however often it runs, and shows the named ones
 * by task and by stage.
 *
 * @param listed scenes that were looked at
 * @param kept pictures or chips that were encoded and are there
 * @param known that were there before
 * @param repeated whose bytes another one of their portion has
 * @param empty chips with too little data
 * @param bytes sent to the index
 * @param readNanos time of all threads that read and decode
 * @param encodeNanos time of the models
 * @param sendNanos time of the requests with documents
 * @param problems what was left out, a line each
 * @param unplaced what was kept without a place, though its file has one, a line each
 */
record Meters(
    LongAccumulator listed,
    LongAccumulator kept,
    LongAccumulator known,
    LongAccumulator repeated,
    LongAccumulator empty,
    LongAccumulator bytes,
    LongAccumulator readNanos,
    LongAccumulator encodeNanos,
    LongAccumulator sendNanos,
    CollectionAccumulator<String> problems,
    CollectionAccumulator<String> unplaced)
    implements Serializable {

  static Meters of(SparkContext spark) {
    return new Meters(
        spark.longAccumulator("scenes listed"),
        spark.longAccumulator("encoded"),
        spark.longAccumulator("there before"),
        spark.longAccumulator("repeated"),
        spark.longAccumulator("showing too little"),
        spark.longAccumulator("bytes sent"),
        spark.longAccumulator("reading, ns"),
        spark.longAccumulator("encoding, ns"),
        spark.longAccumulator("sending, ns"),
        spark.collectionAccumulator("left out"),
        spark.collectionAccumulator("without a place"));
  }

  void add(EncodeRun.Summary summary, EncodeRun.Times times) {
    kept.add(summary.kept());
    known.add(summary.known());
    repeated.add(summary.repeated());
    empty.add(summary.empty());
    readNanos.add(times.read());
    encodeNanos.add(times.encode());
    summary.problems().forEach(problems::add);
    summary.unplaced().forEach(unplaced::add);
  }

  /** Returns how many pictures or chips are dealt with, but for those that were left out. */
  long done() {
    return kept.value() + known.value() + repeated.value() + empty.value();
  }

  /** Returns how many were left out. */
  int leftOut() {
    return problems.value().size();
  }
}
