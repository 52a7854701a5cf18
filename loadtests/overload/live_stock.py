"""What the service finds when it starts: stored answers of chosen ages, labels, its policy file."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

import orjson
import yaml
from cachemw_policies.category import CategoryPolicy
from cachemw_policies.labels import Label

from cachemw.stores.base import Document, DocumentStore, Embedded
from cachemw.stores.settings import StoreSettings
from cachemw.stores.table import make_store
from loadtests.overload.live_plan import CATEGORY, Plan
from loadtests.overload.traffic import NOTHING_NEAR
from loadtests.questions import Vectors

_AT_ONCE = 128
_MARK = "stored answer"


@dataclass(frozen=True, slots=True)
class Template:
    """An answer that the service itself has stored: where it puts the answers to such requests."""

    document: Document
    embedded: Embedded


async def only_document(path: Path) -> Template:
    """Return the one document of a store. Raises LookupError where it has none with a vector."""
    store = await _opened(path)
    try:
        keys = [info.key async for batch in store.entries() for info in batch]
        found = await store.get_many(keys)
    finally:
        await store.aclose()
    if len(found) != 1 or found[0].embedded is None:
        raise LookupError(f"{len(found)} documents, not one that has an embedding")
    return Template(found[0], found[0].embedded)


async def fill(path: Path, documents: Iterator[Document], labels: Sequence[Label]) -> int:
    """Put documents and labels into a store; returns how many documents there were."""
    store, count = await _opened(path), 0
    try:
        pending = list(documents)
        for start in range(0, len(pending), _AT_ONCE):
            await asyncio.gather(*map(store.put, pending[start : start + _AT_ONCE]))
        count = len(pending)
        await store.evidence().append(labels, b"calibration")
    finally:
        await store.aclose()
    return count


def documents(
    plan: Plan, vectors: Vectors, template: Template, policy: CategoryPolicy, began: float
) -> Iterator[Document]:
    """Yield the stored half of every pair, as old when it is asked for as the plan says.

    `vectors` are of `plan.stored`; `began` is when the first request comes. What will have expired
    is left out.
    """
    for one in plan.arrivals:
        created_at = began + one.at - one.age_s
        expires_at = created_at + policy.longest_ttl
        if one.pair == NOTHING_NEAR or expires_at <= time.time():
            continue
        text = plan.stored[one.pair]
        yield replace(
            template.document,
            key=blake2b(text.encode(), digest_size=32).digest(),
            prompt=text,
            body=_answer(template.document.body, one.pair),
            created_at=created_at,
            expires_at=expires_at,
            # What a hit saves is booked: it has to be what the upstream would have taken.
            upstream_seconds=plan.capacity.answer_s(one.prompt_tokens, one.answer_tokens),
            category=CATEGORY,
            embedded=replace(template.embedded, vector=vectors[one.pair]),
        )


def pair_of(answer: str) -> int | None:
    """Return whose stored answer a text is, None where it is a fresh one."""
    mark, _, number = answer.partition(": ")
    return int(number) if mark == _MARK else None


def policy_file(path: Path, policy: CategoryPolicy) -> None:
    """Write a policy file with one category."""
    kept = ("ttl", "ttl_overload", "delta", "delta_overload")
    values = {name: getattr(policy, name) for name in kept}
    path.write_text(yaml.safe_dump({"categories": {CATEGORY: values}}), "utf-8")


def _answer(body: bytes, pair: int) -> bytes:
    answer = orjson.loads(body)
    answer["choices"][0]["message"]["content"] = f"{_MARK}: {pair}"
    return orjson.dumps(answer)


async def _opened(path: Path) -> DocumentStore:
    settings = StoreSettings(path=path, timeout_s=10.0, write_timeout_s=30.0)
    store = make_store(settings, time.time, lambda _: None)
    await store.start()
    return store
