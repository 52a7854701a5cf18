from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from loadtests.kv.entropy.coders import Coder
from loadtests.kv.entropy.measure import Measured, WrongSymbols, measure
from loadtests.kv.entropy.streams import laplace

STREAM = laplace(1.0, 1, 1000, 2, np.random.default_rng(0))


class Whole(Coder):
    name = "whole"

    def encode(self) -> bytes:
        return self.stream.symbols.tobytes()

    def decode(self, encoded: bytes) -> NDArray[np.uint8]:
        return np.frombuffer(encoded, np.uint8)


class Wrong(Whole):
    name = "wrong"

    def decode(self, encoded: bytes) -> NDArray[np.uint8]:
        return np.frombuffer(encoded, np.uint8) + np.uint8(1)


class WrongOrder(Whole):
    name = "wrong order"

    def decode(self, encoded: bytes) -> NDArray[np.uint8]:
        return self.stream.symbols[::-1]


def ticking(steps: list[float]) -> Iterator[float]:
    """Two readings for each step, that far apart."""
    now = 0.0
    for step in steps:
        yield now
        now += step
        yield now


def test_speeds_are_symbols_by_seconds_in_turns() -> None:
    clock = ticking([1e-6, 2e-6, 4e-6, 8e-6] * 2)
    first, second = measure(STREAM, [Whole, Whole], 2, lambda: next(clock))
    assert first.bits == 8
    assert first.encode == pytest.approx([2.0, 2.0])
    assert first.decode == pytest.approx([1.0, 1.0])
    assert second.encode == pytest.approx([0.5, 0.5])
    assert second.decode == pytest.approx([0.25, 0.25])
    assert first.ratios(second) == pytest.approx((4.0, 4.0))


def test_ratios_are_medians_of_each_repeats_own() -> None:
    a = Measured("a", 1.0, [1, 2, 30], [1, 1, 1])
    b = Measured("b", 1.0, [1, 1, 10], [2, 4, 8])
    assert a.ratios(b) == (2, 0.25)


@pytest.mark.parametrize("coder", [Wrong, WrongOrder])
def test_wrong_symbols_end_it(coder: type[Coder]) -> None:
    with pytest.raises(WrongSymbols, match=f"^{coder.name} at sigma 1"):
        measure(STREAM, [Whole, coder], 1, lambda: 0.0)
