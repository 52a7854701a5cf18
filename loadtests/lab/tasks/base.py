"""What the lab trains on: a task turns seeded randomness into rows of tokens and into probes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from loadtests.lab.packing import PackedDocuments, RowSource

if TYPE_CHECKING:
    import random

    from loadtests.lab.conversation import Conversation
    from loadtests.lab.tokens import LabTokenizer

Split = Literal["train", "held_out"]


@dataclass(frozen=True)
class Probe:
    """A prompt the model never saw, with what a right answer must look like.

    `answer` is the whole expected answer; `key` is the word or words that carry its information
    and that a differently worded right answer would contain as well.
    """

    topic: str
    conversation: Conversation
    answer: str
    key: str


class Task(ABC):
    """One source of training text. Adding one takes one file and one line in `tasks/__init__.py`.

    A task draws all its randomness from the generator it is handed, and keeps no state.
    """

    name: ClassVar[str]

    @abstractmethod
    def texts(self, rng: random.Random) -> Iterable[str]:
        """Sample of this task's training text, from which the tokenizer is learned."""

    @abstractmethod
    def rows(
        self, split: Split, tokenizer: LabTokenizer, context: int, rng: random.Random
    ) -> RowSource:
        """Everything this task has for `split`, as a source of rows of `context` tokens."""

    def probes(self, rng: random.Random) -> list[Probe]:
        """Held-out prompts with known answers; none where the task has no right answers."""
        del rng
        return []


class ConversationTask(Task):
    """A task made of conversations; subclasses only say which ones."""

    #: Conversations drawn for each split, and for the tokenizer's sample.
    sizes: ClassVar[dict[Split, int]]
    tokenizer_sample: ClassVar[int] = 20_000

    @abstractmethod
    def conversation(self, split: Split, rng: random.Random) -> Conversation:
        """Draw one conversation of `split`."""

    def conversations(self, split: Split, count: int, rng: random.Random) -> Iterator[Conversation]:
        """Draw `count` conversations of `split`."""
        return (self.conversation(split, rng) for _ in range(count))

    def texts(self, rng: random.Random) -> Iterator[str]:
        """Message texts of a sample of training conversations."""
        for conversation in self.conversations("train", self.tokenizer_sample, rng):
            yield from (message.content for message in conversation)

    def rows(
        self, split: Split, tokenizer: LabTokenizer, context: int, rng: random.Random
    ) -> RowSource:
        """Whole conversations packed side by side, answers weighted above questions."""
        drawn = list(self.conversations(split, self.sizes[split], rng))
        documents = tokenizer.encode_conversations(drawn)
        return PackedDocuments(documents, context, pad_id=tokenizer.pad_id)
