#!/bin/sh
# xgboost-cpu 3.2.0 (Python), pandas 2.3.3: the names of categories that a model keeps.
#
# Since 3.1 a model trained on a data frame keeps the names of its categories, so that a later frame with another order is mapped to
# the numbers of training. One would expect the file to hold the names as UTF-8, with offsets in bytes. Where a name is not ASCII, the
# Python package counts characters instead: offsets point into the middle of names, and the end of the list is cut off. A frame with
# the same categories in another order then gets other predictions, without an error. The trees, which know numbers alone, are right.
# Whoever reads `learner.gradient_booster.model.cats` of files from 3.1 to 3.3 must not trust names outside ASCII; 3.4 writes them right.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check xgboost-cpu==3.2.0 pandas==2.3.3
"$folder/env/bin/python" - <<'PYTHON'
import json
import sys

import numpy as np
import pandas as pd
import xgboost as xgb

def names_kept(cities):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, len(cities), 200)
    def frame(order):
        return pd.DataFrame({"city": pd.Categorical([cities[code] for code in codes], categories=pd.Index(order, dtype=object))})
    parameters = {"objective": "binary:logistic", "max_cat_to_onehot": 1, "nthread": 1}
    train = xgb.DMatrix(frame(cities), (codes % 2).astype(float), enable_categorical=True)
    booster = xgb.train(parameters, train, 3)
    column = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]["model"]["cats"]["enc"][0]
    data = bytes(value & 255 for value in column["values"])
    kept = [data[a:b].decode("utf-8", "replace") for a, b in zip(column["offsets"], column["offsets"][1:])]
    predict = lambda order: booster.predict(xgb.DMatrix(frame(order), enable_categorical=True))
    return kept, bool(np.allclose(predict(cities), predict(cities[::-1])))

for cities in (["Bonn", "Lodz", "Nice", "Tokyo", "Porto", "Riga"], ["Bonn", "Łódź", "Nice", "東京", "Porto", "Riga"]):
    kept, same = names_kept(cities)
    print(cities, "->", kept, "| same predictions in another order:", same)

if kept == cities or same:
    print("changed: the names are kept whole, or the order of categories no longer matters")
    sys.exit(1)
PYTHON
