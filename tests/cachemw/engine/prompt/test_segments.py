"""What a prompt of segments promises."""

from __future__ import annotations

import pytest

from cachemw.engine.prompt.segments import Prompt, Segment
from cachemw.errors import BadRequest


def test_tokens_and_starts_are_those_of_the_joined_segments() -> None:
    prompt = Prompt((Segment((1, 2), reusable=True), Segment((3,), reusable=False)))
    assert prompt.tokens == (1, 2, 3)
    assert prompt.starts == (0, 2, 3)
    assert Prompt.plain((4, 5)).tokens == (4, 5)


def test_a_prompt_of_nothing_is_the_clients_mistake() -> None:
    with pytest.raises(BadRequest):
        Prompt(())


@pytest.mark.parametrize(
    "segments",
    [
        (Segment((1,), reusable=True),),
        (Segment((), reusable=True), Segment((1,), reusable=False)),
    ],
)
def test_the_question_is_computed_and_no_segment_is_empty(segments: tuple[Segment, ...]) -> None:
    with pytest.raises(ValueError, match="segment"):
        Prompt(segments)
