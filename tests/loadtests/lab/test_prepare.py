import lzma
from dataclasses import replace
from pathlib import Path

import numpy as np

from loadtests.lab.packing import stack
from loadtests.lab.prepare import prepare
from loadtests.lab.tasks.base import Task
from loadtests.lab.tasks.novels import Novels
from loadtests.lab.tasks.recall import Recall
from loadtests.lab.train import Plan


def test_processes_prepare_what_one_would(tmp_path: Path) -> None:
    path = tmp_path / "novels.txt.xz"
    texts = [f"It was the {number}th of May when they came home. " * 20 for number in range(4)]
    path.write_bytes(lzma.compress("\0".join(texts).encode()))
    novels = Novels(path, held_out_every=2)
    mix: list[tuple[Task, float]] = [(novels, 0.5), (Recall(novels, documents=20), 0.5)]
    plan = Plan(rows=4, context=64, vocabulary=300)
    alone, shares, held_out = prepare(mix, plan)
    together, same_shares, same_held_out = prepare(mix, replace(plan, workers=2))
    assert alone.backend.to_str() == together.backend.to_str()
    assert [share.rows for share in shares] == [2, 2]
    assert list(held_out) == ["novels", "recall"]
    ones = [*(share.source for share in shares), *held_out.values()]
    others = [*(share.source for share in same_shares), *same_held_out.values()]
    for one, other in zip(ones, others, strict=True):
        rows, same = (stack(list(s.epoch(np.random.default_rng(1)))) for s in (one, other))
        assert np.array_equal(rows.tokens, same.tokens)
        assert np.array_equal(rows.weights, same.weights)
