from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from cachemw_codecs.errors import InvalidInput
from cachemw_codecs.transform.classes import ESCAPE, SCALES, SHAPES
from cachemw_codecs.transform.tables import TransformTables
from cachemw_codecs.transform.zones import BODY, FIRST, LOOSE, SETTINGS, SINKS, by_block
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from tests.codecs.cachemw_codecs.transform.samples import small_tables

ARRAYS = [
    field.name for field in fields(TransformTables) if field.name not in ("kv_heads", "digest")
]
ABOUT = {"transform": "1 2"}


def contents() -> dict[str, np.ndarray]:
    return load(small_tables().save())


def test_what_is_saved_is_loaded() -> None:
    tables = small_tables()
    back = TransformTables.load(tables.save())
    for name in ARRAYS:
        was, now = getattr(tables, name), getattr(back, name)
        assert was.dtype == now.dtype
        np.testing.assert_array_equal(was, now)
    assert (back.kv_heads, back.layers, back.channels) == (2, 2, 16)


def test_the_file_is_the_same_every_time_and_names_itself() -> None:
    data = small_tables().save()
    again = TransformTables.load(data)
    assert again.save() == data == small_tables().save()
    assert again.digest == hashlib.sha256(data).digest()[:16]


def test_another_file_has_another_name() -> None:
    other = replace(small_tables(), zone_shifts=np.zeros(SETTINGS, np.int32)).save()
    assert TransformTables.load(other).digest != TransformTables.load(small_tables().save()).digest


NO_METADATA = b'{"__metadata__":null}'


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", bytes(100), b"\xff" * 100, struct.pack("<Q", len(NO_METADATA)) + NO_METADATA],
)
def test_what_is_no_file_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="calibration file"):
        TransformTables.load(data)


@given(data=st.data())
@settings(max_examples=100)
def test_a_damaged_file_is_refused_or_loads(data: st.DataObject) -> None:
    good = bytearray(small_tables().save())
    header = int.from_bytes(good[:8], "little")
    for place in data.draw(st.lists(st.integers(0, header + 40), min_size=1, max_size=4)):
        good[place] = data.draw(st.integers(0, 255))
    try:
        TransformTables.load(bytes(good[: data.draw(st.integers(len(good) - 2, len(good)))]))
    except InvalidInput:
        return


@pytest.mark.parametrize(
    "about",
    [
        {},
        {"transform": ""},
        {"transform": "1"},
        {"transform": "2 2"},
        {"transform": "1 two"},
        {"transform": "1 0"},
        {"transform": "1 3"},
        {"transform": "1 -2"},
        {"transform": "1 " + "9" * 5000},
        {"cachegen": "1 2"},
    ],
    ids=str,
)
def test_another_format_or_number_of_heads_is_refused(about: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="tables"):
        TransformTables.load(save(contents(), metadata=about))


def test_arrays_missing_or_unknown_are_refused() -> None:
    whole = contents()
    fewer = {name: array for name, array in whole.items() if name != "means"}
    for arrays in (fewer, {**whole, "more": np.zeros(1)}):
        with pytest.raises(InvalidInput, match="expected frequencies, frequency_shifts"):
            TransformTables.load(save(arrays, metadata=ABOUT))


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize(
    "change",
    [
        lambda array: array[..., :-1],
        lambda array: array[None],
        lambda array: array.astype(np.float64),
        lambda array: np.zeros((), array.dtype),
        lambda array: np.zeros((0,) * array.ndim, array.dtype),
    ],
    ids=["shorter", "deeper", "another dtype", "scalar", "empty"],
)
def test_arrays_of_another_shape_or_dtype_are_refused(
    name: str, change: Callable[[Any], Any]
) -> None:
    arrays = contents()
    arrays[name] = np.ascontiguousarray(change(arrays[name])).reshape(change(arrays[name]).shape)
    with pytest.raises(InvalidInput, match="tables"):
        TransformTables.load(save(arrays, metadata=ABOUT))


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("synthesis", (0, 1, 2, 3), np.nan),
        ("means", (0, 1, 1, 3), np.inf),
        ("offsets", (5,), np.nan),
        ("offsets", (5,), -1e30),
        ("shapes", (1, 1, 4), len(SHAPES)),
        ("frequencies", (7, ESCAPE), 4000),
        ("level_shifts", (3,), 310),
        ("level_shifts", (3,), -(2**31)),
        ("zone_shifts", (3,), -310),
    ],
)
def test_values_that_cannot_be_are_refused(name: str, place: tuple[int, ...], value: float) -> None:
    arrays = contents()
    arrays[name][place] = value
    with pytest.raises(InvalidInput, match=name):
        TransformTables.load(save(arrays, metadata=ABOUT))


def test_shifts_are_bounded_together() -> None:
    arrays = contents()
    arrays["level_shifts"][0], arrays["zone_shifts"][0] = -120, 120
    TransformTables.load(save(arrays, metadata=ABOUT))
    arrays["frequency_shifts"][1, 1, 3] = -100
    with pytest.raises(InvalidInput, match="frequency_shifts"):
        TransformTables.load(save(arrays, metadata=ABOUT))


def test_a_table_without_escapes_is_refused() -> None:
    arrays = contents()
    row = arrays["frequencies"][9]
    row[np.argmax(row)] += row[ESCAPE]
    row[ESCAPE] = 0
    with pytest.raises(InvalidInput, match="without escapes"):
        TransformTables.load(save(arrays, metadata=ABOUT))


def test_analysis_inverts_synthesis() -> None:
    tables = small_tables()
    for kind in (0, 1):
        product = tables.synthesis[1, kind].astype(np.float64) @ tables.analysis(1, kind)
        np.testing.assert_allclose(product, np.eye(16), atol=1e-4)


def test_a_synthesis_that_has_no_inverse_is_refused_when_it_is_needed() -> None:
    flat = replace(small_tables(), synthesis=np.zeros_like(small_tables().synthesis))
    with pytest.raises(InvalidInput, match="no inverse"):
        flat.analysis(0, 0)


@pytest.mark.parametrize("setting", range(SETTINGS))
def test_steps_are_the_shifts_as_factors(setting: int) -> None:
    tables = small_tables()
    shifts = tables.shifts(1, 0, 5, setting)
    expected = tables.level_shifts[5] + tables.zone_shifts[setting]
    if by_block(setting):
        expected = expected + tables.frequency_shifts[1, 0].astype(int)
    assert shifts.tolist() == np.atleast_1d(expected).tolist()
    steps = tables.steps(1, 0, 5, setting)
    assert steps.dtype == np.float32
    np.testing.assert_allclose(steps, 2.0 ** (shifts / 4), rtol=1e-6)


@pytest.mark.parametrize("setting", [FIRST, SINKS, LOOSE, BODY, SETTINGS - 1])
@pytest.mark.parametrize("level", [0, 3, 6])
def test_classes_are_the_scales_in_steps(level: int, setting: int) -> None:
    tables = small_tables()
    classes = tables.classes(0, 1, level, setting)
    assert classes.dtype == np.int32
    shifts = tables.shifts(0, 1, level, setting)
    assert classes.shape == (len(shifts), 16)
    for row, shift in enumerate(shifts):
        stored = tables.scales[0, 1, row + 1 if by_block(setting) else 0].astype(int)
        expected = [min(max(scale - shift, 0), SCALES - 1) for scale in stored]
        assert (classes[row] % SCALES).tolist() == expected
        assert (classes[row] // SCALES).tolist() == tables.shapes[0, 1].tolist()


def test_a_coarser_level_has_narrower_classes() -> None:
    tables = small_tables()
    finest, coarsest = (tables.classes(1, 1, level, BODY) % SCALES for level in (0, 6))
    assert (finest >= coarsest).all()
    assert (finest > coarsest).any()
