# Copyright the cross-modal project contributors.
# SPDX-License-Identifier: Apache-2.0
"""A Triton server, by way of PyTriton, in the worker's place: triton_server.py PORT D H."""
import sys

import numpy as np
import sums
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

port, d, h = (int(value) for value in sys.argv[1:])

config = TritonConfig(
    http_port=port, http_address="127.0.0.1", grpc_port=port + 1, metrics_port=port + 2
)
with Triton(config=config) as triton:
    triton.bind(
        model_name="scenes-tiny.encode_text",
        infer_func=lambda requests: [sums.encode_text(request, d, h) for request in requests],
        inputs=[Tensor(name=n, dtype=np.int32, shape=(-1, -1)) for n in ("input_ids", "attention_mask")],
        outputs=[
            Tensor(name="embedding", dtype=np.float32, shape=(-1, d)),
            Tensor(name="tokens", dtype=np.float32, shape=(-1, -1, h)),
        ],
        config=ModelConfig(batching=False),
    )
    triton.bind(
        model_name="scenes-tiny.score",
        infer_func=lambda requests: [sums.score(request) for request in requests],
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
