"""What people see of categories."""

from __future__ import annotations

import io
from typing import Any

import orjson
import pytest
from cachemw_policies.decision import Bar
from rich.console import Console

from cachemw.admin.categories import Benefit, CategoryView, Estimate, categories_json
from cachemw.admin.categories_show import print_categories, print_category
from tests.cachemw.admin.conftest import category_view

UNKNOWN = category_view(
    "volatile",
    lookups=0,
    threshold=None,
    normal=Bar(None, "cold start"),
    false_hits=Estimate(),
    benefit=Benefit(-3.25, -0.5, "losing"),
    paused=True,
)


def _json(*views: CategoryView) -> list[Any]:
    shown: list[Any] = orjson.loads(categories_json(views))["categories"]
    return shown


def _table(width: int, *views: CategoryView) -> str:
    written = io.StringIO()
    print_categories(Console(file=written, width=width), _json(*views))
    return written.getvalue()


def _detail(view: CategoryView) -> dict[str, str]:
    written = io.StringIO()
    (one,) = _json(view)
    print_category(Console(file=written, width=100), one)
    rows = (line.split("  ", 1) for line in written.getvalue().splitlines())
    return {name.strip(): rest.strip() for name, rest in map(_named, rows)}


def _named(row: list[str]) -> tuple[str, str]:
    if row[0]:
        return row[0], row[1]
    name, _, rest = row[1].partition("  ")
    return name, rest


def test_a_row_for_each() -> None:
    text = _table(180, category_view(), UNKNOWN)
    _, code, volatile = (line for line in text.splitlines() if line.strip() and "─" not in line)
    for cell in ("code", "1,200", "3.4 MB", "12.5% / 25.0%", "25.0%", "0.912", "0.860", "1 d"):
        assert cell in code
    assert "1.5% (0.5%–3.2%)" in code
    assert "1,234.5 s, $0.75" in code
    for cell in ("exact only", "unknown", "-3.2 s, $-0.50", "losing, paused", " – "):
        assert cell in volatile
    assert "…" not in text


@pytest.mark.parametrize(("width", "size"), [(110, False), (150, True)])
def test_a_narrow_terminal_does_without_some_columns(width: int, size: bool) -> None:
    text = _table(width, category_view())
    assert ("3.4 MB" in text) == size
    assert "…" not in text
    assert "1.5% (0.5%–3.2%)" in text


def test_all_that_is_known_of_one() -> None:
    known = _detail(category_view())
    assert known["normal"] == "0.930, calibrated (412 labels, 6 wrong)"
    assert known["overload"] == "0.860, calibrated (520 labels, 21 wrong)"
    assert known["false hits"] == "1.5% (0.5%–3.2%), 412 labels"
    assert known["load"] == "0.25"
    assert known["policy quota"] == "guaranteed 0.1, cap 0.5"
    assert known["policy allow_caching"] == "yes"
    assert known["policy delta"] == "0.03"


def test_one_of_which_nothing_is_known() -> None:
    known = _detail(UNKNOWN)
    assert known["normal"] == "exact only, cold start (0 labels, 0 wrong)"
    assert known["false hits"] == "unknown, 0 labels"
    assert known["won"] == "-3.2 s, $-0.50: losing, paused"


def test_a_name_is_no_markup() -> None:
    assert "[bold]" in _table(180, category_view("[bold]"))
