"""Single-flight: one call, many readers, whatever the order of events."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from random import Random

import pytest

from cachemw.errors import UpstreamBroken, UpstreamError, UpstreamUnavailable
from cachemw.flight import Flight, FlightHead, FlightReader, Flights, Piece

HEAD = FlightHead(200, [], b"text/event-stream", is_stream=True)
KEY = b"key"
SEEDS = range(40)


def _pieces(rng: Random, count: int) -> list[Piece]:
    return [
        Piece(b"%d:" % number + bytes(rng.randrange(1, 40)), only_usage=rng.random() < 0.1)
        for number in range(count)
    ]


def _call(
    pieces: list[Piece],
    rng: Random,
    *,
    error: UpstreamError | None = None,
    answer: dict[str, object] | None = None,
) -> Callable[[Flight], Awaitable[None]]:
    async def call(flight: Flight) -> None:
        flight.begin(HEAD)
        for piece in pieces:
            await _pause(rng)
            await flight.append(piece)
        if error is not None:
            raise error
        flight.finish(answer)

    return call


async def _pause(rng: Random) -> None:
    for _ in range(rng.randrange(4)):
        await asyncio.sleep(0)


async def _read(reader: FlightReader, rng: Random, *, usage: bool = True) -> bytes:
    got = b""
    try:
        await reader.head()
        async for data in reader.follow(usage=usage):
            got += data
            await _pause(rng)
    finally:
        reader.close()
    return got


def _body(pieces: Sequence[Piece]) -> bytes:
    """Return the body that the pieces make; a reader may get several at once."""
    return b"".join(piece.data for piece in pieces)


def _join(flights: Flights, key: bytes = KEY) -> FlightReader:
    reader = flights.join(key)
    assert reader is not None
    return reader


def _close(reader: FlightReader, _: object) -> None:
    reader.close()


async def _settle(flights: Flights) -> None:
    """Let tasks that are done be forgotten."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_reader_sees_all_pieces_in_order_whenever_it_joins(seed: int) -> None:
    rng = Random(seed)
    pieces = _pieces(rng, 30)
    flights = Flights(1 << 20, 1 << 30)
    wishes = [rng.random() < 0.5 for _ in range(8)]
    readers = [asyncio.create_task(_read(flights.lead(KEY, _call(pieces, rng)), rng))]
    for usage in wishes:
        await _pause(rng)
        reader = flights.join(KEY)
        if reader is not None:
            readers.append(asyncio.create_task(_read(reader, rng, usage=usage)))
    everything = _body(pieces)
    without_usage = _body([piece for piece in pieces if not piece.only_usage])
    expected = [everything] + [everything if usage else without_usage for usage in wishes]
    assert await asyncio.gather(*readers) == expected[: len(readers)]
    await _settle(flights)
    assert len(flights) == 0
    assert flights.join(KEY) is None


@pytest.mark.parametrize("seed", SEEDS)
async def test_readers_that_leave_at_any_moment_do_not_disturb_the_others(seed: int) -> None:
    rng = Random(seed)
    pieces = _pieces(rng, 30)
    answered: list[Flight] = []
    flights = Flights(1 << 20, 1 << 30)
    run = _call(pieces, rng, answer={"a": 1})

    async def call(flight: Flight) -> None:
        await run(flight)
        answered.append(flight)

    leader = asyncio.create_task(_read(flights.lead(KEY, call), rng))
    stays = asyncio.create_task(_read(_join(flights), rng))
    leaves = [asyncio.create_task(_read(_join(flights), rng)) for _ in range(5)]
    for task in [leader, *leaves]:
        await _pause(rng)
        task.cancel()
    assert await stays == _body(pieces)
    await asyncio.gather(leader, *leaves, return_exceptions=True)
    await _settle(flights)
    assert [flight.answer for flight in answered] == [{"a": 1}]
    assert len(flights) == 0


async def test_a_call_goes_on_when_all_its_clients_have_left() -> None:
    rng = Random(0)
    ended = asyncio.Event()
    run = _call(_pieces(rng, 10), rng, answer={})

    async def call(flight: Flight) -> None:
        await run(flight)
        ended.set()

    flights = Flights(1 << 20, 1 << 30)
    flights.lead(KEY, call).close()
    await asyncio.wait_for(ended.wait(), 5)


@pytest.mark.parametrize("seed", SEEDS)
async def test_past_its_limit_a_call_is_sealed_and_its_memory_stays_bounded(seed: int) -> None:
    rng = Random(seed)
    limit = 200
    pieces = _pieces(rng, 80)
    largest = max(len(piece.data) for piece in pieces)
    flights = Flights(limit, 1 << 30)
    kept: list[int] = []
    joined_sealed: list[bool] = []

    async def call(flight: Flight) -> None:
        flight.begin(HEAD)
        for piece in pieces:
            await flight.append(piece)
            kept.append(sum(len(p.data) for p in flight.pieces))
            if flight.sealed:
                joined_sealed.append(flights.join(KEY) is not None)
        flight.finish()

    leader = flights.lead(KEY, call)
    others = [_join(flights) for _ in range(3)]
    reading = (_read(reader, Random(seed + n)) for n, reader in enumerate([leader, *others]))
    results = await asyncio.gather(*reading)
    assert results == [_body(pieces)] * 4
    assert joined_sealed
    assert not any(joined_sealed)
    assert max(kept) <= limit + largest


async def test_a_sealed_call_waits_for_its_slowest_reader() -> None:
    flights = Flights(100, 1 << 30)
    sent = 0

    async def call(flight: Flight) -> None:
        nonlocal sent
        flight.begin(HEAD)
        for _ in range(50):
            await flight.append(Piece(bytes(30)))
            sent += 1
        flight.finish()

    leader = flights.lead(KEY, call)
    slow = _join(flights)
    fast = asyncio.create_task(_read(leader, Random(0)))
    for _ in range(200):
        await asyncio.sleep(0)
    assert sent <= 4
    assert not fast.done()
    assert len(await _read(slow, Random(0))) == 50 * 30
    assert len(await fast) == 50 * 30


async def test_a_slow_reader_that_leaves_frees_a_sealed_call() -> None:
    flights = Flights(10, 1 << 30)
    leader = flights.lead(KEY, _call([Piece(bytes(8)) for _ in range(20)], Random(0)))
    slow = _join(flights)
    fast = asyncio.create_task(_read(leader, Random(0)))
    for _ in range(100):
        await asyncio.sleep(0)
    slow.close()
    assert len(await asyncio.wait_for(fast, 5)) == 20 * 8


async def test_a_sealed_call_that_nobody_reads_ends() -> None:
    flights = Flights(10, 1 << 30)
    ended: list[UpstreamError | None] = []
    run = _call([Piece(bytes(8)) for _ in range(20)], Random(0))

    async def call(flight: Flight) -> None:
        try:
            await run(flight)
        except UpstreamError as error:
            ended.append(error)
            raise

    reader = flights.lead(KEY, call)
    other = _join(flights)
    for _ in range(50):
        await asyncio.sleep(0)
    reader.close()
    assert not ended
    other.close()
    await _settle(flights)
    assert len(ended) == 1
    assert len(flights) == 0


async def test_a_new_request_leads_its_own_call_beside_a_sealed_one() -> None:
    flights = Flights(10, 1 << 30)
    gate = asyncio.Event()

    async def large(flight: Flight) -> None:
        flight.begin(HEAD)
        await flight.append(Piece(bytes(11)))
        await gate.wait()
        flight.finish()

    sealed = asyncio.create_task(_read(flights.lead(KEY, large), Random(0)))
    for _ in range(10):
        await asyncio.sleep(0)
    assert flights.join(KEY) is None
    small = flights.lead(KEY, _call([Piece(b"x")], Random(0)))
    other = _join(flights)
    gate.set()
    await sealed
    # The end of the sealed call does not take the new one out of the table.
    assert await _read(small, Random(0)) == await _read(other, Random(0)) == b"x"


@pytest.mark.parametrize("seed", range(10))
async def test_a_failure_before_the_head_reaches_every_reader(seed: int) -> None:
    rng = Random(seed)

    async def call(_: Flight) -> None:
        await _pause(rng)
        raise UpstreamUnavailable("refused")

    flights = Flights(100, 1 << 30)
    readers = [flights.lead(KEY, call), *(_join(flights) for _ in range(5))]
    outcomes = await asyncio.gather(
        *(_read(reader, rng) for reader in readers), return_exceptions=True
    )
    assert {type(outcome) for outcome in outcomes} == {UpstreamUnavailable}
    assert flights.join(KEY) is None


@pytest.mark.parametrize("seed", range(10))
async def test_what_came_before_a_failure_is_read_before_it_is_raised(seed: int) -> None:
    rng = Random(seed)
    pieces = _pieces(rng, 9)
    flights = Flights(1 << 20, 1 << 30)
    call = _call(pieces, rng, error=UpstreamBroken("died"))
    readers = [flights.lead(KEY, call), _join(flights)]

    async def read(reader: FlightReader) -> bytes:
        got = b""
        with suppress(UpstreamBroken):
            async for data in reader.follow(usage=True):
                got += data
            pytest.fail("the failure was swallowed")
        return got

    for got in await asyncio.gather(*(read(reader) for reader in readers)):
        assert got == _body(pieces)


async def test_a_fault_of_ours_in_a_call_ends_it_for_all_readers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def call(_: Flight) -> None:
        raise ValueError("SECRET prompt")

    flights = Flights(100, 1 << 30)
    reader = flights.lead(KEY, call)
    with pytest.raises(UpstreamBroken):
        await asyncio.wait_for(reader.head(), 5)
    assert "SECRET" not in caplog.text
    assert len(caplog.records) == 1


async def test_without_a_key_nobody_joins() -> None:
    flights = Flights(100, 1 << 30)
    reader = flights.lead(None, _call([Piece(b"x")], Random(0)))
    assert flights.join(KEY) is None
    assert await _read(reader, Random(0)) == b"x"


async def test_settled_waits_for_the_whole_body() -> None:
    flights = Flights(100, 1 << 30)
    reader = flights.lead(KEY, _call([Piece(b"a"), Piece(b"b")], Random(3)))
    await reader.settled()
    assert reader.whole_body() == b"ab"


async def test_stored_is_told_to_everyone() -> None:
    async def call(flight: Flight) -> None:
        flight.begin(HEAD)
        flight.finish({})
        await asyncio.sleep(0)
        flight.mark_stored()

    flights = Flights(100, 1 << 30)
    readers = [flights.lead(KEY, call), _join(flights)]
    await asyncio.wait_for(asyncio.gather(*(reader.stored() for reader in readers)), 5)


async def test_draining_waits_for_calls_and_cancels_what_is_late() -> None:
    flights = Flights(100, 1 << 30)
    stopped = asyncio.Event()

    async def hangs(_: Flight) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    quick = flights.lead(b"quick", _call([Piece(b"x")], Random(0), answer={}))
    late = flights.lead(b"late", hangs)
    assert await flights.drain(0.05) == 1
    assert stopped.is_set()
    assert quick.flight.answer == {}
    with pytest.raises(UpstreamBroken):
        await asyncio.wait_for(late.head(), 5)
    assert len(flights) == 0


async def test_draining_nothing_returns_at_once() -> None:
    assert await Flights(1, 1 << 30).drain(60.0) == 0


@pytest.mark.parametrize("seed", range(10))
async def test_nothing_is_left_after_chaos(seed: int) -> None:
    """Readers and calls come, fail and are cancelled at random; no task or reader stays behind."""
    rng = Random(seed)
    flights = Flights(300, 1 << 30)
    before = asyncio.all_tasks()
    tasks = []
    for _ in range(60):
        key = b"%d" % rng.randrange(5)
        error = UpstreamBroken("x") if rng.random() < 0.3 else None
        reader = flights.join(key) or flights.lead(
            key, _call(_pieces(rng, rng.randrange(1, 30)), rng, error=error)
        )
        task = asyncio.create_task(_read(reader, Random(rng.random())))
        # Also one that is cancelled before its first step.
        task.add_done_callback(partial(_close, reader))
        tasks.append(task)
        await _pause(rng)
        if rng.random() < 0.4:
            rng.choice(tasks).cancel()
    await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
    await flights.drain(5.0)
    del tasks, task, reader
    await asyncio.sleep(0)
    gc.collect()
    assert len(flights) == 0
    assert asyncio.all_tasks() == before
    assert not [thing for thing in gc.get_objects() if type(thing) is Flight]


async def test_all_flights_together_are_bounded_and_the_memory_comes_back() -> None:
    """The second is sealed by what the first holds, and still arrives whole."""
    flights = Flights(1000, 1000)
    pieces = [Piece(b"x" * 100)] * 8
    first = flights.lead(b"1", _call(pieces, Random(1), answer={}))
    await first.settled()
    second = flights.lead(b"2", _call(pieces, Random(2), answer={}))
    got = await _read(second, Random(3))
    assert got == b"x" * 800
    assert second.flight.sealed
    first.close()
    await asyncio.sleep(0)
    assert flights.held == 0
    third = flights.lead(b"3", _call(pieces, Random(4), answer={}))
    await third.settled()
    assert not third.flight.sealed
    third.close()
