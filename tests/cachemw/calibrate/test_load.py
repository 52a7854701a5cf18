from __future__ import annotations

import pytest

from cachemw.calibrate.load import load_decider, objects
from cachemw.config import load_config
from cachemw.errors import ConfigError


def test_the_guards_are_those_of_the_service() -> None:
    question = "How do I convert 5 km to miles?"
    assert objects(question, question) is None
    assert objects(question, "How do I convert 7 km to miles?") is not None


def test_a_model_that_is_not_there() -> None:
    config = load_config({"embedder": {"model": "/no/such/model"}}, env={})
    with pytest.raises(ConfigError):
        load_decider(config)
