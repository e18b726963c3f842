"""PyTorch training steps, driven by bench/training-speed.ts: one line `network side batch threads` in, answered by versions
and variants; then `VARIANT N` lines, each answered by a JSON list of milliseconds per step.

A step is zero_grad, forward, cross-entropy with label smoothing, backward, SGD with Nesterov momentum and weight decay, on
all layers with batch norm's statistics frozen. `folded` variants have batch norm folded into the convolutions, as ours has.
"""

import json
import sys
import time

import timm
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

network, side, batch, threads = sys.stdin.readline().split()
torch.set_num_threads(int(threads))
torch.manual_seed(0)
side, batch = int(side), int(batch)


def fold(model: nn.Module) -> None:
    """timm's blocks keep a convolution and the norm (with activation) after it as neighbouring attributes."""
    for module in model.modules():
        children = list(module.named_children())
        for (name, conv), (norm_name, norm) in zip(children, children[1:]):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                conv.weight, conv.bias = fuse_conv_bn_weights(
                    conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
                )
                setattr(module, norm_name, getattr(norm, "act", nn.Identity()))


class Contestant:
    def __init__(self, channels_last: bool, folded: bool):
        layout = torch.channels_last if channels_last else torch.contiguous_format
        self.model = timm.create_model(network, num_classes=5, drop_rate=0.0)
        if folded:
            fold(self.model)
        for module in self.model.train().modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        self.model = self.model.to(memory_format=layout)
        self.images = torch.randn(batch, 3, side, side).to(memory_format=layout)
        self.labels = torch.randint(0, 5, (batch,))
        self.loss = nn.CrossEntropyLoss(label_smoothing=0.1)
        self.optimiser = torch.optim.SGD(
            self.model.parameters(), lr=1e-3, momentum=0.9, nesterov=True, weight_decay=1e-4
        )

    def step(self) -> float:
        start = time.perf_counter()
        self.optimiser.zero_grad()
        self.loss(self.model(self.images), self.labels).backward()
        self.optimiser.step()
        return (time.perf_counter() - start) * 1000


contestants = {
    f"{layout}{'-folded' if folded else ''}": Contestant(layout == "channels-last", folded)
    for layout in ("default", "channels-last")
    for folded in (False, True)
}
print(json.dumps({"torch": torch.__version__, "timm": timm.__version__, "variants": list(contestants)}), flush=True)
for line in sys.stdin:
    variant, count = line.split()
    print(json.dumps([contestants[variant].step() for _ in range(int(count))]), flush=True)
