"""When a graph is to be built anew: decisions over plain numbers (own design)."""

from __future__ import annotations

from dataclasses import dataclass

MAX_DEAD_SHARE = 0.5
"""Tombstones for each live vector at which a graph is rebuilt: a search then takes about a half
more, and an insert has cost three times its own price over the life of a graph."""

MIN_DEAD_SHARE = 0.05
"""Below it slow searches have another cause than tombstones."""

_SLOW = 3.0
_SLOW_SECONDS = 0.001
_WARM_UP = 64
_SMOOTHING = 1 / 64
_PATIENCE = 4.0
_TOLERATED = 0.01


@dataclass(slots=True)
class SearchHealth:
    """Whether more than one search in a hundred is slow: it has hit a part that is mostly removed.

    A search that takes three times what searches take, and a millisecond, adds 1 to `damage`,
    every other one takes 0.01 away; at 4 the graph is damaged. The count of all tombstones does not
    show this: a topic that expired as a whole is a small share of them, and each question about it
    walks it all.
    """

    typical: float = 0.0
    seen: int = 0
    damage: float = 0.0

    def note(self, seconds: float) -> None:
        """Take in how long a search took, in seconds of CPU: waiting is not the graph's fault."""
        self.seen += 1
        if self.seen <= _WARM_UP:
            self.typical += (seconds - self.typical) / self.seen
        elif seconds > max(_SLOW * self.typical, _SLOW_SECONDS):
            self.damage += 1.0
        else:
            self.typical += _SMOOTHING * (seconds - self.typical)
            self.damage = max(0.0, self.damage - _TOLERATED)

    def fell_short(self) -> None:
        """Take in that a search did not reach as many as there are."""
        self.damage += _PATIENCE

    @property
    def damaged(self) -> bool:
        """Whether searches suffer."""
        return self.damage >= _PATIENCE


def wants_rebuild(live: int, tombstones: int, *, damaged: bool) -> bool:
    """Whether a graph is to be built anew from its live vectors."""
    share = MIN_DEAD_SHARE if damaged else MAX_DEAD_SHARE
    return tombstones > share * max(live, 1)


def wants_graph(live: int, switch_at: int) -> bool:
    """Whether a scan has become too long."""
    return live > switch_at


def wants_scan(live: int, switch_at: int) -> bool:
    """Whether a graph has shrunk so far that a scan is right again.

    Half of what `wants_graph` asks for, so that a partition of that size does not go to and fro.
    """
    return live <= switch_at // 2
