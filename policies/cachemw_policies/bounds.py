"""How far a share may be from what was counted: exact bounds, and evidence that may be looked at.

Clopper and Pearson (1934) for a number of labels that was fixed beforehand; for labels that are
looked at again and again, a test martingale (Robbins 1970; Ramdas et al., arXiv 2210.01948).
Counts may be arrays and need not be whole: see `against`.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv, betaln, xlogy  # type: ignore[import-untyped]

Counts: TypeAlias = NDArray[np.float64] | float


def upper(errors: Counts, labels: Counts, alpha: float) -> NDArray[np.float64]:
    """Return the one-sided Clopper-Pearson bound from above at level 1 - `alpha`; 1 of nothing."""
    k, n = np.asarray(errors, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    open_end = n - k <= 0
    bound = betaincinv(k + 1.0, np.where(open_end, 1.0, n - k), 1.0 - alpha)
    return np.where(open_end, 1.0, bound)


def lower(errors: Counts, labels: Counts, alpha: float) -> NDArray[np.float64]:
    """Return the one-sided Clopper-Pearson bound from below at level 1 - `alpha`; 0 of nothing."""
    k, n = np.asarray(errors, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    open_end = k <= 0
    bound = betaincinv(np.where(open_end, 1.0, k), np.maximum(n - k, 0.0) + 1.0, alpha)
    return np.where(open_end, 0.0, bound)


def interval(errors: float, labels: float, alpha: float = 0.05) -> tuple[float, float]:
    """Return the two-sided Clopper-Pearson interval at level 1 - `alpha`; (0, 1) of nothing."""
    return float(lower(errors, labels, alpha / 2)), float(upper(errors, labels, alpha / 2))


def against(errors: Counts, labels: Counts, delta: float) -> NDArray[np.float64]:
    """Return the log of the evidence that the error rate is below `delta`.

    As long as it is at least `delta`, the chance that this ever reaches log(1 / alpha) is at most
    alpha, however often one looks (Ville's inequality): it is the likelihood ratio of q to
    `delta`, averaged over q in [0, `delta`] with density proportional to 1 / sqrt(q),

        integral of q^(k-1/2) (1-q)^(n-k) dq / (2 sqrt(delta) delta^k (1-delta)^(n-k)),

    and each ratio is a martingale where the rate is `delta` and falls on average where it is more.
    A label of weight w in [0, 1] counts w in n, and in k if it is wrong. That keeps the bound, for
    the mean of a ratio's power w is at most 1 - w plus w times its mean: as if the label had been
    kept with probability w.
    """
    k, n = np.asarray(errors, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    a, b = k + 0.5, np.maximum(n - k, 0.0) + 1.0
    with np.errstate(divide="ignore"):
        mass = np.log(betainc(a, b, delta))
    ratio = (
        betaln(a, b)
        + mass
        - np.log(2 * np.sqrt(delta))
        - xlogy(k, delta)
        - (b - 1.0) * np.log1p(-delta)
    )
    return np.asarray(ratio, dtype=np.float64)


def excess(errors: tuple[Counts, Counts], labels: tuple[Counts, Counts]) -> float:
    """Return by how many standard deviations the second group errs more often than the first.

    Counts are by stratum: only labels of like score are compared, so that it does not matter at
    which rate which scores were sampled (Cochran 1954; Mantel and Haenszel 1959). 0 where nothing
    can be compared.
    """
    k0, k1 = (np.asarray(one, dtype=np.float64) for one in errors)
    n0, n1 = (np.asarray(one, dtype=np.float64) for one in labels)
    total, wrong = n0 + n1, k0 + k1
    some = (n0 > 0) & (n1 > 0)
    if not some.any():
        return 0.0
    total, wrong, n0, n1, k1 = (one[some] for one in (total, wrong, n0, n1, k1))
    expected = n1 * wrong / total
    variance = n0 * n1 * wrong * (total - wrong) / (total**2 * np.maximum(total - 1.0, 1.0))
    spread = float(variance.sum())
    return float((k1 - expected).sum()) / spread**0.5 if spread > 0 else 0.0
