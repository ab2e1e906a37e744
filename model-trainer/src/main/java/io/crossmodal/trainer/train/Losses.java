/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

/**
 * The losses of a step, or their mean over several; a task that is left out counts 0.
 *
 * @param total what was minimised
 * @param itc image-text contrast, nats
 * @param itm image-text matching, nats; log 3 - (2/3) log 2 = 0.637 is chance
 * @param mlm masked language modelling, nats a masked piece
 * @param mvjrc multi-view joint representations contrast, -1 (views agree) to 1
 */
record Losses(double total, double itc, double itm, double mlm, double mvjrc)
    implements StepLosses<Losses> {
  static final Losses NONE = new Losses(0, 0, 0, 0, 0);

  @Override
  public boolean finite() {
    return Double.isFinite(total);
  }

  /** These losses of a step that could not be taken. */
  Losses diverged() {
    return new Losses(Double.NaN, itc, itm, mlm, mvjrc);
  }

  @Override
  public Losses plus(Losses other) {
    return new Losses(
        total + other.total,
        itc + other.itc,
        itm + other.itm,
        mlm + other.mlm,
        mvjrc + other.mvjrc);
  }

  @Override
  public Losses times(double factor) {
    return new Losses(total * factor, itc * factor, itm * factor, mlm * factor, mvjrc * factor);
  }
}
