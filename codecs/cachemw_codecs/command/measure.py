"""Size, time and quality of codecs on one model's cache of one text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.container import Chunk, read_all, write
from cachemw_codecs.errors import CodecError, TablesMissing, UnsupportedFormat
from cachemw_codecs.fingerprint import Fingerprint
from cachemw_codecs.hf import capture, continue_logits, fingerprint, restore
from cachemw_codecs.kv import LayerShape

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_REPEATS = 3
T = TypeVar("T")
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Task:
    """A model and the ids it reads, int64 [tokens + continuation + 1].

    The cache of the first `tokens` is compressed; the model goes on over the others, and the last
    one is predicted only.
    """

    model: PreTrainedModel
    tokenizer: Any
    ids: Tensor
    tokens: int


class OpenByName(Protocol):
    """What `cachemw_codecs.table.open_codec` is."""

    def __call__(self, name: str, tables: bytes | None = None) -> Codec:
        """Open a codec, with the calibration file's bytes if it needs one."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of the codecs `names` (None: all) at which level (None: all), and calibration files."""

    names: Sequence[str]
    open_codec: OpenByName
    codec: str | None = None
    level: str | None = None
    tables: tuple[bytes, ...] = ()

    def require_known(self) -> None:
        """Raise `CodecError` where what was chosen cannot be used so."""
        if self.codec is not None:
            self._levels(self._opened(self.codec))
        elif self.level is not None and not any(self.codecs({})):
            raise UnsupportedFormat(f"no codec that can run has a level {self.level!r}")

    def codecs(self, skipped: dict[str, str]) -> Iterator[tuple[Codec, tuple[str, ...]]]:
        """Yield codecs with their levels; of all codecs, those that cannot run go to `skipped`."""
        for name in self.names if self.codec is None else (self.codec,):
            try:
                codec = self._opened(name)
                levels = self._levels(codec)
            except CodecError as error:
                if self.codec is not None:
                    raise
                skipped[name] = str(error)
            else:
                yield codec, levels

    def _levels(self, codec: Codec) -> tuple[str, ...]:
        if self.level is None:
            return codec.levels
        codec.require_level(self.level)
        return (self.level,)

    def _opened(self, name: str) -> Codec:
        """Open a codec with the first calibration file that is its own."""
        try:
            return self.open_codec(name)
        except TablesMissing as missing:
            refusal: CodecError = missing
        for tables in self.tables:
            try:
                return self.open_codec(name, tables)
            except CodecError as error:
                refusal = error
        raise refusal


@dataclass(frozen=True, slots=True)
class Row:
    """What one codec does at one level; see the command's help for the columns."""

    codec: str
    level: str
    bytes: int
    ratio: float
    encode_seconds: float
    decode_seconds: float
    kl: float
    perplexity_change: float


@dataclass(frozen=True, slots=True)
class Result:
    """All rows, and what they were measured on.

    `shape`: of each of `layers` layers. `perplexity`: of the model that read the text itself, over
    the continuation. `skipped`: codecs that could not run, and why.
    """

    shape: LayerShape
    layers: int
    continuation: int
    exact_keys: bool
    perplexity: float
    rows: tuple[Row, ...]
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Bytes of the cache uncompressed."""
        return self.layers * self.shape.nbytes


def measure(task: Task, choice: Choice, clock: Clock) -> Result:
    """Measure each codec and level of `choice`. Raises `CodecError`; `clock` returns seconds."""
    captured = capture(task.model, task.ids[: task.tokens])
    chunk = Chunk(captured.layers, captured.positions)
    reference = _reference(task)
    whose = fingerprint(task.model, task.tokenizer)
    skipped: dict[str, str] = {}
    rows = []
    for codec, levels in choice.codecs(skipped):
        try:
            rows += [
                _row(_Trial(task, chunk, reference, whose, clock), codec, level) for level in levels
            ]
        except CodecError as error:
            if choice.codec is not None:
                raise
            skipped[codec.name] = str(error)
    return Result(
        shape=chunk.shape,
        layers=len(chunk.layers),
        continuation=reference.shape[0],
        exact_keys=captured.exact,
        perplexity=float(_loss(task, reference).exp()),
        rows=tuple(rows),
        skipped=skipped,
    )


@dataclass(frozen=True, slots=True)
class _Trial:
    task: Task
    chunk: Chunk
    reference: Tensor
    whose: Fingerprint
    clock: Clock


def _row(trial: _Trial, codec: Codec, level: str) -> Row:
    def open_again(name: str, tables_hash: bytes) -> Codec:
        if (name, tables_hash) != (codec.name, codec.tables_hash):
            raise UnsupportedFormat(f"wrote {codec.name}, read {name}")
        return codec

    data, encode = _timed(lambda: write(trial.chunk, codec, level, trial.whose), trial.clock)
    decoded, decode = _timed(lambda: read_all(data, open_again, trial.whose), trial.clock)
    task = trial.task
    cache = restore(task.model, decoded.layers, decoded.positions)
    logits = continue_logits(task.model, cache, task.ids[task.tokens : -1])
    change = _loss(task, logits) - _loss(task, trial.reference)
    return Row(
        codec=codec.name,
        level=level,
        bytes=len(data),
        ratio=len(trial.chunk.layers) * trial.chunk.shape.nbytes / len(data),
        encode_seconds=encode,
        decode_seconds=decode,
        kl=float(_kl(trial.reference, logits)),
        perplexity_change=float(change.expm1()),
    )


def _timed(work: Callable[[], T], clock: Clock) -> tuple[T, float]:
    """Return the result and the best time: the first run compiles what numba has to."""
    best = float("inf")
    for _ in range(_REPEATS):
        start = clock()
        result = work()
        best = min(best, clock() - start)
    return result, best


def _reference(task: Task) -> Tensor:
    """Return the logits of the model that read all itself, [continuation, vocabulary] float32."""
    model: Any = task.model
    with torch.no_grad():
        logits = model(input_ids=task.ids[None, :-1].to(model.device), use_cache=False).logits
    kept: Tensor = logits[0, task.tokens :].float()
    return kept


def _loss(task: Task, logits: Tensor) -> Tensor:
    """Mean nats a token of what the text goes on with."""
    return cross_entropy(logits.double(), task.ids[task.tokens + 1 :].to(logits.device))


def _kl(reference: Tensor, logits: Tensor) -> Tensor:
    """Mean over tokens of KL(reference || logits), in nats."""
    p, q = log_softmax(reference.double(), dim=-1), log_softmax(logits.double(), dim=-1)
    return kl_div(q, p, reduction="batchmean", log_target=True)
