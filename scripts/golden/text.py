"""Golden values for src/text and src/math/sparse-logistic: scikit-learn's TfidfVectorizer and LogisticRegression on a few
sentences. Writes test/golden/text-*.json. Run: python scripts/golden/text.py"""

import json
import pathlib
import unicodedata

import numpy as np
import scipy
import sklearn
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion

OUT = pathlib.Path(__file__).parents[2] / "test" / "golden"
VERSIONS = {"numpy": np.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__}

TEXTS = [
    "Where is my card? I ordered it two weeks ago.",
    "My card has not arrived yet, and it is 2 weeks now!",
    "I want to top up my account with a card",
    "top-up failed: the card was declined  (twice)",
    "The exchange rate is wrong; the rate was 1.25 yesterday",
    "What exchange rate do you use for euros?",
    "Ein Ärger: die Straße heißt ÅNGSTRÖM, naïve café",
    "die Karte ist café-naïve und die straße auch",
    "Где моя карта? Карта не пришла.",
    "карта не пришла, где она",
    "x y z a_b snake_case a_b",
    "ﬁne ﬁgures ① ½ fine figures",
    "a",
    "!!! ... ???",
    "card card card card rate rate",
]
CLASSES = [0, 0, 1, 1, 2, 2, 2, 2, 0, 0, 1, 1, 2, 2, 1]


def write(name, rtol, atol, cases):
    content = {"made_by": "scripts/golden/text.py", "versions": VERSIONS, "rtol": rtol, "atol": atol, "cases": cases}
    as_list = lambda value: value.tolist() if hasattr(value, "tolist") else value
    (OUT / f"text-{name}.json").write_text(json.dumps(content, default=as_list, ensure_ascii=False) + "\n")


def normal(text):  # ours composes first (NFKC); scikit-learn only lowers
    return unicodedata.normalize("NFKC", text).lower()


def vectoriser(min_df, words, characters):
    common = {"sublinear_tf": True, "min_df": min_df, "preprocessor": normal}
    return FeatureUnion([
        ("words", TfidfVectorizer(ngram_range=words, **common)),
        ("characters", TfidfVectorizer(analyzer="char_wb", ngram_range=characters, **common)),
    ])


def tf_idf():
    cases = []
    for min_df, words, characters in [(2, (1, 2), (3, 5)), (1, (2, 3), (2, 4)), (3, (1, 1), (4, 6))]:
        union = vectoriser(min_df, words, characters)
        matrix = union.fit_transform(TEXTS).tocsr()
        names = [name.split("__", 1) for name in union.get_feature_names_out()]
        rows = [
            {f"{names[column][0]}:{names[column][1]}": round(float(value), 8) for column, value in zip(row.indices, row.data)}
            for row in matrix
        ]
        cases.append({"minDocuments": min_df, "words": words, "characters": characters,
                      "features": matrix.shape[1], "rows": rows})
    # Values are kept as float32 on our side.
    write("tf-idf", 1e-6, 2e-8, {"texts": TEXTS, "vectorisers": cases})


def logistic():
    rng = np.random.default_rng(3)
    matrix = sparse.random(60, 12, density=0.3, random_state=rng, format="csr")
    matrix.data = matrix.data.astype(np.float32).astype(np.float64)
    weights = np.round(rng.uniform(0.1, 3, 60), 3)
    cases = []
    for k in (2, 4):
        scores = matrix.toarray() @ rng.normal(0, 3, (12, k)) + rng.normal(0, 1, (60, k))
        classes = scores.argmax(1)
        soft = rng.dirichlet(np.full(k, 0.7), 60).astype(np.float32)
        for c in (0.5, 20.0):
            options = {"C": c, "tol": 1e-10, "max_iter": 10000}
            hard = LogisticRegression(**options).fit(matrix, classes, sample_weight=weights)
            repeated = sparse.vstack([matrix] * k)  # soft targets as rows repeated once for each class
            softly = LogisticRegression(**options).fit(
                repeated, np.repeat(np.arange(k), 60), sample_weight=(soft.astype(np.float64) * weights[:, None]).T.ravel())
            cases.append({"k": k, "c": c, "classes": classes, "soft": soft.ravel(),
                          "coefficients": hard.coef_.ravel(), "intercepts": hard.intercept_,
                          "probabilities": hard.predict_proba(matrix).ravel(),
                          "soft_probabilities": softly.predict_proba(matrix).ravel()})
    write("logistic", 1e-5, 1e-6, {
        "rows": 60, "columns": 12, "starts": matrix.indptr, "indices": matrix.indices, "values": matrix.data,
        "weights": weights, "fits": cases})


tf_idf()
logistic()
