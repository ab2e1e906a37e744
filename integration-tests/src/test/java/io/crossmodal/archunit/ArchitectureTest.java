/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.archunit;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import io.crossmodal.model.fixtures.SourceFiles;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

final class ArchitectureTest {
  private static final JavaClasses ALL =
      new ClassFileImporter()
          .withImportOption(
              location -> location.contains("/integration-tests/target/test-classes/"))
          .importPackages("io.crossmodal");

  @Test
  void seesTheServerOnlyThroughHttp() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("io.crossmodal.plugin..", "org.apache.lucene..", "ai.djl.ndarray..")
        .because("fixtures, tests, benchmarks and demo are users of the plugin")
        .check(ALL);
  }

  /**
   * Here for all modules but the first: the kit that runs the plugin's tests lets none read
   * sources.
   */
  @Test
  void noFileIsTooLongToRead() {
    Path own = SourceFiles.moduleOf(ArchitectureTest.class);
    assertEquals(List.of(), SourceFiles.tooLong(own.resolveSibling("plugin"), List.of()));
    assertEquals(
        List.of(),
        SourceFiles.tooLong(own.resolveSibling("model-trainer"), List.of("SceneCaptions")));
  }

  @Test
  void everyPackageSaysWhatItIs() {
    Path sources = SourceFiles.moduleOf(ArchitectureTest.class).resolve("src/test/java");
    assertEquals(List.of(), SourceFiles.withoutPackageInfo(sources));
  }
}
