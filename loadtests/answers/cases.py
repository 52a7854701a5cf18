"""Pairs of answers of which it is known whether they serve alike, in halves that share nothing.

All come from the data beside the project (loadtests/questions.py):

* *worked problems*: GSM8K's questions, answered by GPT-4 and Mixtral, judged by the data set;
* *explanations*: descriptions that people wrote of one shell command, or of two (NL2Bash);
* *commands*: shell commands that people wrote for one description, or for two;
* *short answers*: an answer of XQuAD, and a sentence that answers its question or another one.
"""

from __future__ import annotations

import gzip
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from loadtests.answers.tried import code_tokens, share_in_common
from loadtests.questions import Pair, Vectors
from loadtests.threshold.clusters import clusters

MIXTRAL, GPT4 = "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"
WORKED, EXPLAINED, COMMANDS, SHORT = "worked problems", "explanations", "commands", "short answers"
KINDS = (WORKED, EXPLAINED, COMMANDS, SHORT)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(])")
_NEIGHBOURS = 8
Embed = Callable[[Sequence[str]], Vectors]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """Two answers; `what` names the sort of pair, `held_out` the half it belongs to."""

    kind: str
    what: str
    a: str
    b: str
    same: bool
    held_out: bool


def read_rows(path: Path) -> list[Row]:
    """Read a file of the data."""
    with gzip.open(path) as lines:
        return [orjson.loads(line) for line in lines]


def all_cases(data: Path, embed: Embed) -> list[Case]:
    """Return all pairs."""
    commands = read_rows(data / "semantic" / "nl2bash.jsonl.gz")
    return [
        *worked(read_rows(data / "routing" / "gsm8k.jsonl.gz"), embed),
        *explanations(commands, embed),
        *for_descriptions(commands, embed),
        *short_answers(read_rows(data / "rag" / "xquad.jsonl.gz"), embed),
    ]


def worked(rows: Sequence[Row], embed: Embed) -> Iterator[Case]:
    """Pair both models' answers to a problem, and an answer with one to the nearest problem.

    Where GPT-4 alone is called wrong there is no pair: see `disputed`.
    """
    judged = [(row[MIXTRAL] == "True", row[GPT4] == "True") for row in rows]
    for row, (mixtral, gpt4) in zip(rows, judged, strict=True):
        if gpt4:
            what = "both right" if mixtral else "one wrong"
            answers = row[f"{MIXTRAL}_response"], row[f"{GPT4}_response"]
            yield Case(WORKED, what, *answers, mixtral, held_out(row["prompt"]))
    for half in (False, True):
        there = [row for row in rows if held_out(row["prompt"]) is half]
        for row, other in zip(there, nearest(embed([r["prompt"] for r in there])), strict=True):
            a, b = row[f"{MIXTRAL}_response"], there[other[0]][f"{GPT4}_response"]
            yield Case(WORKED, "nearest problem", a, b, False, half)


def disputed(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Return the answers where the data set calls Mixtral right and GPT-4 wrong."""
    return [
        (row[f"{MIXTRAL}_response"], row[f"{GPT4}_response"])
        for row in rows
        if row[MIXTRAL] == "True" and row[GPT4] != "True"
    ]


def explanations(rows: Sequence[Row], embed: Embed) -> Iterator[Case]:
    """Pair descriptions of one command, and each with the nearest one of quite another command.

    Commands with half of their tokens in common may mean the same: such pairs are left out.
    """
    sides, texts_of, commands_of = _sides(rows), defaultdict(set), defaultdict(set)
    for row in rows:
        texts_of[row["command"]].add(row["text"])
        commands_of[row["text"]].add(row["command"])
    for command, texts in sorted(texts_of.items()):
        ordered = sorted(texts)
        for a, b in pairwise(ordered):
            yield Case(EXPLAINED, "one command", a, b, True, sides[command])
    for half in (False, True):
        there = sorted(text for text in commands_of if sides[text] is half)
        for text, others in zip(there, nearest(embed(there)), strict=True):
            mine = commands_of[text]
            foreign = (o for o in others if _alien(mine, commands_of[there[o]]))
            if (found := next(foreign, None)) is not None:
                yield Case(EXPLAINED, "nearest other", text, there[found], False, half)


def for_descriptions(rows: Sequence[Row], embed: Embed) -> Iterator[Case]:
    """Pair commands for one description, and each with one for a description near by.

    Near, but below a cosine of 0.8: closer ones may ask for the same in other words.
    """
    sides, commands_of = _sides(rows), defaultdict(set)
    for row in rows:
        commands_of[row["text"].strip().lower()].add(row["command"])
        sides[row["text"].strip().lower()] = sides[row["text"]]
    for text, commands in sorted(commands_of.items()):
        ordered = sorted(commands)
        for a, b in pairwise(ordered):
            yield Case(COMMANDS, "one task", _block(a), _block(b), True, sides[text])
    for half in (False, True):
        there = sorted(text for text in commands_of if sides[text] is half)
        for text, others in zip(there, nearest(embed(there), below=0.8), strict=True):
            a, b = min(commands_of[text]), min(commands_of[there[others[0]]])
            if not commands_of[text] & commands_of[there[others[0]]]:
                yield Case(COMMANDS, "task near by", _block(a), _block(b), False, half)


def short_answers(rows: Sequence[Row], embed: Embed) -> Iterator[Case]:
    """Pair answers with the sentence that answers their question, and with that of another.

    Of the sentences that hold an answer the one nearest to the question is taken to answer it.
    """
    for row in rows:
        half = held_out(row["title"])
        sentences = _SENTENCE_END.split(row["text"])
        questions = row["qas"]
        near = embed([q["question"] for q in questions]) @ embed(sentences).T
        answering = []
        for question, cosines in zip(questions, near, strict=True):
            answer = question["answers"][0]
            holding = [n for n, sentence in enumerate(sentences) if answer in sentence]
            ranked = sorted(holding, key=cosines.__getitem__)
            answering.append((answer, ranked[-1] if ranked else None))
        for number, (answer, best) in enumerate(answering):
            if best is None:
                continue
            yield Case(SHORT, "its sentence", answer, sentences[best], True, half)
            after = answering[number + 1 :] + answering[:number]
            others = (o for a, o in after if o not in (None, best) and a != answer)
            if (other := next(others, None)) is not None:
                yield Case(SHORT, "another's sentence", answer, sentences[other], False, half)


def nearest(vectors: Vectors, below: float = 1.1) -> list[list[int]]:
    """Return, for each row, the positions of its nearest others with a cosine under `below`."""
    found = []
    for position in range(len(vectors)):
        cosines = vectors @ vectors[position]
        cosines[position] = -2.0
        cosines[cosines >= below] = -2.0
        found.append([int(n) for n in np.argsort(-cosines)[:_NEIGHBOURS]])
    return found


def held_out(name: str) -> bool:
    """Choose a half by a name's hash."""
    return bool(blake2b(name.encode(), digest_size=1).digest()[0] & 1)


def _sides(rows: Sequence[Row]) -> dict[str, bool]:
    """Choose halves of texts and commands such that no text has a command in the other half."""
    roots = clusters([Pair(row["text"], row["command"], True) for row in rows])
    return {name: held_out(root) for name, root in roots.items()}


def _alien(mine: set[str], theirs: set[str]) -> bool:
    return all(share_in_common(code_tokens(a), code_tokens(b)) < 0.5 for a in mine for b in theirs)


def _block(command: str) -> str:
    return f"```bash\n{command}\n```"
