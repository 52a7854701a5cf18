"""cachemw for a soak: every bound so small that it is reached while the service warms up."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

from loadtests.http.policy import everything_near
from loadtests.http.servers import Server
from loadtests.http.subject import upstream_section

MAX_BODY = 64 * 1024
"""Largest request body, in bytes."""
ADMIN_TOKEN = "soak-admin-token"
FLAKY_MODEL = "flaky"
"""The model of an upstream of its own, so that its failures close no breaker of the others."""
# So that some lookups find nothing near.
_MIN_SIMILARITY = 0.85


def config(
    upstream: Server, store: dict[str, Any], cache_dir: Path, workers: int, scratch: Path
) -> dict[str, Any]:
    """Return the configuration; its policy file is written into `scratch`."""
    flaky = {
        "name": "flaky",
        "base_url": f"http://127.0.0.1:{upstream.port}/v1",
        "models": [FLAKY_MODEL],
        "first_byte_seconds": 1.0,
        "total_seconds": 2.0,
        "retries": 1,
        "retry_base_seconds": 0.02,
        "retry_max_seconds": 0.1,
        "breaker_seconds": 0.2,
    }
    return {
        "mode": "full",
        "cache_dir": str(cache_dir),
        "server": {"workers": workers, "max_body_bytes": MAX_BODY},
        "upstreams": [{**upstream_section(upstream), "models": ["*"]}, flaky],
        "cache": {
            "ttl_seconds": 60,
            "memory_bytes": 1 << 20,
            "max_answer_bytes": MAX_BODY,
            "flight_bytes": 4 << 20,
        },
        "store": {**store, "max_bytes": 2 << 20, "sweep_seconds": 2.0, "changes_kept": 500},
        **everything_near(
            scratch,
            min_similarity=_MIN_SIMILARITY,
            max_vectors=600,
            switch_at=200,
            snapshot_seconds=10.0,
        ),
        "embedder": {"recent_bytes": 1 << 18},
        "admin": {"token_sha256": sha256(ADMIN_TOKEN.encode()).hexdigest()},
        "logs": {"level": "warning"},
    }
