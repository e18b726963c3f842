"""Golden files for src/train/text/encoder: what PyTorch computes for three steps of fine-tuning a tiny BERT.

Each file holds the encoder as PyTorch exports it (ONNX, deflated, base64), a head, three batches of token ids filled up to two
lengths, and PyTorch's losses, gradient norms and weights after the steps, under the names that the exporter gave them.
`old` is operator set 11 with attention written out (layer norm and GELU decomposed, Softmax of the flattening kind), `new` is
operator set 17 with scaled dot product attention. Run: python scripts/golden/text_encoder.py (torch, transformers, onnx).
"""

import base64
import io
import json
import math
import pathlib
import warnings
import zlib

import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import nn
from transformers import BertConfig, BertModel

warnings.filterwarnings("ignore")
OUT = pathlib.Path(__file__).resolve().parents[2] / "test" / "golden"
torch.set_num_threads(1)
WIDTH, CLASSES, HEAD_RATE, DECAY, SMOOTHING, CLIP = 8, 3, 10, 0.05, 0.05, 0.5
TABLES = ("word_embeddings", "position_embeddings", "token_type_embeddings")


class Encoder(nn.Module):
    def __init__(self, bert):
        super().__init__()
        self.bert = bert

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.bert(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state


def tiny(attention):
    config = BertConfig(
        vocab_size=40, hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=16, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, attn_implementation=attention,
    )
    bert = BertModel(config, add_pooling_layer=False)
    for p in bert.parameters():  # larger than BERT's own start; the exporter merges equal initialisers, so none may be
        p.data += torch.randn_like(p) * 0.3
    return Encoder(bert).eval()


def exported(model, opset):
    ids = torch.randint(1, 40, (2, 9))
    axes = {0: "batch_size", 1: "sequence_length"}
    names = ["input_ids", "attention_mask", "token_type_ids"]
    file = io.BytesIO()
    torch.onnx.export(
        model, (ids, torch.ones_like(ids), torch.zeros_like(ids)), file, dynamo=False, opset_version=opset,
        input_names=names, output_names=["last_hidden_state"],
        dynamic_axes={**{name: axes for name in names}, "last_hidden_state": axes},
    )
    return file.getvalue()


def names_of(model, file):
    """Of each trained parameter, the initialiser that holds it, and whether transposed."""
    arrays = {i.name: torch.from_numpy(numpy_helper.to_array(i).copy()) for i in onnx.load_from_string(file).graph.initializer}
    found = {}
    for name, p in model.named_parameters():
        if any(table in name for table in TABLES):
            continue
        for other, array in arrays.items():
            if array.shape == p.shape and torch.equal(array, p.data):
                found[name] = (other, False)
            elif array.shape == p.T.shape and p.dim() == 2 and torch.equal(array, p.data.T):
                found[name] = (other, True)
        assert name in found, name
    return found


def b64(tensor):
    return base64.b64encode(tensor.detach().contiguous().numpy().tobytes()).decode()


def batch(length):
    lengths = torch.randint(2, length + 1, (5,))
    ids = torch.randint(1, 40, (5, length))
    mask = (torch.arange(length)[None] < lengths[:, None]).long()
    targets = torch.softmax(torch.randn(5, CLASSES) * 2, 1)
    return ids * mask, mask, targets, torch.rand(5) + 0.1


def golden(name, opset, attention, pooling):
    torch.manual_seed(11)
    model = tiny(attention)
    file = exported(model, opset)
    names = names_of(model, file)
    head = nn.Linear(WIDTH, CLASSES)
    start = {"weights": b64(head.weight.T * math.sqrt(WIDTH)), "bias": b64(head.bias)}  # over vectors of length 1
    own = [p for n, p in model.named_parameters() if n in names]
    groups = [
        {"params": [p for p in own if p.dim() > 1], "weight_decay": DECAY, "scale": 1},
        {"params": [p for p in own if p.dim() == 1], "weight_decay": 0, "scale": 1},
        {"params": [head.weight], "weight_decay": DECAY, "scale": HEAD_RATE},
        {"params": [head.bias], "weight_decay": 0, "scale": HEAD_RATE},
    ]
    optimiser = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
    rates, batches = [1e-3, 2e-3, 5e-4], [batch(8), batch(16), batch(8)]
    losses, norms, first = [], [], None
    for rate, (ids, mask, targets, weights) in zip(rates, batches):
        for group in optimiser.param_groups:
            group["lr"] = rate * group["scale"]
        optimiser.zero_grad()
        hidden = model(ids, mask, torch.zeros_like(ids))
        share = mask[..., None].float()
        pooled = hidden[:, 0] if pooling == "cls" else (hidden * share).sum(1) / share.sum(1)
        logits = head(F.normalize(pooled, dim=1) * math.sqrt(WIDTH))
        first = logits.detach() if first is None else first
        rows = F.cross_entropy(logits, targets, label_smoothing=SMOOTHING, reduction="none")
        value = (rows * weights).sum() / weights.sum()
        value.backward()
        norms.append(float(nn.utils.clip_grad_norm_([*own, *head.parameters()], CLIP)))
        losses.append(float(value))
        optimiser.step()
    # Biases of the keys are left out: softmax cancels them, and AdamW blows the rounding of a gradient of 0 up to full steps.
    after = {
        names[n][0]: b64(p.T if names[n][1] else p) for n, p in model.named_parameters() if n in names and "key.bias" not in n
    }
    result = {
        "versions": {"torch": torch.__version__, "opset": opset},
        "rtol": 1e-4,
        "atol": 2e-6,
        "onnx": base64.b64encode(zlib.compress(file, 9)).decode(),
        "pooling": pooling,
        "width": WIDTH,
        "classes": CLASSES,
        "head": start,
        "headRate": HEAD_RATE,
        "weightDecay": DECAY,
        "labelSmoothing": SMOOTHING,
        "clipNorm": CLIP,
        "learningRates": rates,
        "batches": [
            {
                "length": ids.shape[1],
                "ids": [row[: int(m.sum())].tolist() for row, m in zip(ids, mask)],
                "targets": b64(targets),
                "weights": b64(weights),
            }
            for ids, mask, targets, weights in batches
        ],
        "firstLogits": b64(first),
        "losses": losses,
        "gradientNorms": norms,
        "after": {**after, "head.weight": b64(head.weight), "head.bias": b64(head.bias)},
    }
    path = OUT / f"text-encoder-{name}.json"
    path.write_text(json.dumps(result) + "\n")
    print(path.name, path.stat().st_size, losses, norms)


golden("old", 11, "eager", "mean")
golden("new", 17, "sdpa", "cls")
