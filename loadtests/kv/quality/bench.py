"""Measures one codec at one level on all windows of a model."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TypeVar

import torch
from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.container import Chunk
from cachemw_codecs.hf import continue_logits, restore
from torch import Tensor

from loadtests.kv.quality.passage import Part, Wire, mixed, prefill, values_of
from loadtests.kv.quality.results import Reference, Result
from loadtests.kv.quality.subjects import Subject

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Trial:
    """What to measure: files of `tokens` tokens each; `part` is what is taken from them."""

    codec: Codec
    level: str
    tokens: int
    part: Part = "both"


@dataclass(frozen=True, slots=True)
class Window:
    """One text with what the uncompressed model makes of it.

    `read`, `targets`: int64 [continuation], what is read over the prefix and what follows each.
    `log_probs`: float32 [continuation, vocabulary].
    """

    prefix: Chunk
    read: Tensor
    targets: Tensor
    log_probs: Tensor


class Bench:
    """All windows of a subject; each is prefilled once, when it is first needed."""

    def __init__(self, subject: Subject, ids: Tensor, workers: int = 1) -> None:
        """`ids`: int64 [windows, subject.window]. `workers`: windows measured at once."""
        self._subject = subject
        self._workers = workers
        self._ids = ids
        self._first = prefill(subject.model, ids[0, : subject.prefix])

    @cached_property
    def windows(self) -> Sequence[Window]:
        """Prefilled, with the uncompressed model's predictions."""
        return [self._window(row) for row in self._ids]

    def reference_key(self) -> str:
        """Name all that `reference` depends on."""
        sha = hashlib.sha256(self._ids.numpy().tobytes())
        sha.update(f"{self._subject.prefix} reference".encode())
        sha.update(self._subject.fingerprint.model)
        return sha.hexdigest()[:24]

    def reference(self) -> Reference:
        """Measure the model itself."""
        bos = prefill(self._subject.model, self._ids[0, :1])
        alone = [nll(self._log_probs(bos, w.read), w.targets) for w in self.windows]
        whole = [nll(w.log_probs, w.targets) for w in self.windows]
        return Reference(self.reference_key(), self._subject.name, whole, alone)

    def key(self, trial: Trial) -> str:
        """Name all that a result depends on but the decoder.

        The first file itself is part of it: a codec or a table that changed encodes otherwise.
        """
        sha = hashlib.sha256(self._ids.numpy().tobytes())
        sha.update(f"{self._subject.prefix} {trial.tokens} {trial.part}".encode())
        sha.update(next(self._wire(trial).files(self._first)))
        return sha.hexdigest()[:24]

    def measure(self, trial: Trial) -> Result:
        """Encode, decode and continue every window."""
        began = time.perf_counter()
        each = in_threads(partial(self._one, trial), self.windows, self._workers)
        sizes, nats, kls = (list(column) for column in zip(*each, strict=True))
        return Result(
            key=self.key(trial),
            model=self._subject.name,
            codec=trial.codec.name,
            level=trial.level,
            chunk=trial.tokens,
            part=trial.part,
            values=values_of(self._first),
            sizes=sizes,
            nll=nats,
            kl=kls,
            seconds=round(time.perf_counter() - began, 1),
        )

    def _one(self, trial: Trial, window: Window) -> tuple[int, float, float]:
        """Bytes, rise in nats a token, KL in nats a token."""
        wire = self._wire(trial)
        files = list(wire.files(window.prefix))
        decoded = mixed(window.prefix, wire.read(files), trial.part)
        theirs = self._log_probs(decoded, window.read)
        rise = nll(theirs, window.targets) - nll(window.log_probs, window.targets)
        return sum(map(len, files)), rise, kl(window.log_probs, theirs)

    def _wire(self, trial: Trial) -> Wire:
        return Wire(trial.codec, trial.level, trial.tokens, self._subject.fingerprint)

    def _window(self, ids: Tensor) -> Window:
        prefix = prefill(self._subject.model, ids[: self._subject.prefix])
        rest = ids[self._subject.prefix :]
        return Window(prefix, rest[:-1], rest[1:], self._log_probs(prefix, rest[:-1]))

    def _log_probs(self, prefix: Chunk, ids: Tensor) -> Tensor:
        model = self._subject.model
        cache = restore(model, prefix.layers, prefix.positions)
        return torch.log_softmax(continue_logits(model, cache, ids), dim=-1)


def in_threads(measure: Callable[[T], R], items: Iterable[T], workers: int) -> list[R]:
    """Map over some items at once; the threads use as many of torch's as the caller's does."""
    count = (torch.get_num_threads(),)
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=count) as pool:
        return list(pool.map(measure, items))


def nll(log_probs: Tensor, targets: Tensor) -> float:
    """Mean negative log-likelihood in nats a token."""
    return -float(log_probs.gather(-1, targets[:, None]).double().mean())


def kl(ours: Tensor, theirs: Tensor) -> float:
    """Mean KL(ours || theirs) in nats a token; both are log-probabilities [tokens, vocabulary]."""
    return float((ours.exp() * (ours - theirs)).double().sum(dim=-1).mean())
