from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cachemw_codecs.codecs.cachegen.steps import MULTIPLES
from cachemw_codecs.codecs.cachegen.symbols import ESCAPE
from cachemw_codecs.codecs.cachegen.tables import MAX_CENTRE, Tables, coarser, written
from cachemw_codecs.errors import CodecError, InvalidInput, UnsupportedFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from tests.codecs.cachemw_codecs.codecs.cachegen.samples import LAYERS, SMALL, calibration

BOTH = pytest.mark.parametrize("delta", [True, False])


def rewritten(change: Callable[[dict[str, Any]], object], *, delta: bool = True) -> bytes:
    tables = Tables.read(calibration(delta=delta))
    tensors = {name: tensor.copy() for name, tensor in tables.tensors.items()}
    change(tensors)
    return written(tensors, delta=delta, model=b"")


def described(**changes: Any) -> bytes:
    """Return the file with other metadata; None takes an entry away."""
    data = calibration()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    about = json.loads(header["__metadata__"]["cachemw"]) | changes
    about = {name: value for name, value in about.items() if value is not None}
    return save(Tables.read(data).tensors, {"cachemw": json.dumps(about)})


@BOTH
def test_what_a_file_says(delta: bool) -> None:
    data = calibration(delta=delta)
    tables = Tables.read(data)
    assert (tables.layers, tables.channels, tables.delta) == (LAYERS, SMALL.channels, delta)
    assert tables.model == b""
    assert tables.digest == hashlib.sha256(data).digest()[:16]


def test_the_same_tensors_give_the_same_bytes() -> None:
    tables = Tables.read(calibration())
    again = written(dict(reversed(tables.tensors.items())), delta=True, model=b"")
    assert again == calibration()


def test_the_models_digest_is_kept() -> None:
    tensors = Tables.read(calibration()).tensors
    assert Tables.read(written(tensors, delta=True, model=b"m" * 16)).model == b"m" * 16


def test_metadata_nested_without_end_are_refused() -> None:
    with pytest.raises(InvalidInput, match="not a safetensors file of this kind"):
        Tables.read(save(Tables.read(calibration()).tensors, {"cachemw": "[" * 100_000}))


@pytest.mark.parametrize("multiple", MULTIPLES)
def test_every_table_can_keep_values_as_they_are(multiple: int) -> None:
    tables = Tables.read(calibration())
    for layer in range(LAYERS):
        for model in (tables.anchor_model(layer), tables.value_model(layer, multiple)):
            assert (model.tables.frequencies[:, ESCAPE] > 0).all()
    assert len(tables.anchor_model(0).columns) == 2 + 2 * SMALL.channels
    assert len(tables.value_model(0, multiple).columns) == 2 * SMALL.channels


def test_weights_of_coarser_steps_are_sums() -> None:
    weights = np.zeros((1, 256), np.uint16)
    weights[0, [0, 124, 125, 126, 127, 128, 129, 254, ESCAPE]] = 1, 2, 4, 8, 16, 32, 64, 128, 9
    three = coarser(weights, 3)
    # Number -127 is 42 and a third steps of 3 below 0; -3 and -2 go to -1; -1, 0, 1 to 0.
    assert {int(s): three[0, s] for s in np.flatnonzero(three)} == {
        85: 1, 126: 6, 127: 56, 128: 64, 169: 128, ESCAPE: 9,
    }  # fmt: skip


@given(st.sampled_from(MULTIPLES), st.integers(0, 2**32 - 1))
def test_no_weight_is_lost(multiple: int, seed: int) -> None:
    weights = np.random.default_rng(seed).integers(0, 1 << 16, (3, 256)).astype(np.uint16)
    summed = coarser(weights, multiple)
    assert (summed.sum(axis=1) == weights.sum(axis=1, dtype=np.int64)).all()
    if multiple == 1:
        assert (summed == weights).all()


def _set(name: str, place: Any, value: Any) -> Callable[[dict[str, Any]], object]:
    return lambda tensors: tensors[name].__setitem__(place, value)


def _replace(name: str, change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], object]:
    return lambda tensors: tensors.update({name: change(tensors[name])})


WRONG = {
    "a tensor is missing": lambda tensors: tensors.pop("values"),
    "a tensor too many": lambda tensors: tensors.update(more=np.zeros(1)),
    "no layers": _replace("steps", lambda t: t[:0]),
    "an odd channel": _replace("steps", lambda t: t[:, 1:].copy()),
    "steps of other dimensions": _replace("steps", lambda t: t[0]),
    "steps of another dtype": _replace("steps", lambda t: t.astype(np.float64)),
    "a step of 0": _set("steps", (0, 0), 0),
    "a negative step": _set("steps", (0, 0), -1),
    "a denormal step": _set("steps", (0, 0), 1e-40),
    "a step too large": _set("steps", (0, 0), 2e30),
    "an infinite step": _set("steps", (0, 0), np.inf),
    "a step that is no number": _set("steps", (0, 0), np.nan),
    "weights of too few symbols": _replace("values", lambda t: t[:, 1:].copy()),
    "weights of another dtype": _replace("anchors", lambda t: t.astype(np.int32)),
    "no escape of values": _set("values", (0, ESCAPE), 0),
    "no escape of anchors": _set("anchors", (0, ESCAPE), 0),
    "no escape of scales": _set("scales", (0, ESCAPE), 0),
    "scales of one layer less": _replace("scales", lambda t: t[2:]),
    "a class without a table": _set("value_classes", (0, 0), 10_000),
    "a negative class": _set("anchor_classes", (0, 0), -1),
    "classes of another shape": _replace("value_classes", lambda t: t[1:]),
    "classes of another dtype": _replace("anchor_classes", lambda t: t.astype(np.int64)),
    "a centre too far": _set("centres", (0, 0), MAX_CENTRE + 1),
    "the least centre": _set("centres", (0, 0), np.iinfo(np.int32).min),
    "centres of another shape": _replace("centres", lambda t: t[1:]),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_file_is_refused(what: str) -> None:
    with pytest.raises(InvalidInput, match="calibration"):
        Tables.read(rewritten(WRONG[what]))


def test_a_file_without_anchors_says_so() -> None:
    tensors = Tables.read(calibration()).tensors
    with pytest.raises(InvalidInput, match="tensors"):
        Tables.read(written(tensors, delta=False, model=b""))


@pytest.mark.parametrize(
    "changes",
    [{"version": 2}, {"version": None}, {"group": 5}, {"multiples": [1]}],
)
def test_another_version_is_not_supported(changes: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedFormat):
        Tables.read(described(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "x"},
        {"delta": 1},
        {"model": "xy"},
        {"model": 3},
        {"model": None},
        {"model": "00"},
    ],
)
def test_wrong_metadata_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Tables.read(described(**changes))


@pytest.mark.parametrize("metadata", [None, {"other": "{}"}, {"cachemw": "["}, {"cachemw": "3"}])
def test_a_file_without_our_metadata_is_refused(metadata: dict[str, str] | None) -> None:
    with pytest.raises(InvalidInput):
        Tables.read(save(Tables.read(calibration()).tensors, metadata))


@given(st.binary(max_size=200))
def test_junk_is_refused(junk: bytes) -> None:
    with pytest.raises(InvalidInput):
        Tables.read(junk)


@given(st.data())
@settings(max_examples=200)
def test_a_damaged_file_is_refused_or_can_be_used(data: st.DataObject) -> None:
    damaged = bytearray(calibration())
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=4)):
        damaged[place] = data.draw(st.integers(0, 255))
    header = data.draw(st.integers(0, 600))
    damaged[header] = data.draw(st.integers(0, 255))
    try:
        tables = Tables.read(bytes(damaged))
    except CodecError:
        return
    tables.value_model(0, MULTIPLES[0])
