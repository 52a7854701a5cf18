"""Where a separator cuts a text."""

from __future__ import annotations

import pytest

from cachemw.engine.prompt.segments import Prompt
from cachemw.engine.prompt.separator import cut_text
from cachemw.errors import BadRequest


def codes(text: str) -> list[int]:
    return [ord(letter) for letter in text]


def with_start(text: str) -> list[int]:
    return [1, *codes(text)]


def test_prefix_and_passages_are_reusable_and_the_question_is_not() -> None:
    prompt = cut_text("a##b####c", "##", codes, first=with_start)
    assert [(s.tokens, s.reusable) for s in prompt.segments] == [
        ((1, 97), True),
        ((98,), True),
        ((99,), False),
    ]


@pytest.mark.parametrize("separator", [None, "##"])
def test_a_text_without_separator_is_plain(separator: str | None) -> None:
    assert cut_text("ab", separator, codes, first=with_start) == Prompt.plain((1, 97, 98))


def test_a_missing_question_names_the_field() -> None:
    with pytest.raises(BadRequest) as refused:
        cut_text("a##", "##", codes, first=with_start)
    assert refused.value.param == "prompt"
