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
   * @param field that the document has for it
   * @param scene name of the picture or scene in the source
   * @param checksum of what it was made from
   * @param made names how: model, windows and colours
   */
  record Owner(String source, String field, String scene, String checksum, String made) {
    Owner {
      Objects.requireNonNull(source, "source");
      Objects.requireNonNull(field, "field");
      Objects.requireNonNull(scene, "scene");
      Objects.requireNonNull(checksum, "checksum");
      Objects.requireNonNull(made, "made");
    }
  }

  /** Returns where the item says that it lies; empty where it does not. */
  Optional<PictureReader.Place> place() {
    List<List<Position>> polygons =
        item.map(StacItem::rings).orElse(List.of()).stream().map(Provenance::corners).toList();
    if (polygons.isEmpty() || polygons.stream().anyMatch(ring -> width(ring, 0) > 180)) {
      // One wider than half of the Earth crosses the antimeridian without being cut there.
      return Optional.empty();
    }
    List<Position> all = polygons.stream().flatMap(List::stream).toList();
    // Of parts on either side of the antimeridian, longitudes are counted on beyond 180.
    double shift = width(all, 0) > 180 && width(all, 360) < width(all, 0) ? 360 : 0;
    double west = all.stream().mapToDouble(at -> eastward(at, shift)).min().orElseThrow();
    double longitude = west + width(all, shift) / 2;
    double south = all.stream().mapToDouble(Position::latitude).min().orElseThrow();
    double north = all.stream().mapToDouble(Position::latitude).max().orElseThrow();
    return Optional.of(
        new PictureReader.Place(
            new Position((south + north) / 2, longitude > 180 ? longitude - 360 : longitude),
            polygons));
  }

  private static List<Position> corners(List<Double> ring) {
    List<Position> corners = new ArrayList<>();
    for (int i = 0; i < ring.size(); i += 2) {
      corners.add(new Position(ring.get(i + 1), ring.get(i)));
    }
    return corners;
  }

  private static double eastward(Position at, double shift) {
    return at.longitude() < 0 ? at.longitude() + shift : at.longitude();
  }

  private static double width(List<Position> ring, double shift) {
    double west = ring.stream().mapToDouble(at -> eastward(at, shift)).min().orElseThrow();
    double east = ring.stream().mapToDouble(at -> eastward(at, shift)).max().orElseThrow();
    return east - west;
  }

  Provenance ownedBy(Owner other) {
    return new Provenance(item, assets, Optional.of(other), kept);
  }
}
