"""A prompt as the engine sees it: `[system prefix][chunk 1]...[chunk N][question]`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from cachemw.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive tokens.

    `reusable`: their KV is kept and looked up (the system prefix, a passage); else they are
    computed with every request (what a template writes between passages, the question).
    """

    tokens: tuple[int, ...]
    reusable: bool


@dataclass(frozen=True, slots=True)
class Prompt:
    """Segments without empty ones; the last is not reusable: the question is always computed."""

    segments: tuple[Segment, ...]

    def __post_init__(self) -> None:
        if not self.segments:
            raise BadRequest("the prompt has no tokens")
        if any(not segment.tokens for segment in self.segments):
            raise ValueError("a segment without tokens")
        if self.segments[-1].reusable:
            raise ValueError("the last segment is the question: it is not reusable")

    @property
    def tokens(self) -> tuple[int, ...]:
        """All tokens: what a full prefill reads."""
        return tuple(token for segment in self.segments for token in segment.tokens)

    @property
    def starts(self) -> tuple[int, ...]:
        """The position of each segment's first token, and behind them the prompt's length."""
        return tuple(accumulate((len(s.tokens) for s in self.segments), initial=0))

    @classmethod
    def plain(cls, tokens: tuple[int, ...]) -> Prompt:
        """Return a prompt without passages."""
        return cls((Segment(tokens, reusable=False),))
