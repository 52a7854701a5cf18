"""How long everything is measured."""

from __future__ import annotations

from dataclasses import dataclass

CONNECTIONS = (1, 8, 32, 128)
JUDGED = 32
"""The number of connections that the bars are about."""


@dataclass(frozen=True, slots=True)
class Effort:
    """Rounds take all subjects in turn. `hit_rounds` are those of exact hits, which have the bars.

    `seconds` is one run of wrk. `block` requests are timed at a time by our own client, and
    `populate` questions stored before one is searched for.
    """

    hit_rounds: int = 3
    rounds: int = 2
    seconds: int = 2
    block: int = 50
    populate: int = 200


QUICK = Effort(hit_rounds=1, rounds=1, seconds=1, block=10, populate=20)
