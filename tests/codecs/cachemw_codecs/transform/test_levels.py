from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from cachemw_codecs.codecs.base import LADDER
from cachemw_codecs.codecs.transform import Transform
from cachemw_codecs.hf import continue_logits, restore
from cachemw_codecs.kv import LayerKV
from cachemw_codecs.transform.calibrate import fit
from cachemw_codecs.transform.levels import TARGETS, Trials, level_shifts
from cachemw_codecs.transform.sensitivity import Reading, observe
from cachemw_codecs.transform.tables import TransformTables
from torch import Tensor
from transformers import PreTrainedModel


class Counted:
    """A divergence that knows how often it was asked."""

    def __init__(self, curve: Callable[[int], float]) -> None:
        self._curve = curve
        self.asked: list[int] = []

    def __call__(self, shift: int) -> float:
        self.asked.append(shift)
        return self._curve(shift)


def power(at_zero: float, slope: float) -> Callable[[int], float]:
    """Return what errors make of answers: `slope` octaves of divergence an octave of the step."""
    return lambda shift: at_zero * 2 ** (slope * shift / 4)


def check_ladder(shifts: np.ndarray) -> None:
    assert shifts.dtype == np.int32
    assert shifts.shape == (len(LADDER),)
    assert (np.diff(shifts) >= 1).all(), "each level is coarser than the one before"


@pytest.mark.parametrize("at_zero", [1e-5, 0.003, 0.5])
@pytest.mark.parametrize("slope", [1.0, 2.0])
@pytest.mark.parametrize("start", [-8, 0, 8])
def test_targets_are_reached(at_zero: float, slope: float, start: int) -> None:
    curve = Counted(power(at_zero, slope))
    shifts = level_shifts(curve, start)
    check_ladder(shifts)
    # Half a quarter octave either way.
    apart = np.log2([curve(int(shift)) for shift in shifts]) - np.log2(TARGETS)
    assert np.abs(apart).max() <= slope / 8 + 1e-6
    assert len(set(curve.asked[: -len(LADDER)])) == len(curve.asked) - len(LADDER)


@pytest.mark.parametrize(
    "curve",
    [
        lambda _: 0.0,
        lambda _: 0.004,
        lambda _: 10.0,
        lambda shift: 0.0 if shift < 3 else 5.0,
        lambda shift: 0.001 if shift < 3 else 0.01,
        lambda shift: 1.0 if shift < 0 else 0.0,
        lambda shift: float(np.random.default_rng(shift + 100).uniform(0, 0.1)),
        lambda shift: -1e-7 if shift < 3 else 0.1,
    ],
    ids=["none", "flat", "high", "cliff", "step", "falling", "noise", "below nothing"],
)
def test_any_curve_ends_in_a_ladder(curve: Callable[[int], float]) -> None:
    counted = Counted(curve)
    check_ladder(level_shifts(counted, 0))
    assert len(counted.asked) <= 16


def test_a_curve_that_falls_for_a_while_counts_as_flat_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    targets = (0.0003, 0.001, 0.002, 0.004, 0.008, 0.02, 0.06)
    monkeypatch.setattr("cachemw_codecs.transform.levels.TARGETS", targets)
    clean = power(0.004, 2.0)
    shifts = level_shifts(lambda shift: clean(shift) * (19 if shift == -4 else 1), 0)
    # 0.019 at -4, and less at 0 and 4: only a step above 4 causes 0.02.
    assert shifts.tolist() == [-8, -7, -6, -5, -4, 4, 8]


def test_no_level_is_finer_than_tables_are() -> None:
    shifts = level_shifts(power(0.004, 2.0), 0, finest=-2)
    check_ladder(shifts)
    assert min(shifts) == -2


def test_steps_below_the_models_own_rounding_are_not_tried() -> None:
    counted = Counted(lambda shift: 2e-4 + power(0.004, 2.0)(shift))
    check_ladder(level_shifts(counted, 0))
    assert min(counted.asked) >= -16


@pytest.fixture(scope="module")
def fitted(model: PreTrainedModel, texts: list[Tensor]) -> tuple[list[Reading], TransformTables]:
    random = torch.Generator().manual_seed(0)
    readings = [observe(model, ids, random) for ids in texts[:2]]
    return readings, fit(readings, kv_heads=2)


def test_divergence_grows_with_the_step(
    model: PreTrainedModel, fitted: tuple[list[Reading], TransformTables]
) -> None:
    readings, tables = fitted
    trials = Trials(model, readings, tables)
    found = [trials.divergence(shift) for shift in (-24, -8, 8)]
    assert 0 <= found[0] < 1e-4
    assert found == sorted(found)
    assert found[2] > 100 * max(found[0], 1e-6)


@pytest.mark.parametrize("shift", [-8, 0, 8])
def test_divergence_is_about_that_of_what_the_codec_gives_back(
    model: PreTrainedModel, fitted: tuple[list[Reading], TransformTables], shift: int
) -> None:
    readings, tables = fitted
    reading = readings[0]
    codec = Transform(replace(tables, level_shifts=np.full(len(LADDER), shift, np.int32)))
    layers = []
    for layer in range(2):
        keys, values = (
            torch.from_numpy(part.rows).reshape(-1, 2, 8).transpose(0, 1).contiguous()
            for part in reading.parts[2 * layer : 2 * layer + 2]
        )
        kv = LayerKV(keys, values)
        payload = codec.encode_layer(layer, kv, "medium")
        layers.append(codec.decode_layer(layer, payload, kv.shape, "medium"))
    cache = restore(model, layers, reading.positions)
    logs = torch.log_softmax(continue_logits(model, cache, reading.rest), dim=-1)
    expected = (reading.expected.exp() * (reading.expected - logs)).sum(dim=-1).mean()
    # Trials reconstruct with one offset for all coordinates.
    found = Trials(model, [reading], tables).divergence(shift)
    assert found == pytest.approx(float(expected), rel=0.15)
