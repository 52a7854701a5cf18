import lzma
from pathlib import Path

import pytest
import torch

from loadtests.lab.model import lab_config, new_model
from loadtests.lab.tasks.novels import Novels
from loadtests.lab.teach_recall import Lessons, Teacher, rate
from loadtests.lab.tokens import LabTokenizer


@pytest.fixture
def lessons(tmp_path: Path, tokenizer: LabTokenizer) -> Lessons:
    path = tmp_path / "novels.txt.xz"
    novel = "It rained all day, and the road was long. " * 900
    path.write_bytes(lzma.compress(novel.encode()))
    return Lessons(tokenizer, Novels(path), seed=1)


@pytest.mark.parametrize("done", [0.0, 0.9])
def test_batches_weigh_what_they_hold(lessons: Lessons, done: float) -> None:
    for tokens, weights in (lessons.batch(done) for _ in range(10)):
        assert tokens.shape == weights.shape
        assert tokens.shape[1] <= 2048
        assert (weights > 0).any()


def test_a_step_changes_the_weights_and_learns(lessons: Lessons, tokenizer: LabTokenizer) -> None:
    model = new_model(lab_config(tokenizer, context=512), 1, torch.device("cpu")).bfloat16()
    teacher = Teacher(model)
    batch = lessons.batch(0.0)
    losses = [teacher.step(batch, 1e-3)[0] for _ in range(5)]
    assert losses[-1] < losses[0] - 0.5


def test_the_rate_warms_up_and_ends_at_nothing() -> None:
    assert rate(0, 0.0) < rate(10, 0.1) < rate(40, 0.4)
    assert rate(40, 0.4) == rate(100, 0.5) > rate(200, 0.9) > rate(300, 1.0) == 0.0
