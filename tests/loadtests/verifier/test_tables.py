"""The report's tables."""

from __future__ import annotations

import numpy as np
import pytest

from cachemw.verify.base import QuestionPair
from loadtests.verifier.heldout import HeldOut
from loadtests.verifier.tables import (
    BANDS,
    Ablation,
    Method,
    ablations,
    at_base,
    cold_start,
    gains,
    reliability,
    times,
    top_others,
    within_limits,
)


@pytest.fixture
def held() -> HeldOut:
    """Return six pairs, three of each part; the first two of each are duplicates."""
    return HeldOut(
        [QuestionPair(f"stored {n}", f"asked {n}", 0.5) for n in range(6)],
        np.array([True, True, False] * 2),
        np.array(["calibration"] * 3 + ["test"] * 3),
        np.arange(6),
        np.array([3, 4, 5, 6, 7, 8]),
    )


SCORES = np.array([0.95, 0.6, 0.7, 0.99, 0.8, 0.75])


def test_each_method_has_a_row_with_intervals(held: HeldOut) -> None:
    methods = [Method("one", SCORES), Method("none", -SCORES)]
    section = within_limits(held, methods, "test", None, 50)
    assert [row[0] for row in section.rows] == ["one", "none"]
    assert all(cell.startswith("100.0% (") for cell in section.rows[0][1:])
    assert all(cell.startswith("0.0% (") for cell in section.rows[1][1:])
    assert "3 pairs, 2 of them duplicates" in section.about


def test_gains_are_differences(held: HeldOut) -> None:
    one, none = Method("one", SCORES), Method("none", -SCORES)
    section = gains(held, one, [none, one], None, 50)
    assert [row[0] for row in section.rows] == ["than none", "than one"]
    assert section.rows[0][1].startswith("+100.0 (")
    assert section.rows[1][1] == "+0.0 (+0.0 to +0.0)"


def test_a_cold_start_is_chosen_on_one_part_and_looked_up_on_the_other(held: HeldOut) -> None:
    section = cold_start(held, [Method("one", SCORES), Method("bad", -SCORES)], None, 50)
    # Of the calibration part only the first pair is above the wrong one.
    assert section.rows[0] == ("one", "5%", "0.9500", "50.0%", "50.0%", "0.0% (0.0%–0.0%)")
    # Turned round, its second is, and so is the wrong one of the test part.
    assert section.rows[3] == ("bad", "5%", "-0.6000", "50.0%", "0.0%", "0.0% (0.0%–0.0%)")


def test_bands_count_every_pair_of_the_test_part(held: HeldOut) -> None:
    section = reliability(held, SCORES)
    assert len(section.rows) == len(BANDS) - 1
    assert sum(int(row[1]) for row in section.rows) == 3
    highest = section.rows[-1]
    assert highest == ("0.98–1.00", "1", "99.0%", "100.0%", "100.0%")
    middle = {row[0]: row for row in section.rows}["0.70–0.80"]
    assert middle[1:4] == ("1", "75.0%", "0.0%")


def test_runs_of_one_kind_are_averaged(held: HeldOut) -> None:
    section = ablations(held, [Ablation("both", (SCORES, 0 * SCORES), "kept")])
    assert section.rows[0][:3] == ("both", "2", "25.0% / 25.0% / 25.0%")
    assert section.rows[0][-1] == "kept"


def test_others_are_named_by_score(held: HeldOut) -> None:
    assert top_others(held, SCORES, 5) == [("stored 2", "asked 2")]
    assert top_others(held, SCORES, 0) == []


def test_a_base_rate_is_said(held: HeldOut) -> None:
    assert at_base(None, held) == "as the data is (67% duplicates)"
    assert at_base(0.5, held) == "weighed to 50% duplicates"


def test_times_are_a_table() -> None:
    assert list(times({"x": (2.0, 1.5)}).rows) == [("x", "2.000", "1.500")]
