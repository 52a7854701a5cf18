"""The Prometheus metrics of the contract, in a registry of their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from cachemw.exposition import expose
from cachemw.tally import BulkHistogram, Distribution, Foldable, Followed, Tally, Timing

_FAST = (
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    2.5,
    5,
    10,
    30,
    60,
    120,
)
_STAGE = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)
_SIMILARITY = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99, 1.0)
# Labels that come from requests are bounded: what is past this many is counted as `other`.
_MAX_MODELS = 100


# How the workers' values of a gauge become one. Those of a worker that died do not count.
_Over = Literal["livesum", "livemin", "livemax", "livemostrecent"]
# A gauge has one way for all its labels. So the store's bytes, which all workers share, are a
# gauge of their own that is shown as one of `bytes`, where the memory tiers add up.
_RENAMED = {"cachemw_shared_bytes": "cachemw_bytes"}


class Metrics:
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
        self.registry = registry = CollectorRegistry()
        self._models: set[str] = set()
        self._tallies: list[Foldable] = []
        self._followed: dict[str, Followed] = {}

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"cachemw_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, over: _Over, *labels: str) -> Gauge:
            return Gauge(f"cachemw_{name}", text, labels, registry=registry, multiprocess_mode=over)

        def histogram(
            name: str, text: str, buckets: tuple[float, ...], *labels: str
        ) -> BulkHistogram:
            return BulkHistogram(
                f"cachemw_{name}", text, labels, buckets=buckets, registry=registry
            )

        self._requests = counter(
            "requests", "Requests answered.", "endpoint", "layer", "category", "status"
        )
        self._seconds = histogram(
            "request_duration_seconds", "From the request to the end of its reply.", _FAST, "layer"
        )
        self._ttft = histogram(
            "time_to_first_token_seconds", "From the request to its first byte.", _FAST, "layer"
        )
        self._stages = histogram(
            "stage_duration_seconds", "Time in one stage of the path.", _STAGE, "stage"
        )
        self.entries = gauge("entries", "Documents in the store.", "livemostrecent", "category")
        self.bytes = gauge("bytes", "Bytes held.", "livesum", "tier")
        shared_bytes = gauge("shared_bytes", "Bytes held.", "livemostrecent", "tier")
        self.store_bytes = shared_bytes.labels("store")
        self.evictions = counter("evictions", "Entries evicted.", "category", "reason")
        self.store_skipped = counter("store_skipped", "Answers not stored.", "reason")
        self.store_failures = counter("store_failures", "Failed store operations.", "operation")
        self.stored = counter("stored", "Answers stored.", "category")
        saved_tokens = counter("saved_tokens", "Upstream tokens not spent.", "kind")
        self.saved_prompt_tokens = self._tally(saved_tokens.labels("prompt"))
        self.saved_completion_tokens = self._tally(saved_tokens.labels("completion"))
        self.saved_seconds = self._tally(counter("saved_seconds", "Upstream seconds not spent."))
        self.saved_usd = self._tally(
            counter("saved_usd", "US dollars not spent, at the configured prices.")
        )
        self._similarity = histogram(
            "semantic_similarity", "Best similarity found.", _SIMILARITY, "category", "outcome"
        )
        self.threshold = gauge(
            "threshold", "Similarity threshold in force.", "livemostrecent", "category"
        )
        self._upstream_requests = counter(
            "upstream_requests", "Calls to upstreams.", "model", "status"
        )
        self._upstream_seconds = histogram(
            "upstream_duration_seconds", "Duration of upstream calls.", _FAST, "model"
        )
        self._upstream_in_flight = gauge(
            "upstream_in_flight", "Upstream calls under way.", "livesum", "model"
        )
        self.upstream_retries = counter(
            "upstream_retries", "Upstream calls made anew.", "model", "reason"
        )
        self.upstream_fallbacks = counter(
            "upstream_fallbacks", "Calls that another model took over.", "model", "to"
        )
        self.upstream_breaker_open = gauge(
            "upstream_breaker_open", "1 while it is left alone, else 0.", "livemax", "upstream"
        )
        self.upstream_ttft_ema = gauge(
            "upstream_ttft_ema_seconds", "Time to first token, average.", "livemostrecent", "model"
        )
        self.upstream_queueing = gauge(
            "upstream_queueing_ratio", "The same over its baseline.", "livemostrecent", "model"
        )
        self.upstream_error_ema = gauge(
            "upstream_error_ema", "Share of failed calls, average.", "livemostrecent", "model"
        )
        self.followers = counter("singleflight_followers", "Requests that joined another's call.")
        self.takeovers = counter(
            "singleflight_takeovers", "Followers that called themselves after a failure."
        )
        self.singleflight_remote = counter(
            "singleflight_remote", "Calls shared with other processes.", "outcome"
        )
        self.dependency_up = gauge(
            "dependency_up", "1 if it answers, else 0.", "livemin", "dependency"
        )
        self.store_up = gauge("store_up", "1 if the document store answers, else 0.", "livemin")
        self.store_up.set(1)  # as in DependencyState: down only once it has failed
        self.index_vectors = gauge("index_vectors", "Vectors in the index.", "livemostrecent")
        self.index_tombstones = gauge(
            "index_tombstones", "Removed vectors that the index still holds.", "livemostrecent"
        )
        self.index_builds = counter("index_builds", "Rebuilds of the index.", "outcome")
        self.changes_applied = counter(
            "changes_applied", "Changes that others made, applied here.", "kind"
        )
        self.changes_gaps = counter("changes_gaps", "Times that changes had been forgotten.")
        self.changes_lag = gauge(
            "changes_lag_seconds", "Time since the change log was last read to its end.", "livemax"
        )
        self.refused = counter("refused", "Requests refused.", "reason")
        self.admin = counter("admin", "Administrative operations.", "operation", "outcome")

        self._answers: dict[tuple[str, str, str, int], tuple[Tally, Distribution]] = {}
        self._first_bytes: dict[str, Distribution] = {}
        self._durations: dict[str, Distribution] = {}
        self._stage_times: dict[str, Distribution] = {}
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
            found = self._first_bytes[layer] = self._distribution(self._ttft.labels(layer), _FAST)
        found.observe(seconds)

    def stage(self, name: str) -> Timing:
        """Time one stage of the path: `with metrics.stage("embed"):`."""
        found = self._stage_times.get(name)
        if found is None:
            child = self._stages.labels(name)
            found = self._stage_times[name] = self._distribution(child, _STAGE)
        return Timing(found, self._monotonic)

    def semantic_similarity(self, category: str, outcome: str) -> Distribution:
        """Return the distribution of best similarities, by outcome (hit or miss)."""
        found = self._similarities.get((category, outcome))
        if found is None:
            child = self._similarity.labels(category, outcome)
            found = self._distribution(child, _SIMILARITY)
            self._similarities[category, outcome] = found
        return found

    @contextmanager
    def upstream_call(self, model: str) -> Iterator[Callable[[str], None]]:
        """Time an upstream call; what is yielded notes its status, else it counts as `error`."""
        label = self._model(model)
        started = self._monotonic()
        status = ["error"]
        in_flight = self._upstream_in_flight.labels(label)
        in_flight.inc()
        try:
            yield lambda value: status.__setitem__(0, value)
        finally:
            in_flight.dec()
            self._upstream_requests.labels(label, status[0]).inc()
            self._upstream_seconds.labels(label).observe(self._monotonic() - started)

    def count_evictions(self, reason: str, total: Callable[[], int]) -> None:
        """Count as evictions for `reason` what `total` grows by; it replaces an earlier source."""
        if earlier := self._followed.get(reason):
            earlier.fold()
        self._followed[reason] = Followed(
            total, lambda amount: self.evictions.labels("default", reason).inc(amount)
        )

    def include(self, part: Foldable) -> None:
        """Have `fold` fold this too: figures that are kept elsewhere."""
        self._tallies.append(part)

    def fold(self) -> None:
        """Move what was counted to where an exposition reads it; cheap enough to do often."""
        for tally in (*self._tallies, *self._followed.values()):
            tally.fold()

    def expose(self) -> tuple[bytes, str]:
        """Return the text exposition and its content type, as of the last `fold`; in any thread."""
        return expose(self.registry, self._shared, _RENAMED), CONTENT_TYPE_LATEST

    def _answer(
        self, endpoint: str, layer: str, category: str, status: int
    ) -> tuple[Tally, Distribution]:
        tally = self._tally(self._requests.labels(endpoint, layer, category, str(status)))
        duration = self._durations.get(layer)
        if duration is None:
            duration = self._distribution(self._seconds.labels(layer), _FAST)
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

    def _model(self, model: str) -> str:
        if model in self._models or len(self._models) < _MAX_MODELS:
            self._models.add(model)
            return model
        return "other"
