"""Names lead to stores, and wrong settings to errors that say what was meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cachemw.errors import ConfigError
from cachemw.stores.base import Document
from cachemw.stores.settings import StoreSettings
from cachemw.stores.table import STORES, make_store


@pytest.mark.parametrize("kind", sorted(STORES))
async def test_every_name_makes_a_working_store(
    kind: str,
    tmp_path: Path,
    clock: Any,
    make_document: Callable[..., Document],
    request: pytest.FixtureRequest,
) -> None:
    url = request.getfixturevalue("redis_server").url if kind == "redis" else None
    settings = StoreSettings(
        kind=kind, path=tmp_path / "cache.sqlite3", url=url, namespace="table", timeout_s=30.0
    )
    store = make_store(settings, clock, lambda key: None)
    await store.start()
    await store.put(make_document(1))
    assert await store.get(make_document(1).key) == make_document(1)
    await store.aclose()


def test_unknown_name_lists_the_known_ones(clock: Any) -> None:
    with pytest.raises(ConfigError, match=r"'file' is not one of memory, redis, sqlite"):
        make_store(StoreSettings(kind="file"), clock, lambda key: None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_bytes", 0),
        ("timeout_s", 0.0),
        ("timeout_s", float("nan")),
        ("write_timeout_s", -1.0),
        ("queue_limit", 0),
        ("max_document_bytes", -1),
        ("compression_level", 0),
        ("compression_level", 23),
    ],
)
def test_settings_out_of_range_name_the_key(field: str, value: float) -> None:
    changed: dict[str, Any] = {field: value}
    with pytest.raises(ConfigError, match=f"store.{field}"):
        StoreSettings(**changed)
