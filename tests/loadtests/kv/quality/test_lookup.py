import random
import re

from loadtests.kv.quality.lookup import FACTS, lookup_cases

TEXT = " ".join(f"word{n}" for n in range(1000))


def test_a_fact_of_the_context_is_asked_again() -> None:
    cases = lookup_cases(TEXT, 20, random.Random(1))
    assert len(cases) == 20
    for case in cases:
        assert case.context.count("The code of ") == FACTS
        assert len(re.findall(r" is \d{5}\.", case.context)) == FACTS
        assert case.context.count(case.question + case.answer + ".") == 1
        assert re.fullmatch(r" \d{5}", case.answer)


def test_facts_are_asked_wherever_they_stand() -> None:
    cases = lookup_cases(TEXT, 40, random.Random(2))
    shares = [case.context.index(case.question) / len(case.context) for case in cases]
    assert min(shares) < 0.3
    assert max(shares) > 0.9


def test_the_same_generator_draws_the_same_cases() -> None:
    first, second = (lookup_cases(TEXT, 3, random.Random(5)) for _ in range(2))
    assert first == second
