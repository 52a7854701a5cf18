"""Labelled questions from the data beside the project (see loadtests/questions.py)."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from cachemw.embed.base import Embedder
from loadtests.categories.mapping import clinc_category, mmlu_category
from loadtests.questions import Vectors, embedded, pairs_file


@dataclass(frozen=True, slots=True)
class Question:
    """A text with its category, and the data set it comes from."""

    text: str
    category: str
    source: str


def shared() -> Path:
    """Return the folder of the data, whether it is there or not."""
    return pairs_file().parents[1]


def rows(name: str) -> Iterator[dict[str, Any]]:
    """Read a file of the shared data."""
    with gzip.open(shared() / f"{name}.jsonl.gz") as lines:
        yield from map(orjson.loads, lines)


def questions(most: int) -> list[Question]:
    """Return up to `most` questions of each source, each source in the order of its hashes."""
    found: list[Question] = []
    for source in (_clinc, _banking, _nl2bash, _gsm8k, _mmlu):
        distinct = {question.text: question for question in source()}
        found += sorted(distinct.values(), key=lambda question: _hash(question.text))[:most]
    return found


def halves(asked: Iterable[Question]) -> tuple[list[Question], list[Question]]:
    """Split by text: the first half may be looked at while examples are written."""
    parts: tuple[list[Question], list[Question]] = ([], [])
    for question in asked:
        parts[_hash(question.text)[-1] & 1].append(question)
    return parts


def _hash(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=8).digest()


def _clinc() -> Iterator[Question]:
    return _mapped("CLINC150", "semantic/clinc150-train", "text", "intent", clinc_category)


def _banking() -> Iterator[Question]:
    name = "semantic/banking77-train"
    return _mapped("BANKING77", name, "text", "intent", lambda _: "customer_support")


def _nl2bash() -> Iterator[Question]:
    return _mapped("NL2Bash", "semantic/nl2bash", "text", "command", lambda _: "code")


def _gsm8k() -> Iterator[Question]:
    return _mapped("GSM8K", "routing/gsm8k", "prompt", "prompt", lambda _: "math")


def _mmlu() -> Iterator[Question]:
    return _mapped("MMLU", "routing/mmlu", "prompt", "subject", mmlu_category)


def _mapped(
    source: str, name: str, text: str, label: str, category: Callable[[str], str | None]
) -> Iterator[Question]:
    for row in rows(name):
        found = category(row[label])
        if found is not None:
            # Some of MMLU's prompts end with the word that asks a model for its answer.
            asked = row[text].removesuffix("Answer:").strip()
            yield Question(asked, found, source)


def vectors_of(embedder: Embedder, texts: Sequence[str], folder: Path | None) -> Vectors:
    """Return the vectors of `texts`; with a folder, those that an earlier run has left there."""
    if folder is None:
        return embedded(embedder, texts)
    digest = blake2b("\0".join(texts).encode(), digest_size=12).hexdigest()
    file = folder / f"{embedder.fingerprint}-{digest}.npy"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        np.save(file, embedded(embedder, texts))
    vectors: Vectors = np.load(file, allow_pickle=False)
    return vectors
