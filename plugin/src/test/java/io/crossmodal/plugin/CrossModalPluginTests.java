/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import static org.hamcrest.Matchers.containsString;

import org.opensearch.common.settings.Setting;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.env.TestEnvironment;
import org.opensearch.node.Node;
import org.opensearch.test.OpenSearchTestCase;

public class CrossModalPluginTests extends OpenSearchTestCase {
  public void testSaysThatItNeedsADataPath() {
    Environment without =
        TestEnvironment.newEnvironment(
            Settings.builder()
                .put(Environment.PATH_HOME_SETTING.getKey(), createTempDir())
                .put("node.local_storage", false)
                .build());
    IllegalArgumentException refused =
        expectThrows(
            IllegalArgumentException.class,
            () ->
                new CrossModalPlugin()
                    .createComponents(
                        null, null, null, null, null, null, without, null, null, null, null));
    assertThat(refused.getMessage(), containsString("[node.local_storage] is false"));
    assertSettingDeprecationsAndWarnings(new Setting<?>[] {Node.NODE_LOCAL_STORAGE_SETTING});
  }
}
