"""The coordinates of a layer's keys or values. Own design.

For a small error e in the KV of one token the model's answer changes by e' W e / 2 (W: see
`sensitivity`). In u = W^(1/2) x every direction of error costs the same; there the Karhunen-Loeve
transform is best, and with one step for all coordinates a uniform quantiser followed by an entropy
coder spends bits by reverse water-filling: coordinates that vary less than the step get none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RIDGE = 0.1
"""Of the mean eigenvalue, added to W: directions that the sample was indifferent to still count. By
measurement: at 0.01 the steps there become so large that their errors are no longer small."""

Matrix = NDArray[np.float64]


def synthesis(covariance: Matrix, metric: Matrix) -> Matrix:
    """Return S [C, C]: x = mean + y @ S, where |y|^2 is the metric's length of x - mean.

    Coordinates in descending order of variance. Both arguments [C, C], symmetric; an indifferent
    metric (all 0) is taken as the identity.
    """
    root, inverse_root = _roots(metric)
    variances, directions = np.linalg.eigh(root @ covariance @ root)
    order = np.argsort(variances)[::-1]
    return np.asarray(directions[:, order].T @ inverse_root)


def _roots(metric: Matrix) -> tuple[Matrix, Matrix]:
    """W^(1/2) and W^(-1/2) with the ridge."""
    size = len(metric)
    mean = float(np.trace(metric)) / size
    eye = np.eye(size)
    values, vectors = np.linalg.eigh(metric + RIDGE * mean * eye if mean > 0 else eye)
    values = np.maximum(values, max(RIDGE * mean / 2, 1e-30))
    return (vectors * np.sqrt(values)) @ vectors.T, (vectors / np.sqrt(values)) @ vectors.T
