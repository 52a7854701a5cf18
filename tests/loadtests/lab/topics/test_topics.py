import random
from itertools import pairwise

import pytest

from loadtests.lab.tasks.base import Split
from loadtests.lab.topics import Topic, default_topics
from loadtests.lab.topics.arithmetic import Arithmetic
from loadtests.lab.topics.introductions import Introductions
from loadtests.lab.topics.unknown import ANSWER, Unknown

TOPICS = [topic for topic, _ in default_topics()]


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: type(topic).__name__)
@pytest.mark.parametrize("split", ["train", "held_out"])
def test_every_answer_holds_its_key(topic: Topic, split: Split) -> None:
    rng = random.Random(1)
    for _ in range(20):
        for exchange in topic.draw(split, rng):
            assert exchange.key.lower() in exchange.answer.lower()
            assert "{" not in exchange.question + exchange.answer


def test_sums_are_right() -> None:
    rng = random.Random(1)
    for _ in range(200):
        (exchange,) = Arithmetic().draw("train", rng)
        first, sign, second, _, result = exchange.answer.rstrip(".").split()
        a, b = int(first), int(second)
        assert int(result) == {"+": a + b, "-": a - b, "*": a * b}[sign]
        assert int(result) >= 0


def test_a_name_is_told_before_it_is_asked_for() -> None:
    rng = random.Random(1)
    for _ in range(50):
        *told, asked = Introductions().draw("train", rng)
        assert any(asked.key in exchange.question for exchange in told)
        assert asked.key not in asked.question


def test_what_is_unknown_is_always_declined() -> None:
    rng = random.Random(1)
    drawn = [Unknown().draw("train", rng)[0] for _ in range(100)]
    assert {exchange.answer for exchange in drawn} == {ANSWER}
    assert any(a.question != b.question for a, b in pairwise(drawn))
