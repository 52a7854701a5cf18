"""How many checks there may be: at once, and in a minute."""

from __future__ import annotations

from collections.abc import Callable

from cachemw_policies.budget import Bucket, refilled, spent


class CheckBudget:
    """Room for up to `in_flight` checks at once and `per_minute`, which is a burst's size too."""

    def __init__(self, in_flight: int, per_minute: float, monotonic: Callable[[], float]) -> None:
        self._in_flight = in_flight
        self._per_minute = per_minute
        self._monotonic = monotonic
        self._running = 0
        self._bucket = Bucket(per_minute, monotonic())

    @property
    def left(self) -> float:
        """How many checks may begin now: below 1, none."""
        self._bucket = refilled(self._bucket, self._per_minute, self._monotonic())
        return min(self._bucket.left, float(self._in_flight - self._running))

    def take(self) -> bool:
        """Begin a check if there is room for it; what is begun must be ended."""
        if self.left < 1.0:
            return False
        self._bucket = spent(self._bucket, 1.0)
        self._running += 1
        return True

    def end(self) -> None:
        """Note that a check is over."""
        self._running -= 1
