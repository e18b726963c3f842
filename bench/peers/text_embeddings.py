"""scikit-learn on embeddings, and sentence-transformers or Model2Vec to embed; driven by bench/text-embeddings.ts: one JSON
request to a line, one JSON answer. Embeddings come in files of float32."""

import json
import sys
import time

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier


def rows(path, width):
    return np.fromfile(path, dtype=np.float32).reshape(-1, width)


def fit(train, test, width, labels, c):
    train, test = rows(train, width), rows(test, width)
    linear = LogisticRegression(C=c, max_iter=2000).fit(train, labels)
    nearest = KNeighborsClassifier(n_neighbors=5, metric="cosine", algorithm="brute").fit(train, labels)
    return {"linear": linear.predict(test).tolist(), "votes": nearest.predict(test).tolist()}


def encoder(folder, kind):
    if kind == "static":
        from model2vec import StaticModel

        model = StaticModel.from_pretrained(folder)
        return lambda texts: model.encode(texts, use_multiprocessing=False)
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(folder, device="cpu")
    return lambda texts: model.encode(texts, batch_size=64)


def embed(folder, kind, texts, reference):
    encode = encoder(folder, kind)
    encode(texts[:8])
    start = time.perf_counter()
    embeddings = encode(texts).astype(np.float32)
    seconds = time.perf_counter() - start
    embeddings /= np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    difference = np.abs(embeddings - rows(reference, embeddings.shape[1])).max()
    return {"textsPerSecond": len(texts) / seconds, "largestDifference": float(difference)}


commands = {"fit": fit, "embed": embed}
print(json.dumps({"scikit-learn": sklearn.__version__, "numpy": np.__version__}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(commands[request.pop("command")](**request)), flush=True)
