from __future__ import annotations

import numpy as np
import pytest

from loadtests.kv.cachegen.curves import bits_at, loss_at, ratio_at

BITS = [6.0, 4.0, 2.0]
LOSSES = [0.001, 0.016, 0.256]


def test_between_levels_the_logarithm_is_a_line() -> None:
    assert bits_at(0.004, BITS, LOSSES) == pytest.approx(5.0)
    assert loss_at(3.0, BITS, LOSSES) == pytest.approx(0.064)


def test_at_a_level_it_is_the_level() -> None:
    assert bits_at(0.016, BITS, LOSSES) == pytest.approx(4.0)
    assert loss_at(6.0, BITS, LOSSES) == pytest.approx(0.001)


@pytest.mark.parametrize("loss", [0.0009, 0.3])
def test_nothing_is_said_beyond_what_was_measured(loss: float) -> None:
    assert bits_at(loss, BITS, LOSSES) is None


@pytest.mark.parametrize("bit", [1.9, 6.1])
def test_no_loss_is_said_beyond_either(bit: float) -> None:
    assert loss_at(bit, BITS, LOSSES) is None


def test_a_ratio_is_of_the_same_windows() -> None:
    rng = np.random.default_rng(0)
    losses = [[loss, 3 * loss] for loss in LOSSES]
    # Twice the codec's loss on either window.
    ratio = ratio_at(4.0, [0.032, 0.096], BITS, losses, rng)
    assert ratio is not None
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((0.5, 0.5, 0.5))
    unlike = ratio_at(4.0, [0.096, 0.032], BITS, losses, rng)
    assert unlike is not None
    assert unlike.low < 0.5 < unlike.high
    assert ratio_at(1.0, [1.0, 1.0], BITS, losses, rng) is None
