/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.demo;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.it.CrossModalClient;
import io.crossmodal.it.OpenSearchNode;
import io.crossmodal.it.PluginNode;
import io.crossmodal.trainer.evaluate.EvaluationTable;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The shipped model of real sensors on real pictures, through a real node. */
class PairsSectionIT {
  @TempDir private Path folder;

  @Test
  void radarAndOpticalFindEachOther() throws Exception {
    try (OpenSearchNode node = PluginNode.start(folder.resolve("node"), 0)) {
      PairsSection section = PairsSection.of(new CrossModalClient(node.client()));
      for (String sensor : PairsSection.SENSORS) {
        EvaluationTable.Retrieval found = section.found(sensor);
        // docs/results/sensors.md: at least 46 and 90 of 100; a picture is half a point.
        assertTrue(found.r1() > 42, sensor + ": " + found);
        assertTrue(found.r10() > 87, sensor + ": " + found);
      }
    }
  }
}
