"""Two categories in one cache: one that many ask again, and another that floods it.

The quiet one is real searches, thinned out; the flood is real conversations' blocks, most of which
are never asked for again. Its answers save more each, so by value alone it would win.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from cachemw_policies.category import Quota
from cachemw_policies.eviction import HALF_LIFE, victims
from cachemw_policies.quota import Amount, Claim, surplus
from numpy.typing import NDArray

from loadtests.eviction.batched import BATCH, Batched, Decaying
from loadtests.eviction.classic import Policy
from loadtests.eviction.replay import hits
from loadtests.eviction.streams import Stream

QUIET, FLOOD = "quiet", "flood"
#: When the flood comes, as parts of the quiet stream's time, and what its answers save each.
_BEGINS, _ENDS = 1 / 3, 2 / 3
_DEARER = 3.0


@dataclass(frozen=True, slots=True)
class Mixed:
    """Both in one stream: items from `first_flood` on are the flood's."""

    stream: Stream
    first_flood: int
    during: NDArray[np.bool_]

    @property
    def quiet(self) -> NDArray[np.bool_]:
        """Which requests are the quiet category's."""
        found: NDArray[np.bool_] = self.stream.items < self.first_flood
        return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """Hit rates of both, the quiet one's also during the flood, and its least share then.

    `saved` is the part of all seconds that hits could save. `least` is of the capacity, from when
    the quiet category first held its guarantee; None where it never did.
    """

    quiet: float
    quiet_during: float
    flood: float
    saved: float
    least: float | None


def mixed(quiet: Stream, flood: Stream, keep: float, rng: np.random.Generator) -> Mixed:
    """Let the flood come in the middle of a part of the quiet stream."""
    kept = rng.random(len(quiet.items)) < keep
    items, times = quiet.items[kept], quiet.times[kept]
    begins, ends = (part * float(times[-1]) for part in (_BEGINS, _ENDS))
    coming = begins + flood.times / float(flood.times[-1]) * (ends - begins)
    every = np.concatenate([times, coming])
    order = np.argsort(every, kind="stable")
    first = len(quiet.sizes)
    stream = Stream(
        np.concatenate([items, flood.items + first])[order],
        every[order],
        np.concatenate([quiet.sizes, flood.sizes]),
        np.concatenate([quiet.saved, _DEARER * flood.saved]),
    )
    return Mixed(stream, first, (stream.times >= begins) & (stream.times <= ends))


class Shared(Batched):
    """A cache of several categories with quotas: first who gives way, then what of it."""

    def __init__(
        self, stream: Stream, first_flood: int, capacity: float, quotas: Mapping[str, Quota]
    ) -> None:
        values = Decaying(stream, capacity, HALF_LIFE, costs=True, ghosts=True)
        super().__init__(values, stream.sizes, capacity)
        self._decaying = values
        self._first_flood = first_flood
        self._quotas = quotas
        #: What the quiet category held after each eviction, with the place in the stream.
        self.asked = 0
        self.held_by_quiet: list[tuple[int, float]] = []

    def ask(self, item: int) -> bool:
        """Look it up, and put it where it is absent."""
        self.asked += 1
        return super().ask(item)

    def _give_up(self) -> None:
        held = np.flatnonzero(self._held)
        parts = dict(zip((QUIET, FLOOD), self._parts(held), strict=True))
        claims = {name: self._claim(name, items) for name, items in parts.items()}
        high = Amount(np.inf, self._capacity)
        for name, amount in surplus(claims, high, high.times(1 - BATCH)).items():
            values = self._values.of(parts[name])
            self._remove(
                parts[name],
                values,
                victims(values, self._sizes[parts[name]], entries=0, size=amount.size),
            )
        quiet = np.flatnonzero(self._held[: self._first_flood])
        self.held_by_quiet.append((self.asked, float(self._sizes[quiet].sum()) / self._capacity))

    def _claim(self, name: str, items: NDArray[np.int64]) -> Claim:
        sizes, used = self._sizes[items], np.minimum(self._decaying.uses(items), 1.0)
        return Claim(
            Amount(len(items), float(sizes.sum())),
            self._quotas[name],
            1.0,
            Amount(float(used.sum()), float((sizes * used).sum())),
        )

    def _parts(self, held: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        border = int(np.searchsorted(held, self._first_flood))
        return held[:border], held[border:]


def outcome(both: Mixed, policy: Policy, guarantee: float = 0.0) -> Outcome:
    """Replay the stream and return what became of both categories."""
    stream, quiet = both.stream, both.quiet
    hit = hits(stream, policy)
    saved = stream.saved[stream.items]
    return Outcome(
        float(hit[quiet].mean()),
        float(hit[quiet & both.during].mean()),
        float(hit[~quiet].mean()),
        float(saved[hit].sum() / saved.sum()),
        _least(both, policy.held_by_quiet, guarantee) if isinstance(policy, Shared) else None,
    )


def _least(both: Mixed, shares: Sequence[tuple[int, float]], guarantee: float) -> float | None:
    """Return the quiet category's least share during the flood, once it held its guarantee."""
    level = guarantee * (1 - BATCH)
    first = next((place for place, (_, share) in enumerate(shares) if share >= level), None)
    if first is None:
        return None
    return min((share for asked, share in shares[first:] if both.during[asked - 1]), default=None)
