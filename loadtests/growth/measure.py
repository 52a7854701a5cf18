"""Measures running services of several sizes in turn."""

from __future__ import annotations

import random
import re
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

import orjson
from cachemw_policies.guards.script import english_enough

from loadtests.growth.corpus import BASE, PATH, Corpus, answer_text
from loadtests.growth.prepare import Case
from loadtests.http.blocks import fire, milliseconds
from loadtests.http.client import Response, connections, raw_request
from loadtests.http.servers import Server, cpu_seconds
from loadtests.http.shots import Incorrect, Shot, plain_text, wrong_layer
from loadtests.http.wording import aside
from loadtests.stats import Spread, spread

_EXACT = {"x-cachemw-mode": "exact"}
_LOOKUP = {"cache-control": "only-if-cached"}
# Any question of the partition is near enough, by the policy; this one never is.
_NEW = {"x-cachemw-threshold": "1", "x-cachemw-ttl": "2"}
_STAGES = ("embed", "search", "verify", "store_get")
_SAMPLE = re.compile(
    r'^cachemw_stage_duration_seconds_(sum|count){.*stage="(\w+)".*} (\S+)', re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A service over a store of so many entries."""

    case: Case
    server: Server


@dataclass
class Times:
    """What was measured of one subject: a spread a round, in milliseconds.

    `stages` are means of one semantic hit's parts, `cpu_ms` is an insert's CPU time.
    """

    hit: list[Spread] = field(default_factory=list)
    miss: list[Spread] = field(default_factory=list)
    semantic: list[Spread] = field(default_factory=list)
    insert: list[Spread] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=dict)
    cpu_ms: list[float] = field(default_factory=list)


@dataclass
class Measurement:
    """Rounds over all subjects in turn. The same seed asks for the same entries."""

    corpus: Corpus
    rng: random.Random
    block: int
    _serial: count[int] = field(default_factory=count)

    async def rounds(self, subjects: Sequence[Subject], number: int) -> dict[Case, Times]:
        """Measure `number` rounds, after one to warm up."""
        times = {subject.case: Times() for subject in subjects}
        for subject in subjects:
            await self._round(subject, Times())
        for _ in range(number):
            for subject in subjects:
                await self._round(subject, times[subject.case])
        return times

    async def _round(self, subject: Subject, times: Times) -> None:
        times.hit.append(await self._fire(subject, self._hit))
        times.miss.append(await self._fire(subject, self._miss))
        before = stages(subject.server.port)
        times.semantic.append(await self._fire(subject, self._semantic))
        after = stages(subject.server.port)
        for stage in _STAGES:
            times.stages.setdefault(stage, []).append(mean_ms(before, after, stage))
        cpu = cpu_seconds(subject.server.pid)
        times.insert.append(await self._fire(subject, self._insert))
        times.cpu_ms.append(1e3 * (cpu_seconds(subject.server.pid) - cpu) / self.block)

    async def _fire(self, subject: Subject, make: Callable[[Case], Shot]) -> Spread:
        async with connections(subject.server.port, 1) as pool:
            shots = [make(subject.case) for _ in range(self.block)]
            return spread(milliseconds(await fire(pool, shots)))

    def _hit(self, case: Case) -> Shot:
        """Ask for an entry: the service has no memory tier, so it comes from the store."""
        body = self.corpus.body(self.rng.randrange(case.entries), case.shape)
        expected = answer_text(body)

        def check(response: Response) -> str | None:
            wrong = wrong_layer(response, "exact")
            return wrong or (None if plain_text(response.body) == expected else "another answer")

        return _shot(body, _EXACT, check)

    def _miss(self, case: Case) -> Shot:
        """Ask for what is not there, without having it made."""
        body = self.corpus.body(self.rng.randrange(case.entries), case.shape)
        body["messages"][1]["content"] += f" And what about {next(self._serial)}?"
        return _shot(body, _EXACT | _LOOKUP, _is_504)

    def _semantic(self, case: Case) -> Shot:
        """Ask an entry's question in other words, of which no guard makes a difference."""
        body = self.corpus.body(self._english(min(case.entries, BASE)), case.shape)
        body["messages"][1]["content"] += f" {aside(next(self._serial))}, please."
        return _shot(body, {}, lambda response: wrong_layer(response, "semantic"))

    def _english(self, entries: int) -> int:
        """Return one of the first entries; the verifier reads English questions only."""
        number = self.rng.randrange(entries)
        while not english_enough(self.corpus.text(number)):
            number = self.rng.randrange(entries)
        return number

    def _insert(self, case: Case) -> Shot:
        """Ask something new in an entry's partition: embedded, searched for, stored, indexed."""
        body = self.corpus.body(self.rng.randrange(case.entries), case.shape)
        body["messages"][1]["content"] = f"What is so special about {next(self._serial)}?"
        return _shot(body, _NEW, lambda response: wrong_layer(response, "upstream"))


def _shot(
    body: dict[str, object], headers: dict[str, str], check: Callable[[Response], str | None]
) -> Shot:
    return Shot(raw_request(PATH, orjson.dumps(body), headers), check)


def _is_504(response: Response) -> str | None:
    return None if response.status == 504 else f"status {response.status}, not 504"


def stages(port: int) -> dict[str, tuple[float, float]]:
    """Return the seconds spent in each stage so far, and how often."""
    found: dict[str, dict[str, float]] = {}
    for kind, stage, value in _SAMPLE.findall(_metrics(port)):
        found.setdefault(stage, {})[kind] = float(value)
    return {stage: (values["sum"], values["count"]) for stage, values in found.items()}


def mean_ms(
    before: dict[str, tuple[float, float]], after: dict[str, tuple[float, float]], stage: str
) -> float:
    """Return the mean of a stage between two looks, 0 where it was not entered."""
    seconds, times = after.get(stage, (0.0, 0.0))
    seconds_before, times_before = before.get(stage, (0.0, 0.0))
    made = times - times_before
    return 1e3 * (seconds - seconds_before) / made if made else 0.0


def require_vectors(subject: Subject) -> None:
    """Raise Incorrect unless every entry is in the service's index."""
    text = _metrics(subject.server.port)
    found = re.search(r"^cachemw_index_vectors(?:{.*})? (\S+)", text, re.MULTILINE)
    vectors = float(found.group(1)) if found else 0.0
    if vectors < subject.case.entries:
        raise Incorrect(f"{subject.case.name}: {vectors:.0f} vectors in the index")


def _metrics(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as reply:
        return str(reply.read().decode())
