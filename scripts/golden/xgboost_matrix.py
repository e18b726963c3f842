"""Golden models for src/xgboost: every kind of model that a release of XGBoost writes, with the margins that the same release
gives for twenty rows. Writes test/golden/xgboost-matrix-<release>.json. One environment for each release, since they exclude
each other:

    for release in 1.7.6 2.0.3 2.1.4 3.0.5 3.1.3 3.2.0 3.4.1; do
      python -m venv /tmp/xgb-$release    # Python 3.12 for 3.4.1, 3.10 for 1.7.6
      /tmp/xgb-$release/bin/pip install xgboost==$release scikit-learn pandas    # the first two: "numpy<2" "scikit-learn<1.6"
      /tmp/xgb-$release/bin/python scripts/golden/xgboost_matrix.py
    done
"""

import base64
import gzip
import json
import pathlib
import pickle
import tempfile

import numpy as np
import pandas as pd
import xgboost as xgb

OUT = pathlib.Path(__file__).parents[2] / "test" / "golden" / f"xgboost-matrix-{xgb.__version__}.json"
RELEASE = tuple(int(part) for part in xgb.__version__.split("."))
ROWS, SHOWN, CITIES = 160, 20, ["Bonn", "Łódź", "Nice", "東京", "Porto", "Riga"]

rng = np.random.default_rng(14)
X = rng.normal(size=(ROWS, 4)).astype(np.float32)
X[:, 3] = rng.integers(0, 6, ROWS)
SCORE = X[:, 0] + 0.7 * X[:, 1] + 0.5 * (X[:, 3] % 3) + rng.normal(0, 0.4, ROWS)
X[rng.random(X.shape) < 0.1] = np.nan
BINARY = (SCORE > np.quantile(SCORE, 0.75)).astype(np.float32)
THREE = np.searchsorted(np.quantile(SCORE, [0.2, 0.6]), SCORE).astype(np.float32)
COMMON = {"max_depth": 2, "eta": 0.4, "seed": 1, "nthread": 1, "tree_method": "hist"}


def dmatrix(label=None, types=None, **info):
    return xgb.DMatrix(X, label, feature_types=types, enable_categorical=types is not None, **info)


def train(label, rounds=3, types=None, matrix=None, **parameters):
    return xgb.train({**COMMON, **parameters}, matrix or dmatrix(label, types), rounds)


def numbers(array):
    return [None if np.isnan(value) else float(value) for value in np.asarray(array, dtype=np.float64).ravel()]


def margins(booster, matrix, **options):
    return numbers(booster.predict(matrix, output_margin=True, **options)[:SHOWN])


def raw(booster, form):
    return bytes(booster.save_raw(form))


def packed(saved):
    """A tenth of the size; without a time, so that the same models give the same file."""
    return base64.b64encode(gzip.compress(saved, mtime=0)).decode()


def converted(name, booster, matrix=None, all_margins=None, shown_margins=None, **more):
    given = {form: packed(raw(booster, form)) for form in ("json", "ubj")}
    shown = shown_margins if shown_margins is not None else margins(booster, matrix or dmatrix())
    return {"kind": name, **given, "margins": shown, **more}


def early_stopped(booster_kind=None):
    options = {} if booster_kind is None else {"booster": booster_kind, "rate_drop": 0.3}
    model = xgb.XGBClassifier(n_estimators=14, max_depth=2, learning_rate=1.2, n_jobs=1, random_state=1,
                              early_stopping_rounds=3, **options)
    model.fit(X[:60], BINARY[:60], eval_set=[(X[60:], BINARY[60:])], verbose=False)
    booster = model.get_booster()
    assert booster.best_iteration + 1 < booster.num_boosted_rounds(), (booster.best_iteration, booster.num_boosted_rounds())
    return converted("binary:logistic, stopped early", booster,
                     shown_margins=numbers(model.predict(X, output_margin=True)[:SHOWN]),
                     allMargins=margins(booster, dmatrix()),
                     best=booster.best_iteration + 1, rounds=booster.num_boosted_rounds())


def frame(order):
    codes = X[:, 3]
    names = [None if np.isnan(code) else CITIES[int(code)] for code in codes]
    table = pd.DataFrame(X[:, :3], columns=["a", "b", "c"])
    table["city"] = pd.Categorical(names, categories=pd.Index(order, dtype=object))
    return table


def with_category_names():
    """Since 3.1 a file holds the names of categories, and predicting maps those of the frame to those of training."""
    booster = xgb.train({**COMMON, "objective": "binary:logistic", "max_cat_to_onehot": 1},
                        xgb.DMatrix(frame(CITIES), BINARY, enable_categorical=True), 3)
    shown = margins(booster, xgb.DMatrix(frame(CITIES), enable_categorical=True))
    if RELEASE >= (3, 4):  # 3.1 to 3.3 lose names that are not ASCII: findings/xgboost-category-names.sh
        assert shown == margins(booster, xgb.DMatrix(frame(CITIES[::-1]), enable_categorical=True))
    return converted("categories of a pandas frame", booster, shown_margins=shown,
                     categories={"city": CITIES} if RELEASE >= (3, 4) else {}, damaged=[3] if (3, 1) <= RELEASE < (3, 4) else [])


def kinds():
    yield converted("binary:logistic", train(BINARY, objective="binary:logistic"))
    yield converted("binary:logistic, base_score given", train(BINARY, objective="binary:logistic", base_score=0.1))
    yield converted("binary:logitraw", train(BINARY, objective="binary:logitraw"))
    yield converted("multi:softprob", train(THREE, objective="multi:softprob", num_class=3))
    yield converted("multi:softprob of two classes", train(BINARY, objective="multi:softprob", num_class=2))
    # predict() of softmax answers classes: its margins are those of the same trees as softprob
    yield converted("multi:softmax", train(THREE, objective="multi:softmax", num_class=3))
    cats = ["q", "q", "q", "c"]
    yield converted("categories by number", train(BINARY, objective="binary:logistic", types=cats, max_cat_to_onehot=1),
                    dmatrix(types=cats))
    yield with_category_names()
    yield converted("random forest", train(THREE, rounds=2, objective="multi:softprob", num_class=3, num_parallel_tree=2,
                                           subsample=0.7, colsample_bynode=0.7))
    yield converted("pruned (exact, gamma)", train(BINARY, objective="binary:logistic", tree_method="exact", gamma=4, max_depth=4))
    yield converted("lossguide", train(BINARY, objective="binary:logistic", grow_policy="lossguide", max_leaves=6, max_depth=0))
    dart = {"booster": "dart", "rate_drop": 0.5, "one_drop": 1}
    yield converted("DART, binary:logistic", train(BINARY, rounds=5, objective="binary:logistic", **dart))
    yield converted("DART, multi:softprob", train(THREE, rounds=3, objective="multi:softprob", num_class=3, **dart))
    yield early_stopped()
    yield converted("no rounds", train(BINARY, rounds=0, objective="binary:logistic", base_score=0.3))


def refused(name, reason, saved, code="xgboost_unsupported_model"):
    return {"kind": name, "code": code, "reason": reason, "saved": packed(saved)}


def refused_booster(name, reason, booster):
    forms = ["json", "ubj"] if name == "gblinear" else ["json"]
    return [refused(f"{name}, {form.upper()}", reason, raw(booster, form)) for form in forms]


def deprecated(booster):
    """The format before JSON, which releases up to 3.0 write."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.deprecated")
        booster.save_model(path)
        return path.read_bytes()


def refusals():
    small = {"rounds": 1, "max_depth": 1}
    one = train(BINARY, objective="binary:logistic", **small)
    positive = SCORE - SCORE.min() + 1
    both = np.column_stack([BINARY, 1 - BINARY, THREE > 1])
    yield from refused_booster("gblinear", "gblinear", xgb.train(
        {"booster": "gblinear", "objective": "binary:logistic", "nthread": 1}, dmatrix(BINARY), 1))
    for objective in ["reg:squarederror", "reg:logistic", "reg:tweedie", "count:poisson", "survival:cox", "binary:hinge"]:
        label = BINARY if objective in ("reg:logistic", "binary:hinge") else positive
        yield from refused_booster(objective, objective, train(label, objective=objective, **small))
    aft = dmatrix()
    aft.set_float_info("label_lower_bound", positive)
    aft.set_float_info("label_upper_bound", positive + 1)
    yield from refused_booster("survival:aft", "survival:aft", train(None, matrix=aft, objective="survival:aft", **small))
    for objective in ["rank:pairwise", "rank:ndcg", "rank:map"]:
        grouped = dmatrix(BINARY)
        grouped.set_group([ROWS // 4] * 4)
        yield from refused_booster(objective, objective, train(None, matrix=grouped, objective=objective, **small))
    yield from refused_booster("three binary outputs", "num_target", train(both, objective="binary:logistic", **small))
    if RELEASE >= (2, 0):
        quantile = dict(objective="reg:quantileerror", quantile_alpha=[0.2, 0.8])
        yield from refused_booster("reg:quantileerror", "reg:quantileerror|num_target", train(positive, **small, **quantile))
        vectors = {"multi_strategy": "multi_output_tree"}
        yield from refused_booster("trees of several outputs", "num_target|size_leaf_vector",
                                   train(both, objective="binary:logistic", **small, **vectors))
        yield from refused_booster("trees of several outputs, one a class", "size_leaf_vector",
                                   train(THREE, objective="multi:softprob", num_class=3, **small, **vectors))
    if RELEASE < (3, 1):
        yield refused("the binary format before JSON", "binary format", deprecated(one), "xgboost_bad_model")
    bad = "xgboost_bad_model"
    yield refused("a pickle", "pickle", pickle.dumps(one), bad)
    yield refused("a serialised booster", "pickle|snapshot", bytes(one.__getstate__()["handle"]), bad)
    yield refused("a configuration", "configuration", one.save_config().encode(), bad)
    yield refused("a dump as text", "dump", "".join(one.get_dump()).encode(), bad)
    yield refused("a dump as JSON", "dump", ("[" + ",".join(one.get_dump(dump_format="json")) + "]").encode(), bad)


OUT.write_text(json.dumps({
    "made_by": "scripts/golden/xgboost_matrix.py", "versions": {"xgboost": xgb.__version__, "numpy": np.__version__},
    "rtol": 1e-5, "atol": 1e-5,
    "cases": [{"columns": X.shape[1], "rows": numbers(X[:SHOWN]), "converted": list(kinds()), "refused": list(refusals())}],
}, ensure_ascii=False) + "\n")
