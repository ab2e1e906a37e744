/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference;

import static org.hamcrest.Matchers.containsString;

import ai.djl.Device;
import java.util.List;
import org.opensearch.test.OpenSearchTestCase;

public class DevicePolicyTests extends OpenSearchTestCase {
  public void testPrefersAGpuUnlessTold() {
    assertEquals(List.of(Device.gpu(0)), DevicePolicy.AUTO.choose(1));
    assertEquals(List.of(Device.cpu()), DevicePolicy.AUTO.choose(0));
    assertEquals(List.of(Device.cpu()), DevicePolicy.CPU.choose(2));
    assertEquals(List.of(Device.gpu(0), Device.gpu(1)), DevicePolicy.GPU.choose(2));
  }

  public void testARequiredGpuThatIsMissingIsSaid() {
    InferenceException.ModelUnavailable missing =
        expectThrows(InferenceException.ModelUnavailable.class, () -> DevicePolicy.GPU.choose(0));
    assertThat(missing.getMessage(), containsString("[plugins.cross_modal.device]"));
    assertThat(missing.getMessage(), containsString("PYTORCH_LIBRARY_PATH"));
  }
}
