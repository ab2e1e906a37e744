/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.report;

import io.crossmodal.trainer.evaluate.EvaluationTable;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Everything that a report shows, computed; how it looks is {@link HtmlReport}'s affair.
 *
 * @param title what the report is of
 * @param options the run's options by name
 * @param charts SVG documents
 * @param retrieval what the model reaches and examples of it, where a data set was given
 */
record RunReport(
    String title, Map<String, String> options, List<Chart> charts, Optional<Found> retrieval) {

  /**
   * A chart.
   *
   * @param title what it shows
   * @param svg a whole document
   */
  record Chart(String title, String svg) {}

  /**
   * What was found in a split.
   *
   * @param table the evaluation
   * @param k candidates that fusion re-ranked in the examples
   * @param examples captions with their first pictures
   * @param sheets heat maps of some of those captions
   */
  record Found(EvaluationTable table, int k, List<Example> examples, List<Sheet> sheets) {}

  /**
   * A caption's first pictures.
   *
   * @param caption the query
   * @param byFilter best first
   * @param byFusion best first, the filter's candidates re-ranked
   */
  record Example(String caption, List<Hit> byFilter, List<Hit> byFusion) {}

  /**
   * A picture that was found.
   *
   * @param name as the data set names it
   * @param jpeg the bytes of a JPEG file
   * @param right whether the caption, letter by letter, is one of its own
   */
  @SuppressWarnings("ArrayRecordComponent") // handed on once, never compared
  record Hit(String name, byte[] jpeg, boolean right) {}

  /**
   * The heat maps of a caption on the picture that it was written for.
   *
   * @param caption the words
   * @param name of the picture
   * @param png the bytes of a PNG file
   */
  @SuppressWarnings("ArrayRecordComponent") // handed on once, never compared
  record Sheet(String caption, String name, byte[] png) {}
}
