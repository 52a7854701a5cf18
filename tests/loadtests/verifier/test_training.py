"""Training learns, repeats itself, and weighs what it should."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from loadtests.verifier.data import Data, Row
from loadtests.verifier.model import load_model
from loadtests.verifier.training import Mean, Recipe, loss_of, scores, soft_labels, train


def data_of(rows: list[Row], folder: Path) -> Data:
    return Data(rows, Tokenizer.from_file(str(folder / "tokenizer.json")), "cpu")


@pytest.mark.parametrize("rdrop", [0.0, 1.0])
def test_it_learns_what_is_the_same(tiny: Path, rows: list[Row], rdrop: float) -> None:
    data = data_of(rows, tiny)
    model = load_model(tiny, "cpu", dropout=0.0)
    learn = [place for place, row in enumerate(rows) if row["part"] == "train"]
    train(model, data, learn, data.same, Recipe(lr=0.01, epochs=6, batch=8, rdrop=rdrop))
    found = scores(model, data, learn, flip=False)
    assert found[data.same[learn] == 1].min() > found[data.same[learn] == 0].max()


def test_the_same_seed_gives_the_same_weights(tiny: Path, rows: list[Row]) -> None:
    data = data_of(rows, tiny)
    found = []
    for _ in range(2):
        torch.manual_seed(5)
        model = load_model(tiny, "cpu")
        train(model, data, range(16), data.same, Recipe(epochs=1, batch=8, seed=3))
        found.append(scores(model, data, range(16), flip=True))
    assert found[0].tolist() == found[1].tolist()


def test_rows_without_weight_teach_nothing(tiny: Path, rows: list[Row]) -> None:
    model = load_model(tiny, "cpu", dropout=0.0).eval()
    data = data_of(rows, tiny)
    inputs = data.batch([0, 1], [False, False])
    loss = loss_of(model, inputs, torch.tensor([1.0, 0.0]), torch.zeros(2), 0.0)
    assert loss.item() == 0.0


def test_two_passes_that_agree_cost_nothing_more(tiny: Path, rows: list[Row]) -> None:
    model = load_model(tiny, "cpu").eval()  # no dropout: both passes are the same
    inputs = data_of(rows, tiny).batch([0, 1], [False, False])
    goal, weight = torch.tensor([1.0, 0.0]), torch.ones(2)
    once = loss_of(model, inputs, goal, weight, 0.0).item()
    assert loss_of(model, inputs, goal, weight, 5.0).item() == pytest.approx(once, abs=1e-3)
    model.train()
    assert loss_of(model, inputs, goal, weight, 1e4).item() > once + 0.01


def test_scores_are_in_the_order_of_positions(tiny: Path, rows: list[Row]) -> None:
    rows = [{**row, "a": "red " * (1 + place)} for place, row in enumerate(rows[:6])]
    data = data_of(rows, tiny)
    model = load_model(tiny, "cpu")
    whole = scores(model, data, range(6), flip=False)
    assert scores(model, data, [4, 0, 2], flip=False) == pytest.approx(whole[[4, 0, 2]], abs=5e-3)
    assert len(set(whole.tolist())) > 1
    assert scores(model, data, [], flip=False).shape == (0,)


def test_the_mean_of_weights_is_put_back() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    mean = Mean(layer, 0.5)
    for value in (0.0, 2.0, 4.0):
        with torch.no_grad():
            layer.weight.fill_(value)
        mean.add()
    mean.put_back()
    assert layer.weight.item() == 2.5


def test_teachers_are_averaged_where_they_say_something() -> None:
    one = (np.array([0, 1]), np.array([0.2, 0.4], np.float32))
    other = (np.array([1]), np.array([0.8], np.float32))
    own = np.array([1, 1, 0], np.float32)
    assert soft_labels([one, other], own) == pytest.approx([0.2, 0.6, 0.0])
    assert soft_labels([], own).tolist() == own.tolist()
