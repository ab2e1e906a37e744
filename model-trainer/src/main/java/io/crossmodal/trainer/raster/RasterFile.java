/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.raster;

import io.crossmodal.model.image.ImageFormatException;
import io.crossmodal.model.image.Raster;
import io.crossmodal.trainer.data.Georeference;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/** A raster that is open. */
public interface RasterFile extends Closeable {
  /** Returns what is read of it. */
  Raster raster();

  /**
   * Returns where it lies, if it says so.
   *
   * @throws ImageFormatException when what it says is damaged, or no affine map
   */
  Optional<Georeference> place();

  /** Returns the files that it is read from, its own first; none where it lies elsewhere. */
  List<Path> files();

  /** Returns when it was taken, where its header says so. */
  Optional<Instant> acquired();

  /** Returns who reads it, such as "GDAL 3.6.2". */
  String reader();

  @Override
  default void close() throws IOException {
    raster().close();
  }
}
