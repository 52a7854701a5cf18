"""The lane: one call at a time, urgent ones first, none starved, none lost."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import pytest

from cachemw.errors import IndexUnavailable
from cachemw.index.lane import Lane


def held(lane: Lane) -> threading.Event:
    """Keep the lane busy until the event is set."""
    started, release = threading.Event(), threading.Event()

    def hold() -> None:
        started.set()
        release.wait(30)

    lane.submit(hold, urgent=True)
    assert started.wait(30)
    return release


def test_urgent_calls_go_first_and_patient_ones_keep_their_order() -> None:
    lane, order = Lane("test"), list[str]()
    release = held(lane)
    futures = [lane.submit(lambda n=n: order.append(f"p{n}")) for n in range(3)]  # type: ignore[misc]
    futures += [
        lane.submit(lambda n=n: order.append(f"u{n}"), urgent=True)  # type: ignore[misc]
        for n in range(4)
    ]
    release.set()
    for future in futures:
        future.result(30)
    assert order == ["u0", "u1", "u2", "u3", "p0", "p1", "p2"]
    lane.close()


def test_patient_calls_are_not_starved() -> None:
    lane, order = Lane("test"), list[str]()
    release = held(lane)
    futures = [lane.submit(lambda: order.append("u"), urgent=True) for _ in range(40)]
    futures += [lane.submit(lambda: order.append("p")) for _ in range(3)]
    release.set()
    for future in futures:
        future.result(30)
    assert "".join(order).index("p") <= 9
    assert order[-1] == "u"
    lane.close()


async def test_an_error_goes_to_whoever_waits_and_the_next_call_is_made() -> None:
    lane = Lane("test")
    with pytest.raises(ZeroDivisionError):
        await lane.run(lambda: 1 // 0)
    assert await lane.run(lambda: 7) == 7
    lane.close()


def test_too_many_urgent_calls_are_refused_at_once() -> None:
    lane = Lane("test", limit=2)
    release = held(lane)
    waiting = [lane.submit(int, urgent=True) for _ in range(2)]
    with pytest.raises(IndexUnavailable, match="too many"):
        lane.submit(int, urgent=True)
    release.set()
    assert [future.result(30) for future in waiting] == [0, 0]
    lane.close()


def test_closing_cancels_what_waits_and_refuses_what_comes() -> None:
    lane = Lane("test")
    release = held(lane)
    waiting = lane.submit(int)
    lane.close()
    release.set()
    with pytest.raises(CancelledError):
        waiting.result(30)
    with pytest.raises(IndexUnavailable, match="closed"):
        lane.submit(int)


def test_a_cancelled_call_is_not_made() -> None:
    lane, made = Lane("test"), list[int]()
    release = held(lane)
    waiting = lane.submit(lambda: made.append(1), urgent=True)
    assert waiting.cancel()
    release.set()
    lane.submit(int).result(30)
    assert not made
    lane.close()
