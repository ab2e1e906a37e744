/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.archunit;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import io.crossmodal.model.fixtures.SourceFiles;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

final class ArchitectureTest {
  private static final JavaClasses MAIN =
      new ClassFileImporter()
          .withImportOption(location -> location.contains("/spark/target/classes/"))
          .importPackages("io.crossmodal");

  @Test
  void livesInItsOwnPackage() {
    classes().should().resideInAPackage("io.crossmodal.spark").check(MAIN);
  }

  /** Scala's own collections and functions change with each of its versions. */
  @Test
  void speaksJavaToSpark() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("scala..", "io.crossmodal.plugin..", "org.opensearch..")
        .check(MAIN);
  }

  @Test
  void filesAreReadable() {
    Path module = SourceFiles.moduleOf(ArchitectureTest.class);
    assertEquals(List.of(), SourceFiles.tooLong(module, List.of()));
    assertEquals(List.of(), SourceFiles.withoutPackageInfo(module.resolve("src/main/java")));
  }
}
