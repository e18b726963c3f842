"""PyTorch eager on one image, driven by bench/inference.ts: one line `network size threads` in, then `run N` lines; each
is answered by a JSON list of milliseconds, image tensor in to class index out."""

import json
import sys
import time

import timm
import torch

network, size, threads = sys.stdin.readline().split()
torch.set_num_threads(int(threads))
model = timm.create_model(network).eval()
image = torch.randn(1, 3, int(size), int(size))


def milliseconds() -> float:
    start = time.perf_counter()
    with torch.inference_mode():
        int(model(image).argmax())
    return (time.perf_counter() - start) * 1000


print(json.dumps({"torch": torch.__version__, "timm": timm.__version__}), flush=True)
for line in sys.stdin:
    print(json.dumps([milliseconds() for _ in range(int(line.split()[1]))]), flush=True)
