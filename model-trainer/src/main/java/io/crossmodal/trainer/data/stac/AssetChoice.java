/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.stac;

import io.crossmodal.trainer.data.stac.StacItem.Asset;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * Which assets of an item are encoded.
 *
 * @param names keys or roles, in the order of the bands; none: the picture for people, else the
 *     only data
 */
public record AssetChoice(List<String> names) {
  private static final List<String> SUFFIXES =
      List.of(".tif", ".tiff", ".jpg", ".jpeg", ".png", ".jp2");

  /** Roles and keys that are looked for where nothing was said, the best first. */
  private static final List<String> USUAL = List.of("visual", "data", "overview", "thumbnail");

  /** What catalogues of Sentinel-2 call its scene classification. */
  private static final List<String> CLASSIFICATIONS = List.of("scl", "scl_20m");

  public AssetChoice {
    names = List.copyOf(names);
    if (names.stream().anyMatch(String::isBlank)
        || names.stream().distinct().count() < names.size()) {
      throw new IllegalArgumentException(
          "assets are chosen by different names or roles, got " + names);
    }
  }

  /**
   * Returns the assets that are meant.
   *
   * @throws IllegalArgumentException when the item has them not, or several by a role
   */
  public List<Asset> of(StacItem item) {
    if (names.isEmpty()) {
      return List.of(usual(item));
    }
    List<Asset> chosen = new ArrayList<>();
    for (String name : names) {
      chosen.add(named(item, name));
    }
    return chosen;
  }

  /**
   * Returns the asset that says what is cloud in an item; empty where it has none.
   *
   * @param name its key; empty: as catalogues of Sentinel-2 call it, in upper or lower case
   */
  public static Optional<Asset> classification(StacItem item, Optional<String> name) {
    return item.assets().stream()
        .filter(
            asset ->
                name.map(asset.key()::equals)
                    .orElseGet(
                        () -> CLASSIFICATIONS.contains(asset.key().toLowerCase(Locale.ROOT))))
        .findFirst();
  }

  private static Asset named(StacItem item, String name) {
    for (Asset asset : item.assets()) {
      if (asset.key().equals(name)) {
        return asset;
      }
    }
    List<Asset> inRole = find(item, asset -> asset.roles().contains(name));
    if (inRole.isEmpty()) {
      throw new IllegalArgumentException("has no asset [" + name + "]; it has " + keys(item));
    }
    if (inRole.size() > 1) {
      throw new IllegalArgumentException(
          "has "
              + inRole.size()
              + " assets of role ["
              + name
              + "]: name one of "
              + inRole.stream().map(Asset::key).toList());
    }
    return inRole.get(0);
  }

  private static Asset usual(StacItem item) {
    for (String name : USUAL) {
      List<Asset> found =
          find(item, asset -> asset.key().equals(name) || asset.roles().contains(name));
      if (found.size() == 1) {
        return found.get(0);
      }
    }
    throw new IllegalArgumentException(
        "has no picture, or several: choose one with --asset, of " + keys(item));
  }

  private static List<Asset> find(StacItem item, Predicate<Asset> meant) {
    return item.assets().stream().filter(meant.and(AssetChoice::isPicture)).toList();
  }

  /** Returns the names of the assets, for messages. */
  public static List<String> keys(StacItem item) {
    return item.assets().stream().map(Asset::key).limit(20).toList();
  }

  private static boolean isPicture(Asset asset) {
    String path = String.valueOf(asset.href().getPath()).toLowerCase(Locale.ROOT);
    return asset.type().startsWith("image/")
        || (asset.type().isEmpty() && SUFFIXES.stream().anyMatch(path::endsWith));
  }
}
