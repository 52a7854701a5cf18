from __future__ import annotations

import pytest
import torch
from cachemw_codecs.kv import LayerShape

from loadtests.kv.cachegen.units import ByToken
from tests.codecs.cachemw_codecs.codecs.cachegen.samples import text

SHAPE = LayerShape(2, 60, 8, torch.bfloat16)
SAMPLES = [tuple(text(seed, SHAPE)) for seed in range(20)]


def test_coarser_bins_take_fewer_bits_and_lose_more() -> None:
    measured = tuple(text(50, SHAPE))
    sizes, errors = [], []
    for multiple in (1, 11, 41):
        unit = ByToken(SAMPLES, multiple)
        sizes.append(unit.bits(measured))
        decoded = unit.decoded(measured)
        errors.append(
            sum(
                float(((a.keys - b.keys).float() ** 2).sum())
                for a, b in zip(measured, decoded, strict=True)
            )
        )
    assert sizes == sorted(sizes, reverse=True)
    assert errors == sorted(errors)
    assert sizes[0] < 16 * sum(2 * kv.keys.numel() for kv in measured)


def test_a_louder_token_has_wider_steps() -> None:
    kv = text(51, SHAPE)[0]
    unit = ByToken(SAMPLES, 11)
    lost = []
    for loudness in (1, 64):
        louder = kv.keys.clone()
        louder[:, 15] *= loudness
        whole = type(kv)(louder, kv.values)
        decoded = unit.decoded((whole, *text(51, SHAPE)[1:]))[0]
        lost.append(float((decoded.keys[:, 15] - louder[:, 15]).float().square().mean() ** 0.5))
    assert lost[1] > 8 * lost[0]


def test_anchors_are_not_in_the_estimate() -> None:
    unit, layers = ByToken(SAMPLES, 11), text(52, SHAPE)
    ten, eleven, twelve = (
        unit.bits(tuple(type(kv)(kv.keys[:, :n], kv.values[:, :n]) for kv in layers))
        for n in (10, 11, 12)
    )
    assert 0 < ten == pytest.approx(eleven)
    assert twelve > eleven
