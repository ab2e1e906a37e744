/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

/**
 * What one model reached in one direction, in percent; NaN where it does not apply.
 *
 * @param model name
 * @param direction {@code s1 -> s2}: query, then archive
 * @param recall1 queries whose partner is the first hit
 * @param recall5 among the first 5
 * @param recall10 among the first 10
 * @param maxSim1 as recall1, the first 50 hits re-ranked by MaxSim over patch tokens
 * @param maxSim10 as recall10, re-ranked
 * @param precision of labels, mean over the first 10 hits and over queries: |q & r| / |r|
 * @param recall of labels: |q & r| / |q|
 * @param f1 harmonic mean of these means
 * @param map mean average precision over the whole archive; a hit with a common label is relevant
 */
public record SensorRow(
    String model,
    String direction,
    double recall1,
    double recall5,
    double recall10,
    double maxSim1,
    double maxSim10,
    double precision,
    double recall,
    double f1,
    double map) {}
