# Copyright the cross-modal project contributors.
# SPDX-License-Identifier: Apache-2.0
"""A public client of KServe's Open Inference Protocol v2 asks a worker: conformance.py ADDRESS MODEL.

Prints the embedding of three token ids, one number a line, for the test to compare.
"""
import sys

import numpy as np
import tritonclient.http as http

address, model = sys.argv[1:]
client = http.InferenceServerClient(address)
assert client.is_server_live()
assert client.is_server_ready()
server = client.get_server_metadata()
assert server["name"] == "crossmodal-worker", server
assert "binary_tensor_data" in server["extensions"], server
name = model + ".encode_text"
assert client.is_model_ready(name)
assert not client.is_model_ready("ponds.encode_text")
metadata = client.get_model_metadata(name)
assert metadata["name"] == name, metadata
assert [i["name"] for i in metadata["inputs"]] == ["input_ids", "attention_mask"], metadata
version = metadata["versions"][0]
assert client.is_model_ready(name, version)
index = client.get_model_repository_index()
assert index[0]["name"] == model and index[0]["state"] == "READY", index


def ask(binary):
    ids = np.array([[1, 5, 2]], dtype=np.int32)
    inputs = []
    for tensor, values in (("input_ids", ids), ("attention_mask", np.ones_like(ids))):
        given = http.InferInput(tensor, list(values.shape), "INT32")
        given.set_data_from_numpy(values, binary_data=binary)
        inputs.append(given)
    wanted = [http.InferRequestedOutput(o, binary_data=binary) for o in ("embedding", "tokens")]
    return client.infer(
        name, inputs, outputs=wanted, request_id="7", priority=1, timeout=60_000_000
    )


binary = ask(True)
numbers = ask(False)
assert binary.get_response()["id"] == "7", binary.get_response()
embedding = binary.as_numpy("embedding")
assert embedding.shape[0] == 1 and embedding.dtype == np.float32
assert binary.as_numpy("tokens").shape[:2] == (1, 3)
np.testing.assert_allclose(embedding, numbers.as_numpy("embedding"), rtol=1e-6)
statistics = client.get_inference_statistics(name)["model_stats"][0]
assert statistics["version"] == version and statistics["execution_count"] >= 2, statistics

wrong = http.InferInput("input_ids", [1, 1], "INT32")
wrong.set_data_from_numpy(np.array([[10**9]], dtype=np.int32))
try:
    client.infer(name, [wrong, wrong])
    raise SystemExit("ids beyond the vocabulary were taken")
except http.InferenceServerException as e:
    assert "400" in str(e.status()), e

client.unload_model(model)
assert not client.is_model_ready(name)
client.close()
for value in embedding[0]:
    print(repr(float(value)))
