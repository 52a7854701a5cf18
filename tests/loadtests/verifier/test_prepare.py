"""Rows to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np

from cachemw.embed.base import Embedder
from loadtests.questions import Vectors
from loadtests.verifier.prepare import apart, commands, edited, fold_of, near


class Turned(Embedder):
    """Maps `12 x` to the unit vector at twelve degrees."""

    name = fingerprint = runtime = "turned"
    dimension = 2

    def cuts(self, text: str) -> bool:
        return False

    def embed(self, texts: Sequence[str]) -> Vectors:
        angles = np.deg2rad([float(text.split()[0]) for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    def close(self) -> None:
        pass


TEXTS = [f"{10 * place} x" for place in range(12)]


def test_near_pairs_are_within_the_limits() -> None:
    found = list(near(TEXTS, Turned(), 0.9, 0.97))
    assert found
    for one, other in found:
        assert 0.9 <= np.cos(np.deg2rad(10 * (one - other))) <= 0.97


def test_near_texts_of_another_label_have_another_answer() -> None:
    rows = [(text, text[0]) for text in TEXTS]
    found = list(apart(rows, Turned(), "intent"))
    assert found
    assert all(row.a[0] != row.b[0] and not row.same and row.kind == "intent" for row in found)


def test_descriptions_of_one_command_are_the_same() -> None:
    rows = [(text, "ls -l" if place % 2 else f"cat {place}") for place, text in enumerate(TEXTS)]
    found = list(commands(rows, Turned(), Random(1)))
    command = dict(rows)
    assert {row.same for row in found} == {0, 1}
    for row in found:
        same_program = command[row.a].split()[0] == command[row.b].split()[0]
        assert same_program if row.same else not same_program


def test_edits_repeat_themselves_and_are_of_the_training_part() -> None:
    texts = ["How is Rust better than Go?", "Why are 5 cats and 3 dogs not happy?"] * 20
    found = list(edited(texts, Random(2)))
    assert found == list(edited(texts, Random(2)))
    assert {row.part for row in found} == {"train"}
    assert {row.same for row in found} == {0, 1}
    assert all(row.a != row.b for row in found)


def test_folds_are_spread() -> None:
    folds = [fold_of(f"question {number}") % 5 for number in range(500)]
    assert min(folds.count(fold) for fold in range(5)) > 60
