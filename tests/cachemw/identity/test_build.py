"""Which identity the configuration asks for."""

from __future__ import annotations

import time
from typing import Any

from cachemw.config import load_config
from cachemw.identity.build import identity
from cachemw.identity.passed_through import PassedThrough
from cachemw.identity.virtual_keys import VirtualKeys


def made(**sections: Any) -> object:
    upstream = {"name": "u", "base_url": "http://u/v1"}
    config = load_config({"cache_dir": "/c", "upstreams": [upstream], **sections}, {})
    return identity(config, time.monotonic)


def test_without_keys_the_clients_own_are_passed_through() -> None:
    assert isinstance(made(), PassedThrough)


def test_with_keys_they_are_virtual() -> None:
    key = {"name": "a", "sha256": "0" * 64, "tenant": "t", "rpm": 5}
    assert isinstance(made(identity={"keys": [key]}), VirtualKeys)
