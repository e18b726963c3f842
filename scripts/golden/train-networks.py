"""Golden file for src/train/build-network.test.ts: timm's three networks with weights from a formula.

Both sides compute the weights, so that the file holds only names, shapes and outputs. Run from the repository root:
python scripts/golden/train-networks.py
"""

import json
import math
import zlib

import numpy as np
import timm
import torch

NETWORKS = {
    "mobilenet-v2": "mobilenetv2_100",
    "mobilenet-v3-small": "mobilenetv3_small_100",
    "mobilenet-v4-conv-small": "mobilenetv4_conv_small",
}
SIZE, CLASSES, BATCH = 64, 7, 2


def noise(name: str, count: int) -> np.ndarray:
    """In [-1, 1): a linear congruence of the index and the CRC-32 of the name, modulo 2^32."""
    index = np.arange(count, dtype=np.uint64)
    mixed = (index * np.uint64(2654435761) + np.uint64(zlib.crc32(name.encode()))) % np.uint64(2**32)
    mixed = (mixed ^ (mixed >> np.uint64(15))) * np.uint64(739982445) % np.uint64(2**32)
    return mixed.astype(np.float64) / 2**31 - 1


def value(name: str, shape: tuple[int, ...]) -> np.ndarray:
    u = noise(name, math.prod(shape)).reshape(shape)
    if name.endswith("running_var"):
        return 1 + 0.5 * np.abs(u)
    if len(shape) > 1:
        return u * math.sqrt(6 / math.prod(shape[1:]))
    return 1 + 0.2 * u if name.endswith(".weight") else 0.1 * u


def describe(timm_name: str) -> dict:
    full = timm.create_model(timm_name)
    net = timm.create_model(timm_name, num_classes=CLASSES).eval()
    state = {k: v for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
    net.load_state_dict({k: torch.tensor(value(k, tuple(v.shape)), dtype=torch.float32) for k, v in state.items()}, strict=False)
    images = torch.tensor(noise("images", BATCH * 3 * SIZE * SIZE).reshape(BATCH, 3, SIZE, SIZE), dtype=torch.float32)
    with torch.no_grad():
        logits = net(images)
        features = net.forward_head(net.forward_features(images), pre_logits=True)
    return {
        "timm": timm_name,
        "parametersAt1000Classes": sum(p.numel() for p in full.parameters()),
        "shapes": {k: list(v.shape) for k, v in state.items()},
        "logits": logits.flatten().tolist(),
        "featuresStart": features[:, :8].flatten().tolist(),
    }


golden = {
    "made": {"timm": timm.__version__, "torch": torch.__version__},
    "rtol": 1e-4,
    "atol": 1e-4,
    "size": SIZE,
    "classes": CLASSES,
    "batch": BATCH,
    "networks": {ours: describe(theirs) for ours, theirs in NETWORKS.items()},
}
with open("test/golden/train-networks.json", "w") as file:
    json.dump(golden, file, separators=(",", ":"))
