from __future__ import annotations

import numpy as np
import pytest

from loadtests.kv.cachegen import sections
from loadtests.kv.cachegen.sizes import Spent
from loadtests.kv.cachegen.trial import Quality, Trial
from loadtests.report import render


def made(level: str, bits: float, loss: float, coder: float = 0.5) -> Trial:
    """Return a trial of 100 numbers."""
    spent = Spent(anchors=20, values=100 * bits - 20 - coder, coder=coder, coded=100)
    spent.counts["values", 0] = np.array([[3, 1], [2, 2]])
    return Trial(level, Quality(loss, loss, [loss, loss], [loss / 10, loss / 10]), spent)


ON = [made("finest", 6, 0.001), made("coarse", 4, 0.016), made("coarsest", 2, 0.256)]
OFF = [made("finest", 5, 0.001), made("coarse", 3, 0.016), made("coarsest", 1, 0.256)]


def test_levels_say_size_and_quality() -> None:
    section = sections.levels("t", "a", ON, np.random.default_rng(0))
    assert section.rows[1][:3] == ("coarse", "4.000", "4.00x")
    assert section.rows[1][5] == "16.00 (16.00–16.00)"
    assert section.rows[1][6] == "+0.16 % (+0.16–+0.16)"


def test_sizes_are_compared_at_equal_quality() -> None:
    rows = sections.on_and_off(ON, OFF).rows
    assert rows[1] == ("coarse", "4.000", "3.000 (-25.0 %)", "3.000 (-25.0 %)")
    worse = [*ON[:2], made("coarsest", 2, 0.5)]
    assert sections.on_and_off(worse, OFF).rows[2][2:] == ("-", "-")


def test_what_bits_are_spent_on_adds_up() -> None:
    row = sections.spending(ON).rows[1]
    assert float(row[1]) == pytest.approx(sum(map(float, row[2:])), abs=0.001)


def test_a_coder_above_a_per_cent_misses_its_bar() -> None:
    spent = {"finest": ON[0].spent, "coarsest": made("coarsest", 2, 1, coder=3).spent}
    section = sections.coder({"deltas": spent})
    assert [bar.met for bar in section.bars] == [True, False]
    # Entropies: 4 h(1/4) and 4 h(1/2), over 100 numbers.
    assert section.rows[0][3] == "0.0725"


def test_units_are_compared_at_equal_size() -> None:
    ours = [(t.level, t.bits, t.quality) for t in ON]
    token = [("finest", 5.0, ON[0].quality), ("coarse", 3.0, ON[1].quality)]
    token.append(("coarsest", 1.0, ON[2].quality))
    rows = sections.units(ours, token, np.random.default_rng(0)).rows
    assert [row[5] for row in rows] == ["4.00 (4.00–4.00)", "4.00 (4.00–4.00)", "-"]


def test_the_bar_is_of_the_coarsest_level_that_is_good_enough() -> None:
    int8 = made("8bit", 8, 0)
    rng = np.random.default_rng(0)
    bar = sections.bar_of_size(ON, int8, "x", rng)
    # Level coarse loses 0.16 %, the coarsest 2.6 %.
    assert (bar.measured, bar.met) == ("2.00x", False)
    assert sections.bar_of_size([made("coarse", 2, 0.1)], int8, "x", rng).met
    # On average good enough, and not surely.
    unsure = made("coarse", 2, 0.1)
    unsure.quality.rise[:] = [-0.03, 0.05]
    assert not sections.bar_of_size([unsure], int8, "x", rng).met


def test_all_of_it_renders() -> None:
    rng = np.random.default_rng(0)
    text = render("t", "c", [sections.levels("l", "a", ON, rng), sections.sharing([["a"]], [])])
    assert "| finest | 6.000 |" in text
