/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

/**
 * What one score makes of a list that holds the tiles of both sensors, in percent.
 *
 * @param model name
 * @param query sensor of the queries
 * @param score what the list is ordered by
 * @param partner queries whose partner, which is of the other sensor, is among the first 10
 * @param own tiles among the first 10 that are of the query's sensor
 */
public record OneListRow(String model, String query, String score, double partner, double own) {}
