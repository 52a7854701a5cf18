"""What a classifier costs: a call, training, a start."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from cachemw_policies.category import PolicySet
from cachemw_policies.classifier import train

from cachemw.categories.classify import CategoryClassifier
from cachemw.categories.example_vectors import ExampleVectors
from cachemw.embed.base import Embedder
from loadtests.questions import Vectors
from loadtests.report import Section, load_average
from loadtests.stats import median, spread

SIZES = (20, 150, 256)
_CALLS = 5000


def effort(embedder: Embedder, policies: PolicySet, vectors: Vectors) -> Section:
    """Time everything on this thread; `vectors` are those of questions, shape [n, dimension]."""
    rows = [_shipped(embedder, policies, vectors)]
    rows += [_made_up(classes, vectors) for classes in SIZES]
    about = (
        f"One BLAS thread, load average {load_average()}: on a busy machine training and starts "
        "take several times as long as alone, calls do not. A call is the median and the 99th "
        f"percentile of {_CALLS}, its clock included. Training without embedding, the four folds "
        "for the temperature included, median of three. The other sizes have 8 examples a "
        "category, taken from the questions at random. Start: embedding the examples and "
        "training; and again with the vectors that the first has left."
    )
    head = ("categories", "examples", "a call", "p99", "training", "start", "start again")
    return Section("Time", about, head, rows)


def _shipped(embedder: Embedder, policies: PolicySet, vectors: Vectors) -> tuple[str, ...]:
    labels = [name for name, policy in policies.categories.items() for _ in policy.examples]
    texts = [text for policy in policies.categories.values() for text in policy.examples]
    with tempfile.TemporaryDirectory() as folder:

        def start() -> CategoryClassifier:
            known = ExampleVectors(embedder.embed, embedder.fingerprint, Path(folder))
            return CategoryClassifier.trained(policies, known)

        first, again = seconds(start), median([seconds(start) for _ in range(3)])
        examples = ExampleVectors(embedder.embed, embedder.fingerprint, Path(folder)).of(texts)
        call = start().name_of
    trained = median([seconds(lambda: train(examples, labels)) for _ in range(3)])
    times = (f"{trained:.2f} s", f"{first:.2f} s", f"{again:.2f} s")
    return f"{len(set(labels))} (shipped)", str(len(labels)), *_call(call, vectors), *times


def _made_up(classes: int, vectors: Vectors) -> tuple[str, ...]:
    chosen = np.random.default_rng(0).choice(len(vectors), classes * 8, replace=False)
    labels = [f"c{number % classes}" for number in range(classes * 8)]
    classifier = train(vectors[chosen], labels)
    trained = median([seconds(lambda: train(vectors[chosen], labels)) for _ in range(3)])
    calls = _call(classifier.classify, vectors)
    return str(classes), str(len(labels)), *calls, f"{trained:.2f} s", "", ""


def _call(call: Callable[[Vectors], object], vectors: Vectors) -> Sequence[str]:
    times = [seconds(partial(call, vectors[row % len(vectors)])) for row in range(_CALLS)]
    taken = spread(times)
    return f"{taken.p50 * 1e3:.3f} ms", f"{taken.p99 * 1e3:.3f} ms"


def seconds(work: Callable[[], object]) -> float:
    """Return how long `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
