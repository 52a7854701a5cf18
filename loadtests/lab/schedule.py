"""Learning rate over the run."""

from __future__ import annotations

import math


def cosine_with_warmup(step: int, steps: int, warmup: int) -> float:
    """Factor on the peak rate: linear up over `warmup`, then half a cosine down to 1 %."""
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))


def hurried(step: int, steps: int, warmup: int, spent: float) -> float:
    """Give the same factor where the clock may end the run first.

    `spent` is the share of the allowed time that is gone; the cosine follows whichever of steps and
    time is further, so that it reaches its end in either case. Warm-up goes by steps alone.
    """
    further = max(step, min(steps, int(spent * steps)))
    return min((step + 1) / warmup, cosine_with_warmup(further, steps, warmup))
