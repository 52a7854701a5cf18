"""A topic hands out exchanges: a question and its one answer, or a few that belong together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from loadtests.lab.tasks.base import Split


@dataclass(frozen=True)
class Exchange:
    """One question and its answer, as `tasks.base.Probe` describes them."""

    topic: str
    question: str
    answer: str
    key: str
    short: str | None = None
    """The answer where one word was asked for; none where one word cannot do."""


def words(listed: str) -> tuple[str, ...]:
    """Split a `|`-separated list: long lists read better so than quoted one by one."""
    return tuple(listed.split("|"))


class Topic(ABC):
    """A kind of dialogue."""

    @abstractmethod
    def draw(self, split: Split, rng: random.Random) -> list[Exchange]:
        """Exchanges that follow one another, mostly a single one.

        Questions come in wordings of `split`. Only the last is tested: earlier ones set it up.
        """
