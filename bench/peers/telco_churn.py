"""Python's XGBoost, driven by bench/telco-churn.ts: one JSON request a line, each answered by one JSON line. `fit` trains on
the rows of a file of float32 and writes predictions of all of them to another; `time` trains on a larger one and says how
long it took, matrix included."""

import json
import os
import sys
import time

# As ours: threads that wait do not spin, which on a busy machine is ten times faster.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import xgboost as xgb


def matrix(request, rows):
    data = np.fromfile(request["data"], dtype=np.float32).reshape(request["rows"], request["columns"])
    labels = np.fromfile(request["labels"], dtype=np.float32)
    weights = np.fromfile(request["weights"], dtype=np.float32) if "weights" in request else np.ones_like(labels)
    return xgb.DMatrix(data[rows], labels[rows], weight=weights[rows], feature_names=request["names"],
                       feature_types=request["types"], enable_categorical=True, nthread=request["parameters"]["nthread"])


def fit(request):
    rows = np.arange(request["rows"])
    valid = matrix(request, rows % request["every"] == 0)
    train = matrix(request, rows % request["every"] != 0)
    stop = {"early_stopping_rounds": request["patience"]} if request["patience"] else {}
    booster = xgb.train(request["parameters"], train, request["rounds"], evals=[(valid, "validation")], verbose_eval=False, **stop)
    if stop:
        booster = booster[: booster.best_iteration + 1]
    booster.predict(matrix(request, slice(None))).astype(np.float32).tofile(request["out"])
    return {"rounds": booster.num_boosted_rounds()}


def seconds(request):
    data = np.fromfile(request["data"], dtype=np.float32).reshape(request["rows"], request["columns"])
    labels = np.fromfile(request["labels"], dtype=np.float32)
    start = time.perf_counter()
    train = xgb.DMatrix(data, labels, nthread=request["parameters"]["nthread"])
    xgb.train(request["parameters"], train, request["rounds"])
    return {"seconds": time.perf_counter() - start}


print(json.dumps({"version": xgb.__version__}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps({"fit": fit, "time": seconds}[request["do"]](request)), flush=True)
