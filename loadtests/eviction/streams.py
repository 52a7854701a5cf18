"""Streams of requests with real repetitions, and what their answers weigh and save.

The data lies beside the project (see loadtests/questions.py). Who asks what how often is real; the
order within a day, and which answer belongs to which question, are drawn by a seed.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

_DAY = 86_400.0
#: Bytes of an entry beside its answer: key, vector of 384 numbers, row. And of a token of the
#: answer, compressed as documents are (loadtests/reports/document-compression.md).
_FIXED_BYTES = 1800.0
_TOKEN_BYTES = 1.7
#: Assumed: seconds to the first token, and seconds a token of a fast and of a slow model.
_FIRST_TOKEN = 0.4
_TOKEN_SECONDS = (0.01, 0.05)
#: Blocks of conversations: enough for a third of an hour, and few enough for five minutes in all.
_BLOCKS = 80_000


@dataclass(frozen=True, slots=True)
class Stream:
    """Requests in their order: which item (from 0) each asks for, and when, in seconds.

    `sizes` (bytes) and `saved` (seconds that a hit saves) have one element an item.
    """

    items: NDArray[np.int64]
    times: NDArray[np.float64]
    sizes: NDArray[np.float64]
    saved: NDArray[np.float64]

    @property
    def bytes(self) -> float:
        """What all items weigh."""
        return float(self.sizes.sum())


def data_folder(env: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the shared data, whether it is there or not."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    return Path(env.get("CACHEMW_SHARED_DATA", beside))


def searches(
    folder: Path, level: str, rng: np.random.Generator, lengths: NDArray[np.float64]
) -> Stream:
    """Return the searches of a `level` (country, state), each as often as its popularity says.

    An item is a query of a place: what is near is another answer elsewhere.
    """
    days, asked, counts = [], [], []
    for row in _rows(folder / "semantic" / f"bing-queries-{level}.jsonl.gz"):
        days.append(date.fromisoformat(row["date"]).toordinal())
        asked.append((row["query"], row["place"]))
        counts.append(row["popularity"])
    items = np.repeat(_numbered(asked), counts)
    times = np.repeat(np.array(days) - days[0], counts) * _DAY + rng.uniform(0, _DAY, len(items))
    order = np.argsort(times)
    return weighed(items[order], times[order], rng, lengths)


def conversations(
    folder: Path, rng: np.random.Generator, lengths: NDArray[np.float64], kind: str = "conversation"
) -> Stream:
    """Return the first prefix blocks that conversations ask for (Mooncake's trace)."""
    blocks: list[int] = []
    times: list[float] = []
    for row in _rows(folder / "traces" / f"mooncake-{kind}.jsonl.gz"):
        blocks += row["hash_ids"]
        times += [row["timestamp"] / 1000] * len(row["hash_ids"])
        if len(blocks) >= _BLOCKS:
            break
    return weighed(_numbered(blocks), np.array(times), rng, lengths)


def agents(
    folder: Path, rng: np.random.Generator, lengths: NDArray[np.float64], half: int
) -> Stream:
    """Return the prefix blocks of every second session of coding agents, all begun at once.

    Every eighth block: they are asked for in runs, so the others would repeat the same decision.
    """
    asked = []
    for path in sorted((folder / "traces" / "agent-sessions").glob("*.json.gz"))[half::2]:
        session = orjson.loads(gzip.decompress(path.read_bytes()))
        for request in session["requests"]:
            asked += [
                (request["t"], (session["id"], block)) for block in request.get("hash_ids", ())[::8]
            ]
    asked.sort(key=lambda one: one[0])
    return weighed(
        _numbered([block for _, block in asked]), np.array([t for t, _ in asked]), rng, lengths
    )


def answer_lengths(folder: Path) -> NDArray[np.float64]:
    """Return the tokens of real answers: a production service's hour of conversations."""
    rows = _rows(folder / "traces" / "azure-conv.jsonl.gz")
    return np.array([float(row["GeneratedTokens"]) for row in rows])


def weighed(
    items: NDArray[np.int64],
    times: NDArray[np.float64],
    rng: np.random.Generator,
    lengths: NDArray[np.float64],
) -> Stream:
    """Give every item an answer of a real length, of a fast or a slow model."""
    count = int(items.max()) + 1
    tokens = rng.choice(lengths, count)
    seconds = _FIRST_TOKEN + tokens * rng.choice(_TOKEN_SECONDS, count)
    return Stream(items, times, _FIXED_BYTES + _TOKEN_BYTES * tokens, seconds)


def _numbered(names: Sequence[Hashable]) -> NDArray[np.int64]:
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)


def _rows(path: Path) -> Iterable[dict[str, Any]]:
    with gzip.open(path) as lines:
        for line in lines:
            yield orjson.loads(line)
