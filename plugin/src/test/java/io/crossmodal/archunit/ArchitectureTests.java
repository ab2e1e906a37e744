/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.archunit;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaPackage;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.ArchRule;
import java.util.List;
import org.opensearch.test.OpenSearchTestCase;

public class ArchitectureTests extends OpenSearchTestCase {
  private static JavaClasses main() {
    return new ClassFileImporter()
        .withImportOption(location -> location.contains("/plugin/target/classes/"))
        .importPackages("io.crossmodal");
  }

  public void testLivesInItsOwnPackages() {
    check(classes().should().resideInAPackage("io.crossmodal.plugin.."));
  }

  public void testInferenceKnowsNothingOfOpenSearch() {
    check(
        noClasses()
            .that()
            .resideInAPackage("io.crossmodal.plugin.inference..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("org.opensearch..", "org.apache.lucene..")
            .because("inference is tested and timed without a node"));
  }

  public void testTensorsStayInInference() {
    check(
        noClasses()
            .that()
            .resideOutsideOfPackage("io.crossmodal.plugin.inference..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("ai.djl.ndarray..")
            .because("native memory has one owner: elsewhere values are float[] and records"));
  }

  public void testEveryPackageSaysWhatItIs() {
    List<String> silent =
        main().stream()
            .map(type -> type.getPackage())
            .distinct()
            .filter(found -> found.tryGetPackageInfo().isEmpty())
            .map(JavaPackage::getName)
            .sorted()
            .toList();
    assertEquals("packages without a package-info.java", List.of(), silent);
  }

  private static void check(ArchRule rule) {
    rule.allowEmptyShould(true).check(main());
  }
}
