/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.evaluate;

import java.util.List;

/**
 * A caption's first pictures.
 *
 * @param text number of the caption
 * @param byFilter numbers of the images, best first
 * @param byFusion numbers of the images, best first, the filter's candidates re-ranked
 */
public record Search(int text, List<Integer> byFilter, List<Integer> byFusion) {}
