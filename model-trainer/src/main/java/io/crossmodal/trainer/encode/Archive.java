/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.trainer.data.stac.AssetChoice;
import io.crossmodal.trainer.data.stac.AssetFiles;
import io.crossmodal.trainer.data.stac.StacItem;
import io.crossmodal.trainer.data.stac.StacItem.Asset;
import io.crossmodal.trainer.data.stac.StacReader;
import io.crossmodal.trainer.raster.Rasters;
import java.io.IOException;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.RandomAccess;

/**
 * Pictures or scenes of which each is looked at, and brought here, when its turn comes: items of a
 * catalogue, and whatever {@code --sync} keeps in step.
 */
public final class Archive {
  private final List<Candidate> candidates;
  private final List<String> problems;

  private Archive(List<Candidate> candidates, List<String> problems) {
    this.candidates = candidates;
    this.problems = List.copyOf(problems);
  }

  /**
   * Returns the pictures of a folder, list or captions.
   *
   * @param cutting of scenes; empty where it has pictures
   * @throws IllegalArgumentException when the reader that was chosen is missing
   */
  public static Archive of(SourceImages source, Optional<Cutting> cutting) {
    Optional<Rasters> rasters = cutting.map(Cutting::reader).map(Rasters::of);
    return unique(
        source.images().stream()
            .<Candidate>map(image -> new Candidate.Local(image, rasters))
            .toList(),
        new ArrayList<>(source.problems()));
  }

  /**
   * Returns the items of a catalogue.
   *
   * @param choice of their assets; an item without them is a problem
   * @param clouds how they are told; an item on a server needs an asset that says it
   * @param files brings them here; closed by whoever made it
   */
  public static Archive of(
      StacReader.Listing listing, AssetChoice choice, Optional<Clouds> clouds, AssetFiles files) {
    Items all = new Items(listing.items(), choice, clouds, files);
    BitSet usable = new BitSet();
    List<String> problems = new ArrayList<>(listing.problems());
    for (int i = 0; i < listing.items().size(); i++) {
      StacItem item = listing.items().get(i);
      try {
        Candidate unused = all.of(item);
        usable.set(i);
      } catch (IllegalArgumentException e) {
        problems.add("item " + item.name() + " " + e.getMessage());
      }
    }
    all.usable = usable.stream().toArray();
    return new Archive(all, problems);
  }

  /** Items as candidates, each made of what the list on the disk has when it is asked for. */
  private static final class Items extends AbstractList<Candidate> implements RandomAccess {
    private final List<StacItem> items;
    private final AssetChoice choice;
    private final Optional<Clouds> clouds;
    private final AssetFiles files;
    private int[] usable = {};

    Items(List<StacItem> items, AssetChoice choice, Optional<Clouds> clouds, AssetFiles files) {
      this.items = items;
      this.choice = choice;
      this.clouds = clouds;
      this.files = files;
    }

    @Override
    public int size() {
      return usable.length;
    }

    @Override
    public Candidate get(int index) {
      return of(items.get(usable[index]));
    }

    /**
     * Returns an item as a candidate.
     *
     * @throws IllegalArgumentException when it has not the assets that are needed
     */
    Candidate of(StacItem item) {
      List<Asset> assets = choice.of(item);
      return new Candidate.Item(
          item, assets, clouds.flatMap(how -> how.asset(item, assets)), files);
    }
  }

  /** Two of a name could not be told apart in an index. */
  private static Archive unique(List<Candidate> all, List<String> problems) {
    Map<String, Candidate> named = new HashMap<>();
    List<Candidate> kept = new ArrayList<>();
    for (Candidate candidate : all) {
      if (named.putIfAbsent(candidate.name(), candidate) == null) {
        kept.add(candidate);
      } else {
        problems.add(candidate.name() + ": is there twice, the first is taken");
      }
    }
    return new Archive(List.copyOf(kept), problems);
  }

  /** Returns how many there are. */
  public int size() {
    return candidates.size();
  }

  /** Returns what was left out while listing, one line each. */
  public List<String> problems() {
    return problems;
  }

  List<Candidate> candidates() {
    return candidates;
  }

  /**
   * Returns a pass over all of it, for a run.
   *
   * @param plan how it is encoded
   * @param journal tells what is done already, and is told
   */
  public ArchivePass pass(Plan plan, Journal journal) {
    return new ArchivePass(
        candidates,
        plan,
        candidate -> candidate.provenance(),
        new ArchivePass.Ledger() {
          @Override
          public boolean isDone(String stamp) {
            return journal.holdsFile(stamp);
          }

          @Override
          public void done(Candidate candidate, String stamp) throws IOException {
            journal.addFile(stamp);
          }
        });
  }

  /**
   * How an archive is encoded.
   *
   * @param cutting of scenes; empty where it has pictures
   * @param sensor that took them
   */
  public record Plan(Optional<Cutting> cutting, ModelBundle bundle, String sensor, Look look) {
    /** Returns a name of 128 bits for it. */
    String made() {
      return ContentId.shortened(
          String.join(
              "\0",
              cutting.toString(),
              bundle.manifest().fingerprints().embeddingSpace(),
              bundle.manifest().fingerprints().tokenSpace(),
              sensor,
              look.toString()));
    }
  }
}
