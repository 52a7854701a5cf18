"""A proxy that learns from its clients and from checks, with policies of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
from openai import OpenAI

from cachemw.app import build
from cachemw.config import load_config
from tests.support.chat import Reply, plain
from tests.support.servers import ServerThread, wait_until

ASKED = "How does photosynthesis work?"
PARAPHRASE = "How does photosynthesis actually work?"
#: Models that are served with the client's credential, and with a key of the proxy's own.
CLIENTS_KEY, OWN_KEY = "fake-large", "fake-keyed"
POLICY = """\
defaults: {threshold: 0.9, delta: 0.05}
categories:
  judged: {ttl: 1h}
  checked: {}
"""
_TOKEN = "the token of these tests"


@dataclass(frozen=True, slots=True)
class Learning:
    """The proxy's URL, its policy file, and what its operator sees."""

    url: str
    policy: Path

    def client(self, tenant: str) -> OpenAI:
        """Return the official client of a tenant that no other test is."""
        return OpenAI(base_url=self.url + "/v1", api_key=f"sk-{tenant}", max_retries=0)

    def metric(self, name: str) -> float:
        """Return a metric by its name and labels as they are exposed, 0 where it is not there."""
        lines = httpx.get(self.url + "/metrics").text.splitlines()
        return next((float(v) for n, v in (line.rsplit(" ", 1) for line in lines) if n == name), 0)

    def category(self, name: str) -> dict[str, Any]:
        """Return what `GET /cache/categories` says of one."""
        headers = {"authorization": f"Bearer {_TOKEN}"}
        found = httpx.get(self.url + "/cache/categories", headers=headers).json()["categories"]
        view: dict[str, Any] = {each["category"]: each for each in found}[name]
        return view


@contextmanager
def learning_proxy(
    upstream: str, cache_dir: Path, directory: Path, **sections: Any
) -> Iterator[Learning]:
    """Serve one in front of `upstream`; `directory` is for its policy file and its store."""
    policy = directory / "policy.yaml"
    policy.write_text(POLICY)
    shared = {"base_url": upstream + "/v1", "retry_base_seconds": 0.01}
    settings: dict[str, Any] = {
        "cache_dir": str(cache_dir),
        "upstreams": [
            {"name": "clients", "models": ["*"], **shared},
            {"name": "own", "models": [OWN_KEY], "api_key": "sk-own", **shared},
        ],
        "store": {"path": str(directory / "answers.sqlite3")},
        "semantic": {"verify_seconds": 5.0},
        "accounting": {"probes": 1.0},
        "categories": {"file": str(policy), "reload_seconds": 0.1},
        "shadow": {"share": 1.0, "credentials": "own", "max_load": 1.0},
        "admin": {"token_sha256": sha256(_TOKEN.encode()).hexdigest()},
        "server": {"shutdown_seconds": 1.0},
    }
    config = load_config(settings | sections, env={})
    with ServerThread(build(config, env={}).asgi) as server:
        wait_until(
            lambda: httpx.get(server.url + "/readyz").status_code == 200,
            timeout=60.0,
            what="readiness",
        )
        yield Learning(server.url, policy)


def ask(
    client: OpenAI, text: str, category: str, model: str = CLIENTS_KEY, **headers: str
) -> Reply:
    """Ask a question of a named category; headers with `_` for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    messages: Any = [{"role": "user", "content": text}]
    return plain(
        client,
        model=model,
        messages=messages,
        extra_headers={"x-cachemw-category": category, **named},
    )


def until_found(client: OpenAI, text: str, category: str, model: str = CLIENTS_KEY) -> Reply:
    """Ask until there is a semantic hit, which is neither stored nor checked: return it."""
    replies: list[Reply] = []

    def found() -> bool:
        replies.append(ask(client, text, category, model, cache_control="no-store"))
        return replies[-1].layer == "semantic"

    wait_until(found, what="a semantic hit")
    return replies[-1]
