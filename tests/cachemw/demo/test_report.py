import json

import pytest
from rich.console import Console

from cachemw.demo.client import Outcome
from cachemw.demo.report import print_json, print_summary, print_table
from cachemw.demo.session import Step


def outcome(layer: str, total: float, expected: str | None = None, tenant: str = "a") -> Outcome:
    step = Step("a step", "What?", expected or layer, tenant=tenant)
    similarity = 0.97 if layer == "semantic" else None
    return Outcome(step, layer, similarity, total / 2, total, "That.")


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


def test_narrow_terminals_go_without_answers() -> None:
    assert "That." in printed(outcome("upstream", 0.1))
    assert "That." not in printed(outcome("upstream", 0.1), width=100)


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([outcome("upstream", 0.1), outcome("semantic", 0.01)])
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["saved_seconds"] is None
    assert second["saved_seconds"] == pytest.approx(0.09)
    assert second["similarity"] == 0.97
