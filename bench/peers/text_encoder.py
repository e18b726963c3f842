"""PyTorch training steps of a BERT, driven by bench/text-encoder.ts: one JSON request a line, one JSON answer a line.

First says its versions. `{"command": "open", "folder", "batch", "length", "classes", "threads"}` builds the encoder that the
folder's config.json describes (random weights: a step takes as long), in float32 without dropout, its tables of embeddings
frozen as ours are, with a linear head on the mean of its tokens; `{"command": "steps", "variant", "count"}` answers
milliseconds of each step: zero_grad, forward, cross-entropy with label smoothing, backward, clipping, AdamW (`default`, or
`fused`: its one-kernel form).
"""

import json
import math
import sys
import time

import torch
import torch.nn.functional as F
import transformers
from torch import nn
from transformers import AutoConfig, AutoModel

TABLES = ("word_embeddings", "position_embeddings", "token_type_embeddings")


class Contestant:
    def __init__(self, folder, batch, length, classes, fused):
        torch.manual_seed(0)
        config = AutoConfig.from_pretrained(folder)
        config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
        self.encoder = AutoModel.from_config(config).float().train()
        self.head = nn.Linear(config.hidden_size, classes)
        for name, p in self.encoder.named_parameters():
            if any(table in name for table in TABLES) or "pooler" in name:
                p.requires_grad_(False)
        self.own = [p for p in [*self.encoder.parameters(), *self.head.parameters()] if p.requires_grad]
        self.optimiser = torch.optim.AdamW(self.own, lr=1e-4, weight_decay=0.01, fused=fused)
        self.ids = torch.randint(1, config.vocab_size, (batch, length))
        self.mask = torch.ones_like(self.ids)
        self.labels = torch.arange(batch) % classes

    def step(self):
        start = time.perf_counter()
        self.optimiser.zero_grad()
        hidden = self.encoder(input_ids=self.ids, attention_mask=self.mask).last_hidden_state
        share = self.mask[..., None].float()
        pooled = (hidden * share).sum(1) / share.sum(1)
        logits = self.head(F.normalize(pooled, dim=1) * math.sqrt(pooled.shape[1]))
        F.cross_entropy(logits, self.labels, label_smoothing=0.05).backward()
        nn.utils.clip_grad_norm_(self.own, 1.0)
        self.optimiser.step()
        return (time.perf_counter() - start) * 1000


print(json.dumps({"torch": torch.__version__, "transformers": transformers.__version__}), flush=True)
contestants = {}
for line in sys.stdin:
    request = json.loads(line)
    if request["command"] == "open":
        torch.set_num_threads(request["threads"])
        shape = [request[key] for key in ("folder", "batch", "length", "classes")]
        contestants = {"default": Contestant(*shape, False), "fused": Contestant(*shape, True)}
        answer = {"parameters": sum(p.numel() for p in contestants["default"].own)}
    else:
        one = contestants[request["variant"]]
        answer = {"times": [one.step() for _ in range(request["count"])]}
    print(json.dumps(answer), flush=True)
