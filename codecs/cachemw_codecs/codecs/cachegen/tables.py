"""The calibration file: steps and frequencies of one model.

A safetensors file. Its metadata have one entry, `cachemw`, of JSON: format, version, delta, group,
multiples, and the digest of the model in hexadecimal, empty where none was given. L layers, C
channels of keys and as many of values, which follow them in one row. Tensors, little-endian:

    steps            float32 [L, 2C]     of the finest level, within 2^(+-100)
    values           uint16 [N, 256]     weights of symbols at the finest level
    value_classes    int32 [L, 2C]       which row of `values` is a channel's

and with deltas, whose anchors have tables of their own:

    anchors          uint16 [M, 256]
    anchor_classes   int32 [L, 2C]
    centres          int32 [L, 2]        exponents of keys' and values' scales that symbol 127 means
    scales           uint16 [2L, 256]

Weights are whole numbers, so that the tables made of them are the same on every machine. Weights of
coarser levels are sums of the finest's. Own design.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from cachemw_codecs.codecs.cachegen.steps import GROUP, LARGEST, MULTIPLES, Exponents, Floats
from cachemw_codecs.codecs.cachegen.symbols import ESCAPE, Columns
from cachemw_codecs.coding.frequencies import SYMBOLS, FrequencyTables, quantised
from cachemw_codecs.errors import InvalidInput, UnsupportedFormat
from cachemw_codecs.fingerprint import DIGEST_BYTES, tables_hash
from cachemw_codecs.kv import MAX_CHANNELS

FORMAT = "cachemw-cachegen"
VERSION = 1
MAX_CENTRE = 800
"""Scales of up to 2^(927 / 8), so that they are neither infinite nor denormal."""
LARGEST_STEP = 2.0**100
"""And the least is its inverse: no product of a decoder overflows."""

_UNREADABLE = (
    SafetensorError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RecursionError,  # json's, of metadata nested too deep
)

Weights = NDArray[np.uint16]
Tensors = dict[str, NDArray[Any]]


class Model(NamedTuple):
    """What a stream is coded with: column j has table `columns[j]`."""

    columns: Columns
    tables: FrequencyTables


@dataclass(frozen=True, eq=False)
class Tables:
    """A calibration file, checked. `digest`: 16 bytes that name it."""

    tensors: Tensors
    delta: bool
    model: bytes
    digest: bytes

    @classmethod
    def read(cls, data: bytes) -> Tables:
        """Check a file; raises `InvalidInput` and, for another version, `UnsupportedFormat`."""
        try:
            tensors = load(data)
            about = _metadata(data)
        except _UNREADABLE as error:
            raise InvalidInput(
                f"calibration: not a safetensors file of this kind: {error}"
            ) from None
        _require_known(about)
        tables = cls(tensors, about["delta"], _model(about), tables_hash(data))
        _require_tensors(tensors, tables.delta)
        return tables

    @property
    def layers(self) -> int:
        """Layers of the model."""
        return len(self.steps)

    @property
    def channels(self) -> int:
        """Channels of a layer's keys, as many as of its values."""
        return int(self.steps.shape[1]) // 2

    @cached_property
    def steps(self) -> Floats:
        """Float32 [layers, 2 x channels]."""
        return self.tensors["steps"]

    def centres(self, layer: int) -> Exponents:
        """Int32 [2], of keys' and of values' scales."""
        return np.asarray(self.tensors["centres"][layer], np.int32)

    def value_model(self, layer: int, multiple: int) -> Model:
        """Of deltas, or of all tokens where there are none, at steps `multiple` times the finest.

        Columns: keys' channels, then values'.
        """
        rows, columns = np.unique(self.tensors["value_classes"][layer], return_inverse=True)
        weights = coarser(self.tensors["values"][rows], multiple)
        return Model(columns.astype(np.int32), FrequencyTables(quantised(weights)))

    def anchor_model(self, layer: int) -> Model:
        """Of anchors. Columns: keys' scale, values' scale, then the channels as above."""
        rows, columns = np.unique(self.tensors["anchor_classes"][layer], return_inverse=True)
        scales = self.tensors["scales"][2 * layer : 2 * layer + 2]
        weights = np.concatenate([scales, self.tensors["anchors"][rows]]).astype(np.float64)
        both = np.concatenate([[0, 1], columns + 2]).astype(np.int32)
        return Model(both, FrequencyTables(quantised(weights)))


def written(tensors: Tensors, *, delta: bool, model: bytes) -> bytes:
    """Return the file; the same tensors give the same bytes."""
    about = {
        "format": FORMAT,
        "version": VERSION,
        "delta": delta,
        "group": GROUP,
        "multiples": MULTIPLES,
        "model": model.hex(),
    }
    # One entry: safetensors writes several in no fixed order.
    return save(tensors, {"cachemw": json.dumps(about, sort_keys=True)})


def coarser(weights: Weights, multiple: int) -> NDArray[np.float64]:
    """Sum weights [rows, 256] of finest symbols to those of steps `multiple`, odd, as wide."""
    whole = np.zeros((len(weights), SYMBOLS), np.float64)
    finest = np.arange(-LARGEST, LARGEST + 1)
    symbols = np.rint(finest / multiple).astype(np.intp) + LARGEST
    first = np.flatnonzero(np.diff(symbols, prepend=-1))
    sums = np.add.reduceat(weights[:, :ESCAPE].astype(np.int64), first, axis=1)
    whole[:, symbols[first]] = sums
    whole[:, ESCAPE] = weights[:, ESCAPE]
    return whole


def _metadata(data: bytes) -> dict[str, Any]:
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    about = json.loads(header["__metadata__"]["cachemw"])
    if not isinstance(about, dict):
        raise TypeError("metadata are no object")
    return about


def _require_known(about: dict[str, Any]) -> None:
    if about.get("format") != FORMAT:
        raise InvalidInput(f"calibration: {about.get('format')!r} is not {FORMAT!r}")
    if about.get("version") != VERSION:
        raise UnsupportedFormat(f"calibration: version {about.get('version')!r} is not {VERSION}")
    if (about.get("group"), about.get("multiples")) != (GROUP, list(MULTIPLES)):
        raise UnsupportedFormat("calibration: made for other groups or levels")
    if not isinstance(about.get("delta"), bool):
        raise InvalidInput("calibration: delta is neither true nor false")


def _model(about: dict[str, Any]) -> bytes:
    try:
        model = bytes.fromhex(about["model"])
    except (KeyError, TypeError, ValueError):
        raise InvalidInput("calibration: model is not hexadecimal") from None
    if len(model) not in {0, DIGEST_BYTES}:
        raise InvalidInput(f"calibration: model has {len(model)} bytes")
    return model


def _require_tensors(tensors: Tensors, delta: bool) -> None:
    names = {"steps", "values", "value_classes"}
    names |= {"anchors", "anchor_classes", "centres", "scales"} if delta else set()
    if set(tensors) != names:
        raise InvalidInput(f"calibration: tensors are not {', '.join(sorted(names))}")
    steps = tensors["steps"]
    if steps.ndim != 2 or not len(steps) or not 2 <= steps.shape[1] <= 2 * MAX_CHANNELS:
        raise InvalidInput(f"calibration: steps of shape {list(steps.shape)}")
    if steps.shape[1] % 2 or steps.dtype != np.float32:
        raise InvalidInput("calibration: steps are not float32 of keys and values")
    if not bool(((steps >= 1 / LARGEST_STEP) & (steps <= LARGEST_STEP)).all()):
        raise InvalidInput("calibration: a step is not within 2^(+-100)")
    _require_classes(tensors, "values", "value_classes")
    if delta:
        _require_classes(tensors, "anchors", "anchor_classes")
        _require_weights(tensors["scales"], "scales")
        if len(tensors["scales"]) != 2 * len(steps):
            raise InvalidInput("calibration: scales are not two a layer")
        centres = tensors["centres"]
        if centres.shape != (len(steps), 2) or centres.dtype != np.int32:
            raise InvalidInput("calibration: centres are not int32, two a layer")
        if bool((np.abs(centres.astype(np.int64)) > MAX_CENTRE).any()):
            raise InvalidInput(f"calibration: a centre is beyond {MAX_CENTRE}")


def _require_classes(tensors: Tensors, rows: str, name: str) -> None:
    _require_weights(tensors[rows], rows)
    classes = tensors[name]
    if classes.shape != tensors["steps"].shape or classes.dtype != np.int32:
        raise InvalidInput(f"calibration: {name} are not int32, one a channel")
    if bool(((classes < 0) | (classes >= len(tensors[rows]))).any()):
        raise InvalidInput(f"calibration: one of {name} has no table")


def _require_weights(weights: NDArray[Any], name: str) -> None:
    if weights.ndim != 2 or weights.shape[1] != SYMBOLS or weights.dtype != np.uint16:
        raise InvalidInput(f"calibration: {name} are not uint16 of {SYMBOLS} symbols")
    if not bool((weights[:, ESCAPE] > 0).all()):
        raise InvalidInput(f"calibration: one of {name} cannot keep values as they are")
