"""`GET /v1/models` and `GET /v1/models/{id}`."""

from __future__ import annotations

from loadtests.fake_upstream.call import Json
from loadtests.fake_upstream.errors import Refused

_MODELS = ("fake-large", "fake-small", "fake-embedding")


def listing() -> Json:
    """Return the list of models."""
    return {"object": "list", "data": [_model(name) for name in _MODELS]}


def one(name: str) -> Json:
    """Return one model, or refuse with 404 as OpenAI does."""
    if name not in _MODELS:
        raise Refused(404, f"The model '{name}' does not exist", "model")
    return _model(name)


def _model(name: str) -> Json:
    return {"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "fake"}
