/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.distill;

/**
 * Losses of a step or their mean over an epoch, in nats.
 *
 * @param total what was minimised; NaN where no step could be taken
 * @param order of the dot product: KL of each list's order
 * @param contrast of the dot product
 * @param soft of the MLP: KL to the teacher's p_itm
 * @param hard of the MLP: cross-entropy to the truth
 */
public record DistillationLosses(
    double total, double order, double contrast, double soft, double hard) {

  DistillationLosses plus(DistillationLosses other) {
    return new DistillationLosses(
        total + other.total,
        order + other.order,
        contrast + other.contrast,
        soft + other.soft,
        hard + other.hard);
  }

  DistillationLosses times(double factor) {
    return new DistillationLosses(
        total * factor, order * factor, contrast * factor, soft * factor, hard * factor);
  }
}
