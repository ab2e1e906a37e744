# Copyright the cross-modal project contributors.
# SPDX-License-Identifier: Apache-2.0
"""MLServer in the worker's place: mlserver_server.py PORT D H. It knows no binary tensors."""
import asyncio
import os
import sys
import threading
import time
import urllib.request

import sums
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse

port, d, h = (int(value) for value in sys.argv[1:])


class Sums(MLModel):
    async def predict(self, payload):
        inputs = {each.name: NumpyCodec.decode_input(each) for each in payload.inputs}
        answer = sums.score(inputs) if self.name.endswith(".score") else sums.encode_text(inputs, d, h)
        outputs = [NumpyCodec.encode_output(name, value) for name, value in answer.items()]
        return InferenceResponse(model_name=self.name, outputs=outputs)


def tell():
    while True:
        try:
            for name in sums.INPUTS:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/models/{name}/ready").read()
            print("listens", flush=True)
            break
        except OSError:
            time.sleep(0.2)
    # It ends when its input does.
    sys.stdin.read()
    os._exit(0)


settings = Settings(
    host="127.0.0.1",
    http_port=port,
    grpc_port=port + 1,
    metrics_port=port + 2,
    metrics_endpoint=None,
    parallel_workers=0,
)
threading.Thread(target=tell, daemon=True).start()
models = [ModelSettings(name=name, implementation=Sums) for name in sums.INPUTS]
asyncio.run(MLServer(settings).start(models))
