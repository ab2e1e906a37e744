/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;
import io.crossmodal.model.fixtures.SourceFiles;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

final class ArchitectureTest {
  private static final String ROOT = "io.crossmodal.model";
  private static final JavaClasses MAIN =
      new ClassFileImporter()
          .withImportOption(location -> location.contains("/ml-assets/target/classes/"))
          .importPackages("io.crossmodal");

  /** What each package may know of the others; "" is the root package, whose values all may. */
  private static final Map<String, Set<String>> MAY_KNOW =
      Map.ofEntries(
          Map.entry("", Set.of()),
          Map.entry("tokens", Set.of("")),
          Map.entry("text", Set.of("")),
          Map.entry("image", Set.of("")),
          Map.entry("torchscript", Set.of("")),
          Map.entry("bundle", Set.of("", "text", "image", "torchscript")),
          Map.entry("engine", Set.of("", "tokens", "text", "image", "bundle")),
          Map.entry("inference", Set.of("")),
          Map.entry("inference.stats", Set.of()),
          Map.entry("inference.memory", Set.of("engine", "inference")),
          Map.entry("inference.runtime", Set.of("", "inference")),
          Map.entry(
              "inference.registry",
              Set.of("", "tokens", "image", "bundle", "engine", "inference", "inference.memory")),
          Map.entry(
              "inference.batching",
              Set.of(
                  "",
                  "tokens",
                  "text",
                  "image",
                  "bundle",
                  "engine",
                  "inference",
                  "inference.stats",
                  "inference.memory",
                  "inference.registry")),
          Map.entry(
              "inference.engine",
              Set.of(
                  "inference",
                  "inference.stats",
                  "inference.memory",
                  "inference.runtime",
                  "inference.registry",
                  "inference.batching")),
          Map.entry(
              "inference.protocol",
              Set.of(
                  "",
                  "tokens",
                  "text",
                  "image",
                  "bundle",
                  "engine",
                  "inference",
                  "inference.registry",
                  "inference.batching")));

  /** The part of a class's package behind {@link #ROOT}. */
  private static String layer(JavaClass type) {
    String name = type.getPackageName();
    return name.equals(ROOT) ? "" : name.substring(ROOT.length() + 1);
  }

  @Test
  void knowsNeitherOpenSearchNorLucene() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("org.opensearch..", "org.apache.lucene..")
        .because("ml-assets is shared by the plugin and the trainer")
        .allowEmptyShould(true)
        .check(MAIN);
  }

  @Test
  void packagesHaveNoCycles() {
    // Not by a pattern of packages: that would leave the root package out.
    SliceAssignment packages =
        new SliceAssignment() {
          @Override
          public SliceIdentifier getIdentifierOf(JavaClass type) {
            return SliceIdentifier.of(type.getPackageName());
          }

          @Override
          public String getDescription() {
            return "each package, the root package too";
          }
        };
    slices().assignedFrom(packages).should().beFreeOfCycles().check(MAIN);
  }

  @Test
  void arrowsPointOneWay() {
    Set<String> layers = new TreeSet<>();
    Set<String> wrong = new TreeSet<>();
    for (JavaClass type : MAIN) {
      layers.add(layer(type));
      for (Dependency arrow : type.getDirectDependenciesFromSelf()) {
        JavaClass target = arrow.getTargetClass().getBaseComponentType();
        if (target.getPackageName().startsWith(ROOT)
            && !layer(target).equals(layer(type))
            && !MAY_KNOW.getOrDefault(layer(type), Set.of()).contains(layer(target))) {
          wrong.add(arrow.getDescription());
        }
      }
    }
    assertEquals(Set.of(), wrong);
    assertEquals(new TreeSet<>(MAY_KNOW.keySet()), layers, "a package without its arrows");
  }

  @Test
  void noFileIsTooLongToRead() {
    assertEquals(
        List.of(), SourceFiles.tooLong(SourceFiles.moduleOf(ArchitectureTest.class), List.of()));
  }

  @Test
  void everyPackageSaysWhatItIs() {
    Path sources = SourceFiles.moduleOf(ArchitectureTest.class).resolve("src/main/java");
    assertEquals(List.of(), SourceFiles.withoutPackageInfo(sources));
  }
}
