from __future__ import annotations

import io
import json

import numpy as np
import orjson
from rich.console import Console

from cachemw.calibrate.judge import Decider, Judged
from cachemw.calibrate.pairs import Pair
from cachemw.calibrate.report import Findings, as_json, findings, print_findings

PAIRS = [Pair(f"a{n}", f"b{n}", same=n < 60) for n in range(100)]


def _found(decider: Decider) -> Findings:
    cosines = np.linspace(1.0, 0.01, 100)
    # The decision sees through all but the last of the others.
    scores = np.where(np.arange(100) < 60, 0.9, np.nan)
    scores[99] = 0.95
    return findings(decider, PAIRS, Judged(cosines, scores, 0, 30, {"number": 4, "dates": 5}))


def test_one_object_for_programs(decider: Decider) -> None:
    document = json.loads(orjson.dumps(as_json(_found(decider))))
    assert (document["pairs"], document["duplicates"], document["base_rate"]) == (100, 60, 0.6)
    assert (document["scale"], document["floor"]) == ("last-word", 0.6)
    assert document["never_served"] == {
        "too_long": 0,
        "below_floor": 30,
        "objected": {"dates": 5, "number": 4},
        "unscored": 0,
    }
    assert list(document["plain_cosine"]) == list(document["full_decision"]) == ["1%", "3%", "5%"]
    assert document["full_decision"]["1%"]["threshold"] is None
    point = document["full_decision"]["3%"]
    assert (point["threshold"], point["served"], point["errors"]) == (0.9, 61, 1)
    assert point["duplicates_served"] == 1.0
    assert point["wrong"] == 1 / 61
    assert point["wrong_interval"][0] < 1 / 61 < point["wrong_interval"][1]


def test_a_table_for_people(decider: Decider) -> None:
    written = io.StringIO()
    print_findings(Console(file=written, width=120), _found(decider))
    text = written.getvalue()
    assert "100 pairs, 60 of them duplicates (60.0%)" in text
    assert "9 objected to (dates 5, number 4)" in text
    assert "depends on the base rate" in text
    rows = [line.split() for line in text.splitlines() if "full decision" in line]
    assert [row[3] for row in rows] == ["none", "0.9000", "0.9000"]
    assert "…" not in text
