"""Golden values for sentence encoders: token ids by Hugging Face's own tokenizers, embeddings by sentence-transformers (a BERT
of two small layers with random weights, exported to ONNX) and by Model2Vec. Writes test/golden/encoders/.
Run: python scripts/golden/encoders.py"""

import json
import os
import pathlib
import shutil
import tempfile
import warnings

import model2vec
import numpy as np
import sentence_transformers
import tokenizers
import torch
import transformers
from model2vec import StaticModel
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

warnings.filterwarnings("ignore")
os.environ["TOKENIZERS_PARALLELISM"] = "false"
OUT = pathlib.Path(__file__).parents[2] / "test" / "golden" / "encoders"
VERSIONS = {each.__name__: each.__version__ for each in (tokenizers, transformers, sentence_transformers, model2vec, torch)}
MAX_TOKENS = 32

TEXTS = [
    "Where is my card? I ordered it two weeks ago.",
    "My card has not arrived yet, and it is 2 weeks now!",
    "I want to top up my account with a card",
    "top-up failed: the card was declined  (twice)",
    "The exchange rate is wrong; the rate was 1.25 yesterday",
    "Ein Ärger: die Straße heißt ÅNGSTRÖM, naïve café",
    "Где моя карта? Карта не пришла.",
    "カードはどこですか? 我的卡在哪里",
    "👩‍👩‍👧 thanks 👍🏽",
    "أين بطاقتي؟ שלום",
    "ﬁne ﬁgures ① ½ fine figures",
    "line\nbreak\tand\u00a0spaces",
    "a",
    "",
    "card " * 100,
    "a" * 300,
    "zero\u200bwidth \u0000 control \ufffd",
    "e\u0301 combining, 한국어 텍스트",
]


def wordpiece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer.train_from_iterator(TEXTS, trainers.WordPieceTrainer(vocab_size=300, special_tokens=special))
    ends = [("[CLS]", tokenizer.token_to_id("[CLS]")), ("[SEP]", tokenizer.token_to_id("[SEP]"))]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def byte_pairs():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(TEXTS, trainers.UnigramTrainer(vocab_size=300, unk_token="<unk>", special_tokens=["<unk>"]))
    return tokenizer


def token_ids(tokenizer):
    return [
        {"text": text, "whole": tokenizer.encode(text).ids, "plain": tokenizer.encode(text, add_special_tokens=False).ids}
        for text in TEXTS
    ]


def network(folder, tokenizer):
    """A BERT; its sentence embeddings by the mean of all tokens and by the first."""
    torch.manual_seed(3)
    config = transformers.BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=40,
        attn_implementation="eager",
    )
    model = transformers.BertModel(config, add_pooling_layer=False).eval()
    for parameter in model.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    embeddings = {mode: reference(model, tokenizer, mode) for mode in ("mean", "cls")}
    export(model, folder / "model.onnx")
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "max_position_embeddings": 40}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": MAX_TOKENS, "do_lower_case": False}))
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 16, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    tokenizer.save(str(folder / "tokenizer.json"))
    return embeddings


def reference(model, tokenizer, mode):
    """By sentence-transformers, all texts in one padded batch."""
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )
    with tempfile.TemporaryDirectory() as saved:
        model.save_pretrained(saved)
        fast.save_pretrained(saved)
        transformer = Transformer(saved, max_seq_length=MAX_TOKENS)
        pooling = Pooling(16, pooling_mode=mode)
        whole = SentenceTransformer(modules=[transformer, pooling, Normalize()], device="cpu")
        return whole.encode(TEXTS, batch_size=len(TEXTS)).astype(float).tolist()


class LastHiddenState(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.model(input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).last_hidden_state


def export(model, path):
    names = ["input_ids", "attention_mask", "token_type_ids"]
    ids = torch.ones((2, 7), dtype=torch.int64)
    torch.onnx.export(
        LastHiddenState(model),
        (ids, ids, 0 * ids),
        path,
        input_names=names,
        output_names=["last_hidden_state"],
        dynamic_axes={name: {0: "batch", 1: "sequence"} for name in [*names, "last_hidden_state"]},
        opset_version=17,
        dynamo=False,
    )


def static(folder, tokenizer, *, normalize, quantised=False):
    rng = np.random.default_rng(5)
    tokens = tokenizer.get_vocab_size()
    vectors = 20 if quantised else tokens
    model = StaticModel(
        rng.normal(size=(vectors, 8)).astype(np.float16 if quantised else np.float32),
        tokenizer,
        config={"model_type": "model2vec"},
        normalize=normalize,
        weights=rng.uniform(0.5, 2, size=tokens).astype(np.float32) if quantised else None,
        token_mapping=rng.integers(0, vectors, size=tokens) if quantised else None,
        max_length=32,
    )
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    return StaticModel.from_pretrained(folder).encode(TEXTS, use_multiprocessing=False).astype(float).tolist()


def kept_or_trained(name, train):
    """Training breaks ties by chance: a tokenizer that is there already stays."""
    path = OUT / f"{name}.json"
    if not path.exists():
        train().save(str(path))
    return Tokenizer.from_file(str(path))


OUT.mkdir(parents=True, exist_ok=True)
made = {
    "wordpiece": kept_or_trained("wordpiece", wordpiece),
    "byte-pairs": kept_or_trained("byte-pairs", byte_pairs),
    "unigram": kept_or_trained("unigram", unigram),
}
folders = {name: OUT / name for name in ("network", "static", "static-quantised")}
for folder in folders.values():
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
golden = {
    "made_by": "scripts/golden/encoders.py",
    "versions": VERSIONS,
    "atol": {"network": 1e-5, "static": 1e-5, "static-quantised": 2e-3},
    "texts": TEXTS,
    "tokens": {name: token_ids(tokenizer) for name, tokenizer in made.items()},
    "network": network(folders["network"], made["wordpiece"]),
    "static": static(folders["static"], made["wordpiece"], normalize=False),
    # Of float16 vectors the reference keeps a float16 mean: three digits.
    "static-quantised": static(folders["static-quantised"], made["wordpiece"], normalize=True, quantised=True),
}
(OUT / "golden.json").write_text(json.dumps(golden, ensure_ascii=False, indent=1))
