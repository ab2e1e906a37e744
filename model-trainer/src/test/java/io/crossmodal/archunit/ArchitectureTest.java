/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.archunit;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
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
          .withImportOption(location -> location.contains("/model-trainer/target/classes/"))
          .importPackages("io.crossmodal");

  @Test
  void livesInItsOwnPackages() {
    classes()
        .should()
        .resideInAPackage("io.crossmodal.trainer..")
        .allowEmptyShould(true)
        .check(MAIN);
  }

  @Test
  void knowsNothingOfTheServer() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("org.opensearch..", "org.apache.lucene..", "io.crossmodal.plugin..")
        .because("training runs without OpenSearch; it talks to a cluster over HTTP")
        .allowEmptyShould(true)
        .check(MAIN);
  }

  @Test
  void packagesHaveNoCycles() {
    slices().matching("io.crossmodal.trainer.(**)").should().beFreeOfCycles().check(MAIN);
  }

  /** Commands know everything, the three trainings do not know each other, readers know nothing. */
  @Test
  void arrowsPointOneWay() {
    layeredArchitecture()
        .consideringOnlyDependenciesInLayers()
        .layer("cli")
        .definedBy("..trainer.cli..")
        .layer("report")
        .definedBy("..trainer.report..")
        .layer("sensors")
        .definedBy("..trainer.sensors..")
        .layer("distill")
        .definedBy("..trainer.distill..")
        .layer("train")
        .definedBy("..trainer.train..")
        .layer("evaluate")
        .definedBy("..trainer.evaluate..")
        .layer("checkpoint")
        .definedBy("..trainer.checkpoint..")
        .layer("scene")
        .definedBy("..trainer.data.scene..")
        .layer("data")
        .definedBy("io.crossmodal.trainer.data")
        .whereLayer("cli")
        .mayNotBeAccessedByAnyLayer()
        .whereLayer("report")
        .mayOnlyBeAccessedByLayers("cli")
        .whereLayer("sensors")
        .mayOnlyBeAccessedByLayers("cli", "report")
        .whereLayer("distill")
        .mayOnlyBeAccessedByLayers("cli")
        .whereLayer("scene")
        .mayOnlyBeAccessedByLayers("cli")
        .whereLayer("train")
        .mayOnlyBeAccessedByLayers("cli", "report", "sensors", "distill")
        .whereLayer("evaluate")
        .mayOnlyBeAccessedByLayers("cli", "report", "sensors", "train")
        .whereLayer("checkpoint")
        .mayOnlyBeAccessedByLayers("cli", "train", "sensors")
        .whereLayer("data")
        .mayNotAccessAnyLayer()
        .check(MAIN);
  }

  @Test
  void everyPackageSaysWhatItIs() {
    Path sources = SourceFiles.moduleOf(ArchitectureTest.class).resolve("src/main/java");
    assertEquals(List.of(), SourceFiles.withoutPackageInfo(sources));
  }
}
