from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest

from cachemw.categories.source import load_policy
from loadtests.adversarial.__main__ import (
    CATEGORIES,
    COSINES,
    conditions,
    main,
    sections,
    ways,
)
from loadtests.adversarial.pairs import read_pairs
from loadtests.adversarial.verdicts import Verdict

PAIRS = read_pairs()


def _judged(wrong: int = 0) -> list[Verdict]:
    """Serve all that must hit, and some of the test half that must not."""
    judged = []
    for pair in PAIRS:
        serve = pair.same
        if not pair.same and pair.half == "test" and wrong:
            serve, wrong = True, wrong - 1
        judged.append(Verdict(pair, True, 0.9, None, 0.99 if serve else 0.1))
    return judged


THRESHOLDS = (0.97, 0.94, 0.9)


@pytest.mark.parametrize(("wrong", "met"), [(0, True), (20, False)])
def test_the_bars_are_on_the_test_half_of_what_must_not_hit(wrong: int, met: bool) -> None:
    found = sections(_judged(wrong), ways(0.75, THRESHOLDS))
    bars = [each for section in found for each in section.bars]
    assert [each.met for each in bars] == [met] * 3
    by_title = {section.title: section for section in found}
    assert by_title["Must hit, test half"].rows[0][5].startswith("100.0%")
    assert by_title["Must not hit, dev half"].rows[0][5].startswith("0.0%")
    # No pair of the test half is shown.
    assert by_title["Served and wrong"].rows == []


def test_every_way_has_its_row() -> None:
    names = [row[0] for row in sections(_judged(), ways(0.75, THRESHOLDS))[0].rows]
    assert len(names) == len(set(names)) == len(COSINES) + 1 + 2 * len(THRESHOLDS)


def test_conditions_say_where_it_comes_from() -> None:
    options = argparse.Namespace(date="2026-01-01")
    text = conditions(options, PAIRS, "these models", ways(0.75, THRESHOLDS))
    assert "`python -m loadtests.adversarial`" in text
    assert f"{len(PAIRS)} pairs" in text
    assert "these models" in text
    default = load_policy(None).of("default").threshold
    assert f"(default {default:g}, " in text


def test_the_thresholds_are_those_of_the_least_and_the_most_cautious_category() -> None:
    policies = load_policy(None)
    thresholds = [policies.of(name).threshold for name in CATEGORIES]
    assert thresholds == sorted(thresholds, reverse=True)
    every = [policies.of(name) for name in policies.names]
    open_ones = [one.threshold for one in every if one.allow_caching and one.delta > 0]
    assert (thresholds[0], thresholds[-1]) == (max(open_ones), min(open_ones))


def test_the_command(tmp_path: Path, embedder_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "adversarial.md"
    monkeypatch.setattr(
        sys, "argv", ["adversarial", "--out", str(out), "--cache-dir", str(embedder_cache)]
    )
    assert main() == 0
    text = out.read_text("utf-8")
    for title in (
        "## Bars",
        "## Who serves how much",
        "## Must not hit, test half",
        "## Must hit, dev half",
    ):
        assert title in text
    assert "| multi_turn |" in text
