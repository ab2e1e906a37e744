#!/usr/bin/env python3
# Copyright the cross-modal project contributors.
# SPDX-License-Identifier: Apache-2.0
"""Opens a bundle with torch.jit.load, checks its golden outputs and times it, without a JVM.

    python3 time_bundle.py bundle.zip [--device cuda] [--batches 1,16,128,512]

Prints Markdown: towers and fuse (method score, one text) in fp32, fp16 and bf16, in milliseconds and
as a share of what this device reaches in a matrix product of the same type; the copy is that of the
images' tokens to the device. Needs PyTorch 2.0 or newer. Exit status 1: a golden output differs.
"""
import argparse, io, json, math, sys, time, unicodedata, zipfile
import torch

TEXT = 16  # tokens of the query that is timed


def pieces(text, vocabulary, longest):
    """BERT's uncased word pieces, as WordPieceTokenizer makes them."""
    plain = unicodedata.normalize("NFD", text.lower())
    plain = "".join(c for c in plain if unicodedata.category(c) != "Mn")
    words = "".join(c if c.isalnum() or c.isspace() else f" {c} " for c in plain).split()
    ids = []
    for word in words:
        start, found = 0, []
        while start < len(word):
            ends = (e for e in range(len(word), start, -1)
                    if ("##" if start else "") + word[start:e] in vocabulary)
            end = next(ends, None)
            if end is None:
                found = [vocabulary["[UNK]"]]
                break
            found.append(vocabulary[("##" if start else "") + word[start:end]])
            start = end
        ids += found
    return [vocabulary["[CLS]"]] + ids[: longest - 2] + [vocabulary["[SEP]"]]


def waves(count, channels, size):
    """The golden pictures; see Golden.waves."""
    x, y = torch.arange(size).view(1, 1, size), torch.arange(size).view(1, size, 1)
    c = torch.arange(channels).view(channels, 1, 1)
    return torch.stack([torch.sin(0.1 * (i + 1) * x + 0.05 * (c + 1) * y) for i in range(count)])


def differences(model, manifest, vocabulary, device, dtype):
    """Largest differences from the golden outputs: of embeddings, of logits."""
    golden, config = manifest["golden"], manifest["config"]
    embedding = logit = 0.0
    off = lambda a, b: (a.float().cpu() - torch.tensor(b)).abs().max().item()
    texts = []
    for text, expected in zip(golden["texts"], golden["text_embeddings"]):
        ids = torch.tensor([pieces(text, vocabulary, config["text"]["max_tokens"])], device=device)
        tokens = model.encode_text(ids, torch.ones_like(ids, dtype=dtype))
        embedding = max(embedding, off(model.filter_text(tokens[:, 0])[0], expected))
        texts.append(tokens)
    for sensor, expected in zip(config["sensors"], golden["sensors"]):
        pixels = waves(2, len(sensor["mean"]), sensor["image_size"]).to(device, dtype)
        images = getattr(model, "encode_image_" + sensor["name"])(pixels)
        embedding = max(embedding, off(model.filter_image(images[:, 0]), expected["embeddings"]))
        owner = torch.zeros(2, dtype=torch.int64, device=device)
        for i, text in enumerate(texts):
            mask = torch.ones(text.shape[:2], device=device, dtype=dtype)
            scores = model.score(text, mask, images, owner)
            logit = max(logit, off(scores[:, 0], expected["itm"][2 * i : 2 * i + 2]),
                        off(scores[:, 1], expected["filter"][2 * i : 2 * i + 2]))
    return embedding, logit


def seconds(work, device, rounds=5):
    """The shortest of a few runs after two to warm up."""
    best = math.inf
    for i in range(rounds + 2):
        start = time.perf_counter()
        work()
        if device != "cpu":
            torch.cuda.synchronize()
        best = best if i < 2 else min(best, time.perf_counter() - start)
    return best


def flop(config, p, n, m):
    """Of fuse for p candidates of one query; the same count as FuseBench.flop."""
    h, f, layers = config["hidden"], config["feed_forward"], config["fusion_layers"]
    total = 0
    for layer in range(layers):
        rows = 1 if layer == layers - 1 else n
        own = 2 * h * h * (2 * rows + 2 * n) + 4 * rows * n * h
        cross = 2 * h * h * (2 * rows + 2 * m) + 4 * rows * m * h
        total += (1 if layer == 0 else p) * own + p * (cross + 4 * rows * h * f)
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("bundle")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batches", default="1,16,128,512")
    parser.add_argument("--side", type=int, help="of the matrices of the peak; 8192, on a CPU 1024")
    options = parser.parse_args()
    device = options.device
    with zipfile.ZipFile(options.bundle) as bundle:
        manifest = json.loads(bundle.read("manifest.json"))
        words = bundle.read("vocab.txt").decode().splitlines()
        archive = bundle.read("model.pt")
    config, vocabulary = manifest["config"], {word: i for i, word in enumerate(words)}
    name = torch.cuda.get_device_name() if device != "cpu" else f"CPU, {torch.get_num_threads()} threads"
    print(f"{manifest['id']} on {name}, PyTorch {torch.__version__}\n")
    side, wrong = options.side or (1024 if device == "cpu" else 8192), False
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        label = str(dtype).split(".")[1]
        try:
            with torch.inference_mode():
                model = torch.jit.load(io.BytesIO(archive), map_location=device).eval().to(dtype)
                embedding, logit = differences(model, manifest, vocabulary, device, dtype)
                a = torch.randn(side, side, device=device, dtype=dtype)
                peak = 2 * side**3 / seconds(lambda: a @ a, device)
                print(f"## {label}\n\nGolden embeddings off by {embedding:.2g}, logits by {logit:.2g}."
                      f" Matrix product {peak / 1e12:.3g} TFLOP/s.\n")
                print("| batch | image tower ms | text tower ms | fuse ms | pairs/s | GFLOP |"
                      " share of peak | copy ms |\n|---|---|---|---|---|---|---|---|")
                tower = getattr(model, "encode_image_" + config["sensors"][0]["name"])
                for b in map(int, options.batches.split(",")):
                    c, s = len(config["sensors"][0]["mean"]), config["sensors"][0]["image_size"]
                    pixels = torch.randn(b, c, s, s).to(device, dtype)
                    ids = torch.randint(5, len(words), (b, TEXT), device=device)
                    mask = torch.ones(b, TEXT, device=device, dtype=dtype)
                    images, texts = tower(pixels), model.encode_text(ids, mask)
                    owner = torch.zeros(b, dtype=torch.int64, device=device)
                    host = images.cpu() if device == "cpu" else images.cpu().pin_memory()
                    image = seconds(lambda: tower(pixels), device)
                    text = seconds(lambda: model.encode_text(ids, mask), device)
                    fuse = seconds(lambda: model.score(texts[:1], mask[:1], images, owner), device)
                    copy = seconds(lambda: host.clone() if device == "cpu" else host.to(device), device)
                    work = flop(config, b, TEXT, images.shape[1])
                    print(f"| {b} | {1e3 * image:.3g} | {1e3 * text:.3g} | {1e3 * fuse:.3g} |"
                          f" {b / fuse:.0f} | {work / 1e9:.3g} | {work / fuse / peak:.2f} |"
                          f" {1e3 * copy:.3g} |")
                wrong |= dtype == torch.float32 and max(embedding, logit) > manifest["golden"]["tolerance"]
        except RuntimeError as e:
            lines = str(e).strip().splitlines()
            why = next((line for line in reversed(lines) if "Error" in line), lines[0])
            print(f"## {label}\n\nNot measured: {why}")
            wrong |= dtype == torch.float32
        print()
    sys.exit(1 if wrong else 0)

if __name__ == "__main__":
    main()
