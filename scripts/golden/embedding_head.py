"""Golden values for the head on sentence embeddings: logistic regression and nearest neighbours of scikit-learn.
Writes test/golden/embedding-head.json. Run: python scripts/golden/embedding_head.py"""

import json
import pathlib

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

N, WIDTH, K = 60, 6, 3
rng = np.random.default_rng(7)
labels = rng.integers(0, K, size=N)
embeddings = rng.normal(size=(N, WIDTH)) + 1.2 * rng.normal(size=(K, WIDTH))[labels]
embeddings = (embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)).astype(np.float32)
weights = rng.uniform(0.2, 1, size=N)


def logistic(penalty):
    """C so that C · Σ weight · loss + ½‖w‖² is Σ weight · loss / Σ weight + penalty/2 · ‖w‖² / width."""
    model = LogisticRegression(C=WIDTH / (penalty * weights.sum()), tol=1e-10, max_iter=10_000)
    model.fit(embeddings, labels, sample_weight=weights)
    return model.predict_proba(embeddings).tolist()


# Of rows that it was fitted on, the nearest is the row itself.
nearest = KNeighborsClassifier(n_neighbors=5, metric="cosine").fit(embeddings[:40], labels[:40])
golden = {
    "made_by": "scripts/golden/embedding_head.py",
    "versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__},
    "atol": 2e-4,
    "width": WIDTH,
    "k": K,
    "embeddings": embeddings.astype(float).round(8).tolist(),
    "labels": labels.tolist(),
    "weights": weights.tolist(),
    "logistic": {str(penalty): logistic(penalty) for penalty in (0.3, 0.01)},
    "votes": nearest.predict_proba(embeddings[40:]).tolist(),
}
path = pathlib.Path(__file__).parents[2] / "test" / "golden" / "embedding-head.json"
path.write_text(json.dumps(golden))
