"""The tree of errors, and what a client sees of each."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import pytest

from cachemw import errors
from cachemw.errors import CachemwError, HttpError

STATUS = {
    "RequestError": 400,
    "BadRequest": 400,
    "NotAuthenticated": 401,
    "AdminClosed": 403,
    "NotFound": 404,
    "ModelNotFound": 404,
    "MethodNotAllowed": 405,
    "BodyTooLarge": 413,
    "RateLimited": 429,
    "Overloaded": 503,
    "OnlyIfCached": 504,
    "CacheUnavailable": 503,
    "UpstreamError": 502,
    "UpstreamUnavailable": 502,
    "UpstreamTimeout": 504,
    "UpstreamBroken": 502,
    "UpstreamOpen": 503,
    "UpstreamBusy": 503,
    "Draining": 503,
}


def below(kind: type[CachemwError]) -> Iterator[type[CachemwError]]:
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:  # other modules may have kinds of their own
            yield child
        yield from below(child)


def test_the_docstring_draws_every_error() -> None:
    drawn = errors.__doc__ or ""
    not_drawn = {"HttpError", "ModelNotFound"}  # the answer they share; a kind of NotFound

    assert {kind.__name__ for kind in below(CachemwError)} - not_drawn <= set(drawn.split())


@pytest.mark.parametrize("name", STATUS)
def test_an_answer_in_openais_shape(name: str) -> None:
    kind: type[HttpError] = getattr(errors, name)

    error = kind("Said.", param="field")

    assert error.status == STATUS[name]
    assert orjson.loads(error.body()) == {
        "error": {"message": "Said.", "type": kind.type, "param": "field", "code": kind.code}
    }


def test_every_error_with_an_answer_is_known_here() -> None:
    assert {kind.__name__ for kind in below(HttpError)} == set(STATUS)
