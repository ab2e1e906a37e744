/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import io.crossmodal.trainer.data.scene.LinearFeature.Crossing;
import io.crossmodal.trainer.data.scene.LinearFeature.Direction;
import io.crossmodal.trainer.data.scene.ObjectGroup.Member;
import io.crossmodal.trainer.data.scene.ObjectGroup.Region;
import io.crossmodal.trainer.data.scene.ObjectKind.Colour;
import io.crossmodal.trainer.data.scene.Scene.Change;
import io.crossmodal.trainer.data.scene.Scene.Coastline;
import io.crossmodal.trainer.data.scene.Scene.Terrain;
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
    ScenePlan empty = emptyPlan(random);
    int wanted = random.weighted(List.of(1, 2, 3), 8, 47, 45);
    while (true) {
      // Kinds and counts outlive several layouts, or scenes with many objects would be rare.
      List<GroupPlan> drawn = groups(empty, wanted, random);
      for (int i = 0; i < REGION_TRIES; i++) {
        ScenePlan plan = withRegions(empty, drawn, random);
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
      Optional<ScenePlan> changed = change(base.plan(), change, random);
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

  private static Optional<ScenePlan> change(ScenePlan plan, Change change, SceneRandom random) {
    int at = random.below(plan.groups().size());
    GroupPlan group = plan.groups().get(at);
    switch (change) {
      case COUNT -> {
        int count = group.count() + (random.chance(0.5) ? 1 : -1);
        boolean line = group.arrangement() == Arrangement.ALONG_FEATURE;
        return count < (line ? 3 : 1) || count > group.kind().maxCount()
            ? Optional.empty()
            : Optional.of(plan.withGroup(at, group.withCount(count)));
      }
      case COLOUR -> {
        List<Colour> others = new ArrayList<>(group.kind().colours());
        others.removeIf(c -> c == group.colour() || !plan.terrain().shows(c));
        return others.isEmpty()
            ? Optional.empty()
            : Optional.of(plan.withGroup(at, group.withColour(random.pick(others))));
      }
      case COLOUR_SWAP -> {
        return swapColours(plan, at, random.below(plan.groups().size()));
      }
      case SIDE -> {
        return changeSide(plan, at, random);
      }
      default -> {
        return plan.feature().map(f -> plan.withFeature(changeFeature(f, random)));
      }
    }
  }

  private static Optional<ScenePlan> swapColours(ScenePlan plan, int a, int b) {
    GroupPlan first = plan.groups().get(a);
    GroupPlan second = plan.groups().get(b);
    if (first.colour() == second.colour()
        || !first.kind().colours().contains(second.colour())
        || !second.kind().colours().contains(first.colour())
        || (first.kind() == second.kind() && first.count() == second.count())) {
      return Optional.empty();
    }
    return Optional.of(
        plan.withGroup(a, first.withColour(second.colour()))
            .withGroup(b, second.withColour(first.colour())));
  }

  private static Optional<ScenePlan> changeSide(ScenePlan plan, int a, SceneRandom random) {
    GroupPlan first = plan.groups().get(a);
    int b = random.below(plan.groups().size());
    GroupPlan second = plan.groups().get(b);
    if (first.region() == Region.NONE || second.region() == Region.NONE) {
      return Optional.empty();
    }
    if (a != b) {
      return Optional.of(
          plan.withGroup(a, first.withRegion(second.region()))
              .withGroup(b, second.withRegion(first.region())));
    }
    Region moved = first.region().mirrored(random.chance(0.5));
    boolean taken = plan.groups().stream().anyMatch(g -> g.region() == moved);
    return taken ? Optional.empty() : Optional.of(plan.withGroup(a, first.withRegion(moved)));
  }

  private static LinearFeature changeFeature(LinearFeature feature, SceneRandom random) {
    if (feature.crossing() != Crossing.NONE) {
      return new LinearFeature(
          feature.kind(),
          feature.direction(),
          feature.offset(),
          feature.amplitude(),
          feature.phase(),
          Crossing.NONE,
          0);
    }
    List<LinearFeature.Kind> others = new ArrayList<>(List.of(LinearFeature.Kind.values()));
    others.remove(feature.kind());
    return new LinearFeature(
        random.pick(others),
        feature.direction(),
        feature.offset(),
        feature.amplitude(),
        feature.phase(),
        Crossing.NONE,
        0);
  }

  // --- plans ------------------------------------------------------------------------------------

  private static ScenePlan emptyPlan(SceneRandom random) {
    Terrain terrain = random.weighted(List.of(Terrain.values()), 16, 14, 12, 14, 13, 15, 5, 11);
    Optional<Coastline> shore =
        terrain == Terrain.COAST ? Optional.of(shore(random)) : Optional.empty();
    Optional<LinearFeature> feature =
        terrain.allowsFeature() && random.chance(0.62)
            ? Optional.of(feature(random))
            : Optional.empty();
    return new ScenePlan(terrain, shore, feature, List.of());
  }

  private static List<GroupPlan> groups(ScenePlan plan, int wanted, SceneRandom random) {
    List<GroupPlan> groups = new ArrayList<>();
    while (groups.size() < wanted) {
      ObjectKind kind = kind(plan.terrain(), groups, random);
      Colour colour = random.pick(kind.colours());
      boolean taken = groups.stream().anyMatch(g -> g.kind() == kind && g.colour() == colour);
      if (plan.terrain().shows(colour) && !taken) {
        int count = 1 + random.below(kind.maxCount());
        Arrangement arrangement = arrangement(plan, kind, count, random);
        groups.add(new GroupPlan(kind, colour, count, Region.NONE, arrangement));
      }
    }
    return groups;
  }

  private static ObjectKind kind(Terrain terrain, List<GroupPlan> groups, SceneRandom random) {
    if (!groups.isEmpty() && random.chance(0.22)) {
      // The same kind in another colour: only a model that binds colour to count gets it right.
      return groups.get(0).kind();
    }
    if (terrain == Terrain.COAST && random.chance(0.35)) {
      return ObjectKind.SHIP;
    }
    while (true) {
      ObjectKind kind = random.pick(List.of(ObjectKind.values()));
      if (kind.fits(terrain)) {
        return kind;
      }
    }
  }

  private static Arrangement arrangement(
      ScenePlan plan, ObjectKind kind, int count, SceneRandom random) {
    boolean straight = plan.feature().isPresent() && !plan.feature().get().direction().diagonal();
    if (straight && kind.mayLineFeature() && count >= 3 && count <= 5 && random.chance(0.6)) {
      return Arrangement.ALONG_FEATURE;
    }
    if (count >= 3 && random.chance(0.4)) {
      return random.chance(0.5) ? Arrangement.ROW_ACROSS : Arrangement.ROW_DOWN;
    }
    return Arrangement.CLUSTER;
  }

  /** Gives each group a ninth of the frame of its own, on the right ground. */
  private static ScenePlan withRegions(ScenePlan plan, List<GroupPlan> groups, SceneRandom random) {
    List<Region> free = new ArrayList<>(List.of(Region.values()));
    free.remove(Region.NONE);
    random.shuffle(free);
    List<GroupPlan> placed = new ArrayList<>();
    for (GroupPlan group : groups) {
      Region region = Region.NONE;
      if (group.arrangement() != Arrangement.ALONG_FEATURE) {
        region = free.stream().filter(r -> suits(plan, group, r)).findFirst().orElse(free.get(0));
        free.remove(region);
      }
      placed.add(group.withRegion(region));
    }
    return new ScenePlan(plan.terrain(), plan.shore(), plan.feature(), placed);
  }

  private static boolean suits(ScenePlan plan, GroupPlan group, Region region) {
    double x = region.anchorX();
    double y = region.anchorY();
    if (plan.shore().isPresent()) {
      double seaward = plan.shore().get().seaward(x, y);
      return group.kind().floats() ? seaward > 0.07 : seaward < -0.08;
    }
    if (plan.feature().isPresent()) {
      return plan.feature().get().gapTo(new Bounds(x, y, x, y)) > 0.06;
    }
    return true;
  }

  private static Coastline shore(SceneRandom random) {
    Region side = random.pick(List.of(Region.LEFT, Region.RIGHT, Region.TOP, Region.BOTTOM));
    return new Coastline(
        side, random.between(0.36, 0.54), random.between(0.01, 0.035), random.between(0, 6.28));
  }

  private static LinearFeature feature(SceneRandom random) {
    LinearFeature.Kind kind = random.weighted(List.of(LinearFeature.Kind.values()), 45, 25, 30);
    Direction direction = random.weighted(List.of(Direction.values()), 36, 36, 14, 14);
    double offset =
        direction.diagonal()
            ? 0.5
            : 0.5 + random.pick(List.of(-0.17, 0.0, 0.17)) + random.between(-0.05, 0.05);
    double amplitude =
        kind == LinearFeature.Kind.RIVER
            ? random.between(0.015, 0.045)
            : random.between(0, kind == LinearFeature.Kind.ROAD ? 0.02 : 0.012);
    Crossing crossing = Crossing.NONE;
    if (kind == LinearFeature.Kind.RIVER && random.chance(0.45)) {
      crossing = Crossing.BRIDGE;
    } else if (kind == LinearFeature.Kind.ROAD && random.chance(0.25)) {
      crossing = Crossing.ROUNDABOUT;
    }
    return new LinearFeature(
        kind,
        direction,
        offset,
        amplitude,
        random.between(0, 6.28),
        crossing,
        random.between(0.25, 0.75));
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
    Bounds all = objects.get(0).bounds();
    for (int i = 0; i < objects.size(); i++) {
      Bounds box = objects.get(i).bounds();
      all = all.union(box);
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
    for (Bounds other : boxes) {
      if (all.gapTo(other) < GROUP_GAP) {
        return false;
      }
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
    double pitchX = (free ? diagonal : box.maxX() - box.minX()) + OBJECT_GAP + 2 * jitter;
    double pitchY = (free ? diagonal : box.maxY() - box.minY()) + OBJECT_GAP + 2 * jitter;
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
    Bounds all = objects.get(0).bounds();
    for (Member object : objects) {
      all = all.union(object.bounds());
    }
    double dx = Math.max(0, FRAME.minX() - all.minX()) - Math.max(0, all.maxX() - FRAME.maxX());
    double dy = Math.max(0, FRAME.minY() - all.minY()) - Math.max(0, all.maxY() - FRAME.maxY());
    List<Member> moved = new ArrayList<>();
    for (Member object : objects) {
      moved.add(object.movedBy(dx, dy));
    }
    return moved;
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
