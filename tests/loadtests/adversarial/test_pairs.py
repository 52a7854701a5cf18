"""The set keeps what its docstring promises."""

from __future__ import annotations

from collections import Counter

import orjson

from loadtests.adversarial.pairs import FILE, HALVES, AdversarialPair, read_pairs

KINDS = {
    "negation",
    "number",
    "date",
    "version",
    "entity",
    "identifier",
    "roles",
    "on_off",
    "units",
    "quoted",
    "question_type",
    "scope",
    "multi_turn",
}
PAIRS = read_pairs()


def test_enough_of_each_kind_both_ways() -> None:
    assert len(PAIRS) >= 400
    assert {pair.kind for pair in PAIRS} == KINDS
    counts = Counter((pair.kind, pair.same) for pair in PAIRS)
    assert all(counts[kind, same] >= 15 for kind in KINDS for same in (True, False))
    assert 0.40 <= sum(pair.same for pair in PAIRS) / len(PAIRS) <= 0.50


def test_no_question_is_in_two_pairs() -> None:
    said = Counter(
        each for pair in PAIRS for each in {(pair.history_a, pair.a), (pair.history_b, pair.b)}
    )
    assert [each for each, count in said.items() if count > 1] == []


def test_the_mark_in_the_file_is_the_hash() -> None:
    marks = [orjson.loads(line)["half"] for line in FILE.read_bytes().splitlines()]
    assert marks == [pair.half for pair in PAIRS]
    counts = Counter(marks)
    assert set(counts) == set(HALVES)
    assert min(counts.values()) > 0.4 * len(PAIRS)


def test_questions_differ_and_conversations_are_the_reason_where_they_do_not() -> None:
    for pair in PAIRS:
        if pair.a == pair.b:
            assert pair.kind == "multi_turn"
            assert not pair.same
            assert pair.history_a != pair.history_b


def test_histories_end_with_an_answer() -> None:
    for pair in PAIRS:
        for history in (pair.history_a, pair.history_b):
            assert len(history) % 2 == 0
            assert bool(history) == (pair.kind == "multi_turn")


def test_the_half_depends_on_the_whole_pair() -> None:
    halves = {AdversarialPair("a", "b", True, "x", (str(n),)).half for n in range(40)}
    assert halves == set(HALVES)
