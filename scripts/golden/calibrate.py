"""Golden values for src/calibrate: temperature by SciPy, beta and isotonic on the top label by scikit-learn.
Writes test/golden/calibrate-calibrators.json. Run: python scripts/golden/calibrate.py"""

import json
import pathlib

import numpy as np
import scipy
import sklearn
from scipy import optimize, special
from sklearn import isotonic, linear_model

OUT = pathlib.Path(__file__).parents[2] / "test" / "golden" / "calibrate-calibrators.json"
K = 4


def student(seed, n):
    """Right about 80 % of the time, and boasting: its logits are 2.5 times too large."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, K, n)
    return (2.5 * (rng.normal(0, 1, (n, K)) + 1.6 * np.eye(K)[truth])).round(3), truth


def fit_temperature(logits, truth):
    rows = np.arange(len(truth))
    loss = lambda log_t: -special.log_softmax(logits / np.exp(log_t), 1)[rows, truth].mean()
    return np.exp(optimize.minimize_scalar(loss, bounds=np.log([0.05, 20]), method="bounded", options={"xatol": 1e-9}).x)


def fit_beta(log_top, log_rest, correct):
    """Platt's targets as weights of both outcomes; a coefficient that comes out negative is dropped (Kull et al. 2017)."""
    n, right = len(correct), correct.sum()
    target = np.where(correct == 1, (right + 1) / (right + 2), 1 / (n - right + 2))
    used = np.array([True, True])
    while True:
        features = np.stack([log_top, -log_rest], 1)[:, used]
        model = linear_model.LogisticRegression(C=1e6 / n, tol=1e-12, max_iter=100000).fit(
            np.concatenate([features, features]), np.repeat([1, 0], n), sample_weight=np.concatenate([target, 1 - target]))
        a_b = np.zeros(2)
        a_b[used] = model.coef_[0]
        if (a_b >= 0).all():
            return [*a_b, model.intercept_[0]]
        used[np.flatnonzero(a_b < 0)[0]] = False


cases = []
for seed, n in ((11, 400), (3, 400)):
    logits, truth = student(seed, n)
    temperature = fit_temperature(logits, truth)
    log_p = special.log_softmax(logits / temperature, 1)
    top, log_top = log_p.argmax(1), log_p.max(1)
    log_rest = special.logsumexp(np.where(np.eye(K)[top] == 1, -np.inf, log_p), 1)
    correct, p = (top == truth).astype(int), np.exp(log_top)
    a, b, c = fit_beta(log_top, log_rest, correct)
    step = isotonic.IsotonicRegression(out_of_bounds="clip").fit(p, correct)
    cases.append({
        "logits": logits.ravel().tolist(), "reference": truth.tolist(), "temperature": temperature,
        "temperature_confidence": p.tolist(), "a": a, "b": b, "c": c,
        "beta_confidence": special.expit(a * log_top - b * log_rest + c).tolist(),
        "isotonic_confidence": (0.9 * step.predict(p) + 0.1 * p).tolist(),
    })

OUT.write_text(json.dumps({
    "made_by": "scripts/golden/calibrate.py",
    "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__},
    "rtol": 1e-4, "atol": 1e-5, "cases": {"k": K, "students": cases},
}) + "\n")
