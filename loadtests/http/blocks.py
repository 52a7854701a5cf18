"""Making requests in blocks: one block against the floor, one against the subject, in turn."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from loadtests.http.client import Connection, Response
from loadtests.http.shots import Shot, require


async def fire(pool: Sequence[Connection], shots: Sequence[Shot]) -> list[Response]:
    """Make all requests, one at a time on each connection; check every reply afterwards."""
    waiting = list(reversed(shots))
    done: list[tuple[Shot, Response]] = []

    async def work(connection: Connection) -> None:
        while waiting:
            shot = waiting.pop()
            done.append((shot, await connection.request(shot.raw, shot.marker)))

    await asyncio.gather(*map(work, pool))
    # Not while the clock runs: the check costs more than an exact hit.
    for shot, response in done:
        require(shot, response)
    return [response for _, response in done]


def milliseconds(responses: Sequence[Response]) -> list[float]:
    """Return the times to the end of the replies."""
    return [1e3 * response.seconds for response in responses]


def first_milliseconds(responses: Sequence[Response]) -> list[float]:
    """Return the times to the first content; a reply without any has failed its check before."""
    return [1e3 * (response.first_s or response.seconds) for response in responses]
