/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import java.io.IOException;
import java.util.Optional;

/** An element of a pass over an archive. */
abstract class ArchiveElement implements Encodable {
  final ArchivePass pass;
  final Candidate candidate;

  ArchiveElement(ArchivePass pass, Candidate candidate) {
    this.pass = pass;
    this.candidate = candidate;
  }

  @Override
  public SourceImage image() {
    return candidate.image();
  }

  @Override
  public Provenance provenance() {
    return pass.provenance(candidate);
  }

  @Override
  public String name() {
    return candidate.name();
  }

  @Override
  public void done() {}

  /** A candidate that is one picture. */
  static final class Picture extends ArchiveElement {
    private volatile String stamp = "";

    Picture(ArchivePass pass, Candidate candidate) {
      super(pass, candidate);
    }

    @Override
    public String stamp() throws IOException {
      try {
        stamp = candidate.stamp();
        return stamp;
      } catch (InterruptedException e) {
        throw ArchivePass.interrupted(e);
      }
    }

    @Override
    public Reading read(PictureReader reader) throws IOException {
      Candidate.Fetched fetched;
      try {
        fetched = candidate.fetch();
      } catch (InterruptedException e) {
        throw ArchivePass.interrupted(e);
      }
      try {
        Reading reading = new PictureFile(fetched.image(), pass.plan().sensor()).read(reader);
        Optional<Facts> facts = reading.facts().map(this::completed);
        return new Reading(facts, reading.pixels(), reading.unplaced());
      } finally {
        fetched.lease().close();
      }
    }

    private Facts completed(Facts facts) {
      String identity =
          candidate
              .content()
              .map(content -> ContentId.chip(pass.plan().sensor(), content, "", ""))
              .orElse(facts.identity());
      Optional<PictureReader.Place> place = facts.place().or(() -> candidate.provenance().place());
      return new Facts(
          identity, facts.digest(), place, facts.chip(), facts.stretch(), facts.thumbnail());
    }

    @Override
    public void settled() throws IOException {
      pass.tell(candidate, stamp);
    }
  }

  /** A scene that cannot be cut; reading it says why. */
  static final class Broken extends ArchiveElement {
    private final String reason;

    Broken(ArchivePass pass, Candidate candidate, String reason) {
      super(pass, candidate);
      this.reason = reason;
    }

    @Override
    public String stamp() {
      return ContentId.shortened(candidate.name());
    }

    @Override
    public Reading read(PictureReader reader) {
      throw new IllegalArgumentException(reason);
    }
  }

  /** A scene whose documents are there already. */
  static final class Known extends ArchiveElement {
    Known(ArchivePass pass, Candidate candidate) {
      super(pass, candidate);
    }

    @Override
    public boolean isKnown() {
      return true;
    }

    @Override
    public String stamp() {
      return "";
    }

    @Override
    public Reading read(PictureReader reader) {
      return Reading.SHOWS_NOTHING;
    }
  }
}
