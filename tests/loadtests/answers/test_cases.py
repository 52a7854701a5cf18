"""Pairs of answers: what is true of them, and that halves share nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from loadtests.answers.cases import (
    GPT4,
    MIXTRAL,
    Case,
    disputed,
    explanations,
    for_descriptions,
    held_out,
    nearest,
    short_answers,
    worked,
)
from loadtests.questions import Vectors
from tests.support.service import WordEmbedder


def _embed(texts: Sequence[str]) -> Vectors:
    return WordEmbedder().embed(texts)


def _problem(number: int, mixtral: str, gpt4: str) -> dict[str, str]:
    return {
        "prompt": f"problem {number}",
        MIXTRAL: mixtral,
        GPT4: gpt4,
        f"{MIXTRAL}_response": f"m{number}",
        f"{GPT4}_response": f"g{number}",
    }


def _what(cases: Sequence[Case]) -> list[tuple[str, str, str, bool]]:
    return sorted((case.what, case.a, case.b, case.same) for case in cases)


def test_worked_problems() -> None:
    kinds = [("True", "True"), ("False", "True"), ("True", "False"), ("False", "False")]
    rows = [_problem(n, *kinds[n % 4]) for n in range(40)]
    cases = list(worked(rows, _embed))
    judged = [case for case in cases if case.what != "nearest problem"]
    assert {(case.what, case.same) for case in judged} == {
        ("both right", True),
        ("one wrong", False),
    }
    assert all(case.a[1:] == case.b[1:] for case in judged)
    assert len(judged) == 20
    assert disputed(rows) == [(f"m{n}", f"g{n}") for n in range(2, 40, 4)]
    near = [case for case in cases if case.what == "nearest problem"]
    assert len(near) == 40
    for case in near:
        assert not case.same
        mine, other = case.a[1:], case.b[1:]
        assert mine != other
        assert held_out(f"problem {mine}") is held_out(f"problem {other}") is case.held_out


def test_explanations_and_commands() -> None:
    rows = [
        {"text": "list files", "command": "ls -l"},
        {"text": "list all files", "command": "ls -l"},
        {"text": "list processes", "command": "ps aux | grep x"},
        {"text": "list files nicely", "command": "ls -l -h"},
        {"text": "copy it", "command": "cp a b"},
        {"text": "copy it", "command": "cat a > b"},
    ]
    alike = [case for case in explanations(rows, _embed) if case.same]
    assert _what(alike) == [("one command", "list all files", "list files", True)]
    unlike = [case for case in explanations(rows, _embed) if not case.same]
    # Of nearly the same command it is not known whether it does the same.
    assert all({"list files", "list files nicely"} != {case.a, case.b} for case in unlike)
    commands = [case for case in for_descriptions(rows, _embed) if case.same]
    assert _what(commands) == [
        ("one task", "```bash\ncat a > b\n```", "```bash\ncp a b\n```", True)
    ]


def test_no_text_is_in_both_halves() -> None:
    rows = [{"text": f"do {n // 2}", "command": f"run {n // 3} {n}"} for n in range(60)]
    for pairs in (explanations, for_descriptions):
        halves: dict[str, set[bool]] = {}
        for case in pairs(rows, _embed):
            for text in (case.a, case.b):
                halves.setdefault(text, set()).add(case.held_out)
        assert halves
        assert all(len(sides) == 1 for sides in halves.values())


def test_short_answers() -> None:
    rows = [
        {
            "title": "Towers",
            "text": "The tower is 300 m high. It was built in 1889. Paint it must be.",
            "qas": [
                {"question": "The height?", "answers": ["300 m"]},
                {"question": "It is from when?", "answers": ["1889"]},
                {"question": "Who knows?", "answers": ["nobody"]},
            ],
        }
    ]
    first, second = "The tower is 300 m high.", "It was built in 1889."
    assert _what(list(short_answers(rows, _embed))) == [
        ("another's sentence", "1889", first, False),
        ("another's sentence", "300 m", second, False),
        ("its sentence", "1889", second, True),
        ("its sentence", "300 m", first, True),
    ]


def test_nearest() -> None:
    vectors = np.array([[1, 0], [0.8, 0.6], [0, 1], [0.6, 0.8]], dtype=np.float32)
    assert [found[0] for found in nearest(vectors)] == [1, 3, 3, 1]
    assert [found[0] for found in nearest(vectors, below=0.9)] == [1, 0, 3, 2]
