/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.trainer.data.stac.StacItem;
import io.crossmodal.trainer.encode.Geolocation.Position;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * Where a picture comes from, beside its file.
 *
 * @param item of a catalogue; empty where it comes from none
 * @param assets keys of the item's assets that it was made of
 * @param owner whose sources keep its documents in step; empty for nobody
 * @param kept the item as a document had it, JSON on one line; empty where it was not read from one
 */
record Provenance(
    Optional<StacItem> item, List<String> assets, Optional<Owner> owner, Optional<String> kept) {
  /** Of a file of its own. */
  static final Provenance NONE = of(Optional.empty(), List.of());

  Provenance {
    assets = List.copyOf(assets);
  }

  static Provenance of(Optional<StacItem> item, List<String> assets) {
    return new Provenance(item, assets, Optional.empty(), Optional.empty());
  }

  static Provenance kept(Optional<String> json) {
    return new Provenance(Optional.empty(), List.of(), Optional.empty(), json);
  }

  /**
   * What {@code --sync} compares.
   *
   * @param source name of the source that owns the document
   * @param scene name of the picture or scene in the source
   * @param checksum of what it was made from
   * @param made names how: model, windows and colours
   */
  record Owner(String source, String scene, String checksum, String made) {
    Owner {
      Objects.requireNonNull(source, "source");
      Objects.requireNonNull(scene, "scene");
      Objects.requireNonNull(checksum, "checksum");
      Objects.requireNonNull(made, "made");
    }
  }

  /** Returns where the item says that it lies; empty where it does not, or not in one piece. */
  Optional<PictureReader.Place> place() {
    List<Double> ring = item.map(StacItem::ring).orElse(List.of());
    if (ring.isEmpty()) {
      return Optional.empty();
    }
    List<Position> corners = new ArrayList<>();
    double west = 180;
    double east = -180;
    double south = 90;
    double north = -90;
    for (int i = 0; i < ring.size(); i += 2) {
      double longitude = ring.get(i);
      double latitude = ring.get(i + 1);
      corners.add(new Position(latitude, longitude));
      west = Math.min(west, longitude);
      east = Math.max(east, longitude);
      south = Math.min(south, latitude);
      north = Math.max(north, latitude);
    }
    // Wider than half of the Earth: it crosses the antimeridian.
    return east - west > 180
        ? Optional.empty()
        : Optional.of(
            new PictureReader.Place(new Position((south + north) / 2, (west + east) / 2), corners));
  }

  Provenance ownedBy(Owner other) {
    return new Provenance(item, assets, Optional.of(other), kept);
  }
}
