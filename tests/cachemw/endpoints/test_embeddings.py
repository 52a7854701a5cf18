"""Embeddings: exact only, never streamed, handed back byte for byte."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from cachemw.endpoints.base import Fresh
from cachemw.endpoints.embeddings import Embeddings
from cachemw.errors import BadRequest, UpstreamBroken

EMBEDDINGS = Embeddings()
FRESH = Fresh("f00d", 1_700_000_000)
ANSWER = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.1, -2e-9]}],
    "model": "m",
    "usage": {"prompt_tokens": 3, "total_tokens": 3},
}


def test_a_replay_is_the_answer() -> None:
    assert orjson.loads(EMBEDDINGS.render(EMBEDDINGS.pack(ANSWER), FRESH)) == ANSWER


def test_complete_when_there_is_data() -> None:
    verdict = EMBEDDINGS.verdict(ANSWER)

    assert verdict.complete
    assert (verdict.prompt_tokens, verdict.completion_tokens) == (3, 0)


@pytest.mark.parametrize("answer", [{}, {"data": []}, {"data": "x"}, {"error": {}}])
def test_not_complete_without(answer: dict[str, Any]) -> None:
    assert not EMBEDDINGS.verdict(answer).complete


@pytest.mark.parametrize("value", ["", "text", ["a"], [1, 2], [[1], [2]]])
def test_input_is_a_text_or_an_array(value: Any) -> None:
    EMBEDDINGS.check({"input": value})

    assert EMBEDDINGS.question({"input": value}) is None


@pytest.mark.parametrize("value", [None, [], 5, {}])
def test_anything_else_is_refused(value: Any) -> None:
    with pytest.raises(BadRequest, match="'input'") as caught:
        EMBEDDINGS.check({"input": value})
    assert caught.value.param == "input"


def test_a_stream_is_refused() -> None:
    with pytest.raises(BadRequest, match="'stream'"):
        EMBEDDINGS.check({"input": "x", "stream": True})
    with pytest.raises(UpstreamBroken, match="stream"):
        EMBEDDINGS.collector({})  # it came as a stream all the same
    with pytest.raises(BadRequest, match="'stream'"):
        EMBEDDINGS.events(ANSWER, FRESH, usage=False, piece=8)
