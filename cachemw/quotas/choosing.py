"""Reading a ledger for an eviction: what is in use, and what is worth least.

A million entries are read block by block, with turns of the event loop in between, and sorted in a
thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from math import ceil

import numpy as np
from cachemw_policies.eviction import victims
from cachemw_policies.quota import Amount, total

from cachemw.quotas.ledger import Candidates, Ledger

_NOTHING = Amount(0, 0)


async def in_use(ledger: Ledger) -> dict[str, Amount]:
    """Return what each category uses of what it holds."""
    used: dict[str, Amount] = {}
    for part in ledger.in_use():
        for name, amount in part.items():
            used[name] = total((amount, used.get(name, _NOTHING)))
        await asyncio.sleep(0)
    return used


async def least_valuable(ledger: Ledger, category: str, amount: Amount) -> list[bytes]:
    """Return the keys of a category's least valuable entries, enough for `amount`."""
    parts = []
    for part in ledger.candidates(category):
        parts.append(part)
        await asyncio.sleep(0)
    return await asyncio.to_thread(_least, parts, amount)


def _least(parts: Sequence[Candidates], amount: Amount) -> list[bytes]:
    if not parts:
        return []
    chosen = victims(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.sizes for part in parts]),
        entries=ceil(amount.entries),
        size=amount.size,
    )
    # Not all keys in one array: that would hold the interpreter's lock for as long as it is made.
    counts = [len(part.keys) for part in parts]
    ends = np.cumsum(counts)
    numbers = np.searchsorted(ends, chosen, side="right")
    places = chosen - (ends - counts)[numbers]
    return [parts[n].keys[p] for n, p in zip(numbers.tolist(), places.tolist(), strict=True)]
