"""Whose KV this is: what has to be equal for it to be read again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cachemw_codecs.errors import WrongModel

DIGEST_BYTES = 16


def digest(value: Any) -> bytes:
    """16 bytes of SHA-256 over `value` as canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).digest()[:DIGEST_BYTES]


def tables_hash(file: bytes) -> bytes:
    """Return the 16 bytes that name a calibration file."""
    return hashlib.sha256(file).digest()[:DIGEST_BYTES]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Digests of 16 bytes each; own design.

    `model`: weights and revision. `tokenizer`: its vocabulary. `rope`: the rotary configuration
    whole, so that a switch of scaling refuses what was written before it. The dtype stands in
    the container's shape.
    """

    model: bytes
    tokenizer: bytes
    rope: bytes

    def __post_init__(self) -> None:
        for name in ("model", "tokenizer", "rope"):
            if len(getattr(self, name)) != DIGEST_BYTES:
                raise ValueError(f"{name}: a fingerprint has {DIGEST_BYTES} bytes")

    @classmethod
    def of(cls, model: Any, tokenizer: Any, rope: Mapping[str, Any]) -> Fingerprint:
        """From JSON values that name each."""
        return cls(digest(model), digest(tokenizer), digest(dict(rope)))

    def require(self, wanted: Fingerprint) -> None:
        """Raise `WrongModel`, naming what differs."""
        differs = [
            name
            for name in ("model", "tokenizer", "rope")
            if getattr(self, name) != getattr(wanted, name)
        ]
        if differs:
            raise WrongModel(f"the KV was written with another {' and '.join(differs)}")
