"""Python's XGBoost on one row, driven by bench/single-decision-record-support.ts: one JSON request a line, each answered by one
JSON line. `load` names a model and gives feature vectors, null where missing; `single` answers lists of microseconds by way
of predicting, row to class."""

import json
import sys
import time

import numpy as np
import xgboost as xgb

state = {}


def load(request):
    booster = xgb.Booster({"nthread": 1})
    booster.load_model(request["model"])
    state.update(booster=booster, rows=np.array(request["vectors"], dtype=np.float32), at=0,
                 features={"feature_names": request["names"], "feature_types": request["types"]})
    return {"rows": len(state["rows"])}


def next_row():
    state["at"] = (state["at"] + 1) % len(state["rows"])
    return state["rows"][state["at"] : state["at"] + 1]


def by_matrix(row):
    return state["booster"].predict(xgb.DMatrix(row, enable_categorical=True, nthread=1, **state["features"]))


def in_place(row):
    return state["booster"].inplace_predict(row, validate_features=False)


def microseconds(predict):
    row = next_row()
    start = time.perf_counter()
    int(predict(row)[0] > 0.5)
    return (time.perf_counter() - start) * 1e6


def single(request):
    return {name: [microseconds(way) for _ in range(request["count"])] for name, way in {"matrix": by_matrix, "inPlace": in_place}.items()}


print(json.dumps({"version": xgb.__version__}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps({"load": load, "single": single}[request["command"]](request)), flush=True)
