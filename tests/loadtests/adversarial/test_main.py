from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest

from loadtests.adversarial.__main__ import conditions, main, sections
from loadtests.adversarial.pairs import read_pairs
from loadtests.adversarial.verdicts import Verdict, subjects

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


@pytest.mark.parametrize(("wrong", "met"), [(0, True), (20, False)])
def test_the_bar_is_on_the_test_half_of_what_must_not_hit(wrong: int, met: bool) -> None:
    found = sections(_judged(wrong), subjects(0.6, (0.95,), 0.97), 0.6)
    bars = [each for section in found for each in section.bars]
    assert [each.met for each in bars] == [met]
    by_title = {section.title: section for section in found}
    assert by_title["Must hit, test half"].rows[0][4].startswith("100.0%")
    assert by_title["Must not hit, dev half"].rows[0][4].startswith("0.0%")
    # No pair of the test half is shown.
    assert by_title["Served and wrong"].rows == []


def test_conditions_say_where_it_comes_from() -> None:
    options = argparse.Namespace(date="2026-01-01", threshold=0.5)
    text = conditions(options, PAIRS, "these models", 0.6)
    assert "`python -m loadtests.adversarial --threshold 0.5`" in text
    assert f"{len(PAIRS)} pairs" in text
    assert "these models" in text


def test_the_command(tmp_path: Path, embedder_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "adversarial.md"
    monkeypatch.setattr(
        sys, "argv", ["adversarial", "--out", str(out), "--cache-dir", str(embedder_cache)]
    )
    assert main() == 0
    text = out.read_text("utf-8")
    for title in ("## Bars", "## Must not hit, test half", "## Must hit, dev half"):
        assert title in text
    assert "| multi_turn |" in text
