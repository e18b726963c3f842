#!/bin/sh
# @huggingface/tokenizers 0.2.0 (npm) beside tokenizers 0.22.1 (PyPI): the normalizer `Lowercase`, and a Greek word in capitals.
#
# Both read the same tokenizer.json, so one would expect the same ids. The Rust library behind the Python package lowers each
# character by itself: the last Σ of ΟΔΟΣ becomes σ. The npm package lowers the string as JavaScript does, by Unicode's rule for
# the end of a word: ς. A word-level or WordPiece vocabulary holds one of the two, so Greek text in capitals gets other tokens, or
# the unknown one, in JavaScript than where the encoder was trained, without an error. Text in lower case agrees.
# Whoever serves a lower-casing encoder from JavaScript must lower character by character.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/tokenizer.json" <<'JSON'
{
  "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "post_processor": null, "decoder": null,
  "normalizer": { "type": "Lowercase" },
  "pre_tokenizer": { "type": "WhitespaceSplit" },
  "model": { "type": "WordLevel", "unk_token": "[UNK]", "vocab": { "[UNK]": 0, "οδος": 1, "οδοσ": 2, "road": 3 } }
}
JSON
cat > "$folder/ids.mjs" <<'JAVASCRIPT'
import { readFileSync } from "node:fs";
import { Tokenizer } from "@huggingface/tokenizers";

const tokenizer = new Tokenizer(JSON.parse(readFileSync("tokenizer.json", "utf8")), {});
console.log(JSON.stringify(["ROAD", "οδος", "ΟΔΟΣ"].map((text) => tokenizer.encode(text).ids)));
JAVASCRIPT
cat > "$folder/ids.py" <<'PYTHON'
import json
from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file("tokenizer.json")
print(json.dumps([tokenizer.encode(text).ids for text in ["ROAD", "οδος", "ΟΔΟΣ"]], separators=(",", ":")))
PYTHON
cd "$folder"
npm install --silent --no-audit --no-fund --no-package-lock --prefix . @huggingface/tokenizers@0.2.0
"${PYTHON:-python3}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check tokenizers==0.22.1
javascript=$(node ids.mjs)
python=$(env/bin/python ids.py)
echo "ROAD, οδος, ΟΔΟΣ: JavaScript $javascript, Python $python"
if [ "$javascript" != "[[3],[1],[1]]" ] || [ "$python" != "[[3],[1],[2]]" ]; then
  echo "changed: expected JavaScript [[3],[1],[1]] and Python [[3],[1],[2]]"
  exit 1
fi
