"""Writes what the verifier learns from: `python -m loadtests.verifier.prepare OUT`.

One line of JSON for each pair: a, b, same, kind, part. Pairs of the parts `calibration` and `test`
are the real ones alone; `train` has the real ones, edited ones (edits.py), and near pairs of other
data sets that have another answer, or, for shell commands, the same.
"""

from __future__ import annotations

import argparse
import gzip
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import orjson

from cachemw.config import default_cache_dir
from cachemw.embed.base import Embedder
from cachemw.embed.load import load_embedder
from cachemw.embed.settings import EmbedderSettings
from loadtests.questions import embedded, pairs_file, read_pairs
from loadtests.threshold.clusters import clusters
from loadtests.verifier.edits import CHANGING, names, other_manner, other_name
from loadtests.verifier.split import parts


class Row(NamedTuple):
    """One pair to learn from or to measure on."""

    a: str
    b: str
    same: int
    kind: str
    part: str
    fold: int = 0


def edited(questions: Sequence[str], rng: Random) -> Iterator[Row]:
    """Yield edited questions beside the real ones, changed and unchanged in meaning."""
    pool = sorted({name for text in questions for name in names(text)})
    for text in questions:
        changes = [(kind, edit(text, rng)) for kind, edit in CHANGING.items()]
        changes.append(("name", other_name(text, rng, pool)))
        possible = [(kind, other) for kind, other in changes if other is not None]
        if possible and (
            rng.random() < 0.5 or any(k not in ("negation", "name") for k, _ in possible)
        ):
            # The rarer ones first: every third question can be negated.
            rare = [each for each in possible if each[0] not in ("negation", "name")]
            kind, other = rng.choice(rare or possible)
            # A change in meaning beside one in manner, or the manner would give it away.
            other = (other_manner(other, rng) or other) if rng.random() < 0.4 else other
            yield Row(text, other, 0, kind, "train")
        if rng.random() < 0.5 and (same := other_manner(text, rng)) is not None:
            yield Row(text, same, 1, "manner", "train")


def commands(rows: Sequence[tuple[str, str]], embedder: Embedder, rng: Random) -> Iterator[Row]:
    """Yield descriptions of one shell command, and near descriptions of others."""
    by_command = defaultdict(list)
    for text, command in rows:
        by_command[command].append(text)
    for texts in by_command.values():
        for _ in range(min(3, len(texts) - 1)):
            a, b = rng.sample(texts, 2)
            if a != b:
                yield Row(a, b, 1, "command", "train")
    texts = [text for text, _ in rows]
    for i, j in near(texts, embedder, 0.7, 0.93):
        one, other = rows[i][1], rows[j][1]
        if _first(one) != _first(other):
            yield Row(texts[i], texts[j], 0, "command", "train")


def apart(rows: Sequence[tuple[str, str]], embedder: Embedder, kind: str) -> Iterator[Row]:
    """Yield near texts that have another label: an intent, or themselves."""
    texts = [text for text, _ in rows]
    for i, j in near(texts, embedder, 0.65, 0.999):
        if rows[i][1] != rows[j][1]:
            yield Row(texts[i], texts[j], 0, kind, "train")


def near(
    texts: Sequence[str], embedder: Embedder, low: float, high: float
) -> Iterator[tuple[int, int]]:
    """Yield positions of texts and of one of their five nearest within the limits."""
    vectors = embedded(embedder, texts)
    for start in range(0, len(texts), 1024):
        block = vectors[start : start + 1024] @ vectors.T
        block[np.arange(len(block)), np.arange(start, start + len(block))] = -1
        best = np.argpartition(-block, 5, axis=1)[:, :5]
        for row, columns in enumerate(best):
            inside = [c for c in columns if low <= block[row, c] <= high]
            if inside:
                yield start + row, int(inside[(start + row) % len(inside)])


def real() -> Iterator[Row]:
    """Yield the question pairs with their parts."""
    pairs = read_pairs(pairs_file())
    split, roots = parts(pairs), clusters(pairs)
    for part, positions in (
        ("train", split.train),
        ("calibration", split.calibration),
        ("test", split.test),
    ):
        for position in positions:
            pair = pairs[position]
            yield Row(pair.a, pair.b, int(pair.same), "real", part, fold_of(roots[pair.a]))


def fold_of(root: str) -> int:
    """Return a number by which clusters are put into folds."""
    return blake2b(root.encode(), digest_size=2, salt=b"fold").digest()[0]


def _first(command: str) -> str:
    return (command.split() or [""])[0]


def _read(path: Path, *fields: str) -> list[tuple[str, ...]]:
    with gzip.open(path) as lines:
        return [tuple(row[field] for field in fields) for row in map(orjson.loads, lines)]


def rows(shared: Path, embedder: Embedder, rng: Random) -> Iterator[Row]:
    """Yield everything."""
    everything = list(real())
    yield from everything
    asked = {text: row.fold for row in everything if row.part == "train" for text in (row.a, row.b)}
    for row in edited(rng.sample(sorted(asked), 22_000), rng):
        yield row._replace(fold=asked[row.a])
    semantic = shared / "semantic"
    bash = _read(semantic / "nl2bash.jsonl.gz", "text", "command")
    yield from commands([(a, b) for a, b in bash], embedder, rng)
    for name in ("banking77", "clinc150"):
        intents = _read(semantic / f"{name}-train.jsonl.gz", "text", "intent")
        yield from apart(rng.sample([(a, b) for a, b in intents], 4000), embedder, name)
    for name in ("gsm8k", "mmlu"):
        prompts = [text for (text,) in _read(shared / "routing" / f"{name}.jsonl.gz", "prompt")]
        short = [text for text in prompts if len(text) < 500]
        few = rng.sample(short, min(1200, len(short)))
        yield from apart([(text, text) for text in few], embedder, name)
        for text in few[:600]:
            for edit in (CHANGING["number"], CHANGING["opposite"]):
                if (other := edit(text, rng)) is not None:
                    yield Row(text, other, 0, name, "train")
            if (same := other_manner(text, rng)) is not None:
                yield Row(text, same, 1, name, "train")


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    shared = pairs_file().parents[1]
    embedder = load_embedder(EmbedderSettings(), default_cache_dir(os.environ))
    with gzip.open(options.out, "wb") as out:
        for row in rows(shared, embedder, Random(20)):
            out.write(orjson.dumps(row._asdict()) + b"\n")


if __name__ == "__main__":
    main()
