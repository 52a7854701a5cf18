"""The admin endpoints as app.py serves them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cachemw.app import build
from cachemw.config import load_config
from cachemw.errors import ConfigError
from cachemw.stores.base import Embedded
from tests.cachemw.admin.conftest import document
from tests.cachemw.admin.test_labels import body, label
from tests.support.asgi import AsgiClient, AsgiReply
from tests.support.service import (
    ADMIN_TOKEN,
    Assembled,
    Parts,
    WordEmbedder,
    assembled,
    chat,
    unit,
)


def _config(tmp_path: Path, **admin: Any) -> Any:
    upstream = {"name": "x", "base_url": "http://127.0.0.1:9/v1"}
    data = {"cache_dir": str(tmp_path), "upstreams": [upstream], "store": {"kind": "memory"}}
    return load_config(data | {"mode": "exact", "admin": admin}, env={})


async def test_a_token_from_the_environment(tmp_path: Path) -> None:
    config = _config(tmp_path, token_env="TOKEN")
    service = build(config, env={"TOKEN": "abc"})
    for token, status in (("abc", 200), ("abd", 401)):
        client = AsgiClient(service.asgi, {"authorization": f"Bearer {token}"})
        assert (await client.get("/cache/stats")).status == status
    with pytest.raises(ConfigError, match="TOKEN"):
        build(config, env={})


async def test_closed_by_default(tmp_path: Path) -> None:
    client = AsgiClient(build(_config(tmp_path), env={}).asgi, {"authorization": "Bearer "})
    assert (await client.get("/cache/stats")).status == 403


async def test_labels_are_for_the_policies_in_force(tmp_path: Path) -> None:
    service = build(_config(tmp_path, token_env="TOKEN"), env={"TOKEN": "abc"})
    client = AsgiClient(service.asgi, {"authorization": "Bearer abc"})
    known, unknown = label(category="code"), label(category="cod")
    reply = await client.ask(body(known, unknown), "/cache/labels")
    assert "field 'category': not one of " in reply.json()["error"]["message"]
    counts = (await client.ask(body(known), "/cache/labels")).json()
    # No verifier is loaded in this mode.
    assert (counts["imported"], counts["scale"], counts["other_scale"]) == (1, None, 0)


def _admin(service: Assembled) -> AsgiClient:
    return AsgiClient(service.surface, {"authorization": f"Bearer {ADMIN_TOKEN}"})


async def _asked(service: Assembled) -> AsgiReply:
    """Ask a question and wait until its vector is in the index."""
    reply = await service.client.ask(chat("Where is it?"))
    async with asyncio.timeout(20):
        while len(service.flights):  # noqa: ASYNC110 - the end of a flight sets no event
            await asyncio.sleep(0.001)
    return reply


async def test_what_is_removed_is_served_by_no_tier() -> None:
    async with assembled(Parts(embedder=WordEmbedder())) as service:
        await _asked(service)
        assert (await service.client.ask(chat("Where is it?"))).layer == "exact"
        assert (await service.client.ask(chat("Where was it?"))).layer == "semantic"
        reply = await _admin(service).ask({"model": "m"}, "/cache/purge")
        assert reply.json()["removed"] == 1
        assert service.index is not None
        assert len(service.index) == 0
        assert (await service.client.ask(chat("Where was it?"))).layer == "upstream"


async def test_what_is_imported_is_served_by_both_tiers() -> None:
    async with assembled(Parts(embedder=WordEmbedder())) as service:
        first = await _asked(service)
        exported = await _admin(service).get("/cache/export")
        await _admin(service).ask({"all": True}, "/cache/purge")
        loaded = await _admin(service).ask(exported.body, "/cache/import")
        assert loaded.json()["imported"] == 1
        for text, layer in (("Where is it?", "exact"), ("Where was it?", "semantic")):
            reply = await service.client.ask(chat(text))
            assert reply.layer == layer
            assert reply.json()["choices"] == first.json()["choices"]


async def test_vectors_of_another_embedder_stay_out_of_the_index() -> None:
    async with assembled(Parts(embedder=WordEmbedder())) as service:
        assert service.semantic is not None
        for fingerprint, vectors in (("another", 0), (WordEmbedder.fingerprint, 1)):
            place = Embedded(b"p" * 32, fingerprint, unit("x").astype(np.float32))
            await service.semantic.add(document(1, embedded=place))
            assert len(service.index or ()) == vectors
