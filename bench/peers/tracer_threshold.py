"""How tracer-llm decides what a model may answer, driven by bench/banking77.ts: one JSON request to a line, one JSON answer.

Its acceptor, its scores and its threshold (`tracer.fit.pipeline`) on the probabilities of a model that is given."""

import json
import sys
from importlib.metadata import version

import numpy as np
from tracer.fit.pipeline import _accept_scores, _calibrate_threshold, _fit_acceptor

state = {}


def load(probabilities, labels, k):
    state["probabilities"] = np.asarray(probabilities).reshape(-1, k)
    state["labels"] = np.asarray(labels)
    state["predicted"] = state["probabilities"].argmax(axis=1)
    return {"rows": len(labels)}


def rows_of(rows):
    return state["probabilities"][rows], state["predicted"][rows], state["labels"][rows]


def decide(validation, calibration, agreement, alpha):
    probabilities, predicted, labels = rows_of(validation)
    acceptor = _fit_acceptor(probabilities, predicted, labels)
    probabilities, predicted, labels = rows_of(calibration)
    found = _calibrate_threshold(_accept_scores(acceptor, probabilities), predicted, labels, agreement, alpha)
    if found is None:
        return {"coverage": 0.0, "agreement": 1.0}
    accepted = _accept_scores(acceptor, state["probabilities"]) >= found["threshold"]
    right = state["predicted"] == state["labels"]
    return {"coverage": float(accepted.mean()), "agreement": float(right[accepted].mean()) if accepted.any() else 1.0}


commands = {"load": load, "decide": decide}
print(json.dumps({"tracer-llm": version("tracer-llm")}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(commands[request.pop("command")](**request)), flush=True)
