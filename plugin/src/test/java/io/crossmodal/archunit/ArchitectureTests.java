/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.archunit;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaPackage;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.ArchRule;
import io.crossmodal.plugin.wire.WireFormat;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.opensearch.cluster.metadata.Metadata;
import org.opensearch.core.common.io.stream.NamedWriteable;
import org.opensearch.core.transport.TransportResponse;
import org.opensearch.test.OpenSearchTestCase;
import org.opensearch.transport.TransportRequest;

public class ArchitectureTests extends OpenSearchTestCase {
  /**
   * What stays within one cluster, whose nodes have all told their plugin's version when they
   * joined: the actions of users and operators, by name, so that a new one is not among them.
   */
  private static final Pattern LOCAL =
      Pattern.compile(
          "io\\.crossmodal\\.plugin\\.(models\\..*|action\\.(EncodeRequest|EncodeResponse|NodeReport"
              + "|LoadModelAction|NodesReportAction)(\\$.*)?)");

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

  public void testPackagesHaveNoCycles() {
    check(slices().matching("io.crossmodal.(**)").should().beFreeOfCycles());
  }

  /** Each uses those below it alone; what they stand on is ml-assets'. */
  public void testInferenceHasLayers() {
    String inference = "io.crossmodal.plugin.inference";
    check(
        layeredArchitecture()
            .consideringOnlyDependenciesInAnyPackage(inference + "..")
            .withOptionalLayers(true)
            .layer("node")
            .definedBy(inference + ".node")
            .layer("services")
            .definedBy(inference + ".encoding", inference + ".scoring")
            .layer("process")
            .definedBy(inference + ".process")
            .whereLayer("node")
            .mayOnlyAccessLayers("services")
            .whereLayer("services")
            .mayNotAccessAnyLayer()
            .whereLayer("process")
            .mayNotAccessAnyLayer()
            .ensureAllClassesAreContainedInArchitectureIgnoring(
                DescribedPredicate.not(JavaClass.Predicates.resideInAPackage(inference + ".."))));
  }

  /**
   * What crosses from one cluster into another, where no node was asked which plugin it has when it
   * joined, and what shards and scorers are asked.
   */
  public void testWhatNodesSendBeginsWithItsFormat() {
    List<String> mute = new ArrayList<>();
    int sent = 0;
    for (JavaClass type : main()) {
      boolean crosses =
          type.isAssignableTo(NamedWriteable.class)
              || ((type.isAssignableTo(TransportRequest.class)
                      || type.isAssignableTo(TransportResponse.class))
                  && !LOCAL.matcher(type.getName()).matches());
      if (crosses && !type.isAssignableTo(Metadata.Custom.class)) {
        sent++;
        for (String method : List.of("read", "write")) {
          if (type.getMethodCallsFromSelf().stream()
              .noneMatch(
                  call ->
                      call.getTargetOwner().isEquivalentTo(WireFormat.class)
                          && call.getName().equals(method))) {
            mute.add(type.getSimpleName() + " does not " + method + " it");
          }
        }
      }
    }
    assertEquals(List.of(), mute);
    assertEquals(10, sent);
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
