/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/**
 * One caption and what it claims, so that its truth for any scene can be checked.
 *
 * @param text lower case English, words parted by one blank, ending in " ."
 */
public record SceneCaption(String text, List<Claim> claims) {

  private static final Pattern WORD = Pattern.compile("[a-z]+");

  public SceneCaption {
    claims = List.copyOf(claims);
  }

  /** The words, without the punctuation: what a Karpathy-style file calls tokens. */
  public List<String> words() {
    return WORD.matcher(text).results().map(MatchResult::group).toList();
  }

  /** Whether the caption is true of the scene. */
  public boolean describes(Scene scene) {
    return claims.stream().allMatch(claim -> claim.holds(scene));
  }
}
