/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.stac;

import java.net.URI;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * An item of a catalogue: a scene, what is known of it, and its files.
 *
 * @param collection id of its collection; empty for none
 * @param href where the item itself is found; empty where it is not known
 * @param when it was taken
 * @param taker who took it
 * @param gsd metres on the ground between samples
 * @param cloudCover percent of it, 0 to 100
 * @param epsg code of its coordinate reference system
 * @param rings outer rings of its footprint, each as longitude and latitude by turns, not closed;
 *     none where it has none
 * @param updated when its metadata or files were changed last, as it says; empty for unknown
 */
public record StacItem(
    String id,
    String collection,
    String href,
    When when,
    Taker taker,
    OptionalDouble gsd,
    OptionalDouble cloudCover,
    OptionalInt epsg,
    List<List<Double>> rings,
    String updated,
    List<Asset> assets) {

  public StacItem {
    rings = rings.stream().map(List::copyOf).toList();
    assets = List.copyOf(assets);
  }

  /**
   * When it was taken: at a time, or from one to another.
   *
   * @param datetime empty where start and end say it
   */
  public record When(Optional<Instant> datetime, Optional<Instant> start, Optional<Instant> end) {
    /** Returns the time, or else the start. */
    public Optional<Instant> first() {
      return datetime.or(() -> start);
    }
  }

  /**
   * Who took it.
   *
   * @param platform such as "sentinel-2a"; empty for unknown
   * @param constellation such as "sentinel-2"; empty for unknown
   * @param instruments such as "msi"
   */
  public record Taker(String platform, String constellation, List<String> instruments) {
    public Taker {
      instruments = List.copyOf(instruments);
    }
  }

  /**
   * A file of an item.
   *
   * @param key its name in the item
   * @param href absolute: http, https or file
   * @param type its media type; empty where it is not said
   * @param roles such as "data" or "thumbnail"
   * @param checksum multihash of its content in lower-case hexadecimal, as {@code file:checksum}
   *     has it; empty where it is not said
   * @param size bytes, as {@code file:size} has it
   */
  public record Asset(
      String key, URI href, String type, List<String> roles, String checksum, OptionalLong size) {
    public Asset {
      roles = List.copyOf(roles);
    }

    /** Returns whether it lies on a server. */
    public boolean isRemote() {
      return HttpFiles.isHttp(href);
    }
  }

  /** Returns how a catalogue of several collections tells it from all others. */
  public String name() {
    return collection.isEmpty() ? id : collection + "/" + id;
  }
}
