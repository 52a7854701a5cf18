"""How long everything is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    """Rounds alternate floors and subjects; `block` requests are made at a time.

    `wrk_seconds` is one run of wrk, `starts` the number of cold starts, `populate` the number of
    answers put into a partition before it is searched.
    """

    rounds: int = 7
    wrk_seconds: int = 3
    block: int = 100
    warm_up: int = 30
    starts: int = 5
    populate: int = 300


QUICK = Effort(rounds=2, wrk_seconds=1, block=20, warm_up=5, starts=2, populate=20)
