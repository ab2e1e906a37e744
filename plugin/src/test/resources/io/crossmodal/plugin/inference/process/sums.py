# Copyright the cross-modal project contributors.
# SPDX-License-Identifier: Apache-2.0
"""Operations of a model that adds up token ids, so that a test can tell whose answer it was."""
import numpy as np

INPUTS = {
    "scenes-tiny.encode_text": ("input_ids", "attention_mask"),
    "scenes-tiny.score": ("asking", "asking_lengths", "asking_of", "image_blocks", "image_lengths"),
}


def encode_text(inputs, d, h):
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    assert ids.shape == mask.shape and ids.dtype == np.int32, (ids, mask)
    sums = (ids * mask).sum(axis=1, keepdims=True).astype(np.float32)
    tokens = np.repeat(ids[:, :, None].astype(np.float32), h, axis=2)
    return {"embedding": np.repeat(sums, d, axis=1), "tokens": tokens}


def score(inputs):
    blocks = np.split(inputs["image_blocks"].ravel(), np.cumsum(inputs["image_lengths"].ravel())[:-1])
    assert all(bytes(block[:4]) == b"CMTK" for block in blocks)
    lengths = np.array([block.size for block in blocks], dtype=np.float32)
    return {"itm": lengths, "bi_encoder": inputs["asking_of"].ravel().astype(np.float32)}
