/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.worker;

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
          .withImportOption(location -> location.contains("/worker/target/classes/"))
          .importPackages("io.crossmodal");

  @Test
  void livesInItsOwnPackage() {
    classes().should().resideInAPackage("io.crossmodal.worker").check(MAIN);
  }

  @Test
  void knowsNeitherNodesNorTensors() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "org.opensearch..", "org.apache.lucene..", "io.crossmodal.plugin..", "ai.djl.ndarray..")
        .because("what it computes with is ml-assets'")
        .check(MAIN);
  }

  @Test
  void noFileIsTooLongToRead() {
    Path module = SourceFiles.moduleOf(ArchitectureTest.class);
    assertEquals(List.of(), SourceFiles.tooLong(module, List.of()));
    assertEquals(List.of(), SourceFiles.withoutPackageInfo(module.resolve("src/main/java")));
  }
}
