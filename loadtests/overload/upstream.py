"""An upstream of limited capacity, in simulated time."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from cachemw_policies.load import LoadFigures, LoadSettings, attempted, first_token


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the upstream can do: `slots` answers at once, and `waiting` calls that wait for one.

    Further calls are turned away. Seconds of an answer: `first_s`, plus the prompt at
    `prompt_tokens_s` tokens a second, plus the answer at `answer_tokens_s`.
    """

    slots: int = 32
    waiting: int = 320
    first_s: float = 0.1
    prompt_tokens_s: float = 8000.0
    answer_tokens_s: float = 50.0

    def reading_s(self, prompt_tokens: int) -> float:
        """Return the time to the first token where nobody waits."""
        return self.first_s + prompt_tokens / self.prompt_tokens_s

    def answer_s(self, prompt_tokens: int, answer_tokens: int) -> float:
        """Return how long an answer holds its slot."""
        return self.reading_s(prompt_tokens) + answer_tokens / self.answer_tokens_s


@dataclass
class Upstream:
    """First come, first served; what the service would see of it is in `figures`."""

    capacity: Capacity
    load: LoadSettings = field(default_factory=LoadSettings)
    figures: LoadFigures = field(default_factory=LoadFigures)

    def __post_init__(self) -> None:
        self._free_at = [0.0] * self.capacity.slots
        # What will have happened: time, seconds to the first token or None for an answer's end.
        self._coming: list[tuple[float, int, float | None]] = []
        self._number = 0

    def seen_until(self, now: float) -> LoadFigures:
        """Let time pass; returns the figures at `now`."""
        while self._coming and self._coming[0][0] <= now:
            at, _, seconds = heapq.heappop(self._coming)
            if seconds is None:
                done = attempted(self.figures, self.load, failed=False, now=at)
                self.figures = done._replace(in_flight=done.in_flight - 1)
            else:
                self.figures = first_token(self.figures, self.load, seconds, at)
        return self.figures

    def call(self, now: float, prompt_tokens: int, answer_tokens: int) -> float | None:
        """Begin a call; returns how long it will take, or None where it is turned away."""
        self.seen_until(now)
        if self.figures.in_flight >= self.capacity.slots + self.capacity.waiting:
            self.figures = attempted(self.figures, self.load, failed=True, now=now)
            return None
        begins = max(now, heapq.heappop(self._free_at))
        heard = begins + self.capacity.reading_s(prompt_tokens)
        ends = begins + self.capacity.answer_s(prompt_tokens, answer_tokens)
        heapq.heappush(self._free_at, ends)
        self._expect(heard, heard - now)
        self._expect(ends, None)
        self.figures = self.figures._replace(in_flight=self.figures.in_flight + 1)
        return ends - now

    def _expect(self, at: float, seconds: float | None) -> None:
        self._number += 1
        heapq.heappush(self._coming, (at, self._number, seconds))
