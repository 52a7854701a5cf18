"""What the configuration says arrives where it is meant."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Any

import pytest
from cachemw_policies.adaptation import AdaptationSettings, Knee
from cachemw_policies.breakeven import BreakEvenSettings
from cachemw_policies.quota import Amount
from cachemw_policies.shadowing import ShadowSettings
from cachemw_policies.thresholds import GuaranteeSettings

from cachemw.categories.board import BoardSettings
from cachemw.config import Config, admin_token_sha256, load_config, store_url
from cachemw.errors import ConfigError
from cachemw.lookup import LookupSettings
from cachemw.semantic import SemanticSettings
from cachemw.settings import (
    accounting_settings,
    adaptation_settings,
    board_settings,
    capacities,
    capacity,
    check_settings,
    keep_settings,
    loading_settings,
    lookup_settings,
    semantic_settings,
    store_settings,
    upkeep_settings,
    verifier_settings,
)
from cachemw.shadow.checks import CheckSettings, Credentials

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
        categories={"reload_seconds": 4.0},
        semantic={"max_vectors": 11, "snapshot_seconds": 3.0},
        store={"sweep_seconds": 2.0, "change_poll_seconds": 0.1},
    )
    assert keep_settings(made).ttl == 5.0
    upkeep = upkeep_settings(made)
    assert (upkeep.poll, upkeep.sweep, upkeep.snapshot) == (0.1, 2.0, 3.0)
    assert upkeep.policies == 4.0
    loading = loading_settings(made)
    assert (loading.index.max_vectors, loading.snapshots) == (11, Path("/c/index"))


def test_which_near_questions_are_looked_at_and_by_what() -> None:
    semantic = {
        "min_similarity": 0.8,
        "top_k": 5,
        "verified": 2,
        "verifier": "none",
        "verify_seconds": 0.2,
        "max_chars": 99,
        "max_temperature": 0.5,
    }
    made = config(semantic=semantic)
    assert semantic_settings(made) == SemanticSettings(99, 0.5)
    assert lookup_settings(made) == LookupSettings(0.8, 5)
    verifier = verifier_settings(made)
    assert (verifier.model, verifier.timeout_ms) == ("none", 200.0)


def test_how_thresholds_are_proven_and_hits_checked() -> None:
    made = config(
        guarantee={
            "alpha": 0.01,
            "cold_start": "probation",
            "window": 50,
            "positive_feedback": True,
        },
        shadow={
            "share": 0.5,
            "dense": 7,
            "credentials": "any",
            "max_load": 0.25,
            "seconds": 9.0,
        },
    )
    proof = GuaranteeSettings(alpha=0.01, cold_start="probation", window=50, positive_feedback=True)
    assert board_settings(made) == BoardSettings(proof, ShadowSettings(share=0.5, dense=7))
    assert check_settings(made) == CheckSettings(Credentials.ANY, 0.25, 9.0, 0.5)


def test_how_far_the_load_is_followed() -> None:
    adaptation = {
        "queueing_from": 2.0,
        "queueing_full": 5.0,
        "error_from": 0.2,
        "error_full": 0.6,
        "rise_seconds": 3.0,
        "fall_seconds": 30.0,
    }
    expected = AdaptationSettings(Knee(2.0, 5.0), Knee(0.2, 0.6), rise_s=3.0, fall_s=30.0)
    assert adaptation_settings(config(adaptation=adaptation)) == expected
    assert adaptation_settings(config(adaptation={"enabled": False})) is None


def test_what_lookups_cost() -> None:
    accounting = {"cpu_usd_per_hour": 0.5, "usd_per_second": 0.25, "probes": 0.1}
    expected = BreakEvenSettings(probes=0.1, usd_per_second=0.25, cpu_usd_per_hour=0.5)
    assert accounting_settings(config(accounting=accounting)) == expected


@pytest.mark.parametrize(("whole", "workers", "each"), [(7, 1, 7), (7, 2, 3), (2, 4, 1)])
def test_workers_share_what_an_upstream_takes(whole: int, workers: int, each: int) -> None:
    upstreams = [
        {"name": "a", "base_url": "http://a/v1", "capacity": whole},
        {"name": "b", "base_url": "http://b/v1"},
    ]
    assert capacities(config(upstreams=upstreams, server={"workers": workers})) == {"a": each}


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        ({"max_bytes": 10}, Amount(inf, 10)),
        ({"max_bytes": 10, "max_entries": 3}, Amount(3, 10)),
        ({"kind": "redis", "url": "redis://a", "max_entries": 3}, Amount(3, inf)),
    ],
)
def test_what_the_store_may_hold(store: dict[str, Any], expected: Amount) -> None:
    assert capacity(config(store=store)) == expected


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
