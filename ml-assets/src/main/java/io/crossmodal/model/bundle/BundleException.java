/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.bundle;

import io.crossmodal.model.Messages;

/**
 * A bundle that must not be served; the message says what was expected and what was found. It may
 * repeat what the bundle holds, so it is cut: an answer must not be as long as a hostile manifest.
 */
public final class BundleException extends Exception {
  private static final long serialVersionUID = 1L;
  private static final int LONGEST = 2000;

  /** Makes a refusal; of a longer message than 2,000 characters the rest is left out. */
  public BundleException(String message) {
    super(Messages.excerpt(message, LONGEST));
  }

  /** Makes a refusal with its cause. */
  public BundleException(String message, Throwable cause) {
    super(Messages.excerpt(message, LONGEST), cause);
  }
}
