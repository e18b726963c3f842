"""Golden values for src/math: SciPy and scikit-learn where they have the function, else the paper's formula in NumPy,
written apart from the TypeScript. Writes test/golden/math-*.json. Run: python scripts/golden/math_statistics.py"""

import json
import pathlib

import numpy as np
import scipy
import sklearn
from scipy import optimize, special, stats
from sklearn import isotonic, linear_model, metrics

OUT = pathlib.Path(__file__).parents[2] / "test" / "golden"
VERSIONS = {"numpy": np.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__}


def write(name, rtol, atol, cases):
    content = {"made_by": "scripts/golden/math_statistics.py", "versions": VERSIONS, "rtol": rtol, "atol": atol, "cases": cases}
    as_list = lambda value: value.tolist() if hasattr(value, "tolist") else value
    (OUT / f"math-{name}.json").write_text(json.dumps(content, default=as_list) + "\n")


def binomial(rng):
    counts = [(0, 1), (1, 1), (0, 45), (3, 45), (5, 105), (10, 1693), (45, 45), (999, 1000), (2500, 100000)]
    bounds = [
        {
            "k": k, "m": m, "delta": d,
            "upper": 1.0 if k == m else stats.beta.ppf(1 - d, k + 1, m - k),
            "lower": 0.0 if k == 0 else stats.beta.ppf(d, k, m - k + 1),
        }
        for k, m in counts for d in (0.001, 0.05, 0.1)
    ]
    cdf = [
        {"k": k, "n": n, "p": p, "cdf": stats.binom.cdf(k, n, p)}
        for k, n, p in [(0, 10, 0.0), (0, 45, 0.05), (5, 105, 0.1), (49999, 100000, 0.5), (3, 1000000, 1e-5), (7, 9, 0.99)]
    ]

    def needed(k, r, delta):  # fewest trials with k errors whose upper bound is at most r
        m = k + 1
        while stats.beta.ppf(1 - delta, k + 1, m - k) > r:
            m += 1
        return m

    table = [{"errors": k, "risk": r, "delta": d, "trials": needed(k, r, d)}
             for d in (0.05, 0.1) for r in (0.01, 0.02, 0.05, 0.1) for k in (0, 1, 2, 5, 10)]
    write("binomial", 1e-9, 1e-12, {"bounds": bounds, "cdf": cdf, "table": table})


def softmax(rng):
    logits = np.vstack([rng.normal(0, 5, (4, 5)), [[1000, 0, -1000, 999, 5]], [[-800] * 5]])
    write("softmax", 1e-12, 1e-300, [
        {"temperature": t, "k": 5, "logits": logits.ravel(), "log_softmax": special.log_softmax(logits / t, 1).ravel(),
         "log_sum_exp": special.logsumexp(logits, 1)} for t in (0.5, 1.0, 3.0)])


def agreement(rng):
    cases = []
    for k, n in ((2, 40), (5, 200)):
        a = rng.integers(0, k, n)
        b = np.where(rng.random(n) < 0.7, a, rng.integers(0, k, n))
        p = metrics.confusion_matrix(a, b, labels=range(k)) / n
        # Large-sample variance by the delta method with numerical derivatives: apart from the closed form.
        def kappa(flat):
            q = flat.reshape(k, k)
            chance = q.sum(1) @ q.sum(0)
            return (np.trace(q) - chance) / (1 - chance)
        flat, h = p.ravel(), 1e-6
        gradient = np.array([(kappa(flat + h * e) - kappa(flat - h * e)) / (2 * h) for e in np.eye(k * k)])
        variance = (gradient**2 @ flat - (gradient @ flat) ** 2) / n
        cases.append({"k": k, "first": a, "second": b, "kappa": metrics.cohen_kappa_score(a, b),
                      "standard_error": np.sqrt(variance)})
    # Krippendorff (2011), example C: four observers, twelve units, missing data; nominal alpha = 0.743.
    units = [[1, 1, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4], [4, 4, 4, 4],
             [1, 1, 2, 1], [2, 2, 2, 2], [5, 5, 5], [1, 1], [3]]
    write("agreement", 1e-6, 1e-9, {"kappa": cases, "krippendorff": {"units": units, "alpha_3_digits": 0.743}})


def mcnemar(rng):
    cases = []
    for b, c in ((0, 0), (1, 0), (5, 5), (1, 7), (12, 25), (300, 260)):
        n, low = b + c, min(b, c)
        exact = min(1, 2 * stats.binom.cdf(low, n, 0.5))
        p = 1.0 if b == c else exact - stats.binom.pmf(low, n, 0.5)
        cases.append({"b": b, "c": c, "p": p})
    write("mcnemar", 1e-9, 1e-12, cases)


def non_inferiority(rng):
    def tango(b, c, n, z):  # roots of the score by Brent, restricted likelihood maximised numerically
        def score(d):
            def negative_likelihood(q):  # q = P(only champion), q + d = P(only challenger)
                return -(b * np.log(q + d) + c * np.log(q) + (n - b - c) * np.log(1 - 2 * q - d))
            low, high = max(0, -d) + 1e-13, (1 - d) / 2 - 1e-13
            q = optimize.minimize_scalar(negative_likelihood, bounds=(low, high), method="bounded",
                                         options={"xatol": 1e-13}).x
            return (b - c - n * d) / np.sqrt(n * (2 * q + d * (1 - d)))
        value = (b - c) / n
        return (optimize.brentq(lambda d: score(d) - z, -0.999, value - 1e-9),
                optimize.brentq(lambda d: score(d) + z, value + 1e-9, 0.999))
    cases = []
    for b, c, n in ((5, 3, 200), (1, 9, 100), (30, 40, 1000), (12, 2, 60)):
        low, high = tango(b, c, n, stats.norm.ppf(0.95))
        cases.append({"b": b, "c": c, "n": n, "confidence": 0.95, "low": low, "high": high})
    write("non-inferiority", 1e-5, 1e-6, cases)


def ppi(rng):
    cases = []
    for n, big, accuracy in ((120, 1000, 0.92), (300, 5000, 0.6), (100, 100, 0.5)):
        y = (rng.random(n) < accuracy).astype(float)
        flip = lambda truth: np.where(rng.random(truth.size) < 0.9, truth, 1 - truth)
        f, f_only = flip(y), flip((rng.random(big) < accuracy).astype(float))
        # ppi_py, _calc_lam_glm and ppi_mean_ci (the package itself needs numba and statsmodels): population covariance
        # over the pairs, sample variance over the pool, population deviations in the interval.
        covariance = ((y - y.mean()) * (f - f.mean())).mean()
        lam = np.clip(covariance / ((1 + n / big) * np.cov(np.concatenate([f, f_only]))), 0, 1)
        value = lam * f_only.mean() + (y - lam * f).mean()
        se = np.sqrt((lam * f_only).std() ** 2 / big + (y - lam * f).std() ** 2 / n)
        z = stats.norm.ppf(0.975)
        cases.append({"human": y.astype(int), "predicted": f.astype(int), "predicted_only": f_only.astype(int),
                      "lambda": lam, "value": value, "low": value - z * se, "high": value + z * se})
    write("ppi", 1e-9, 1e-12, cases)


def dawid_skene(rng):
    n, w, k = 60, 4, 3
    truth = rng.integers(0, k, n)
    said = np.where(rng.random((n, w)) < [0.9, 0.8, 0.7, 0.4], truth[:, None], rng.integers(0, k, (n, w)))
    present = rng.random((n, w)) < 0.8
    rows, annotators = np.nonzero(present)
    labels = said[rows, annotators]
    gold = np.where(rng.random(n) < 0.15, truth, -1)
    one_hot = np.zeros((n, w, k))
    one_hot[rows, annotators, labels] = 1
    known = gold >= 0

    def clamp(t):
        t = t.copy()
        t[known] = np.eye(k)[gold[known]]
        return t

    votes = one_hot.sum(1)
    total = votes.sum(1, keepdims=True)
    t = clamp(np.where(total > 0, votes / np.maximum(total, 1), 1 / k))
    for iterations in range(1, 101):
        shares = t.mean(0)
        confusion = 1 + 3 * np.eye(k) + np.einsum("ij,iwl->wjl", t, one_hot)
        confusion /= confusion.sum(2, keepdims=True)
        log = np.log(shares) + np.einsum("iwl,wjl->ij", one_hot, np.log(confusion))
        after = clamp(np.exp(log - special.logsumexp(log, 1, keepdims=True)))
        change, t = np.abs(after - t).max(), after
        if change < 1e-5:
            break
    write("dawid-skene", 1e-7, 1e-9, {"n": n, "w": w, "k": k, "row": rows, "annotator": annotators, "label": labels,
          "gold": gold, "posterior": t.ravel(), "confusion": confusion.ravel(), "iterations": iterations})


def confident_learning(rng):
    n, k = 200, 3
    truth = rng.integers(0, k, n)
    labels = np.where(rng.random(n) < 0.85, truth, rng.integers(0, k, n))
    p = special.softmax(rng.normal(0, 1, (n, k)) + 2.5 * np.eye(k)[truth], 1).round(6)
    t = np.array([p[labels == j, j].mean() for j in range(k)])
    counts = np.zeros((k, k))
    for i, row in zip(labels, p):
        above = np.flatnonzero(row >= t)
        if above.size:
            counts[i, above[row[above].argmax()]] += 1
    joint = counts / counts.sum(1, keepdims=True) * np.bincount(labels, minlength=k)[:, None]
    joint /= joint.sum()
    suspects = set()
    for i in range(k):
        members = np.flatnonzero(labels == i)
        for j in range(k):
            if i != j:
                order = np.argsort(-(p[members, j] - p[members, i]), kind="stable")
                suspects |= set(members[order[: int(np.floor(joint[i, j] * n + 0.5))]].tolist())
    others = np.where(np.eye(k)[labels] == 1, -np.inf, p).max(1)
    margin = p[np.arange(n), labels] - others
    write("confident-learning", 1e-9, 1e-12, {"k": k, "labels": labels, "probabilities": p.ravel(), "thresholds": t,
          "counts": counts.ravel(), "joint": joint.ravel(), "margin": margin, "suspects": sorted(suspects)})


def isotonic_regression(rng):
    cases = []
    for n, ties in ((30, False), (80, True)):
        x = rng.random(n).round(1 if ties else 6)
        y = (rng.random(n) < x).astype(float)
        w = rng.integers(1, 5, n).astype(float)
        at = np.linspace(-0.2, 1.2, 29)
        fit = isotonic.IsotonicRegression(out_of_bounds="clip").fit(x, y, sample_weight=w)
        cases.append({"x": x, "y": y, "weights": w, "at": at, "fit": fit.predict(at)})
    write("isotonic", 1e-7, 1e-9, cases)


def logistic(rng):
    n, d, k = 80, 6, 5
    x = rng.normal(0, 1, (n, d)).round(4)
    y = np.argmax(x[:, :k] + rng.normal(0, 1, (n, k)), 1)
    w = rng.integers(1, 4, n).astype(float)
    l2 = 0.01
    fit = linear_model.LogisticRegression(C=1 / (l2 * w.sum()), tol=1e-10, max_iter=10000).fit(x, y, sample_weight=w)
    soft = special.softmax(rng.normal(0, 1, (n, k)), 1).round(6)
    soft[:, -1] = 1 - soft[:, :-1].sum(1)
    # Soft targets: each row repeated once for each class, weighted by that class's share.
    repeated = linear_model.LogisticRegression(C=1 / (l2 * n), tol=1e-10, max_iter=10000).fit(
        np.repeat(x, k, 0), np.tile(np.arange(k), n), sample_weight=soft.ravel())
    write("logistic", 1e-4, 2e-5, {"d": d, "k": k, "l2": l2, "features": x.ravel(), "classes": y, "weights": w,
          "soft": soft.ravel(), "hard_coefficients": fit.coef_.ravel(), "hard_probabilities": fit.predict_proba(x).ravel(),
          "soft_probabilities": repeated.predict_proba(x).ravel()})


def calibration_error(rng):
    n, k = 310, 4
    p = special.softmax(rng.normal(0, 1.5, (n, k)), 1)
    y = np.array([rng.choice(k, p=row) for row in p])
    confidence, correct = p.max(1), (p.argmax(1) == y).astype(int)
    order = np.argsort(confidence)
    edges = [b * n // 10 for b in range(11)]
    bins = [order[a:b] for a, b in zip(edges, edges[1:])]
    ece = sum(abs(confidence[b].mean() - correct[b].mean()) * len(b) / n for b in bins)
    write("calibration-error", 1e-9, 1e-12, {"k": k, "probabilities": p.ravel(), "reference": y, "confidence": confidence,
          "correct": correct, "bins": 10, "ece": ece, "brier": ((p - np.eye(k)[y]) ** 2).sum(1).mean(),
          "log_loss": metrics.log_loss(y, p)})


def selective(rng):
    cases = []
    for digits in (6, 1):
        score = rng.random(150).round(digits)
        correct = (rng.random(150) < 0.4 + 0.6 * score).astype(int)
        aurc = None
        if digits == 6:
            errors = 1 - correct[np.argsort(-score)]
            aurc = (np.cumsum(errors) / np.arange(1, 151)).mean()
        cases.append({"score": score, "correct": correct, "auroc": metrics.roc_auc_score(correct, score), "aurc": aurc})
    write("selective", 1e-9, 1e-12, cases)


def wsr(rng):
    cases = []
    for n, mean, delta in ((100, 0.05, 0.1), (500, 0.3, 0.05), (20, 0.0, 0.1)):
        x = np.where(rng.random(n) < mean, rng.random(n), 0).round(4)
        steps = 1 + np.arange(1, n + 1)
        mu = (np.cumsum(x) + 0.5) / steps
        variance = (np.cumsum((x - mu) ** 2) + 0.25) / steps
        nu = np.minimum(1, np.sqrt(2 * np.log(1 / delta) / n / np.concatenate([[0.25], variance[:-1]])))
        excess = lambda r: np.cumsum(np.log(1 - nu * (x - r))).max() + np.log(delta)
        cases.append({"values": x, "delta": delta, "bound": optimize.brentq(excess, 1e-10, 1 - 1e-10, xtol=1e-13)})
    write("wsr", 1e-6, 2e-9, cases)


def e_process(rng):
    z = (rng.random(300) < 0.1).astype(int)
    lam = np.array([0.5, 1, 2, 4, 8, 12])
    m = np.cumprod(1 + lam * (z[:, None] - 0.05), 0).mean(1)
    alarm = np.flatnonzero(m >= 20)
    write("e-process", 1e-9, 1e-12, {"null_mean": 0.05, "alpha": 0.05, "observations": z, "log_values": np.log(m)[::10],
          "alarmed_at": int(alarm[0]) + 1 if alarm.size else None})


def classification(rng):
    n, k = 120, 4
    y = rng.choice(k, n, p=[0.5, 0.3, 0.15, 0.05])
    p = np.where(rng.random(n) < 0.7, y, rng.integers(0, k, n))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(y, p, labels=range(k))
    write("classification", 1e-9, 1e-12, {"k": k, "reference": y, "predicted": p,
          "confusion": metrics.confusion_matrix(y, p, labels=range(k)).ravel(), "accuracy": metrics.accuracy_score(y, p),
          "balanced_accuracy": metrics.balanced_accuracy_score(y, p), "mcc": metrics.matthews_corrcoef(y, p),
          "precision": precision, "recall": recall, "f1": f1, "support": support})


def quantile(rng):
    values = rng.normal(0, 1, 37).round(5)
    qs = [0, 0.025, 0.1, 0.5, 0.77, 0.975, 1]
    write("quantile", 1e-12, 1e-12, {"values": values, "qs": qs, "quantiles": np.quantile(values, qs),
          "z_two_sided_95": stats.norm.ppf(0.975), "z_one_sided_95": stats.norm.ppf(0.95)})


for number, topic in enumerate((binomial, softmax, agreement, mcnemar, non_inferiority, ppi, dawid_skene,
                                confident_learning, isotonic_regression, logistic, calibration_error, selective, wsr,
                                e_process, classification, quantile)):
    topic(np.random.default_rng(number))  # a seed each: a new topic never shifts another's data
