"""Golden files for src/onnx: what PyTorch computes for three training steps of small networks.

Each file holds the network as PyTorch exports it (ONNX, base64), three batches, and PyTorch's losses, gradient norms and
weights after the three steps. Run: python scripts/golden/onnx_training.py (torch, numpy; no onnxscript needed).
"""

import base64
import io
import json
import math
import pathlib
import warnings

import torch
import torch.nn.functional as F
from torch import nn

warnings.filterwarnings("ignore")
OUT = pathlib.Path(__file__).resolve().parents[2] / "test" / "golden"
torch.set_num_threads(1)


class Mobile(nn.Module):
    """Everything a MobileNet is made of: strided and depthwise convolutions, batch norm, hard-swish, squeeze-excite."""

    def __init__(self):
        super().__init__()
        self.stem, self.bn0 = nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8)
        self.expand, self.bn1 = nn.Conv2d(8, 16, 1, bias=False), nn.BatchNorm2d(16)
        self.dw, self.bn2 = nn.Conv2d(16, 16, 3, 1, 1, groups=16, bias=False), nn.BatchNorm2d(16)
        self.squeeze, self.excite = nn.Conv2d(16, 4, 1), nn.Conv2d(4, 16, 1)
        self.project, self.bn3 = nn.Conv2d(16, 8, 1, bias=False), nn.BatchNorm2d(8)
        self.dw2, self.bn4 = nn.Conv2d(8, 8, 5, 2, 2, groups=8, bias=False), nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = F.hardswish(self.bn0(self.stem(x)))
        y = F.relu(self.bn2(self.dw(F.relu6(self.bn1(self.expand(x))))))
        s = F.hardsigmoid(self.excite(F.relu(self.squeeze(F.adaptive_avg_pool2d(y, 1)))))
        x = x + self.bn3(self.project(y * s))
        x = F.hardswish(self.bn4(self.dw2(x)))
        return self.head(F.adaptive_avg_pool2d(x, 1).flatten(1))


class Residual(nn.Module):
    """ResNet-like: max and average pooling, groups, dilation, SiLU, concatenation."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 1, 1)
        self.grouped = nn.Conv2d(8, 8, 3, 1, 2, dilation=2, groups=2)
        self.down = nn.Conv2d(8, 12, 3, 2, 1)
        self.short = nn.Conv2d(8, 12, 1, 2)
        self.head = nn.Linear(24, 4)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.stem(x)), 3, 2, 1)
        x = x + F.silu(self.grouped(x))
        y = F.leaky_relu(self.down(x)) + self.short(x)
        pooled = F.avg_pool2d(y, 3, 1, 1)
        return self.head(torch.cat([y.mean((2, 3)), pooled.mean((2, 3))], 1))


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.norm, self.two = nn.Linear(10, 16), nn.LayerNorm(16), nn.Linear(16, 3)

    def forward(self, x):
        return self.two(self.norm(F.gelu(self.one(x))))


class Encoder(nn.Module):
    """A transformer encoder of one layer over token ids, written out so that the exporter keeps it plain."""

    def __init__(self, tokens=20, length=6, width=16, heads=2):
        super().__init__()
        self.heads = heads
        self.embed, self.position = nn.Embedding(tokens, width), nn.Parameter(torch.randn(length, width) * 0.1)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        # No bias on the keys: softmax cancels it, and AdamW would blow its rounding errors up to full steps.
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.head = nn.Linear(width, 3)

    def forward(self, ids):
        x = self.embed(ids) + self.position
        q, k, v = self.qkv(self.norm1(x)).chunk(3, -1)
        split = lambda t: t.view(t.shape[0], 6, self.heads, 8).transpose(1, 2)
        scores = (split(q) @ split(k).transpose(-1, -2)) / math.sqrt(8)
        x = x + self.out((scores.softmax(-1) @ split(v)).transpose(1, 2).reshape(q.shape[0], 6, 16))
        x = x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))
        return self.head(x.mean(1))


def b64(tensor):
    return base64.b64encode(tensor.detach().contiguous().numpy().tobytes()).decode()


def golden(name, module, draw, *, optimiser, loss=None, clip=None, batch_norm="frozen"):
    torch.manual_seed(7)
    model = module()
    for p in model.parameters():  # the exporter merges equal initialisers, so no two vectors may be equal
        if p.dim() == 1:
            p.data += torch.randn_like(p) * 0.1
    for each in model.modules():
        if isinstance(each, nn.BatchNorm2d):
            each.running_mean.normal_(0, 0.1), each.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(each.weight, 0.5, 1.5), nn.init.normal_(each.bias, 0, 0.1)
    batches = []
    for _ in range(3):
        x = draw()
        classes = model.eval()(x).shape[1]
        targets = torch.softmax(torch.randn(x.shape[0], classes) * 2, 1)
        batches.append((x, targets, torch.rand(x.shape[0]) + 0.1))
    file = io.BytesIO()
    torch.onnx.export(
        model.eval(), (batches[0][0],), file, dynamo=False, opset_version=17, do_constant_folding=False,
        training=torch.onnx.TrainingMode.PRESERVE, input_names=["x"], output_names=["logits"],
        dynamic_axes={"x": {0: "N"}},
    )
    model.train(batch_norm == "batch")
    decayed = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() <= 1]
    decay = optimiser.get("weightDecay", 0)
    groups = [{"params": decayed, "weight_decay": decay}, {"params": plain, "weight_decay": 0}]
    if optimiser["kind"] == "sgd":
        o = torch.optim.SGD(groups, lr=0.1, momentum=optimiser["momentum"], nesterov=optimiser["nesterov"])
    else:
        o = torch.optim.AdamW(groups, lr=0.1, betas=(optimiser["beta1"], optimiser["beta2"]), eps=optimiser["epsilon"])
    rates, losses, norms, first_logits = [0.1, 0.05, 0.02], [], [], None
    smoothing = (loss or {}).get("labelSmoothing", 0)
    for rate, (x, targets, weights) in zip(rates, batches):
        for group in o.param_groups:
            group["lr"] = rate if optimiser["kind"] == "sgd" else rate / 10
        o.zero_grad()
        logits = model(x)
        first_logits = logits.detach() if first_logits is None else first_logits
        rows = F.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="none")
        value = (rows * weights).sum() / weights.sum()
        value.backward()
        norms.append(float(nn.utils.clip_grad_norm_(model.parameters(), clip or 1e9)))
        losses.append(float(value))
        o.step()
    after = {k: v for k, v in model.state_dict().items() if v.dtype == torch.float32}
    result = {
        "versions": {"torch": torch.__version__},
        "rtol": 1e-4,
        "atol": 2e-6,
        "onnx": base64.b64encode(file.getvalue()).decode(),
        "optimiser": optimiser,
        "loss": {"kind": "softmax-cross-entropy", **(loss or {})},
        "clipNorm": clip,
        "batchNormalisation": batch_norm,
        "learningRates": [r if optimiser["kind"] == "sgd" else r / 10 for r in rates],
        "batches": [
            {"dtype": str(x.dtype).replace("torch.", ""), "dims": list(x.shape), "x": b64(x), "targets": b64(t), "weights": b64(w)}
            for x, t, w in batches
        ],
        "losses": losses,
        "gradientNorms": norms,
        "firstLogits": b64(first_logits),
        "after": {k: b64(v) for k, v in after.items()},
    }
    path = OUT / f"onnx-training-{name}.json"
    path.write_text(json.dumps(result) + "\n")
    print(path.name, path.stat().st_size, losses)


SGD = {"kind": "sgd", "momentum": 0.9, "nesterov": True, "weightDecay": 0.01}
PLAIN = {"kind": "sgd", "momentum": 0.8, "nesterov": False, "weightDecay": 0}
ADAMW = {"kind": "adamw", "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-8, "weightDecay": 0.05}
image = lambda: torch.randn(4, 3, 12, 12)

golden("mobile-batch", Mobile, image, optimiser=SGD, loss={"labelSmoothing": 0.1}, clip=0.5, batch_norm="batch")
golden("mobile-frozen", Mobile, image, optimiser=ADAMW, loss={"labelSmoothing": 0.1})
golden("residual", Residual, image, optimiser=PLAIN)
golden("mlp", Mlp, lambda: torch.randn(6, 10), optimiser=ADAMW, clip=0.3)
golden("encoder", Encoder, lambda: torch.randint(0, 20, (5, 6)), optimiser=ADAMW)
