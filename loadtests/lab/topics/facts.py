"""Questions over one hand-written relation, and follow-ups from one fact to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadtests.lab.topics.base import Exchange, Topic

if TYPE_CHECKING:
    import random

    from loadtests.lab.knowledge import Fact, Relation
    from loadtests.lab.tasks.base import Split

_FOLLOW_UPS: dict[Split, tuple[str, ...]] = {
    "train": ("And {x}?", "What about {x}?", "And what about {x}?", "Now {x}.", "{x}?"),
    "held_out": ("How about {x}?", "And for {x}?"),
}
_FOLLOW_UP_SHARE = 0.15


@dataclass(frozen=True)
class Facts(Topic):
    """The facts of one relation."""

    relation: Relation

    def draw(self, split: Split, rng: random.Random) -> list[Exchange]:
        """One fact; now and then a second one asked for by name only."""
        fact = rng.choice(self.relation.facts)
        exchanges = [_exchange(fact, _question(fact, split, rng))]
        if fact.follow_up and rng.random() < _FOLLOW_UP_SHARE:
            other = rng.choice(self.relation.facts)
            subject = (other.follow_up or "").format(**_cells(other, rng))
            question = rng.choice(_FOLLOW_UPS[split]).format(x=subject)
            exchanges.append(_exchange(other, question))
        return exchanges


def _question(fact: Fact, split: Split, rng: random.Random) -> str:
    template = rng.choice(fact.train if split == "train" else fact.held_out)
    text = template.format(**_cells(fact, rng))
    return text[:1].upper() + text[1:]


def _cells(fact: Fact, rng: random.Random) -> dict[str, str]:
    return {column: rng.choice(alternatives) for column, alternatives in fact.cells.items()}


def _exchange(fact: Fact, question: str) -> Exchange:
    short = fact.short[:1].upper() + fact.short[1:] if fact.short else None
    return Exchange(fact.topic, question, fact.answer, fact.key, short)
