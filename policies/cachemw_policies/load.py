"""How busy a model's upstream is, as far as one can tell from outside (own design).

Samples come when they come, so the averages are exponential in time and not in samples: after a
pause of `dt` seconds a sample weighs 1 - exp(-dt / tau). Half of what an average says is then not
older than 0.7 `tau`, at one request an hour as at a thousand a second. Samples that come at the
same moment count as one.

The baseline is what the time to the first token would be with nobody else there. It follows
shorter times as fast as the average itself and longer ones slowly, so that congestion shows as a
ratio above 1 and only a lasting change, such as a larger model, becomes the new normal. It follows
the distance and not the ratio: of a time 20 times as long, a tenth of its time constant makes it
three times what it was. Hence an hour, in which an overload of ten minutes still shows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """Time constants in seconds: of the averages, and of the baseline where it rises."""

    tau_s: float = 10.0
    baseline_tau_s: float = 3600.0


class LoadFigures(NamedTuple):
    """The figures of one model.

    `ttft_s` and `baseline_s` are seconds, None before the first sample; `error` is the share of
    failed calls in [0, 1]; `in_flight` calls are under way. `ttft_at` and `error_at` are the times
    of the latest samples.
    """

    in_flight: int = 0
    ttft_s: float | None = None
    baseline_s: float | None = None
    ttft_at: float = 0.0
    error: float = 0.0
    error_at: float | None = None

    @property
    def queueing(self) -> float:
        """Time to the first token over its baseline: 1 where nothing queues, or is known."""
        if self.ttft_s is None or not self.baseline_s:
            return 1.0
        return max(1.0, self.ttft_s / self.baseline_s)


def first_token(
    figures: LoadFigures, settings: LoadSettings, seconds: float, now: float
) -> LoadFigures:
    """Return the figures after a first token came at `now`, `seconds` after its call began."""
    if figures.ttft_s is None or figures.baseline_s is None:
        return figures._replace(ttft_s=seconds, baseline_s=seconds, ttft_at=now)
    pause = now - figures.ttft_at
    ttft = _moved(figures.ttft_s, seconds, pause, settings.tau_s)
    tau = settings.tau_s if ttft < figures.baseline_s else settings.baseline_tau_s
    baseline = _moved(figures.baseline_s, ttft, pause, tau)
    return figures._replace(ttft_s=ttft, baseline_s=baseline, ttft_at=now)


def attempted(
    figures: LoadFigures, settings: LoadSettings, *, failed: bool, now: float
) -> LoadFigures:
    """Return the figures after a call was answered, or failed, at `now`."""
    sample = 1.0 if failed else 0.0
    if figures.error_at is None:
        return figures._replace(error=sample, error_at=now)
    error = _moved(figures.error, sample, now - figures.error_at, settings.tau_s)
    return figures._replace(error=error, error_at=now)


def _moved(average: float, sample: float, pause: float, tau: float) -> float:
    """Move an average towards a sample that came `pause` seconds after the one before."""
    return average - math.expm1(-max(0.0, pause) / tau) * (sample - average)
