"""Whatever the transport does to a stream, its events and its bytes stay the same."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cachemw.http.sse import SseEvent, SseSplitter

LINE_ENDS = (b"\n", b"\r\n", b"\r")

texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=8)
lines = st.one_of(
    texts.map(lambda text: b"data: " + text.encode()),
    texts.map(lambda text: b"data:" + text.encode()),
    texts.map(lambda text: b": " + text.encode()),
    texts.map(lambda text: b"event: " + text.encode()),
    st.sampled_from([b"data", b"id: 7", b"retry: 10", b"unknown: x"]),
)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Draw a stream that mixes all three line endings, as the format allows."""
    end = st.sampled_from(LINE_ENDS)
    blocks = draw(st.lists(st.lists(lines, min_size=1, max_size=4), max_size=5))
    bom = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    text = b"".join(b"".join(line + draw(end) for line in block) + draw(end) for block in blocks)
    return bom + text


def read(chunks: list[bytes]) -> list[SseEvent]:
    splitter = SseSplitter()
    events = [event for chunk in chunks for event in splitter.feed(chunk)]
    rest = splitter.flush()
    assert splitter.pending == 0
    return events if rest is None else [*events, rest]


def cut_at(stream: bytes, cuts: set[int]) -> list[bytes]:
    borders = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    return [stream[start:end] for start, end in pairwise(borders)]


@given(streams(), st.sets(st.integers(0, 120)))
@example(b"data: a\r\n\r\ndata: b\r\n\r\n", {8, 10, 11, 20})  # between CR and LF
@example(b"data: a\n\r\ndata: b\r\n\n", {9})  # mixed
@example(b"data: a\r\rdata: b\r\r", {8, 9})
def test_chunk_borders_change_nothing(stream: bytes, cuts: set[int]) -> None:
    events = read(cut_at(stream, cuts))

    assert events == read([stream])
    assert b"".join(event.raw for event in events) == stream


@given(streams())
def test_byte_by_byte(stream: bytes) -> None:
    assert read([bytes([byte]) for byte in stream]) == read([stream])


@given(st.lists(st.tuples(texts.filter(bool), st.lists(texts, min_size=1, max_size=3))))
def test_names_and_data_lines_are_read_under_every_line_ending(
    blocks: list[tuple[str, list[str]]],
) -> None:
    for end in LINE_ENDS:
        stream = b"".join(
            b"event: %s%s" % (name.encode(), end)
            + b"".join(b"data: %s%s" % (line.encode(), end) for line in data)
            + end
            for name, data in blocks
        )

        events = [(event.name, event.data) for event in read([stream])]

        assert events == [(name, "\n".join(data).encode()) for name, data in blocks]


@pytest.mark.parametrize(
    ("block", "data"),
    [
        (b"data: x\n\n", b"x"),
        (b"data:x\n\n", b"x"),
        (b"data:  x \n\n", b" x "),  # one space belongs to the format
        (b"data: a\ndata: b\n\n", b"a\nb"),
        (b"data\n\n", b""),
        (b": keep-alive\n\n", b""),
        (b"id: 1\ndata: x\nretry: 5\n\n", b"x"),
        (b"data: a:b\n\n", b"a:b"),
        (b"\xef\xbb\xbfdata: x\n\n", b"x"),  # a byte order mark may begin the stream
        (b"data: x", b"x"),  # ends without its blank line
    ],
)
def test_what_an_event_says(block: bytes, data: bytes) -> None:
    (event,) = read([block])

    assert event.data == data
    assert event.raw == block


def test_an_empty_name_is_none() -> None:
    assert read([b"event:\ndata: x\n\n"])[0].name is None


@pytest.mark.parametrize(
    ("block", "done"),
    [(b"data: [DONE]\n\n", True), (b"data:[DONE] \r\n\r\n", True), (b'data: "[DONE]"\n\n', False)],
)
def test_the_end_marker(block: bytes, *, done: bool) -> None:
    assert read([block])[0].is_done is done


def test_an_event_comes_as_soon_as_its_blank_line_is_there() -> None:
    splitter = SseSplitter()

    assert splitter.feed(b"data: a\n") == []
    assert splitter.pending == len(b"data: a\n")
    assert [event.data for event in splitter.feed(b"\ndata: b\r\n\r\ndata: c")] == [b"a", b"b"]
    assert splitter.pending == len(b"data: c")


def test_a_cr_at_a_border_waits_for_what_follows() -> None:
    splitter = SseSplitter()

    assert splitter.feed(b"data: a\r\n\r") == []
    assert [event.raw for event in splitter.feed(b"\n")] == [b"data: a\r\n\r\n"]


def test_nothing_left_is_nothing_to_flush() -> None:
    splitter = SseSplitter()
    splitter.feed(b"data: a\n\n")

    assert splitter.flush() is None
