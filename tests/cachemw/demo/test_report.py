import json

import pytest
from rich.console import Console

from cachemw.demo.client import Outcome
from cachemw.demo.report import print_json, print_summary, print_table
from cachemw.demo.session import Step

NO_LOOKUP = {"outcome": "no_lookup"}
SERVED = {"outcome": "served", "threshold": "0.9400", "score": "0.9712"}
BELOW = {"outcome": "below_threshold", "threshold": "0.9400", "score": "0.8600"}
GUARDED = {"outcome": "guarded", "threshold": "0.9400", "guard": "numbers"}


def outcome(
    layer: str,
    total: float,
    expected: str | None = None,
    tenant: str = "a",
    decision: dict[str, str] | None = None,
) -> Outcome:
    step = Step("a step", "What?", expected or layer, tenant=tenant)
    decision = decision or (SERVED if layer == "semantic" else NO_LOOKUP)
    return Outcome(step, layer, "factual", decision, total / 2, total, "That.")


def printed(*outcomes: Outcome, width: int = 170) -> str:
    console = Console(width=width, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as captured:
        print_table(console, outcomes)
        print_summary(console, outcomes)
    return captured.get()


def test_a_hit_saves_what_its_answer_first_took() -> None:
    text = printed(outcome("upstream", 0.1), outcome("exact", 0.002))
    assert "98.0 ms" in text
    assert "1 of 2 requests answered from the cache, 98.0 ms of waiting saved." in text
    assert "not as expected" not in text


def test_another_tenants_answer_is_no_saving() -> None:
    text = printed(outcome("upstream", 0.1, tenant="b"), outcome("exact", 0.002))
    assert "0.0 ms of waiting saved" in text


def test_the_wrong_layer_stands_out() -> None:
    assert "came from semantic, expected upstream" in printed(
        outcome("semantic", 0.01, expected="upstream")
    )


@pytest.mark.parametrize(
    ("layer", "decision", "verdict"),
    [
        ("semantic", SERVED, "0.971 >= 0.94"),
        ("upstream", BELOW, "0.860 < 0.94"),
        ("upstream", GUARDED, "guard: numbers"),
    ],
)
@pytest.mark.parametrize("width", [80, 170])
def test_what_spoke_for_or_against_is_shown_with_the_category(
    layer: str, decision: dict[str, str], verdict: str, width: int
) -> None:
    text = printed(outcome(layer, 0.01, decision=decision), width=width)
    assert verdict in text
    assert "factual" in text


def test_without_a_lookup_there_is_neither() -> None:
    text = printed(outcome("exact", 0.01))
    assert "factual" not in text
    assert "=" not in text


def test_narrow_terminals_go_without_answers() -> None:
    assert "That." in printed(outcome("upstream", 0.1))
    assert "That." not in printed(outcome("upstream", 0.1), width=100)


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([outcome("upstream", 0.1), outcome("semantic", 0.01)])
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["saved_seconds"] is None
    assert second["saved_seconds"] == pytest.approx(0.09)
    assert (second["category"], second["decision"]) == ("factual", SERVED)
