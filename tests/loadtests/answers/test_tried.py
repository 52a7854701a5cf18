"""The rules that are not used do what the report says of them."""

from __future__ import annotations

import pytest
from cachemw_policies.answers import Outcome

from loadtests.answers.tried import by_rules, code_tokens, share_in_common

SAME, DIFFERENT, UNSURE = Outcome.SAME, Outcome.DIFFERENT, Outcome.UNSURE


@pytest.mark.parametrize(
    ("a", "b", "cosine", "outcome"),
    [
        ("```\nls -l 'a'\n```", '```\nls  -l "a";\n```', 0.0, SAME),
        ("```\nls -l a\n```", "```\nls -l b\n```", 1.0, UNSURE),
        ("```\nls\n```", "```\nrm old && echo done\n```", 1.0, DIFFERENT),
        ("the Seine", "It lies on Seine and Marne.", 0.0, SAME),
        ("Paris", "It is not Paris.", 1.0, UNSURE),
        ("It was built in 1932.", "They built it during 1933.", 1.0, DIFFERENT),
        (
            "one two three four five six seven",
            "one two three four five six seven eight",
            0.97,
            SAME,
        ),
        (
            "one two three four five six seven",
            "one two three four five six seven eight",
            0.9,
            UNSURE,
        ),
        (
            "one two three four five six seven",
            "one two three four five six seven not",
            0.97,
            UNSURE,
        ),
    ],
)
def test_rules(a: str, b: str, cosine: float, outcome: Outcome) -> None:
    assert by_rules(a, b, cosine) is outcome
    assert by_rules(b, a, cosine) is outcome


def test_words_and_tokens() -> None:
    assert code_tokens("ls -l 'a b';") == ["ls", "-", "l", "a", "b"]
    assert share_in_common("aab", "abb") == 0.5
    assert share_in_common("", "") == 1.0
