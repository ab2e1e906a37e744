/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.engine.Encoding;
import java.util.Optional;

/**
 * An encoded picture on its way to a sink.
 *
 * @param id of the document, from {@link ContentId}
 * @param stamp of the file that it was read from
 * @param digest of the content
 * @param place where the picture lies
 */
record Document(
    String id,
    String stamp,
    String digest,
    SourceImage image,
    Optional<PictureReader.Place> place,
    Encoding encoding) {}
