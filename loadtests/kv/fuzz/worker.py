"""A process that tries a share of the inputs, and is expected to survive them."""

from __future__ import annotations

import faulthandler
import os
import resource
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from cachemw_codecs.codecs.base import Codec

from loadtests.kv.fuzz.cases import Cases
from loadtests.kv.fuzz.corpus import opener
from loadtests.kv.fuzz.judge import Judge
from loadtests.kv.fuzz.trial import tried, warm

ADDRESS_SPACE = 1 << 30
"""Bytes that a worker may map beyond what it has when all decoders have run once."""
BATCH = 200


@dataclass(frozen=True, slots=True)
class Share:
    """Which inputs a worker tries: `numbers` but for those that ended a worker before it."""

    seed: int
    numbers: range
    without: frozenset[int]


def work(
    make_codecs: Callable[[], list[Codec]], share: Share, at: Any, results: Connection
) -> None:
    """Try the share; `at` holds the number at hand, and -1 while nothing is decoded.

    Sends, batch by batch, (how many more of `numbers` are through, their tally).
    """
    faulthandler.enable()
    codecs = make_codecs()
    cases = Cases(codecs, share.seed)
    judge = Judge(opener(codecs), {specimen.data for specimen in cases.specimens})
    warm(cases, judge)
    _limit_memory()
    before = _resident()
    for start in range(0, len(share.numbers), BATCH):
        batch = share.numbers[start : start + BATCH]
        tally = tried(cases, judge, _announced(batch, share.without, at))
        at.value = -1
        tally.grown = max(0, _resident() - before)
        results.send((len(batch), tally))


def _announced(numbers: Sequence[int], without: frozenset[int], at: Any) -> Iterator[int]:
    for number in numbers:
        if number not in without:
            at.value = number
            yield number


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + ADDRESS_SPACE
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _resident() -> int:
    """Return the most bytes of memory that this process ever had."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
