"""Asks one question of the demonstration and measures it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from cachemw.demo.session import Step


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back. Times in seconds.

    `decision` is what the header x-cachemw-decision says, by name.
    """

    step: Step
    layer: str
    category: str
    decision: Mapping[str, str]
    first_byte: float
    total: float
    answer: str

    @property
    def as_expected(self) -> bool:
        """Whether the right layer answered."""
        return self.layer == self.step.layer


def ask(client: httpx.Client, model: str, step: Step) -> Outcome:
    """Send one step. Raises httpx.HTTPError."""
    system = [{"role": "system", "content": step.system}] if step.system else []
    body = {
        "model": model,
        "messages": [*system, {"role": "user", "content": step.question}],
        "temperature": 0,
        "stream": step.stream,
    }
    headers = {"authorization": f"Bearer demo-{step.tenant}", "x-cachemw-explain": "1"}
    headers |= step.headers
    started = time.perf_counter()
    with client.stream("POST", "/chat/completions", json=body, headers=headers) as response:
        chunks: list[bytes] = []
        first_byte = 0.0
        for chunk in response.iter_bytes():
            first_byte = first_byte or time.perf_counter() - started
            chunks.append(chunk)
        response.raise_for_status()
    total = time.perf_counter() - started
    parts = response.headers["x-cachemw-decision"].split("; ")
    return Outcome(
        step=step,
        layer=response.headers["x-cachemw-layer"],
        category=response.headers["x-cachemw-category"],
        decision=dict(part.split("=", 1) for part in parts),
        first_byte=first_byte,
        total=total,
        answer=_text(b"".join(chunks), stream=step.stream),
    )


def _text(body: bytes, *, stream: bool) -> str:
    if not stream:
        return str(orjson.loads(body)["choices"][0]["message"]["content"])
    events = (line.removeprefix(b"data: ") for line in body.split(b"\n") if line[:6] == b"data: ")
    chunks: list[dict[str, Any]] = [orjson.loads(event) for event in events if event != b"[DONE]"]
    deltas = (choice["delta"] for chunk in chunks for choice in chunk["choices"])
    return "".join(delta.get("content") or "" for delta in deltas)
