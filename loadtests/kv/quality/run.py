"""Measures what is not measured yet, of one model."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from cachemw_codecs.codecs.base import Codec
from torch import Tensor

from loadtests.kv.quality.bench import Bench, Trial
from loadtests.kv.quality.lookup import lookup_cases
from loadtests.kv.quality.measured import Findings, Measured, Probed, measured, probed
from loadtests.kv.quality.probes import Probe, ProbeBench, copying, recall
from loadtests.kv.quality.results import ProbeResult, Reference, Result, ResultFile
from loadtests.kv.quality.subjects import Subject, Task
from loadtests.kv.quality.trials import curve, longer, parts
from loadtests.kv.quality.trials import probed as probed_trials
from loadtests.kv.quality.windows import read_text, windows
from loadtests.lab.tasks.novels import Novels
from loadtests.lab.tasks.recall import recall_cases, sentences

_SEED = 20260


@dataclass(frozen=True, slots=True)
class Run:
    """Goes through the trials of a subject; what stands in `file` is not measured again."""

    subject: Subject
    codecs: Sequence[Codec]
    tables: Mapping[str, int]
    """Bytes of the calibration files."""
    texts: Path
    file: ResultFile
    task: Task = "copying"
    cases: int = 0
    workers: int = 1

    def findings(self, count: int) -> Findings:
        """Measure on `count` windows."""
        subject = self.subject
        text = read_text(self.texts / "wikitext2-test.txt.xz")
        ids = windows(text, subject.encode, subject.bos, subject.window, count)
        bench = Bench(subject, ids, self.workers)
        reference = self._reference(bench)
        curves = {c.name: self._all(bench, curve(c, subject.prefix)) for c in self.codecs}
        others = [self._of_each(bench, choose) for choose in (longer, parts)]
        return Findings(
            model=subject.name,
            about=self._about(count),
            reference=reference,
            curves=curves,
            longer=others[0],
            parts=others[1],
            probes={self.task: self._asked(self._probes(text, ids))},
        )

    def _about(self, count: int) -> str:
        subject = self.subject
        weights = 2 * subject.model.num_parameters()
        tables = "".join(
            f" Calibration file of `{name}`: {size / 1000:.1f} kB, {size / weights:.1%} of the "
            "model in bf16."
            for name, size in self.tables.items()
        )
        return (
            f"{subject.shape}. {count} windows: {subject.prefix} tokens of prefix in files of "
            f"256, {subject.continuation} tokens of continuation.{tables}"
        )

    def _reference(self, bench: Bench) -> Reference:
        known = self.file.known(Reference, bench.reference_key())
        if known is None:
            known = bench.reference()
            self.file.add(known)
        return known

    def _of_each(self, bench: Bench, choose: Callable[[Codec, int], list[Trial]]) -> list[Measured]:
        trials = [t for codec in self.codecs for t in choose(codec, self.subject.prefix)]
        return self._all(bench, trials)

    def _all(self, bench: Bench, trials: Iterable[Trial]) -> list[Measured]:
        return [measured(self._result(bench, trial), _rng()) for trial in trials]

    def _result(self, bench: Bench, trial: Trial) -> Result:
        known = self.file.known(Result, bench.key(trial))
        if known is None:
            known = bench.measure(trial)
            self.file.add(known)
            name = f"{known.model} {known.codec} {known.level} {known.part} {known.chunk}"
            kl = np.mean(known.kl)
            _say(f"{name}: {known.bits:.2f} bits, KL {kl:.2g}, {known.seconds} s")
        return known

    def _probes(self, text: str, ids: Tensor) -> list[Probe]:
        """Make the probes of the model's task."""
        subject = self.subject
        if self.task == "copying":
            return copying(ids, subject.prefix, torch.Generator().manual_seed(_SEED))
        drawn = random.Random(_SEED)
        if self.task == "lookup":
            cases = lookup_cases(text, self.cases, drawn)
        else:
            filler = sentences(Novels(self.texts / "novels.txt.xz").novels("held_out"))
            cases = list(recall_cases("held_out", self.cases, drawn, filler))
        return recall(cases, subject.encode, subject.bos)

    def _asked(self, probes: Sequence[Probe]) -> list[Probed]:
        exact = self.task != "copying"
        bench = ProbeBench(self.subject, self.task, probes, exact=exact, workers=self.workers)
        trials = [t for codec in self.codecs for t in probed_trials(codec, self.subject.prefix)]
        results = [self._probe_result(bench, trial) for trial in trials]
        # `raw` comes first and loses nothing.
        return [probed(result, results[0], _rng()) for result in results]

    def _probe_result(self, bench: ProbeBench, trial: Trial) -> ProbeResult:
        known = self.file.known(ProbeResult, bench.key(trial))
        if known is None:
            known = bench.measure(trial)
            self.file.add(known)
            name = f"{known.model} {known.task} {known.codec} {known.level}"
            score = np.mean(known.scores)
            _say(f"{name}: {known.bits:.2f} bits, {score:.3f}, {known.seconds} s")
        return known


def _rng() -> np.random.Generator:
    """Give every point the same resamples: a report does not depend on their order."""
    return np.random.default_rng(_SEED)


def _say(what: str) -> None:
    print(f"... {what}", file=sys.stderr, flush=True)
