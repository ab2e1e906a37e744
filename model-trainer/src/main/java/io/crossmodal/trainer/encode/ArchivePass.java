/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.trainer.encode.Archive.Plan;
import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;

/**
 * One pass over an archive: scenes are brought here and opened one after another, each while the
 * one before is encoded, and let go when their last chip was read; pictures when they are read.
 */
public final class ArchivePass implements Closeable {
  private final List<Candidate> candidates;
  private final Plan plan;
  private final Function<Candidate, Provenance> provenance;
  private final Ledger ledger;
  private final ExecutorService ahead = Executors.newSingleThreadExecutor();
  private final AtomicLong planned = new AtomicLong();
  private final AtomicInteger begun = new AtomicInteger();
  private final List<String> unplaced = Collections.synchronizedList(new ArrayList<>());
  private volatile String current = "";

  /** Knows what need not be done, and is told what was. */
  interface Ledger {
    boolean isDone(String stamp);

    /** Called when all of a candidate's documents are kept. */
    void done(Candidate candidate, String stamp) throws IOException;
  }

  ArchivePass(
      List<Candidate> candidates,
      Plan plan,
      Function<Candidate, Provenance> provenance,
      Ledger ledger) {
    this.candidates = candidates;
    this.plan = plan;
    this.provenance = provenance;
    this.ledger = ledger;
  }

  /** Returns how many pictures or chips there will be, as far as can be told. */
  public long expected() {
    int scenes = begun.get();
    return plan.cutting().isEmpty() || scenes == 0
        ? candidates.size()
        : Math.max(planned.get(), planned.get() * candidates.size() / scenes);
  }

  /** Returns which scene is read, such as "scene 3 of 17, s2/T32UNE"; empty before the first. */
  public String current() {
    return current;
  }

  /** Returns the scenes that are cut without a place, though their files have one, a line each. */
  public List<String> unplaced() {
    synchronized (unplaced) {
      return List.copyOf(unplaced);
    }
  }

  Iterator<Encodable> iterator() {
    return plan.cutting().isEmpty() ? pictures() : chips();
  }

  @Override
  public void close() {
    ahead.shutdownNow();
  }

  private Iterator<Encodable> pictures() {
    Iterator<Candidate> rest = candidates.iterator();
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return rest.hasNext();
      }

      @Override
      public Encodable next() {
        return new ArchiveElement.Picture(ArchivePass.this, rest.next());
      }
    };
  }

  void tell(Candidate candidate, String stamp) throws IOException {
    ledger.done(candidate, stamp);
  }

  static IOException interrupted(InterruptedException e) {
    Thread.currentThread().interrupt();
    return new IOException("interrupted", e);
  }

  Plan plan() {
    return plan;
  }

  Provenance provenance(Candidate candidate) {
    return provenance.apply(candidate);
  }

  /** A scene that is here. */
  private static final class Opened {
    private final Candidate candidate;
    private final Candidate.Fetched fetched;
    private final Scenes scenes;
    private final Iterator<Encodable> chips;
    private final AtomicInteger unread;
    private final AtomicInteger unsettled;
    private final String stamp;
    private final String whole;

    /**
     * A scene that is here.
     *
     * @param stamp of its files
     * @param whole stamp of all that is made of it
     */
    Opened(
        Candidate candidate, Candidate.Fetched fetched, Scenes scenes, String stamp, String whole) {
      this.candidate = candidate;
      this.fetched = fetched;
      this.scenes = scenes;
      this.chips = scenes.iterator();
      this.unread = new AtomicInteger((int) scenes.chips());
      this.unsettled = new AtomicInteger((int) scenes.chips());
      this.stamp = stamp;
      this.whole = whole;
    }

    void read() {
      if (unread.decrementAndGet() == 0) {
        close();
      }
    }

    void close() {
      try {
        scenes.close();
      } catch (IOException e) {
        throw new UncheckedIOException("closing " + candidate.name(), e);
      }
      release(candidate, fetched);
    }
  }

  /** A window of a scene. */
  private final class Chipped extends ArchiveElement {
    private final Opened scene;
    private final Encodable chip;

    Chipped(Opened scene, Encodable chip) {
      super(ArchivePass.this, scene.candidate);
      this.scene = scene;
      this.chip = chip;
    }

    @Override
    public SourceImage image() {
      return chip.image();
    }

    @Override
    public String name() {
      return candidate.name() + where();
    }

    @Override
    public String stamp() throws IOException {
      // The file may be a copy, with a name and a time of its own.
      return ContentId.shortened(scene.stamp + "\0" + name());
    }

    @Override
    public Optional<String> emptyStamp() {
      String skipping = plan.cutting().orElseThrow().skipping();
      return Optional.of(ContentId.shortened(scene.stamp + "\0" + name() + "\0" + skipping));
    }

    @Override
    public Reading read(PictureReader reader) throws IOException {
      Reading reading = chip.read(reader);
      return new Reading(
          reading.facts().map(this::completed), reading.pixels(), reading.unplaced());
    }

    private Facts completed(Facts facts) {
      if (candidate.content().isEmpty()) {
        return facts;
      }
      return new Facts(
          ContentId.chip(plan.sensor(), candidate.content().get(), where(), ""),
          facts.digest(),
          facts.place(),
          facts.chip(),
          facts.stretch(),
          facts.thumbnail());
    }

    private String where() {
      String name = chip.name();
      return name.substring(chip.image().place().toString().length());
    }

    @Override
    public void done() {
      chip.done();
      scene.read();
    }

    @Override
    public void settled() throws IOException {
      if (scene.unsettled.decrementAndGet() == 0) {
        tell(candidate, scene.whole);
      }
    }
  }

  /** What opening a scene led to: the scene, or what stands for all of its chips. */
  private record Turn(Opened scene, Encodable instead) {}

  private Iterator<Encodable> chips() {
    return new Iterator<>() {
      private int next;
      private Future<Turn> coming = submit();
      private Opened scene;

      private Future<Turn> submit() {
        if (next == candidates.size()) {
          return null;
        }
        Candidate candidate = candidates.get(next++);
        return ahead.submit(() -> open(candidate));
      }

      @Override
      public boolean hasNext() {
        return (scene != null && scene.chips.hasNext()) || coming != null;
      }

      @Override
      public Encodable next() {
        if (scene == null || !scene.chips.hasNext()) {
          if (coming == null) {
            throw new NoSuchElementException("no more scenes");
          }
          Turn turn = await(coming);
          current = "scene " + begun.incrementAndGet() + " of " + candidates.size();
          coming = submit();
          scene = turn.scene;
          if (scene == null) {
            planned.incrementAndGet();
            return turn.instead;
          }
          current = current + ", " + scene.candidate.name();
          planned.addAndGet(scene.scenes.chips());
        }
        return new Chipped(scene, scene.chips.next());
      }
    };
  }

  private Turn open(Candidate candidate) throws InterruptedException {
    Candidate.Fetched fetched = null;
    try {
      String stamp = candidate.stamp();
      // A scene that is done is so as it was cut: other chips of it are not.
      String whole = ContentId.shortened(stamp + "\0cut\0" + plan.cutting().orElseThrow().asked());
      if (ledger.isDone(whole)) {
        return new Turn(null, new ArchiveElement.Known(this, candidate));
      }
      fetched = candidate.fetch();
      Scenes scenes = Scenes.plan(fetched, plan);
      scenes.unplaced().forEach(line -> unplaced.add(candidate.name() + ": " + line));
      if (scenes.problems().isEmpty()) {
        return new Turn(new Opened(candidate, fetched, scenes, stamp, whole), null);
      }
      String place = fetched.image().place() + ": ";
      String problem = scenes.problems().get(0);
      return broken(
          candidate,
          fetched,
          problem.startsWith(place) ? problem.substring(place.length()) : problem);
    } catch (IOException e) {
      return broken(candidate, fetched, EncodeRun.reason(e));
    } catch (IllegalArgumentException e) {
      return broken(candidate, fetched, e.getMessage());
    }
  }

  private Turn broken(Candidate candidate, Candidate.Fetched fetched, String reason) {
    if (fetched != null) {
      release(candidate, fetched);
    }
    return new Turn(null, new ArchiveElement.Broken(this, candidate, reason));
  }

  private static void release(Candidate candidate, Candidate.Fetched fetched) {
    try {
      fetched.lease().close();
    } catch (IOException e) {
      throw new UncheckedIOException("letting go of " + candidate.name(), e);
    }
  }

  private static Turn await(Future<Turn> coming) {
    try {
      return coming.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while a scene was opened", e);
    } catch (ExecutionException e) {
      throw new IllegalStateException("opening a scene failed", e.getCause());
    }
  }
}
