"""Exact recall: facts between sentences of novels, and questions that only the context answers.

A model asked `What is the code of Amberly Station?` can copy `7 4 9 2 1` only from the keys and
values of the context, so a lossy KV codec shows here before it shows in perplexity. In the manner
of the needle tests for long contexts and of multi-query associative recall (Arora et al. 2023,
arXiv:2312.04927); the form is our own design.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, get_args

import numpy as np
from numpy.typing import NDArray

from loadtests.lab.entities import SubjectKind, ValueKind, subject, value
from loadtests.lab.packing import Documents, PackedDocuments, RowSource
from loadtests.lab.phrasings import WORDINGS
from loadtests.lab.tasks.base import Split, Task
from loadtests.lab.tasks.novels import Novels
from loadtests.lab.tokens import PROMPT_WEIGHT, LabTokenizer

if TYPE_CHECKING:
    import random

#: What a token of an answer counts for: they are few, and the rest cannot be foreseen.
ANSWER_WEIGHT = 10.0
#: Characters of a context; four make a token, roughly.
TRAINING_CHARACTERS = (400, 4_800)
CASE_CHARACTERS = (1_600, 4_600)
ECHO_CHARACTERS = (200, 800)
#: Questions on one context: more would not fit behind it.
_MOST_QUESTIONS = 20

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


@dataclass(frozen=True)
class RecallCase:
    """Texts to be encoded apart and joined: `context + question + answer`.

    `question` opens with a blank line and ends where the answer's first token comes; `answer` opens
    with its space. The tokens of the parts are those of the whole.
    """

    context: str
    question: str
    answer: str


def sentences(novels: Sequence[str]) -> list[str]:
    """Sentences of 30 to 200 characters, to stand between the facts."""
    cut = (piece for novel in novels for piece in _SENTENCE.split(novel))
    whole = (" ".join(piece.split()) for piece in cut)
    return [piece for piece in whole if 30 <= len(piece) <= 200 and piece[-1] in ".!?"]


def recall_cases(
    split: Split,
    count: int,
    rng: random.Random,
    filler: Sequence[str],
    characters: tuple[int, int] = CASE_CHARACTERS,
    per_context: int = 1,
) -> Iterator[RecallCase]:
    """Draw `count` cases of `split`, `per_context` of them in a row from each context.

    `filler` are `sentences` of novels of the same split. The logarithm of a context's length in
    characters is uniform between those of the two `characters`.
    """

    def drawn() -> Iterator[RecallCase]:
        while True:
            yield from document(split, rng, filler, characters)[:per_context]

    return itertools.islice(drawn(), count)


def document(
    split: Split, rng: random.Random, filler: Sequence[str], characters: tuple[int, int]
) -> list[RecallCase]:
    """One context with the questions on it, in random order."""
    low, high = characters
    target = math.exp(rng.uniform(math.log(low), math.log(high)))
    facts_share = rng.uniform(0.15, 0.6)
    stated: dict[str, tuple[str, str]] = {}
    pieces: list[str] = []
    length = 0
    while length < target or not stated:
        if rng.random() < facts_share:
            statement, question, answer = _fact(split, rng)
            if question in stated:
                continue
            stated[question] = (statement, answer)
            piece = statement
        else:
            piece = rng.choice(filler)
        pieces.append(piece)
        length += len(piece) + 1
    asked = list(stated.items())
    rng.shuffle(asked)
    del asked[_MOST_QUESTIONS:]
    context = " ".join(pieces)
    return [
        RecallCase(context, f"\n\nQuestion: {question} Answer:", f" {answer}")
        for question, (_, answer) in asked
    ]


def echo(
    split: Split,
    rng: random.Random,
    filler: Sequence[str],
    characters: tuple[int, int] = ECHO_CHARACTERS,
) -> RecallCase:
    """Draw a short context that is to be said again."""
    context = document(split, rng, filler, characters)[0].context
    return RecallCase(context, "\n\nAgain:", f" {context}")


def _fact(split: Split, rng: random.Random) -> tuple[str, str, str]:
    """Draw a statement, a question on it, and the answer."""
    wordings = WORDINGS[split]
    if rng.random() < 0.3:
        about, kind, statement, question = rng.choice(wordings.special)
        attribute = ""
    else:
        about = rng.choice(get_args(SubjectKind))
        kind = rng.choice(get_args(ValueKind))
        attribute = rng.choice(wordings.attributes[kind])
        statement, question = rng.choice(wordings.statements), rng.choice(wordings.questions)
    s, v = subject(about, split, rng), value(kind, split, rng)
    said = statement.format(a=attribute, s=s, v=v)
    return said[0].upper() + said[1:], question.format(a=attribute, s=s), v


@dataclass(frozen=True)
class Recall(Task):
    """Documents of a context and all questions on it, answers weighted far above the rest."""

    novels: Novels
    documents: int = 24_000
    """Training documents; a hundredth of them are drawn as held-out ones."""
    echoes: float = 0.15
    """Share of training documents that say their text twice. Every token of the second time can be
    copied, which teaches a model to look back sooner than the few tokens of answers do."""

    name: ClassVar[str] = "recall"

    def texts(self, rng: random.Random) -> Iterator[str]:
        """Facts and questions alone: the novels bring their own sentences."""
        for _ in range(20_000):
            statement, question, answer = _fact("train", rng)
            yield f"{statement} Question: {question} Answer: {answer}"

    def rows(
        self, split: Split, tokenizer: LabTokenizer, context: int, rng: random.Random
    ) -> RowSource:
        """Whole documents packed side by side."""
        filler = sentences(self.novels.novels(split))
        count = self.documents if split == "train" else max(1, self.documents // 100)
        echoes = self.echoes if split == "train" else 0.0
        drawn = [
            [echo(split, rng, filler)]
            if rng.random() < echoes
            else document(split, rng, filler, TRAINING_CHARACTERS)
            for _ in range(count)
        ]
        return PackedDocuments(encode(drawn, tokenizer), context, tokenizer.pad_id)


def encode(documents: Sequence[Sequence[RecallCase]], tokenizer: LabTokenizer) -> Documents:
    """Lay out each document as BOS, context, every question with its answer, EOS."""
    pieces: list[str] = []
    weights: list[float] = []
    starts = [0]
    for cases in documents:
        pieces.append(cases[0].context)
        weights.append(PROMPT_WEIGHT)
        for case in cases:
            pieces += [case.question, case.answer]
            weights += [PROMPT_WEIGHT, ANSWER_WEIGHT]
        starts.append(len(pieces))
    encoded = tokenizer.backend.encode_batch_fast(pieces, add_special_tokens=False)
    bos = (np.array([tokenizer.bos_id], np.uint16), np.zeros(1, np.float32))
    eos = (np.array([tokenizer.eos_id], np.uint16), np.full(1, PROMPT_WEIGHT, np.float32))
    tokens: list[NDArray[np.uint16]] = []
    counted: list[NDArray[np.float32]] = []
    lengths: list[int] = []
    for first, end in itertools.pairwise(starts):
        parts = [bos]
        for piece, weight in zip(encoded[first:end], weights[first:end], strict=True):
            ids = np.array(piece.ids, np.uint16)
            parts.append((ids, np.full(len(ids), weight, np.float32)))
        parts.append(eos)
        tokens += [ids for ids, _ in parts]
        counted += [weight for _, weight in parts]
        lengths.append(sum(len(ids) for ids, _ in parts))
    return Documents(
        np.concatenate(tokens),
        np.concatenate(counted),
        np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
    )
