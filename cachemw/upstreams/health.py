"""Whether an upstream is called: its circuit breaker, and the one place that tells its state."""

from __future__ import annotations

import math
from collections.abc import Callable

from cachemw_policies.breaker import (
    Breaker,
    BreakerPolicy,
    BreakerState,
    admit,
    failed,
    succeeded,
)

from cachemw.errors import UpstreamOpen
from cachemw.states import DependencyState


class UpstreamHealth:
    """The breaker of one upstream.

    What counts is the upstream's: no connection, no answer in time, 5xx, a body broken off. What
    does not: 4xx, our own limit of connections, a client that leaves. A probe that brought a head
    closes the breaker; else a call has succeeded once its body is whole, or an upstream that breaks
    every answer would look well.

    `state` is down while the breaker is not closed: one log line and one gauge for each change.
    """

    def __init__(
        self,
        name: str,
        policy: BreakerPolicy,
        state: DependencyState,
        monotonic: Callable[[], float],
    ) -> None:
        self._name = name
        self._policy = policy
        self._state = state
        self._monotonic = monotonic
        self._breaker = Breaker()

    @property
    def is_open(self) -> bool:
        """Whether the next call would be refused."""
        return not admit(self._breaker, self._policy, self._monotonic())[1]

    def admit(self) -> float:
        """Return when the call that may go now began. Raises UpstreamOpen."""
        now = self._monotonic()
        self._breaker, may_go = admit(self._breaker, self._policy, now)
        if not may_go:
            wait = max(1, math.ceil(self._breaker.probe_at - now))
            message = f"Upstream '{self._name}' keeps failing and is left alone for a while."
            raise UpstreamOpen(message, retry_after=wait)
        return now

    def head(self, began: float) -> None:
        """Note that a good head has come."""
        if self._breaker.state is not BreakerState.CLOSED:
            self.whole(began)

    def whole(self, began: float) -> None:
        """Note that a whole answer has come."""
        self._breaker = succeeded(self._breaker, began, self._monotonic())
        if self._breaker.state is BreakerState.CLOSED:
            self._state.up()

    def failed(self, began: float, reason: str) -> None:
        """Note a failure; `reason` is its kind, never its text."""
        self._breaker = failed(self._breaker, self._policy, began, self._monotonic())
        if self._breaker.state is BreakerState.OPEN:
            self._state.down(reason)
