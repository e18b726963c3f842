"""Architectures of timm, torchvision and transformers, exported by both of PyTorch's exporters, with what PyTorch computes.

For each: `NAME.EXPORTER.onnx` (and the file beside it that the newer exporter writes by default), and `NAME.EXPORTER.json`: a
batch, the loss before and after one step of SGD, the norm of the gradient, and which names are parameters. Weights are random,
from a fixed seed; dropout and batch statistics are off. `compare-networks.ts` beside this file trains them and writes the table
in docs/networks.md.

Run: python scripts/networks/export_networks.py FOLDER [NAME …] (torch, torchvision, timm, transformers, onnx, onnxscript).
`--golden` in place of the folder: the three small networks that CI trains, into test/golden/exported.
"""

import base64
import importlib.metadata
import json
import pathlib
import sys
import traceback
import warnings

import numpy as np
import onnx
import timm
import torch
import torch.nn.functional as F
import torchvision
import transformers
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

warnings.filterwarnings("ignore")
torch.set_num_threads(2)
torch.backends.mha.set_fastpath_enabled(False)  # the older exporter does not know the operator that it takes
CLASSES = 5
SIZE = 224


class Text(nn.Module):
    """An encoder, the mean of its tokens, a linear head: as Flywheel's own classifier on an encoder."""

    def __init__(self, kind, config):
        super().__init__()
        self.encoder = getattr(transformers, kind + "Model")(config)
        self.head = nn.Linear(config.hidden_size if hasattr(config, "hidden_size") else config.dim, CLASSES)

    def forward(self, input_ids, attention_mask):
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask[:, :, None].to(hidden.dtype)
        return self.head((hidden * mask).sum(1) / mask.sum(1))


def text(kind, **more):
    """Two layers of width 32."""
    size = {"vocab_size": 120, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64,
            "max_position_embeddings": 64, **more}
    return lambda: Text(kind, getattr(transformers, kind + "Config")(**size))


def distilbert():
    return Text("DistilBert", transformers.DistilBertConfig(
        vocab_size=120, dim=32, n_layers=2, n_heads=4, hidden_dim=64, max_position_embeddings=64))


IMAGES = {
    "resnet18": lambda: timm.create_model("resnet18", num_classes=CLASSES),
    "mobilenetv4_hybrid_medium": lambda: timm.create_model("mobilenetv4_hybrid_medium", num_classes=CLASSES),
    "convnext_atto": lambda: timm.create_model("convnext_atto", num_classes=CLASSES),
    "vit_tiny_patch16_224": lambda: timm.create_model("vit_tiny_patch16_224", num_classes=CLASSES),
    "mobilevit_xxs": lambda: timm.create_model("mobilevit_xxs", num_classes=CLASSES),
    "swin_tiny_patch4_window7_224": lambda: timm.create_model("swin_tiny_patch4_window7_224", num_classes=CLASSES),
    "torchvision_vit": lambda: torchvision.models.VisionTransformer(
        image_size=SIZE, patch_size=32, num_layers=4, num_heads=4, hidden_dim=96, mlp_dim=192, num_classes=CLASSES),
    "torchvision_swin": lambda: torchvision.models.SwinTransformer(
        patch_size=[4, 4], embed_dim=48, depths=[2, 2, 2], num_heads=[3, 6, 12], window_size=[7, 7], num_classes=CLASSES),
}
TEXTS = {
    "bert": text("Bert"),
    "distilbert": distilbert,
    "roberta": text("Roberta", max_position_embeddings=66, pad_token_id=1),
    "xlm-roberta": text("XLMRoberta", max_position_embeddings=66, pad_token_id=1),
    "mpnet": text("MPNet", pad_token_id=1),
    "electra": text("Electra", embedding_size=24),
    "modernbert": text("ModernBert", local_attention=8, global_attn_every_n_layers=2, pad_token_id=0,
                       bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3),
    "deberta-v2": text("DebertaV2", relative_attention=True, position_buckets=8, pos_att_type=["p2c", "c2p"],
                       norm_rel_ebd="layer_norm", share_att_key=True, position_biased_input=False, type_vocab_size=0),
}


class TinyVit(nn.Module):
    """A token that is learned, positions, shapes from the batch, a mask of -100 and a scale that are no parameters."""

    def __init__(self, width=8):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 8, 8)
        self.cls_token, self.pos_embed = nn.Parameter(torch.randn(1, 1, width)), nn.Parameter(torch.randn(1, 5, width))
        self.gamma = nn.Parameter(torch.ones(width))
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv1, self.qkv2 = nn.Linear(width, 3 * width), nn.Linear(width, 3 * width)
        mask = torch.zeros(5, 5)
        mask[:2, 2:], mask[2:, :2] = -100, -100
        self.register_buffer("attn_mask", mask)
        self.head = nn.Linear(width, CLASSES)

    def split(self, x, qkv):
        n, tokens, width = x.shape
        return qkv(x).reshape(n, tokens, 3, 2, width // 2).permute(2, 0, 3, 1, 4).unbind(0)

    def forward(self, images):
        x = self.patches(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], 1) + self.pos_embed
        q, k, v = self.split(self.norm1(x), self.qkv1)
        x = x + self.gamma * F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape)
        q, k, v = self.split(self.norm2(x), self.qkv2)
        scores = (q * (v.shape[-1] ** -0.5)) @ k.transpose(-2, -1) + self.attn_mask
        x = x + (scores.softmax(-1) @ v).transpose(1, 2).reshape(x.shape)
        return self.head(x[:, 0])


class TinyText(nn.Module):
    """Embedding, one layer of attention, the mean of the tokens. `attend` is what differs."""

    def __init__(self, width=8):
        super().__init__()
        self.embed, self.norm = nn.Embedding(120, width), nn.LayerNorm(width)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.head = nn.Linear(width, CLASSES)

    def heads(self, x):
        return x.view(x.shape[0], -1, 2, 4).transpose(1, 2)

    def forward(self, input_ids, attention_mask):
        x = self.norm(self.embed(input_ids))
        x = x + self.attend(x, attention_mask.bool()).transpose(1, 2).reshape(x.shape)
        mask = attention_mask[:, :, None].to(x.dtype)
        return self.head((x * mask).sum(1) / mask.sum(1))


class TinyRotary(TinyText):
    """As ModernBERT: rotary positions from a buffer, and a window, outside which rows of short texts are wholly masked."""

    def __init__(self):
        super().__init__()
        self.register_buffer("inv_freq", torch.tensor([1.0, 0.1]))

    def turned(self, x, cos, sin):
        a, b = x.chunk(2, -1)
        return x * cos + torch.cat([-b, a], -1) * sin

    def attend(self, x, mask):
        at = torch.arange(x.shape[1], device=x.device)
        angles = torch.cat(2 * [at[:, None].float() * self.inv_freq], -1)
        q, k = (self.turned(self.heads(each(x)), angles.cos(), angles.sin()) for each in (self.query, self.key))
        window = (at[:, None] - at[None, :]).abs() <= 2
        return F.scaled_dot_product_attention(q, k, self.heads(self.value(x)), attn_mask=window & mask[:, None, None, :])


class TinyRelative(TinyText):
    """As DeBERTa: what a token asks of every distance, gathered by the distances."""

    def __init__(self):
        super().__init__()
        self.rel_embeddings, self.rel_norm = nn.Parameter(torch.randn(8, 8)), nn.LayerNorm(8)

    def attend(self, x, mask):
        q, k, v = (self.heads(each(x)) for each in (self.query, self.key, self.value))
        distances = self.heads(self.key(self.rel_norm(self.rel_embeddings)[None]))
        at = torch.arange(x.shape[1], device=x.device)
        index = (at[:, None] - at[None, :] + 4).clamp(0, 7)
        by_distance = q @ distances.transpose(-1, -2)
        scores = q @ k.transpose(-1, -2) + torch.gather(by_distance, -1, index.expand(*by_distance.shape[:2], -1, -1))
        return scores.masked_fill(~mask[:, None, None, :], torch.finfo(x.dtype).min).softmax(-1) @ v


GOLDEN = {"vit": TinyVit, "rotary": TinyRotary, "relative": TinyRelative}
NETWORKS = {**IMAGES, **TEXTS}
EXPORTERS = {"dynamo": True, "script": False}
VERSIONS = {name: importlib.metadata.version(name) for name in
            ["torch", "torchvision", "timm", "transformers", "onnx", "onnxscript"]}


def spread(model):
    """Initial weights with every vector different: exporters merge equal ones, and zeros hide what is computed with them."""
    for parameter in model.parameters():
        if parameter.dim() <= 1 or parameter.numel() == 1 or float(parameter.detach().std()) == 0:
            parameter.data += 0.1 * torch.randn_like(parameter)
    for each in model.modules():
        if isinstance(each, nn.BatchNorm2d):
            each.running_mean.normal_(0, 0.1), each.running_var.uniform_(0.5, 1.5)


def fold(model, batch):
    """Batch normalisation into the convolution before it, as the exporters do: PyTorch then trains the network that the file has."""
    made, pairs = {}, []

    def note(module, inputs, output):
        if isinstance(module, nn.BatchNorm2d) and id(inputs[0]) in made:
            pairs.append((made[id(inputs[0])][0], module))
        if isinstance(module, nn.Conv2d):
            made[id(output)] = (module, output)  # the output is kept, so that its id stays its own

    hooks = [each.register_forward_hook(note) for each in model.modules()]
    with torch.no_grad():
        model(*batch.values())
    for hook in hooks:
        hook.remove()
    for conv, norm in pairs:
        conv.weight, conv.bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias)
        conv.bias.requires_grad_(True)
        for each, value in [(norm.weight, 1), (norm.bias, 0), (norm.running_mean, 0), (norm.running_var, 1)]:
            each.requires_grad_(False).fill_(value)
        norm.eps = 0.0


def batch_of(name):
    if name in IMAGES or name == "vit":
        return {"images": torch.randn(3, 3, *(2 * [16 if name == "vit" else SIZE]))}
    ids = torch.randint(4, 120, (3, 24))
    mask = torch.ones_like(ids)
    for row, length in enumerate([24, 5, 14]):  # the second is much shorter: rows of local attention are wholly masked
        ids[row, length:], mask[row, length:] = (1 if name in ("roberta", "xlm-roberta", "mpnet") else 0), 0
    return {"input_ids": ids, "attention_mask": mask}


def lost_in(path, model):
    """Parameters whose numbers are not in the file, in any order: the exporter has computed something of them for good."""
    kept = {np.sort(each.ravel()).tobytes() for each in map(onnx.numpy_helper.to_array, onnx.load(path).graph.initializer)}
    return [name for name, p in model.named_parameters() if np.sort(p.detach().numpy().ravel()).tobytes() not in kept]


def learn(model, batch, targets, lost):
    """The loss, then the loss after a step of plain SGD on what the file has, which lowers it by about a tenth."""
    loss = F.cross_entropy(model(*batch.values()), targets)
    loss.backward()
    reached = {name: p for name, p in model.named_parameters() if p.grad is not None and float(p.grad.abs().max()) > 0}
    trained = {name: p for name, p in reached.items() if name not in lost}
    norm = float(torch.sqrt(sum((p.grad.double() ** 2).sum() for p in trained.values())))
    rate = 0.1 * float(loss) / norm**2
    with torch.no_grad():
        for p in trained.values():
            p -= rate * p.grad
        after = F.cross_entropy(model(*batch.values()), targets)
    return {
        "loss": float(loss), "lossAfter": float(after), "gradientNorm": norm, "learningRate": rate,
        "parameters": {name: list(p.shape) for name, p in reached.items()}, "lost": [each for each in lost if each in reached],
    }


def encoded(tensor):
    numpy = tensor.contiguous().numpy()
    return {"dtype": str(numpy.dtype), "dims": list(numpy.shape), "data": base64.b64encode(numpy.tobytes()).decode()}


def export(model, batch, path, exporter):
    free = {name: ({0: "N"} if name == "images" else {0: "N", 1: "L"}) for name in batch}
    plain = {"input_names": list(batch), "output_names": ["logits"], "dynamo": exporter == "dynamo"}
    if exporter == "dynamo":
        shapes = tuple({axis: torch.export.Dim.DYNAMIC for axis in axes} for axes in free.values())
        torch.onnx.export(model, tuple(batch.values()), path, **plain, dynamic_shapes=shapes, verbose=False)
    else:
        torch.onnx.export(model, tuple(batch.values()), path, **plain, dynamic_axes=free, opset_version=17)


def lean(path):
    """Without the stack traces that the exporter notes of every node."""
    model = onnx.load(path, load_external_data=False)
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    onnx.save(model, path)


def make(name, exporter, folder):
    torch.manual_seed(7)
    model = {**NETWORKS, **GOLDEN}[name]().eval()
    spread(model)
    batch = batch_of(name)
    fold(model, batch)
    targets = torch.arange(3) % CLASSES
    path = str(folder / f"{name}.{exporter}.onnx")
    with torch.no_grad():
        export(model, batch, path, exporter)
    if name in GOLDEN:
        lean(path)
    result = {
        "name": name, "exporter": exporter, "versions": VERSIONS, "batch": {each: encoded(value) for each, value in batch.items()},
        "targets": encoded(F.one_hot(targets, CLASSES).float()), **learn(model, batch, targets, lost_in(path, model)),
    }
    (folder / f"{name}.{exporter}.json").write_text(json.dumps(result) + "\n")
    print(name, exporter, result["loss"], result["lossAfter"], flush=True)


if __name__ == "__main__":
    is_golden = sys.argv[1] == "--golden"
    folder = pathlib.Path(__file__).resolve().parents[2] / "test/golden/exported" if is_golden else pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or (GOLDEN if is_golden else NETWORKS):
        for exporter in EXPORTERS:
            try:
                make(name, exporter, folder)
            except Exception as thrown:
                traceback.print_exc()
                failed = {"name": name, "exporter": exporter, "versions": VERSIONS, "failed": str(thrown).splitlines()[0][:200]}
                (folder / f"{name}.{exporter}.json").write_text(json.dumps(failed) + "\n")
