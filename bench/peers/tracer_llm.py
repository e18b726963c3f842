"""tracer-llm, driven by bench/banking77.ts: one JSON request to a line, one JSON answer.

`fit` runs the package itself, from traces to a router (`tracer.fit`, `tracer.load_router`). It takes dense vectors: an SVD of
scikit-learn's TF-IDF, whose features are tier 0's. Left out of its sweep of models are gradient boosting and XGBoost, which
on 77 classes take many times as long as all others together. The sweep is remembered: its three builders begin with the same
one, on the same rows and seed.

`decide` is its acceptor and its threshold alone (`tracer.fit.pipeline`), on the probabilities of a model that stays as it
is: its own, or one that is given."""

import json
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import tracer.fit.pipeline as pipeline
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion
from tracer.api import fit as fit_policy
from tracer.api import load_router
from tracer.config import FitConfig

models = {}
state = {}
sweep = pipeline.search_best_surrogate
sweeps = {}


def remembered(X_train, y_train, X_val, y_val, **options):
    key = (X_train.tobytes(), y_train.tobytes(), X_val.tobytes(), y_val.tobytes())
    if key not in sweeps:
        sweeps[key] = sweep(X_train, y_train, X_val, y_val, **options)
    return sweeps[key]


pipeline.search_best_surrogate = remembered


def fit(texts, labels, agreement, dimensions):
    start = time.perf_counter()
    union = FeatureUnion([
        ("words", TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)),
        ("characters", TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, min_df=2)),
    ])
    svd = TruncatedSVD(dimensions, random_state=42)
    features = svd.fit_transform(union.fit_transform(texts)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        traces = Path(folder) / "traces.jsonl"
        traces.write_text("".join(json.dumps({"input": text, "teacher": label}) + "\n" for text, label in zip(texts, labels)))
        config = FitConfig(target_teacher_agreement=agreement, frontier_targets=(agreement,), skip_candidates=("gbt", "xgb"), verbose=False)
        result = fit_policy(traces, Path(folder) / "policy", embeddings=features, config=config)
        router = load_router(Path(folder) / "policy") if result.manifest.selected_method else None
    clf, name, metrics = next(iter(sweeps.values()))
    state.update(features=lambda asked: svd.transform(union.transform(asked)).astype(np.float32), router=router, clf=clf, names=sorted(set(labels)))
    return {"method": result.manifest.selected_method, "surrogate": name, "surrogateF1": metrics["teacher_f1"],
            "coverageSaid": result.manifest.coverage_cal, "seconds": time.perf_counter() - start}


def world(texts, labels):
    """What the router does with rows that it has not seen; and what its surrogate says of them, for `decide`."""
    features = state["features"](texts)
    indices = np.array([state["names"].index(label) for label in labels])
    keep("own", state["clf"].predict_proba(features), indices)
    if state["router"] is None:
        return {"coverage": 0.0, "agreement": 1.0}
    routed = state["router"].predict_batch(features)
    handled = np.asarray(routed["handled"])
    return answered(handled, np.asarray(routed["preds"]) == indices)


def keep(name, probabilities, labels):
    models[name] = {"probabilities": probabilities, "labels": labels, "predicted": probabilities.argmax(axis=1)}


def load(probabilities, labels, k):
    keep("given", np.asarray(probabilities).reshape(-1, k), np.asarray(labels))
    return {"rows": len(labels)}


def answered(accepted, right):
    return {"coverage": float(accepted.mean()), "agreement": float(right[accepted].mean()) if accepted.any() else 1.0}


def decide(model, validation, calibration, agreement, alpha):
    probabilities, labels, predicted = (models[model][part] for part in ("probabilities", "labels", "predicted"))
    acceptor = pipeline._fit_acceptor(probabilities[validation], predicted[validation], labels[validation])
    scores = pipeline._accept_scores(acceptor, probabilities)
    found = pipeline._calibrate_threshold(scores[calibration], predicted[calibration], labels[calibration], agreement, alpha)
    if found is None:
        return {"coverage": 0.0, "agreement": 1.0}
    return answered(scores >= found["threshold"], predicted == labels)


commands = {"fit": fit, "world": world, "load": load, "decide": decide}
print(json.dumps({"tracer-llm": version("tracer-llm")}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(commands[request.pop("command")](**request)), flush=True)
