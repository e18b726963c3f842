"""Golden values for src/xgboost: Python's XGBoost on small tables with missing values, categories, weights, monotone
constraints, sampling and early stopping. Writes test/golden/xgboost-models.json, the models themselves included, so that
reading trees is tested where the library is absent. Run: python scripts/golden/xgboost_models.py"""

import json
import pathlib

import numpy as np
import xgboost as xgb

OUT = pathlib.Path(__file__).parents[2] / "test" / "golden" / "xgboost-models.json"
ROWS, VALIDATION, TYPES = 120, 40, ["q", "q", "i", "c", "c"]
NAMES = ["age", "charge", "senior", "contract", "città"]


def table(rng, rows):
    data = np.column_stack([
        rng.normal(40, 12, rows), rng.exponential(50, rows), rng.integers(0, 2, rows),
        rng.integers(0, 3, rows), rng.integers(0, 40, rows),
    ]).astype(np.float32)
    score = data[:, 0] / 40 + data[:, 3] / 2 + (data[:, 4] % 3) / 2 + rng.normal(0, 0.4, rows)
    data[rng.random(data.shape) < 0.1] = np.nan
    return data, score


def numbers(array):
    return [None if np.isnan(value) else float(value) for value in np.asarray(array, dtype=np.float64).ravel()]


def case(name, parameters, rounds, classes, early_stopping=None):
    rng = np.random.default_rng(len(name))
    data, score = table(rng, ROWS + VALIDATION)
    labels = np.searchsorted(np.quantile(score, np.arange(1, classes) / classes), score).astype(np.float32)
    weights = rng.uniform(0.2, 3, ROWS + VALIDATION).astype(np.float32)
    matrix = lambda part: xgb.DMatrix(
        data[part], labels[part], weight=weights[part], feature_names=NAMES, feature_types=TYPES, enable_categorical=True)
    train, valid = matrix(slice(0, ROWS)), matrix(slice(ROWS, None))
    history = {}
    stop = {"early_stopping_rounds": early_stopping} if early_stopping else {}
    booster = xgb.train(parameters, train, rounds, evals=[(valid, "validation")], evals_result=history, verbose_eval=False, **stop)
    if early_stopping:
        booster = booster[: booster.best_iteration + 1]
    whole = matrix(slice(None))
    return {
        "name": name, "parameters": parameters, "rounds": rounds, "classes": classes, "earlyStoppingRounds": early_stopping,
        "trainRows": ROWS, "data": numbers(data), "labels": numbers(labels), "weights": numbers(weights),
        "featureNames": NAMES, "featureTypes": TYPES,
        "scores": list(history["validation"].values())[-1], "kept": booster.num_boosted_rounds(),
        "values": numbers(booster.predict(whole)), "margins": numbers(booster.predict(whole, output_margin=True)),
        "contributions": numbers(booster.predict(whole, pred_contribs=True)[:5]),
        "gain": booster.get_score(importance_type="gain"),
        "model": booster.save_raw("json").decode(),  # as it is: XGBoost tells 0.0 from 0, other JSON does not
    }


cases = [
    case("two classes", {"objective": "binary:logistic", "eta": 0.3, "max_depth": 4, "seed": 1, "nthread": 1,
                         "monotone_constraints": "(1,0,0,0,0)", "eval_metric": "logloss"}, 12, 2),
    case("three classes, sampled", {"objective": "multi:softprob", "num_class": 3, "eta": 0.3, "max_depth": 3, "seed": 7,
                                    "nthread": 1, "subsample": 0.7, "colsample_bynode": 0.7, "max_cat_to_onehot": 3,
                                    "eval_metric": "mlogloss"}, 8, 3),
    case("early stopping on a maximised metric", {"objective": "binary:logistic", "eta": 0.1, "max_depth": 2, "seed": 3,
                                                  "nthread": 1, "eval_metric": "auc"}, 60, 2, early_stopping=5),
]
OUT.write_text(json.dumps({"made_by": "scripts/golden/xgboost_models.py", "versions": {"xgboost": xgb.__version__, "numpy": np.__version__},
                           "rtol": 1e-6, "atol": 1e-6, "cases": cases}, ensure_ascii=False) + "\n")
