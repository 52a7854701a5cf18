from pathlib import Path

import numpy as np

from loadtests.kv.quality.measured import Findings, measured
from loadtests.kv.quality.plots import draw
from loadtests.kv.quality.results import Reference, Result


def findings(kl: float) -> Findings:
    results = [
        Result("k", "lab", codec, level, 256, "both", 1000, [size] * 3, [n] * 3, [kl * n] * 3, 0)
        for codec, level, size, n in (
            ("raw", "raw", 2000, 0.0),
            ("transform", "fine", 500, -0.001),
            ("transform", "coarse", 250, 0.05),
        )
    ]
    points = [measured(result, np.random.default_rng(0)) for result in results]
    curves = {"raw": points[:1], "transform": points[1:]}
    return Findings("lab", "", Reference("k", "lab", [1.0], [2.0]), curves, [], [], {})


def test_the_same_figures_give_the_same_picture(tmp_path: Path) -> None:
    pictures = []
    for number, kl in enumerate((1.0, 1.0, 0.5)):
        path = tmp_path / f"{number}.svg"
        draw(findings(kl), path)
        pictures.append(path.read_bytes())
    assert b"<svg" in pictures[0]
    assert pictures[0] == pictures[1] != pictures[2]
