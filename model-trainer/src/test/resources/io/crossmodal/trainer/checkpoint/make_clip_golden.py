"""Makes clip-scripted.pt and clip-golden.safetensors: a CLIP as OpenAI publishes them, a TorchScript archive
of half-precision weights, of the shape and tokenizer of TestClips, with random weights, and what open_clip
computes from it in float32, heat maps by MaskCLIP (Zhou et al. 2022) among it.

pip install open_clip_torch==3.3.0 torch safetensors; python make_clip_golden.py
"""

import gzip
import os
import zipfile

import open_clip
import torch
from open_clip.tokenizer import SimpleTokenizer
from safetensors.torch import save_file

MERGES = ["#version: 0.2", "n d</w>", "p o", "po nd</w>", "s e", "se a</w>"]
TEXTS = ["a pond", "the sea", "12 tanks beside a pond", "roads"]
SIDE, CONTEXT = 24, 24

torch.manual_seed(19)
model = open_clip.model.CLIP(
    embed_dim=16,
    vision_cfg=dict(layers=2, width=24, head_width=8, patch_size=8, image_size=SIDE),
    text_cfg=dict(context_length=CONTEXT, vocab_size=519, width=20, heads=2, layers=1),
    quick_gelu=True,
).eval()
with torch.no_grad():
    for p in model.parameters():
        p.add_(torch.randn_like(p) * 0.2)
    model.logit_scale.fill_(3.0)
model = model.half().float()

with open("merges.gz", "wb") as f:
    f.write(gzip.compress("\n".join(MERGES).encode()))
tokenize = SimpleTokenizer("merges.gz", context_length=CONTEXT)
os.remove("merges.gz")
ids = tokenize(TEXTS)
pixels = torch.randn(3, 3, SIDE, SIDE)


def by_value_path(visual, x):
    """Tokens of patches: the last block's value path, its residuals and its feed-forward network."""
    x = visual._embeds(x)
    *blocks, last = visual.transformer.resblocks
    for block in blocks:
        x = block(x)
    w = x.shape[-1]
    v = last.ln_1(x) @ last.attn.in_proj_weight[2 * w :].T + last.attn.in_proj_bias[2 * w :]
    x = x + last.attn.out_proj(v)
    x = x + last.mlp(last.ln_2(x))
    return (visual.ln_post(x) @ visual.proj)[:, 1:]


with torch.no_grad():
    text = model.encode_text(ids, normalize=True)
    patches = by_value_path(model.visual, pixels)
    cosines = torch.nn.functional.normalize(patches, dim=-1) @ text.T  # (pictures, patches, texts)
    save_file(
        {
            "pixels": pixels,
            "ids": ids.to(torch.float32),
            "text_embedding": text,
            "image_embedding": model.encode_image(pixels, normalize=True),
            "patches": patches.contiguous(),
            "heat_maps": torch.softmax(100 * cosines, 1).permute(0, 2, 1).contiguous(),
        },
        "clip-golden.safetensors",
    )
    torch.jit.save(torch.jit.trace(model, (pixels, ids)).half(), "whole.pt")

# Without notes for debuggers, which are most of it.
with zipfile.ZipFile("whole.pt") as whole, zipfile.ZipFile("clip-scripted.pt", "w") as out:
    for entry in whole.infolist():
        if not entry.filename.endswith(".debug_pkl"):
            out.writestr(zipfile.ZipInfo(entry.filename), whole.read(entry))
os.remove("whole.pt")
