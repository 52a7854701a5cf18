from __future__ import annotations

from loadtests.http.effort import QUICK
from loadtests.http.exact import CONNECTIONS, JUDGED, section
from loadtests.http.wrk import Load

NAMES = ["cachemw, exact hit", "bare ASGI"]


def test_the_bar_is_about_the_median_of_ratios() -> None:
    runs = {(name, count): [Load(100.0, 1.0, 2.0)] * 3 for name in NAMES for count in CONNECTIONS}
    runs["cachemw, exact hit", JUDGED] = [Load(n, 1.0, 2.0) for n in (60.0, 10.0, 70.0)]
    result = section(runs, NAMES, QUICK)
    assert [(bar.measured, bar.met) for bar in result.bars] == [("0.60", True)]
    row = next(row for row in result.rows if row[0] == f"{JUDGED}, cachemw, exact hit")
    assert row == (f"{JUDGED}, cachemw, exact hit", "60", "1.00", "2.00", "0.60", "0.60 0.10 0.70")
