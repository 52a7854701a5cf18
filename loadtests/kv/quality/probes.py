"""Tasks with right answers: copying a passage, and recalling facts exactly.

A probe is a prefix whose KV is compressed, and tokens read over it as they are; the last of those
are the answer. Reading the right answer and asking for the likeliest token at each place finds
whether greedy decoding would have written it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from cachemw_codecs.container import Chunk
from cachemw_codecs.hf import continue_logits, restore
from torch import Tensor

from loadtests.kv.quality.bench import Trial, in_threads
from loadtests.kv.quality.passage import Wire, prefill, values_of
from loadtests.kv.quality.results import ProbeResult
from loadtests.kv.quality.subjects import Subject
from loadtests.lab.tasks.recall import RecallCase

PASSAGE = 128
"""Tokens of a passage that is read twice, at most; a quarter of them is given the second time."""


@dataclass(frozen=True, slots=True)
class Probe:
    """`prefix`, `read`: int64 [tokens]; `read` from `answer` on is what has to be predicted."""

    prefix: Tensor
    read: Tensor
    answer: int


def copying(windows: Tensor, prefix: int, rng: torch.Generator) -> list[Probe]:
    """Read a passage of each window's prefix again, from a random place.

    `windows`: int64 [windows, tokens], of which `prefix` are used.
    """
    length = min(PASSAGE, prefix // 2)
    starts = torch.randint(1, prefix - length, (len(windows),), generator=rng)
    return [
        Probe(row[:prefix], row[int(start) : int(start) + length], length // 4)
        for row, start in zip(windows, starts, strict=True)
    ]


def recall(
    cases: Sequence[RecallCase], encode: Callable[[str], list[int]], bos: int
) -> list[Probe]:
    """One probe a case: the context is the prefix, question and answer are read."""
    made = []
    for case in cases:
        question = encode(case.question)
        read = question + encode(case.answer)
        prefix = [bos, *encode(case.context)]
        made.append(Probe(torch.tensor(prefix), torch.tensor(read), len(question)))
    return made


class ProbeBench:
    """All probes of a task; each prefix is read once, when it is first needed."""

    def __init__(
        self,
        subject: Subject,
        task: str,
        probes: Sequence[Probe],
        *,
        exact: bool,
        workers: int = 1,
    ) -> None:
        """`exact`: a probe scores 1 if the whole answer is right, else the share of its tokens.

        `workers`: probes asked at once.
        """
        self._workers = workers
        self._subject = subject
        self._task = task
        self._probes = probes
        self._exact = exact
        self._first = prefill(subject.model, probes[0].prefix)

    def key(self, trial: Trial) -> str:
        """Name all that a result depends on but the decoder, as `Bench.key` does."""
        sha = hashlib.sha256(f"{self._task} {trial.tokens}".encode())
        for probe in self._probes:
            sha.update(probe.prefix.numpy().tobytes() + probe.read.numpy().tobytes())
        sha.update(next(self._wire(trial).files(self._first)))
        return sha.hexdigest()[:24]

    def measure(self, trial: Trial) -> ProbeResult:
        """Encode, decode and ask every probe."""
        began = time.perf_counter()
        both = zip(self._probes, self._prefixes, strict=True)
        each = in_threads(lambda pair: self._one(trial, *pair), both, self._workers)
        sizes, values, scores = (list(column) for column in zip(*each, strict=True))
        return ProbeResult(
            key=self.key(trial),
            model=self._subject.name,
            task=self._task,
            codec=trial.codec.name,
            level=trial.level,
            sizes=sizes,
            values=values,
            scores=scores,
            seconds=round(time.perf_counter() - began, 1),
        )

    @cached_property
    def _prefixes(self) -> Sequence[Chunk]:
        return [prefill(self._subject.model, probe.prefix) for probe in self._probes]

    def _one(self, trial: Trial, probe: Probe, prefix: Chunk) -> tuple[int, int, float]:
        """Bytes, numbers, score."""
        wire = self._wire(trial)
        files = list(wire.files(prefix))
        score = self._score(probe, wire.read(files))
        return sum(map(len, files)), values_of(prefix), score

    def _score(self, probe: Probe, prefix: Chunk) -> float:
        model = self._subject.model
        cache = restore(model, prefix.layers, prefix.positions)
        logits = continue_logits(model, cache, probe.read[:-1])
        right = logits[probe.answer - 1 :].argmax(dim=-1) == probe.read[probe.answer :]
        return float(right.all()) if self._exact else float(right.double().mean())

    def _wire(self, trial: Trial) -> Wire:
        return Wire(trial.codec, trial.level, trial.tokens, self._subject.fingerprint)
