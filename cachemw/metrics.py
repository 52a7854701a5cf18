"""The Prometheus metrics of the contract, in a registry of their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from cachemw.exposition import expose
from cachemw.figures import FAST, RENAMED, SIMILARITY, STAGE, Figures, Instruments
from cachemw.instruments import BulkHistogram
from cachemw.states import DependencyState
from cachemw.tally import Distribution, Foldable, Followed, Tally, Timing

# Labels that come from requests are bounded: what is past this many is counted as `other`.
_MAX_MODELS = 100


class Metrics(Figures):
    """All metrics of one process. Names carry the prefix `cachemw_`.

    What requests count is folded into Prometheus' objects by `fold`: before each exposition, at the
    end, and with several workers every now and then, since any of them may be asked for the figures
    of all. `shared` is the directory through which they find them.
    """

    def __init__(
        self, monotonic: Callable[[], float] = time.perf_counter, shared: Path | None = None
    ) -> None:
        self._monotonic = monotonic
        self._shared = shared
        self.registry = CollectorRegistry()
        make = Instruments(self.registry)
        super().__init__(make)
        self._models: set[str] = set()
        self._tallies: list[Foldable] = []
        self._followed: dict[str, Followed] = {}

        saved = make.counter("saved_tokens", "Upstream tokens not spent.", "kind")
        self.saved_prompt_tokens = self._tally(saved.labels("prompt"))
        self.saved_completion_tokens = self._tally(saved.labels("completion"))
        self.saved_seconds = self._tally(
            make.counter("saved_seconds", "Upstream seconds not spent.")
        )
        self.saved_usd = self._tally(
            make.counter("saved_usd", "US dollars not spent, at the configured prices.")
        )
        self._answers: dict[tuple[str, str, str, int], tuple[Tally, Distribution]] = {}
        self._first_bytes: dict[str, Distribution] = {}
        self._durations: dict[str, Distribution] = {}
        self._stage_times: dict[str, Distribution] = {}
        self._decisions: dict[tuple[str, str], Tally] = {}
        self._similarities: dict[tuple[str, str], Distribution] = {}

    def answered(
        self, endpoint: str, layer: str, category: str, status: int, seconds: float
    ) -> None:
        """Count a request whose reply has ended; `seconds` since it came."""
        found = self._answers.get((endpoint, layer, category, status))
        if found is None:
            found = self._answer(endpoint, layer, category, status)
        found[0].inc()
        found[1].observe(seconds)

    def first_byte(self, layer: str, seconds: float) -> None:
        """Note the time to the first byte of a reply."""
        found = self._first_bytes.get(layer)
        if found is None:
            found = self._first_bytes[layer] = self._distribution(self.ttft.labels(layer), FAST)
        found.observe(seconds)

    def stage(self, name: str) -> Timing:
        """Time one stage of the path: `with metrics.stage("embed"):`."""
        found = self._stage_times.get(name)
        if found is None:
            child = self.stages.labels(name)
            found = self._stage_times[name] = self._distribution(child, STAGE)
        return Timing(found, self._monotonic)

    def semantic_similarity(self, category: str, outcome: str) -> Distribution:
        """Return the distribution of best similarities, by outcome (hit or miss)."""
        found = self._similarities.get((category, outcome))
        if found is None:
            child = self.similarity.labels(category, outcome)
            found = self._distribution(child, SIMILARITY)
            self._similarities[category, outcome] = found
        return found

    def decided(self, category: str, outcome: str) -> None:
        """Count what came of a semantic lookup."""
        found = self._decisions.get((category, outcome))
        if found is None:
            found = self._tally(self.decisions.labels(category, outcome))
            self._decisions[category, outcome] = found
        found.inc()

    @contextmanager
    def upstream_call(self, model: str) -> Iterator[Callable[[str], None]]:
        """Time an upstream call; what is yielded notes its status, else it counts as `error`."""
        label = self.model_label(model)
        started = self._monotonic()
        status = ["error"]
        in_flight = self.upstream_in_flight.labels(label)
        in_flight.inc()
        try:
            yield lambda value: status.__setitem__(0, value)
        finally:
            in_flight.dec()
            self.upstream_requests.labels(label, status[0]).inc()
            self.upstream_seconds.labels(label).observe(self._monotonic() - started)

    def count_evictions(self, reason: str, total: Callable[[], int]) -> None:
        """Count as evictions for `reason` what `total` grows by; it replaces an earlier source."""
        if earlier := self._followed.get(reason):
            earlier.fold()
        self._followed[reason] = Followed(
            total, lambda amount: self.evictions.labels("default", reason).inc(amount)
        )

    def dependency(self, name: str) -> DependencyState:
        """Return the state of a dependency, whose changes the gauge of its name shows."""
        return DependencyState(name, self.dependency_up.labels(name).set)

    def include(self, part: Foldable) -> None:
        """Have `fold` fold this too: figures that are kept elsewhere."""
        self._tallies.append(part)

    def fold(self) -> None:
        """Move what was counted to where an exposition reads it; cheap enough to do often."""
        for tally in (*self._tallies, *self._followed.values()):
            tally.fold()

    def expose(self) -> tuple[bytes, str]:
        """Return the text exposition and its content type, as of the last `fold`; in any thread."""
        return expose(self.registry, self._shared, RENAMED), CONTENT_TYPE_LATEST

    def _answer(
        self, endpoint: str, layer: str, category: str, status: int
    ) -> tuple[Tally, Distribution]:
        tally = self._tally(self.requests.labels(endpoint, layer, category, str(status)))
        duration = self._durations.get(layer)
        if duration is None:
            duration = self._distribution(self.seconds.labels(layer), FAST)
            self._durations[layer] = duration
        self._answers[endpoint, layer, category, status] = (tally, duration)
        return tally, duration

    def _tally(self, counter: Counter) -> Tally:
        tally = Tally(counter)
        self._tallies.append(tally)
        return tally

    def _distribution(self, child: BulkHistogram, bounds: tuple[float, ...]) -> Distribution:
        distribution = Distribution(child, bounds)
        self._tallies.append(distribution)
        return distribution

    def model_label(self, model: str) -> str:
        """Return a model as a label; those past the bound share one."""
        if model in self._models or len(self._models) < _MAX_MODELS:
            self._models.add(model)
            return model
        return "other"
