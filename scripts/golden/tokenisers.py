"""Golden values for src/text/tokeniser.ts: ids that Hugging Face's own tokenizers give to awkward texts, for every normaliser and
pre-tokeniser that is read, with vocabularies that tell one splitting from another. Writes test/golden/tokenisers.json.gz.
Run: python scripts/golden/tokenisers.py  (pip install tokenizers sentencepiece)"""

import base64
import gzip
import io
import json
import pathlib

import sentencepiece
import tokenizers
from sentencepiece import sentencepiece_model_pb2 as spm_proto
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

OUT = pathlib.Path(__file__).parents[2] / "test" / "golden" / "tokenisers.json.gz"

TEXTS = [
    "Where is my card? I ordered it two weeks ago.", "top-up failed: declined  (twice)!!", "rate 1.25, 50% & $5 #tag @you",
    "Größe, Straße, naïve café", "Где моя карта? мир!", "ΟΔΟΣ ΣΟΦΟΣ Σ", "İstanbul ISPARTA ıI", "カードはどこ? 我的卡在哪里",
    "ｶｰﾄﾞ ﾊﾟﾝ ｳﾞ", "ＦＵＬＬ　ｗｉｄｔｈ～ １２３", "한국어 텍스트", "\u1112\u1161\u11ab\u1100\u116e\u11a8", "e\u0301 A\u030a n\u0303",
    "أين بطاقتي؟ مَرْحَبًا", "שלום עולם", "नमस्ते दुनिया क्षत्रिय", "ไทย ภาษา", "👩‍👩‍👧 thanks 👍🏽 🇩🇪", "ﬁne ﬁgures ① ½ ² ³ Ⅷ ٣ १२",
    "line\nbreak\r\nand\ttab\u00a0nbsp", "a", "", " ", "  lead and trail  ", "zero\u200bwidth\u200cjoin\u200ders\u2060x", "\ufeffbyte order mark",
    " \ufeffinner\ufeff bom", "next\u0085line \u2028 sep \u2029 par", "control\u0001\u0007\u001f\u007f\u008f\u009fx", "soft\u00adhyphen",
    "𠀀𠀁𠮷野家", "𝐁𝐨𝐥𝐝 𝒞", "snake_case camelCase don't we'll", "…—–‘’“”«»", "¿Qué? ¡Sí!", "___ --- ... ,,,", "a_b‿c", "ᾳ ΐ ﬀ ß ẞ SS",
    "x" * 120, "ab " * 30, "$& $1 $$", "▁metaspace ▁▁ two", "<mask> <MASK> [x]", "㍿ ㌔ ㈱ №", "\u3000ideographic\u3000space", "Ａ\u0301",
    "o\u0328\u0304 ǭ", "\u0958 \u0915\u093c", "\r\n\r\n", "ſ K Å Ω", "\ufffd replacement", "1٬234٫5",
]
EXTRA = [text.lower() for text in TEXTS] + ["the and of card weeks мир größe ordered declined"]


def charsmap(rule=None, tsv=None):
    """A SentencePiece model's own map, out of a model trained with it."""
    written = io.BytesIO()
    given = {"normalization_rule_name": rule} if rule else {"normalization_rule_tsv": tsv}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["the card has not come yet"] * 20), model_writer=written, vocab_size=30, hard_vocab_limit=False,
        minloglevel=2, **given)
    return spm_proto.ModelProto.FromString(written.getvalue()).normalizer_spec.precompiled_charsmap


def made(model, trainer, normalizer=None, pre_tokenizer=None, added=()):
    tokenizer = Tokenizer(model)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(TEXTS + EXTRA, trainer)
    tokenizer.add_tokens(list(added))
    return tokenizer


def pairs(normalizer=None, pre_tokenizer=None, added=()):
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=["[UNK]"], show_progress=False)
    return made(models.BPE(unk_token="[UNK]"), trainer, normalizer, pre_tokenizer, added)


def words(normalizer=None, pre_tokenizer=None, added=()):
    trainer = trainers.WordPieceTrainer(vocab_size=600, special_tokens=["[UNK]"], show_progress=False)
    return made(models.WordPiece(unk_token="[UNK]"), trainer, normalizer, pre_tokenizer, added)


def unigram(normalizer=None, pre_tokenizer=None, added=()):
    trainer = trainers.UnigramTrainer(vocab_size=400, unk_token="<unk>", special_tokens=["<unk>"], show_progress=False)
    return made(models.Unigram(), trainer, normalizer, pre_tokenizer or pre_tokenizers.Metaspace(), added)


N, P = normalizers, pre_tokenizers
SPACES = P.WhitespaceSplit()
GPT4 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def kinds():
    yield "Whitespace, WordPiece", words(None, P.Whitespace())
    yield "Whitespace, BPE", pairs(N.NFC(), P.Whitespace())
    yield "WhitespaceSplit", words(None, SPACES)
    yield "BertPreTokenizer alone", words(None, P.BertPreTokenizer())
    for name, options in {"uncased": {}, "cased": {"lowercase": False}, "no cleaning": {"clean_text": False},
                          "accents kept": {"strip_accents": False}, "cjk together": {"handle_chinese_chars": False}}.items():
        yield f"BERT, {name}", words(N.BertNormalizer(**options), P.BertPreTokenizer())
    for individual in (True, False):
        yield f"Digits, individual {individual}", pairs(None, P.Sequence([SPACES, P.Digits(individual)]))
    for behavior in ("isolated", "contiguous", "removed", "merged_with_previous", "merged_with_next"):
        yield f"Punctuation, {behavior}", pairs(None, P.Sequence([SPACES, P.Punctuation(behavior)]))
        for invert in (False, True):
            split = P.Split(Regex(r"\d+|[aeiou]"), behavior, invert)
            yield f"Split by a pattern, {behavior}, invert {invert}", pairs(None, P.Sequence([SPACES, split]))
    yield "Split by a text", pairs(None, P.Split(" ", "merged_with_previous"))
    yield "Split by a text, isolated", pairs(None, P.Split(".", "isolated"))
    for prefix in (True, False):
        yield f"ByteLevel, prefix {prefix}", pairs(None, P.ByteLevel(add_prefix_space=prefix))
    yield "Split and ByteLevel", pairs(None, P.Sequence([P.Split(Regex(GPT4), "isolated"), P.ByteLevel(False, use_regex=False)]))
    yield "CharDelimiterSplit", pairs(None, P.CharDelimiterSplit(" "))
    yield "UnicodeScripts", pairs(None, P.UnicodeScripts())
    for scheme in ("always", "first", "never"):
        yield f"Metaspace, {scheme}", unigram(None, P.Metaspace(prepend_scheme=scheme))
    yield "Metaspace, together", unigram(None, P.Metaspace(split=False))
    for name, normalizer in {
        "NFC": N.NFC(), "NFD": N.NFD(), "NFKC": N.NFKC(), "NFKD": N.NFKD(), "Lowercase": N.Lowercase(), "Strip": N.Strip(),
        "Strip, left": N.Strip(right=False), "NFD and StripAccents": N.Sequence([N.NFD(), N.StripAccents()]), "Nmt": N.Nmt(),
        "StripAccents": N.StripAccents(), "Prepend": N.Prepend("_"), "Replace a text": N.Replace("a", "$&b"),
        "Replace a pattern": N.Replace(Regex(r"\s{2,}|\d"), " $1 "),
    }.items():
        yield name, pairs(normalizer, SPACES)
        yield f"{name}, Unigram", unigram(normalizer)
    added = [AddedToken("<mask>", lstrip=True, normalized=True), AddedToken("[X]", normalized=False)]
    yield "added tokens, normalised", words(N.Lowercase(), P.Whitespace(), added)
    maps = {rule: charsmap(rule) for rule in ("nmt_nfkc", "nmt_nfkc_cf")}
    for rule, precompiled in maps.items():
        yield f"Precompiled {rule}", unigram(N.Precompiled(precompiled))
    as_xlmr = N.Sequence([N.Precompiled(maps["nmt_nfkc"]), N.Replace(Regex(" {2,}"), " ")])
    yield "as XLM-R", unigram(as_xlmr, P.Sequence([SPACES, P.Metaspace()]))
    as_deberta = N.Sequence([N.Strip(), N.Precompiled(maps["nmt_nfkc"]), N.Replace(Regex(" {2,}"), " ")])
    yield "as DeBERTa 3", unigram(as_deberta, P.Sequence([P.Metaspace()]))


def shared_maps(config, maps):
    """A map is a quarter of a megabyte, and the same in every file that has it."""
    if isinstance(config, dict):
        if config.get("type") == "Precompiled":
            text = config["precompiled_charsmap"]
            if text not in maps:
                maps.append(text)
            return {**config, "precompiled_charsmap": maps.index(text)}
        return {key: shared_maps(value, maps) for key, value in config.items()}
    return [shared_maps(each, maps) for each in config] if isinstance(config, list) else config


maps = []
cases = []
for kind, tokenizer in kinds():
    ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
    cases.append({"kind": kind, "tokenizer": shared_maps(json.loads(tokenizer.to_str()), maps), "ids": ids})
document = {"made_by": "scripts/golden/tokenisers.py", "versions": {"tokenizers": tokenizers.__version__,
            "sentencepiece": sentencepiece.__version__}, "texts": TEXTS, "maps": maps, "cases": cases}
OUT.write_bytes(gzip.compress(json.dumps(document, ensure_ascii=False).encode(), mtime=0))
