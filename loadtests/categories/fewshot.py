"""Taxonomies of a user: a few examples of each of many categories, drawn anew for each seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from cachemw_policies.classifier import train
from numpy.typing import NDArray

from loadtests.categories.rivals import nearest_prototype
from loadtests.questions import Vectors
from loadtests.report import Section

SHOTS = 8
SEEDS = 5
_STUDENT_T = 2.776445  # 97.5 %, four degrees of freedom: five seeds


@dataclass(frozen=True, slots=True)
class Labelled:
    """A data set: its vectors, shape [n, dimension], and the category of each."""

    name: str
    vectors: Vectors
    labels: Sequence[str]


@dataclass(frozen=True, slots=True)
class Run:
    """One draw: shares in [0, 1]. `named`: at least as sure as asked; `kept`: right among those."""

    classifier: float
    prototype: float
    named: float
    kept: float


def drawn(labels: NDArray[np.str_], shots: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Choose `shots` of each category."""
    chosen = np.zeros(len(labels), dtype=np.bool_)
    for name in np.unique(labels):
        chosen[rng.choice(np.flatnonzero(labels == name), shots, replace=False)] = True
    return chosen


def run(data: Labelled, shots: int, seed: int, least: float) -> Run:
    """Train on one draw and judge on all the rest; `least` as `min_confidence`."""
    labels = np.array(data.labels)
    chosen = drawn(labels, shots, np.random.default_rng(seed))
    examples, names = data.vectors[chosen], list(labels[chosen])
    rest, truth = data.vectors[~chosen], labels[~chosen]
    classifier = train(examples, names)
    found = [classifier.classify(vector) for vector in rest]
    correct = np.array([each.name for each in found]) == truth
    sure = np.array([each.confidence for each in found]) >= least
    near = np.array(nearest_prototype(examples, names, rest)) == truth
    kept = float(correct[sure].mean()) if sure.any() else 0.0
    return Run(float(correct.mean()), float(near.mean()), float(sure.mean()), kept)


def mean_of(values: Sequence[float]) -> str:
    """Return the mean of one value a seed, with its 95 % interval (Student's t)."""
    mean = float(np.mean(values))
    reach = _STUDENT_T * float(np.std(values, ddof=1)) / SEEDS**0.5
    return f"{mean:.1%} ± {reach:.1%}"


def few_shot(sets: Sequence[Labelled], least: float) -> Section:
    """Return the accuracy on each data set over all seeds."""
    rows = []
    for data in sets:
        runs = [run(data, SHOTS, seed, least) for seed in range(SEEDS)]
        rows.append(
            (
                data.name,
                str(len(set(data.labels))),
                str(len(data.labels) - SHOTS * len(set(data.labels))),
                mean_of([each.classifier for each in runs]),
                mean_of([each.prototype for each in runs]),
                mean_of([each.classifier - each.prototype for each in runs]),
                mean_of([each.named for each in runs]),
                mean_of([each.kept for each in runs]),
            )
        )
    about = (
        f"{SHOTS} examples a category, drawn with {SEEDS} seeds, judged on all other questions "
        "without a least confidence. Mean and 95 % interval over the seeds (Student's t). The last "
        f"columns: with `min_confidence` {least:g}, the share that is named at all, and how much "
        "of that is right."
    )
    head = ("taxonomy", "categories", "judged on", "classifier", "nearest prototype")
    more = ("difference", f"named at {least:g}", "right of those")
    return Section("A taxonomy of few examples", about, (*head, *more), rows)
