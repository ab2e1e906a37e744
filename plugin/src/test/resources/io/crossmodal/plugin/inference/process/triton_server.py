# Copyright the cross-modal project contributors.
# SPDX-License-Identifier: Apache-2.0
"""A Triton server, by way of PyTriton, in the worker's place: triton_server.py PORT D H.

Its model adds up token ids, so that a test can tell whose answer it was.
"""
import sys

import numpy as np
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

port, d, h = (int(value) for value in sys.argv[1:])


def encode_text(requests):
    answers = []
    for request in requests:
        ids, mask = request["input_ids"], request["attention_mask"]
        assert ids.shape == mask.shape and ids.dtype == np.int32, (ids, mask)
        sums = (ids * mask).sum(axis=1, keepdims=True).astype(np.float32)
        tokens = np.repeat(ids[:, :, None].astype(np.float32), h, axis=2)
        answers.append({"embedding": np.repeat(sums, d, axis=1), "tokens": tokens})
    return answers


def score(requests):
    answers = []
    for request in requests:
        blocks = np.split(request["image_blocks"], np.cumsum(request["image_lengths"])[:-1])
        assert all(bytes(block[:4]) == b"CMTK" for block in blocks)
        lengths = np.array([block.size for block in blocks], dtype=np.float32)
        answers.append({"itm": lengths, "bi_encoder": request["asking_of"].astype(np.float32)})
    return answers


config = TritonConfig(
    http_port=port, http_address="127.0.0.1", grpc_port=port + 1, metrics_port=port + 2
)
with Triton(config=config) as triton:
    triton.bind(
        model_name="scenes-tiny.encode_text",
        infer_func=encode_text,
        inputs=[Tensor(name=n, dtype=np.int32, shape=(-1, -1)) for n in ("input_ids", "attention_mask")],
        outputs=[
            Tensor(name="embedding", dtype=np.float32, shape=(-1, d)),
            Tensor(name="tokens", dtype=np.float32, shape=(-1, -1, h)),
        ],
        config=ModelConfig(batching=False),
    )
    triton.bind(
        model_name="scenes-tiny.score",
        infer_func=score,
        inputs=[
            Tensor(name="asking", dtype=np.float32, shape=(-1, -1, h)),
            Tensor(name="asking_lengths", dtype=np.int32, shape=(-1,)),
            Tensor(name="asking_of", dtype=np.int32, shape=(-1,)),
            Tensor(name="image_blocks", dtype=np.uint8, shape=(-1,)),
            Tensor(name="image_lengths", dtype=np.int32, shape=(-1,)),
        ],
        outputs=[Tensor(name=n, dtype=np.float32, shape=(-1,)) for n in ("itm", "bi_encoder")],
        config=ModelConfig(batching=False),
    )
    triton.run()
    print("listens", flush=True)
    sys.stdin.read()
