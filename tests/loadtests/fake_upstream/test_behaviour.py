from __future__ import annotations

import pytest

from loadtests.fake_upstream.behaviour import Behaviour, parse
from loadtests.fake_upstream.jsonschema import example


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Behaviour()),
        ("status=429; retry-after=1;times=2", Behaviour(status=429, retry_after="1", times=2)),
        ("die", Behaviour(die="before")),
        ("tools;refusal;no-usage", Behaviour(tools=1, refusal=True, no_usage=True)),
        ("delay=0.5;echo=a=b", Behaviour(delay=0.5, echo="a=b")),
    ],
)
def test_directives(text: str, expected: Behaviour) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize("text", ["nonsense", "status=soon", "delay=x"])
def test_a_directive_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"directive|invalid literal|could not convert"):
        parse(text)


def test_an_example_of_every_kind_of_schema() -> None:
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "kind": {"enum": ["first", "second"]},
            "fixed": {"const": 3},
            "many": {"type": "array", "items": {"$ref": "#/$defs/part"}, "minItems": 2},
            "maybe": {"anyOf": [{"type": "null"}, {"type": "string"}]},
            "either": {"type": ["integer", "null"]},
        },
        "$defs": {"part": {"type": "object", "properties": {"on": {"type": "boolean"}}}},
    }
    assert example(schema, "x") == {
        "name": "x",
        "kind": "first",
        "fixed": 3,
        "many": [{"on": True}, {"on": True}],
        "maybe": None,
        "either": 7,
    }
