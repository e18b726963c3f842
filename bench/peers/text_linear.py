"""scikit-learn's TF-IDF and logistic regression, driven by bench/text-support.ts: one JSON request to a line, one JSON answer."""

import json
import sys
import time

import numpy as np
import sklearn
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion

state = {}


def milliseconds(work):
    start = time.perf_counter()
    result = work()
    return result, (time.perf_counter() - start) * 1000


def train(texts, labels, c):
    union = FeatureUnion([
        ("words", TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)),
        ("characters", TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, min_df=2)),
    ])
    matrix, vectorise_ms = milliseconds(lambda: union.fit_transform(texts))
    model, fit_ms = milliseconds(lambda: LogisticRegression(C=c, max_iter=1000).fit(matrix, labels))
    state.update(union=union, model=model)
    return {"vectoriseMs": vectorise_ms, "fitMs": fit_ms, "features": matrix.shape[1], "iterations": int(max(model.n_iter_))}


def predict(texts):
    predicted, ms = milliseconds(lambda: state["model"].predict(state["union"].transform(texts)))
    return {"ms": ms, "predicted": predicted.tolist()}


def single(texts):
    return {"ms": [milliseconds(lambda: state["model"].predict_proba(state["union"].transform([text])))[1] for text in texts]}


commands = {"train": train, "predict": predict, "single": single}
print(json.dumps({"scikit-learn": sklearn.__version__, "numpy": np.__version__}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(commands[request.pop("command")](**request)), flush=True)
