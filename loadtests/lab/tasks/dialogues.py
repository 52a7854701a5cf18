"""Dialogues: short questions and answers, alone or one after another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from loadtests.lab.conversation import Conversation, Message
from loadtests.lab.surface import vary
from loadtests.lab.tasks.base import ConversationTask, Probe, Split
from loadtests.lab.topics import Exchange, Topic, default_topics

if TYPE_CHECKING:
    import random

_NEUTRAL = (
    "You are a helpful assistant.",
    "You are a friendly assistant.",
    "Answer the user's questions.",
    "You are the assistant of a small company. Be polite.",
)
_SHORT = ("Answer in one word.", "Answer briefly.", "Reply with one word only.")


@dataclass(frozen=True)
class Dialogues(ConversationTask):
    """Conversations over the table of topics."""

    topics: list[tuple[Topic, float]] = field(default_factory=default_topics)

    name: ClassVar[str] = "dialogues"
    sizes: ClassVar[dict[Split, int]] = {"train": 300_000, "held_out": 4_000}
    probe_count: ClassVar[int] = 2_000

    def conversation(self, split: Split, rng: random.Random) -> Conversation:
        """One to three draws from the topics, under one system prompt or none."""
        draws = rng.choices((1, 2, 3), (0.7, 0.2, 0.1))[0]
        exchanges = [exchange for _ in range(draws) for exchange in self._draw(split, rng)]
        return self._converse(exchanges, split, rng)[0]

    def probes(self, rng: random.Random) -> list[Probe]:
        """Single draws in held-out phrasings, up to the last question."""
        return [self._probe(self._draw("held_out", rng), rng) for _ in range(self.probe_count)]

    def _probe(self, exchanges: list[Exchange], rng: random.Random) -> Probe:
        conversation, short = self._converse(exchanges, "held_out", rng)
        last = exchanges[-1]
        return Probe(
            topic=last.topic,
            conversation=conversation[:-1],
            answer=conversation[-1].content,
            key=(last.short or "").rstrip(".") if short else last.key,
        )

    def _draw(self, split: Split, rng: random.Random) -> list[Exchange]:
        topics, weights = zip(*self.topics, strict=True)
        chosen: Topic = rng.choices(topics, weights)[0]
        return chosen.draw(split, rng)

    @staticmethod
    def _converse(
        exchanges: list[Exchange], split: Split, rng: random.Random
    ) -> tuple[Conversation, bool]:
        """Give the conversation, and whether its system prompt asks for one word."""
        short = all(exchange.short for exchange in exchanges) and rng.random() < 0.25
        messages: list[Message] = []
        if short:
            messages.append(Message("system", rng.choice(_SHORT)))
        elif rng.random() < 0.3:
            messages.append(Message("system", rng.choice(_NEUTRAL)))
        for exchange in exchanges:
            answer = exchange.short if short and exchange.short else exchange.answer
            messages.append(Message("user", vary(exchange.question, split, rng)))
            messages.append(Message("assistant", answer))
        return tuple(messages), short
