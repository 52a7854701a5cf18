"""How far the cache gives way to an upstream's load: a level from 0 (calm) to 1 (own design).

Three steps, each with a property that the tests hold it to:

1. Every signal becomes a pressure in [0, 1]: 0 up to a knee, 1 from `full` on, a smoothstep between
   (no jump, and no kink either). What was last heard long ago fades, so that an upstream to which
   nothing is sent is not held overloaded for ever.
2. The greatest pressure counts. The signals are no independent witnesses: calls in flight, times
   to the first token and errors rise for one and the same reason, and a noisy-or would count that
   reason up to three times.
3. The level follows the pressure within a band and at a bounded speed, fast up and slowly down.
   Noise within the band does not move it at all; noise beyond moves it down no faster than 1 in
   `fall_s`. The band closes at both ends, so that a level goes to 0 and to 1 all the way.

The bound on the speed also keeps the loop stable: a raised level takes load away, which takes the
reason for it away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from cachemw_policies.load import LoadFigures


@dataclass(frozen=True, slots=True)
class Knee:
    """A signal up to `begin` is no pressure; from `full` on it is all of it."""

    begin: float
    full: float

    def __post_init__(self) -> None:
        if not self.begin < self.full:
            raise ValueError(f"a knee begins below where it is full, unlike {self}")

    def pressure(self, signal: float) -> float:
        """Return the smoothstep of a signal, in [0, 1]; a signal that is no number is none."""
        share = (signal - self.begin) / (self.full - self.begin)
        if not share > 0.0:
            return 0.0
        return 1.0 if share >= 1.0 else share * share * (3.0 - 2.0 * share)


@dataclass(frozen=True, slots=True)
class AdaptationSettings:
    """Where each signal begins to count, and how fast the level follows.

    Signals: time to the first token over its baseline, the share of failed calls, and calls in
    flight over `capacity`, where that is known.
    `stale_s`: time constant by which what was last heard fades. `rise_s` and `fall_s`: the least
    time from 0 to 1 and back. `band`: how far level and pressure may differ.
    """

    queueing: Knee = Knee(1.5, 4.0)
    error: Knee = Knee(0.1, 0.5)
    in_flight: Knee = Knee(0.8, 1.2)
    capacity: int | None = None
    stale_s: float = 60.0
    rise_s: float = 5.0
    fall_s: float = 60.0
    band: float = 0.2

    def __post_init__(self) -> None:
        if not (0 < self.rise_s <= self.fall_s and self.stale_s > 0):
            raise ValueError("times are above 0, and a level rises no slower than it falls")
        if not 0 <= self.band < 0.5:
            raise ValueError("the band is in [0, 0.5)")


class Level(NamedTuple):
    """`value` in [0, 1] as of `at` in seconds of a clock that never goes back; None: never yet."""

    value: float = 0.0
    at: float | None = None


def pressure(figures: LoadFigures, settings: AdaptationSettings, now: float) -> float:
    """Return how much speaks for giving way, in [0, 1]. It grows with every signal."""
    excess = (figures.queueing - 1.0) * _left(figures.ttft_at, settings, now)
    pressures = [settings.queueing.pressure(1.0 + excess)]
    if figures.error_at is not None:
        error = figures.error * _left(figures.error_at, settings, now)
        pressures.append(settings.error.pressure(error))
    if settings.capacity:
        pressures.append(settings.in_flight.pressure(figures.in_flight / settings.capacity))
    return max(pressures)


def adapted(
    previous: Level, figures: LoadFigures, settings: AdaptationSettings, now: float
) -> Level:
    """Return the level at `now`. Between two looks it moves at most by their distance in time."""
    return moved(previous, pressure(figures, settings, now), settings, now)


def moved(previous: Level, wanted: float, settings: AdaptationSettings, now: float) -> Level:
    """Move a level towards a pressure in [0, 1]: step 3."""
    if previous.at is None:
        return Level(previous.value, now)
    passed = max(0.0, now - previous.at)
    # Within [lowest, highest] there is no reason to move. At 0 and at 1 both are the same.
    lowest = max(wanted - settings.band, 2.0 * wanted - 1.0)
    highest = min(wanted + settings.band, 2.0 * wanted)
    value = previous.value
    if value < lowest:
        value = min(lowest, value + passed / settings.rise_s)
    elif value > highest:
        value = max(highest, value - passed / settings.fall_s)
    return Level(value, max(now, previous.at))


def _left(heard_at: float, settings: AdaptationSettings, now: float) -> float:
    """Return what is left of something heard at `heard_at`, in [0, 1]."""
    return math.exp(-max(0.0, now - heard_at) / settings.stale_s)
