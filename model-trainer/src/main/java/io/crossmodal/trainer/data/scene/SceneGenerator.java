/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import io.crossmodal.trainer.data.scene.ObjectGroup.Member;
import io.crossmodal.trainer.data.scene.Scene.Change;
import io.crossmodal.trainer.data.scene.Scene.Twin;
import io.crossmodal.trainer.data.scene.ScenePlan.Arrangement;
import io.crossmodal.trainer.data.scene.ScenePlan.GroupPlan;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Makes scenes. Scene i depends only on (seed, share of twins, i): any scene can be made alone, in
 * any order and on any thread. Thread safe.
 *
 * <p>Near twins are hard negatives: such a scene is an earlier one of its block of {@value #BLOCK}
 * indices with one attribute changed, laid out and lit anew. Blocks keep twins within a split.
 */
public final class SceneGenerator {

  /** A twin's original is within the same block of indices; a block's first scene is no twin. */
  public static final int BLOCK = 50;

  private static final int LAYOUT_TRIES = 40;
  private static final int TWIN_TRIES = 30;
  private static final int REGION_TRIES = 25;
  private static final int PLACING_TRIES = 5;

  /** Of a twin's five captions, how many must be false of its original. */
  static final int TELLING_CAPTIONS = 2;

  private static final Bounds FRAME = new Bounds(0.03, 0.03, 0.97, 0.97);

  /** Free space between groups: wide enough for the paved grounds not to touch. */
  private static final double GROUP_GAP = 0.05;

  private static final double OBJECT_GAP = 0.016;
  private static final double FEATURE_GAP = 0.012;

  private static final long PLAN = 1;
  private static final long TWIN = 2;
  private static final long LOOK = 3;

  private final long seed;
  private final double twinShare;

  /**
   * Makes a generator.
   *
   * @param seed any number
   * @param twinShare the share of scenes that are near twins of an earlier one, 0 to 0.9
   */
  public SceneGenerator(long seed, double twinShare) {
    if (!(twinShare >= 0 && twinShare <= 0.9)) {
      throw new IllegalArgumentException("twins must be 0 to 0.9, got " + twinShare);
    }
    this.seed = seed;
    this.twinShare = twinShare;
  }

  /**
   * Returns the scene {@code index}.
   *
   * @param index at least 0
   */
  public Scene scene(int index) {
    if (index < 0) {
      throw new IllegalArgumentException("index must be at least 0, got " + index);
    }
    if (isTwin(index)) {
      Optional<Scene> twin = twin(index);
      if (twin.isPresent()) {
        return twin.get();
      }
    }
    return fresh(index).scene();
  }

  long seed() {
    return seed;
  }

  private record Draft(ScenePlan plan, Scene scene) {}

  private boolean isTwin(int index) {
    return index % BLOCK != 0 && new SceneRandom(seed, index, TWIN).chance(twinShare);
  }

  private Draft fresh(int index) {
    SceneRandom random = new SceneRandom(seed, index, PLAN);
    ScenePlan empty = ScenePlan.empty(random);
    int wanted = random.weighted(List.of(1, 2, 3), 8, 47, 45);
    while (true) {
      // Kinds and counts outlive several layouts, or scenes with many objects would be rare.
      List<GroupPlan> drawn = empty.draw(wanted, random);
      for (int i = 0; i < REGION_TRIES; i++) {
        ScenePlan plan = empty.withGroups(drawn, random);
        Optional<List<ObjectGroup>> groups = layOut(plan, random, 2);
        if (groups.isPresent()) {
          return new Draft(plan, scene(index, plan, groups.get(), Optional.empty()));
        }
      }
    }
  }

  private Scene scene(int index, ScenePlan plan, List<ObjectGroup> groups, Optional<Twin> twin) {
    long look = new SceneRandom(seed, index, LOOK).nextLong();
    return new Scene(index, plan.terrain(), plan.shore(), plan.feature(), groups, look, twin);
  }

  // --- near twins -------------------------------------------------------------------------------

  private Optional<Scene> twin(int index) {
    SceneRandom random = new SceneRandom(seed, index, TWIN + 16);
    int original = original(index);
    Draft base = fresh(original);
    for (int i = 0; i < TWIN_TRIES; i++) {
      Change change = random.weighted(List.of(Change.values()), 22, 36, 22, 20, 10);
      Optional<ScenePlan> changed = base.plan().changed(change, random);
      if (changed.isPresent() && changed.get().hasDistinctGroups()) {
        Optional<List<ObjectGroup>> groups = layOut(changed.get(), random, LAYOUT_TRIES);
        if (groups.isPresent()) {
          Optional<Twin> twin = Optional.of(new Twin(original, change));
          Scene made = scene(index, changed.get(), groups.get(), twin);
          if (tells(made, base.scene())) {
            return Optional.of(made);
          }
        }
      }
    }
    return Optional.empty();
  }

  /**
   * Chooses the twin's original: each scene of the block is taken once before any is taken again.
   */
  private int original(int index) {
    int first = index - index % BLOCK;
    List<Integer> all = new ArrayList<>();
    List<Integer> free = new ArrayList<>();
    for (int i = first; true; i++) {
      if (!isTwin(i)) {
        all.add(i);
        free.add(i);
        continue;
      }
      if (free.isEmpty()) {
        free.addAll(all);
      }
      int taken = free.remove(new SceneRandom(seed, i, TWIN + 32).below(free.size()));
      if (i == index) {
        return taken;
      }
    }
  }

  private static boolean tells(Scene twin, Scene original) {
    return SceneCaptions.describe(twin).stream().filter(c -> !c.describes(original)).count()
        >= TELLING_CAPTIONS;
  }

  // --- layout -----------------------------------------------------------------------------------

  private static Optional<List<ObjectGroup>> layOut(ScenePlan plan, SceneRandom random, int tries) {
    for (int i = 0; i < tries; i++) {
      List<ObjectGroup> placed = new ArrayList<>();
      List<Bounds> boxes = new ArrayList<>();
      for (GroupPlan group : plan.groups()) {
        Optional<ObjectGroup> done = place(plan, group, boxes, random);
        if (done.isEmpty()) {
          break;
        }
        placed.add(done.get());
        boxes.add(done.get().bounds());
      }
      if (placed.size() == plan.groups().size()) {
        return Optional.of(placed);
      }
    }
    return Optional.empty();
  }

  private static Optional<ObjectGroup> place(
      ScenePlan plan, GroupPlan group, List<Bounds> boxes, SceneRandom random) {
    for (int i = 0; i < PLACING_TRIES; i++) {
      boolean along = group.arrangement() == Arrangement.ALONG_FEATURE;
      List<Member> objects =
          along ? alongFeature(plan.feature().orElseThrow(), group, random) : around(group, random);
      if (fits(plan, group, objects, boxes)) {
        boolean inRow = group.arrangement() != Arrangement.CLUSTER;
        ObjectGroup made = new ObjectGroup(group.kind(), group.colour(), inRow, objects);
        if (along || made.region() == group.region()) {
          return Optional.of(made);
        }
      }
    }
    return Optional.empty();
  }

  private static boolean fits(
      ScenePlan plan, GroupPlan group, List<Member> objects, List<Bounds> boxes) {
    Bounds all = ObjectGroup.bounds(objects);
    for (int i = 0; i < objects.size(); i++) {
      Bounds box = objects.get(i).bounds();
      for (int j = 0; j < i; j++) {
        if (box.gapTo(objects.get(j).bounds()) < OBJECT_GAP) {
          return false;
        }
      }
      if (plan.shore().isPresent() && !plan.shore().get().holds(box, group.kind().floats())) {
        return false;
      }
      if (plan.feature().isPresent() && plan.feature().get().gapTo(box) < FEATURE_GAP) {
        return false;
      }
    }
    if (!all.inside(FRAME)) {
      return false;
    }
    if (boxes.stream().anyMatch(other -> all.gapTo(other) < GROUP_GAP)) {
      return false;
    }
    if (group.kind().paved() && plan.feature().isPresent()) {
      // The paved ground must not reach over a river or railway between its objects.
      return plan.feature().get().gapTo(all.grow(0.02)) >= 0;
    }
    if (group.kind().paved() && plan.shore().isPresent()) {
      return plan.shore().get().holds(all, false);
    }
    return true;
  }

  private static List<Member> around(GroupPlan group, SceneRandom random) {
    ObjectKind kind = group.kind();
    int n = group.count();
    double scale = random.between(0.92, 1.12);
    double angle = groupAngle(kind, random);
    Member sample = new Member(0, 0, kind.width() * scale, kind.height() * scale, angle);
    double jitter = group.arrangement() == Arrangement.CLUSTER ? 0.02 : 0.006;
    // Freely turned objects need the room of their diagonal.
    boolean free = !kind.aligned();
    double diagonal = Math.max(sample.width(), sample.height());
    Bounds box = sample.bounds();
    double pitchX = (free ? diagonal : box.width()) + OBJECT_GAP + 2 * jitter;
    double pitchY = (free ? diagonal : box.height()) + OBJECT_GAP + 2 * jitter;
    int columns = columns(group.arrangement(), n, pitchX, pitchY, random);
    int rows = (n + columns - 1) / columns;
    List<Integer> slots = new ArrayList<>();
    for (int i = 0; i < columns * rows; i++) {
      slots.add(i);
    }
    while (slots.size() > n) {
      slots.remove(random.below(slots.size()));
    }
    double x0 = group.region().anchorX() + random.between(-0.06, 0.06);
    double y0 = group.region().anchorY() + random.between(-0.06, 0.06);
    List<Member> objects = new ArrayList<>();
    for (int slot : slots) {
      double x = x0 + (slot % columns - (columns - 1) / 2.0) * pitchX;
      int row = slot / columns;
      double y = y0 + (row - (rows - 1) / 2.0) * pitchY;
      double own = free ? angle + random.between(-0.35, 0.35) : angle;
      objects.add(
          new Member(
              x + random.between(-jitter, jitter),
              y + random.between(-jitter, jitter),
              sample.width() * random.between(0.96, 1.04),
              sample.height() * random.between(0.96, 1.04),
              own));
    }
    return intoFrame(objects);
  }

  private static double groupAngle(ObjectKind kind, SceneRandom random) {
    if (!kind.aligned()) {
      return random.between(0, 2 * Math.PI);
    }
    return random.below(4) * Math.PI / 2 + random.between(-0.12, 0.12);
  }

  private static int columns(
      Arrangement arrangement, int n, double pitchX, double pitchY, SceneRandom random) {
    switch (arrangement) {
      case ROW_ACROSS -> {
        return n;
      }
      case ROW_DOWN -> {
        return 1;
      }
      default -> {
        if (n <= 2) {
          return random.chance(0.5) ? 1 : n;
        }
        // As square as possible: a group must fit into a ninth of the frame and a bit.
        int best = 2;
        double bestSide = Double.MAX_VALUE;
        for (int columns = n == 3 ? 2 : 1; columns <= n; columns++) {
          int rows = (n + columns - 1) / columns;
          double side = Math.max(columns * pitchX, rows * pitchY);
          if (rows > 1 && columns > 1 && side < bestSide) {
            bestSide = side;
            best = columns;
          }
        }
        return best;
      }
    }
  }

  private static List<Member> intoFrame(List<Member> objects) {
    Bounds all = ObjectGroup.bounds(objects);
    double dx = Math.max(0, FRAME.minX() - all.minX()) - Math.max(0, all.maxX() - FRAME.maxX());
    double dy = Math.max(0, FRAME.minY() - all.minY()) - Math.max(0, all.maxY() - FRAME.maxY());
    return objects.stream().map(object -> object.movedBy(dx, dy)).toList();
  }

  private static List<Member> alongFeature(
      LinearFeature feature, GroupPlan group, SceneRandom random) {
    ObjectKind kind = group.kind();
    double scale = random.between(0.92, 1.08);
    double width = kind.width() * scale;
    double height = kind.height() * scale;
    double pitch = width * 1.12 + OBJECT_GAP + 0.01;
    double length = pitch * group.count();
    double start = random.between(0.05, Math.max(0.06, 0.95 - length));
    double side = random.chance(0.5) ? 1 : -1;
    double away = feature.kind().halfWidth() + height / 2 + random.between(0.028, 0.04);
    List<Member> objects = new ArrayList<>();
    for (int i = 0; i < group.count(); i++) {
      double t = start + pitch * (i + 0.5);
      double angle = feature.angle(t);
      objects.add(
          new Member(
              feature.x(t) - side * away * Math.sin(angle),
              feature.y(t) + side * away * Math.cos(angle),
              width,
              height,
              angle));
    }
    return objects;
  }
}
