from __future__ import annotations

import re

import numpy as np
import pytest

from loadtests.kv.fuzz.mutate import mutated

DATA = bytes(range(256)) * 2
OTHER = b"\xaa" * 300


def _some(data: bytes, count: int = 600) -> list[bytes]:
    return [mutated(data, [OTHER], np.random.default_rng(number)) for number in range(count)]


def test_a_seed_has_one_result() -> None:
    assert _some(DATA, 50) == _some(DATA, 50)
    assert bytes(range(256)) * 2 == DATA


def test_all_kinds_of_change_come() -> None:
    changed = _some(DATA)
    assert sum(each == DATA for each in changed) < len(changed) / 10
    same_length = [each for each in changed if len(each) == len(DATA) and each != DATA]
    differing = [sum(a != b for a, b in zip(each, DATA, strict=True)) for each in same_length]
    assert min(differing) == 1
    assert any(each and DATA.startswith(each) for each in changed if len(each) < len(DATA))
    assert any(len(each) > 2 * len(DATA) for each in changed)
    assert any(b"\xff\xff\xff\xff" in each for each in changed)
    assert any(OTHER[:20] in each for each in changed)
    assert any(re.search(rb"(.{8,})\1\1", each, re.DOTALL) for each in _some(DATA[:200]))


@pytest.mark.parametrize("data", [b"", b"a", b"abcdefgh"])
def test_short_data_change_too(data: bytes) -> None:
    assert len(set(_some(data))) > 50


def test_nothing_grows_beyond_bounds() -> None:
    assert max(map(len, _some(DATA))) < len(DATA) + 4 * (2 * 4096 + len(OTHER))
