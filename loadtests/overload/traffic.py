"""Requests as they came to a real service, and what they ask."""

from __future__ import annotations

import gzip
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import orjson

from loadtests.overload.scores import Scored

NOTHING_NEAR = -1


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request of a trace: seconds since the first, tokens of the prompt and of the answer."""

    at: float
    prompt_tokens: int
    answer_tokens: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request to be replayed.

    `at` seconds since the beginning. `pair`: number of the held-out pair whose first question has a
    stored answer and whose second one is asked, NOTHING_NEAR where no stored question is near.
    `age_s`: how long ago the stored answer was generated.
    """

    at: float
    prompt_tokens: int
    answer_tokens: int
    pair: int
    age_s: float


@dataclass(frozen=True, slots=True)
class Mix:
    """What is asked.

    `near`: the share of requests to which a stored question is as near as pairs are to each other;
    the ages of stored answers are exponential with the mean `mean_age_s`.
    """

    near: float = 0.5
    mean_age_s: float = 3600.0


def trace_file(env: Mapping[str, str] = os.environ) -> Path:
    """Return where the trace lies, whether it is there or not."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    shared = Path(env.get("CACHEMW_SHARED_DATA", beside))
    return shared / "traces" / "azure-conv.jsonl.gz"


def read_trace(path: Path) -> list[Recorded]:
    """Read all requests of a file, in their order."""
    with gzip.open(path) as lines:
        rows = [orjson.loads(line) for line in lines]
    times = [datetime.fromisoformat(row["TIMESTAMP"][:26]).timestamp() for row in rows]
    return [
        Recorded(at - times[0], int(row["ContextTokens"]), int(row["GeneratedTokens"]))
        for at, row in zip(times, rows, strict=True)
    ]


def window(trace: Sequence[Recorded], length: int, rng: np.random.Generator) -> list[Recorded]:
    """Return `length` requests in a row, from a random place on; all if there are no more."""
    start = int(rng.integers(max(1, len(trace) - length + 1)))
    return list(trace[start : start + length])


def arrivals(
    recorded: Sequence[Recorded],
    seconds_a_request: float,
    held: Scored,
    mix: Mix,
    rng: np.random.Generator,
) -> list[Arrival]:
    """Compress or stretch time to a mean gap of `seconds_a_request`, and draw what is asked."""
    first, last = recorded[0].at, recorded[-1].at
    scale = seconds_a_request * (len(recorded) - 1) / (last - first)
    pairs = rng.integers(len(held), size=len(recorded))
    pairs[rng.random(len(recorded)) >= mix.near] = NOTHING_NEAR
    ages = rng.exponential(mix.mean_age_s, size=len(recorded))
    return [
        Arrival((one.at - first) * scale, one.prompt_tokens, one.answer_tokens, pair, age)
        for one, pair, age in zip(recorded, pairs.tolist(), ages.tolist(), strict=True)
    ]
