/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.trainer.train.TrainingLoop;
import io.crossmodal.trainer.train.TrainingRun;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import me.tongfei.progressbar.ProgressBar;

/** Progress of a training as a bar on the terminal, which ends where the process is interrupted. */
class RunProgress implements TrainingRun.Progress {
  private final ProgressBar bar;
  private final Interruption interruption;
  private final Consumer<List<String>> report;
  private String validated = "";

  /**
   * Makes one.
   *
   * @param report is told what was left out of the data
   */
  RunProgress(ProgressBar bar, Interruption interruption, Consumer<List<String>> report) {
    this.bar = bar;
    this.interruption = interruption;
    this.report = report;
  }

  @Override
  public void prepared(long done, long all) {
    bar.setExtraMessage(String.format(Locale.ROOT, "features of views %,d / %,d", done, all));
    interruption.check();
  }

  @Override
  public void measured(TrainingLoop.Metrics metrics) {
    bar.setExtraMessage(metrics.brief() + validated);
  }

  @Override
  public void validated(int taken, Map<String, Double> figures) {
    StringBuilder said = new StringBuilder(" val");
    figures.forEach(
        (name, value) -> said.append(String.format(Locale.ROOT, " %s %.1f", name, value)));
    validated = said + " at " + taken;
  }

  @Override
  public void stepped(int taken) {
    bar.stepTo(taken);
    interruption.check();
  }

  @Override
  public void skipped(List<String> problems) {
    report.accept(problems);
  }
}
