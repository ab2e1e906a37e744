/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.trainer.encode.Archive.Plan;
import io.crossmodal.trainer.encode.OwnedDocuments.Group;
import io.crossmodal.trainer.encode.Provenance.Owner;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/**
 * Keeps the documents of one source in step with it: what came is added, what changed is replaced,
 * what went is deleted. A scene's new documents are there before its old ones go. Which scenes are
 * being sent is noted in the index, so that one of which a killed run sent a part is sent again, by
 * whoever runs next.
 */
public final class Sync {
  /** Scenes between two notes. */
  private static final int NOTED_TOGETHER = 16;

  private final Archive archive;
  private final Plan plan;
  private final OwnedDocuments index;
  private final Map<String, Owner> listed = new LinkedHashMap<>();
  private final Map<String, Change> changes = new LinkedHashMap<>();
  private final Map<String, Long> gone = new TreeMap<>();
  private final Set<String> unfinished = new TreeSet<>();
  private final List<String> problems = new ArrayList<>();
  private int repeated;

  /** Why a scene is sent. */
  private enum Change {
    CAME("add"),
    CHANGED("replace"),
    UNFINISHED("finish");

    private final String verb;

    Change(String verb) {
      this.verb = verb;
    }
  }

  private Sync(Archive archive, Plan plan, OwnedDocuments index) {
    this.archive = archive;
    this.plan = plan;
    this.index = index;
    this.problems.addAll(archive.problems());
  }

  /**
   * Compares an archive with what an index has of it. Changes nothing.
   *
   * @param tokens the form in which they are kept
   */
  public static Sync compare(Archive archive, Plan plan, TokenForm tokens, OwnedDocuments index)
      throws IOException, InterruptedException {
    Sync sync = new Sync(archive, plan, index);
    sync.list(ContentId.shortened(plan.made() + tokens));
    sync.look();
    return sync;
  }

  private void list(String made) throws InterruptedException {
    Set<String> contents = new HashSet<>();
    for (Candidate candidate : archive.candidates()) {
      try {
        String version = candidate.version();
        Optional<String> bytes = candidate.bytes(version);
        if (bytes.isPresent() && !contents.add(bytes.get())) {
          // Its documents would have the same ids.
          repeated++;
        } else {
          listed.put(candidate.name(), index.owner(candidate.name(), version, made));
        }
      } catch (IOException e) {
        problems.add(candidate.name() + ": " + EncodeRun.reason(e));
      }
    }
  }

  private void look() throws IOException, InterruptedException {
    Set<String> current = new HashSet<>();
    Set<String> stale = new HashSet<>();
    index.visit(
        (Group group) -> {
          String scene = group.owner().scene();
          Owner wanted = listed.get(scene);
          if (wanted == null) {
            gone.merge(scene, group.count(), Long::sum);
          } else if (wanted.equals(group.owner())) {
            current.add(scene);
          } else {
            stale.add(scene);
          }
        });
    unfinished.addAll(index.unfinished());
    for (String scene : listed.keySet()) {
      if (stale.contains(scene)) {
        changes.put(scene, Change.CHANGED);
      } else if (!current.contains(scene)) {
        changes.put(scene, Change.CAME);
      } else if (unfinished.contains(scene)) {
        changes.put(scene, Change.UNFINISHED);
      }
    }
  }

  /** Returns how many scenes or pictures are to be sent. */
  public int size() {
    return changes.size();
  }

  /** Returns what was left out while listing, one line each. */
  public List<String> problems() {
    return List.copyOf(problems);
  }

  /** Tells, a line each, what would be done, and how much in all. */
  public void tell(Consumer<String> line) {
    changes.forEach((scene, change) -> line.accept(change.verb + " " + scene));
    gone.forEach((scene, count) -> line.accept("delete " + scene + ", documents: " + count));
    line.accept(summary());
  }

  /** Returns how much is to be done. */
  public String summary() {
    return String.format(
        Locale.ROOT,
        "%d to add, %d to replace, %d to finish, %d to delete, %d as they are%s",
        count(Change.CAME),
        count(Change.CHANGED),
        count(Change.UNFINISHED),
        gone.size(),
        listed.size() - changes.size(),
        repeated == 0 ? "" : ", " + repeated + " with the bytes of another");
  }

  private long count(Change change) {
    return changes.values().stream().filter(change::equals).count();
  }

  /**
   * What was done.
   *
   * @param encoded what was encoded
   * @param deleted documents that were deleted
   * @param spared scenes that went and are kept, since something was not right
   * @param bare scenes of which no chip was kept, and which are not read again as they are
   * @param unplaced scenes that are kept without a place, one line each
   */
  public record Outcome(
      EncodeRun.Summary encoded, long deleted, int spared, int bare, List<String> unplaced) {}

  /**
   * Does it.
   *
   * @param anyway whether what went is deleted although the source listed nothing or had problems
   * @param progress told how many pictures or chips are dealt with, and how many there will be
   */
  public Outcome apply(
      FusionModel model,
      DocumentFormat format,
      EncodeRun.Options options,
      EncodeRun.SinkFactory sinks,
      boolean anyway,
      Progress progress)
      throws IOException, InterruptedException {
    List<Candidate> left =
        archive.candidates().stream().filter(one -> changes.containsKey(one.name())).toList();
    int together = plan.cutting().isEmpty() ? Math.max(1, left.size()) : NOTED_TOGETHER;
    Total total = new Total();
    for (int from = 0; from < left.size(); from += together) {
      List<Candidate> some = left.subList(from, Math.min(left.size(), from + together));
      total.later = left.size() - from - some.size();
      send(some, model, format, options, sinks, total, progress);
    }
    int spared = 0;
    boolean sound = !listed.isEmpty() && problems.isEmpty() && total.problems.isEmpty();
    if (sound || anyway) {
      total.deleted += index.delete(gone.keySet());
      // What went needs no finishing.
      Set<String> over = new HashSet<>(unfinished);
      over.removeAll(listed.keySet());
      finish(over);
    } else {
      spared = gone.size();
    }
    return new Outcome(
        new EncodeRun.Summary(
            total.kept, total.known, total.repeated, total.empty, total.problems, total.unplaced),
        total.deleted,
        spared,
        total.bare,
        total.unplacedScenes);
  }

  /** Is told how far it is. */
  @FunctionalInterface
  public interface Progress {
    void at(int done, long expected, String current);
  }

  /** Of all parts. */
  private static final class Total {
    private int kept;
    private int known;
    private int repeated;
    private int empty;
    private int bare;
    private long deleted;
    private int done;
    private int later;
    private final List<String> problems = new ArrayList<>();
    private final List<String> unplaced = new ArrayList<>();
    private final List<String> unplacedScenes = new ArrayList<>();

    void add(EncodeRun.Summary part) {
      kept += part.kept();
      known += part.known();
      repeated += part.repeated();
      empty += part.empty();
      problems.addAll(part.problems());
      unplaced.addAll(part.unplaced());
    }
  }

  private void send(
      List<Candidate> some,
      FusionModel model,
      DocumentFormat format,
      EncodeRun.Options options,
      EncodeRun.SinkFactory sinks,
      Total total,
      Progress progress)
      throws IOException, InterruptedException {
    // A picture is one document, which is there or not.
    boolean noted = plan.cutting().isPresent();
    if (noted) {
      some.forEach(one -> unfinished.add(one.name()));
      index.setUnfinished(unfinished);
    }
    Set<String> complete = ConcurrentHashMap.newKeySet();
    try (Journal none = Journal.none();
        ArchivePass pass = pass(some, complete)) {
      int before = total.done;
      EncodeRun run = new EncodeRun(model, format, options.after(total.problems.size()), none);
      total.add(
          run.run(
              pass,
              sinks,
              done -> {
                total.done = before + done;
                long later = pass.expected() * total.later / some.size();
                progress.at(total.done, before + pass.expected() + later, pass.current());
              }));
      total.unplacedScenes.addAll(pass.unplaced());
    }
    index.refresh();
    List<Owner> replaced =
        complete.stream()
            .filter(scene -> changes.get(scene) == Change.CHANGED)
            .map(listed::get)
            .toList();
    total.deleted += index.deleteOthers(replaced);
    if (noted) {
      total.bare += index.markEmpty(complete.stream().map(listed::get).toList());
      finish(complete);
    }
  }

  private void finish(Set<String> scenes) throws IOException, InterruptedException {
    if (unfinished.removeAll(scenes)) {
      index.setUnfinished(unfinished);
    }
  }

  private ArchivePass pass(List<Candidate> some, Set<String> complete) {
    return new ArchivePass(
        some,
        plan,
        candidate -> candidate.provenance().ownedBy(listed.get(candidate.name())),
        new ArchivePass.Ledger() {
          @Override
          public boolean isDone(String stamp) {
            return false;
          }

          @Override
          public void done(Candidate candidate, String stamp) {
            complete.add(candidate.name());
          }
        });
  }
}
