from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cachemw.local.stopping import StopMatcher

letters = st.text("ab", max_size=30)
stops_of = st.lists(st.text("abc", min_size=1, max_size=5), max_size=4)


def run(stops: list[str], pieces: list[str]) -> tuple[str, bool]:
    matcher = StopMatcher(stops)
    out = "".join(matcher.push(piece) for piece in pieces) + matcher.flush()
    return out, matcher.stopped


def cut(text: str, stops: list[str]) -> tuple[str, bool]:
    found = [text.find(stop) for stop in stops if stop in text]
    return (text[: min(found)], True) if found else (text, False)


@given(stops_of, st.lists(st.text("abc", max_size=4), max_size=12))
@example(["abX", "b"], ["ab", "c"])
@example(["abX", "b"], ["ab"])
@example(["abX", "b"], ["ab", "X"])
def test_cuts_as_if_the_text_had_come_whole(stops: list[str], pieces: list[str]) -> None:
    assert run(stops, pieces) == cut("".join(pieces), stops)


@given(letters)
def test_holds_back_only_what_could_become_a_stop(before: str) -> None:
    matcher = StopMatcher(["END"])
    assert matcher.push(before + "E") == before
    assert matcher.push("N") == ""
    assert matcher.push("x") == "ENx"


def test_nothing_goes_out_after_a_stop() -> None:
    matcher = StopMatcher(["\n\n"])
    assert matcher.push("one\n") == "one"
    assert matcher.push("\ntwo") == ""
    assert matcher.stopped
    assert matcher.push("three") + matcher.flush() == ""


def test_without_stops_everything_passes_at_once() -> None:
    matcher = StopMatcher([])
    assert matcher.push("anything") == "anything"
    assert not matcher.stopped


def test_an_empty_stop_string_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        StopMatcher(["a", ""])
