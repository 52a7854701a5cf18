"""The endpoints that are cached, by path."""

from __future__ import annotations

from cachemw.endpoints.table import endpoints
from cachemw.keys import NEVER_MATTER


def test_every_cached_path() -> None:
    table = endpoints()

    assert {path: endpoint.name for path, endpoint in table.items()} == {
        "/v1/chat/completions": "chat.completions",
        "/v1/completions": "completions",
        "/v1/embeddings": "embeddings",
        "/v1/responses": "responses",
    }
    assert all(endpoint.path == path for path, endpoint in table.items())


def test_what_never_matters_matters_to_none_of_them() -> None:
    assert all(endpoint.ignored >= NEVER_MATTER for endpoint in endpoints().values())


def test_ids_look_like_openais() -> None:
    prefixes = {endpoint.name: endpoint.id_prefix for endpoint in endpoints().values()}

    assert prefixes == {
        "chat.completions": "chatcmpl-",
        "completions": "cmpl-",
        "embeddings": None,
        "responses": "resp_",
    }
