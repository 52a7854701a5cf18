"""What the configuration says arrives where it is meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cachemw.config import Config, admin_token_sha256, load_config, store_url
from cachemw.errors import ConfigError
from cachemw.settings import (
    keep_settings,
    loading_settings,
    semantic_settings,
    store_settings,
    upkeep_settings,
)

SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"  # of "test"


def config(**sections: Any) -> Config:
    upstream = {"name": "u", "base_url": "http://u/v1"}
    return load_config({"cache_dir": "/c", "upstreams": [upstream], **sections}, {})


def test_the_store() -> None:
    made = config(
        store={"get_seconds": 0.5, "changes_kept": 7, "namespace": "n", "breaker_seconds": 2.0}
    )
    settings = store_settings(made, "me", {})
    assert settings.path == Path("/c/answers.sqlite3")
    assert (settings.timeout_s, settings.changes_kept, settings.origin) == (0.5, 7, "me")
    assert (settings.namespace, settings.breaker_s, settings.url) == ("n", 2.0, None)


def test_the_rest() -> None:
    made = config(
        cache={"ttl_seconds": 5.0, "store_truncated": True},
        semantic={"threshold": 0.9, "max_vectors": 11, "snapshot_seconds": 3.0},
        store={"sweep_seconds": 2.0, "change_poll_seconds": 0.1},
    )
    assert keep_settings(made).ttl == 5.0
    assert semantic_settings(made).threshold == 0.9
    upkeep = upkeep_settings(made)
    assert (upkeep.poll, upkeep.sweep, upkeep.snapshot) == (0.1, 2.0, 3.0)
    loading = loading_settings(made)
    assert (loading.index.max_vectors, loading.snapshots) == (11, Path("/c/index"))


def test_a_redis_store_needs_a_url_from_the_file_or_the_environment() -> None:
    with pytest.raises(ConfigError, match=r"store\.url: needed"):
        store_url(config(store={"kind": "redis"}).store, {})
    assert store_url(config(store={"kind": "redis", "url": "redis://a"}).store, {}) == "redis://a"
    named = config(store={"kind": "redis", "url_env": "URL"}).store
    assert store_url(named, {"URL": "redis://b"}) == "redis://b"
    with pytest.raises(ConfigError, match="URL is not set"):
        store_url(named, {})


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ({"url": "redis://:secret@h"}, "did you mean kind: redis"),
        ({"kind": "redis", "url": "redis://:secret@h", "url_env": "URL"}, "either url or url_env"),
        ({"kind": "redis", "url": ["redis://:secret@h"]}, "store.url"),
        ({"kind": "redis", "url": "redis://h", "namespace": "a b"}, "namespace"),
    ],
)
def test_a_wrong_url_is_explained_and_not_shown(store: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        config(store=store)
    assert said in str(raised.value)
    assert "secret" not in str(raised.value)


def test_the_admin_token_is_a_hash_or_in_the_environment() -> None:
    assert admin_token_sha256(config().admin, {}) is None
    assert admin_token_sha256(config(admin={"token_sha256": SHA256}).admin, {}) == SHA256
    named = config(admin={"token_env": "T"}).admin
    assert admin_token_sha256(named, {"T": "test"}) == SHA256
    with pytest.raises(ConfigError, match="T is not set"):
        admin_token_sha256(named, {})
    with pytest.raises(ConfigError, match="either token_sha256 or token_env"):
        config(admin={"token_env": "T", "token_sha256": SHA256})


def test_two_virtual_keys_are_two() -> None:
    key = {"name": "a", "sha256": SHA256, "tenant": "t"}
    other = {"name": "b", "sha256": SHA256[::-1], "tenant": "t"}
    assert len(config(identity={"keys": [key, other]}).identity.keys) == 2
    for same in ({**other, "name": "a"}, {**other, "sha256": SHA256}):
        with pytest.raises(ConfigError, match="two share the same"):
            config(identity={"keys": [key, same]})


@pytest.mark.parametrize(
    ("fallback", "said"),
    [
        ("azur", "did you mean 'azure'"),
        ("u", "cannot stand in for itself"),
        ("x", "known: u, azure"),
    ],
)
def test_a_fallback_that_cannot_be_is_explained(fallback: str, said: str) -> None:
    upstreams = [
        {"name": "u", "base_url": "http://u/v1", "fallbacks": [{"upstream": fallback}]},
        {"name": "azure", "base_url": "http://a/v1"},
    ]
    with pytest.raises(ConfigError, match=said):
        config(upstreams=upstreams)
