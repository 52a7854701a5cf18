"""The Prometheus metrics of the contract, in a registry of their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

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


class Metrics:
    """All metrics of one process. Names carry the prefix `cachemw_`."""

    def __init__(self, monotonic: Callable[[], float] = time.perf_counter) -> None:
        self._monotonic = monotonic
        self.registry = registry = CollectorRegistry()
        self._models: set[str] = set()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"cachemw_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"cachemw_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"cachemw_{name}", text, labels, buckets=buckets, registry=registry)

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
        self.entries = gauge("entries", "Documents in the store.", "category")
        self.bytes = gauge("bytes", "Bytes held.", "tier")
        self.evictions = counter("evictions", "Entries evicted.", "category", "reason")
        self.store_skipped = counter("store_skipped", "Answers not stored.", "reason")
        self.store_failures = counter("store_failures", "Failed store operations.", "operation")
        self.stored = counter("stored", "Answers stored.", "category")
        self.saved_seconds = counter("saved_seconds", "Upstream seconds not spent.")
        self.saved_usd = counter("saved_usd", "US dollars not spent, at the configured prices.")
        saved_tokens = counter("saved_tokens", "Upstream tokens not spent.", "kind")
        self.saved_prompt_tokens = saved_tokens.labels("prompt")
        self.saved_completion_tokens = saved_tokens.labels("completion")
        self._similarity = histogram(
            "semantic_similarity", "Best similarity found.", _SIMILARITY, "category", "outcome"
        )
        self.threshold = gauge("threshold", "Similarity threshold in force.", "category")
        self._upstream_requests = counter(
            "upstream_requests", "Calls to upstreams.", "model", "status"
        )
        self._upstream_seconds = histogram(
            "upstream_duration_seconds", "Duration of upstream calls.", _FAST, "model"
        )
        self._upstream_in_flight = gauge("upstream_in_flight", "Upstream calls under way.", "model")
        self.followers = counter("singleflight_followers", "Requests that joined another's call.")
        self.takeovers = counter(
            "singleflight_takeovers", "Followers that called themselves after a failure."
        )
        self.dependency_up = gauge("dependency_up", "1 if it answers, else 0.", "dependency")
        self.store_up = gauge("store_up", "1 if the document store answers, else 0.")
        self.index_vectors = gauge("index_vectors", "Vectors in the index.")

        # labels() takes a lock and builds a tuple: the hot path keeps what it has found.
        self._request_children: dict[tuple[str, str, str, int], Counter] = {}
        self._layer_children: dict[str, tuple[Histogram, Histogram]] = {}
        self._stage_children: dict[str, Histogram] = {}

    def answered(
        self, endpoint: str, layer: str, category: str, status: int, seconds: float
    ) -> None:
        """Count a request whose reply has ended; `seconds` since it came."""
        key = (endpoint, layer, category, status)
        child = self._request_children.get(key)
        if child is None:
            child = self._requests.labels(endpoint, layer, category, str(status))
            self._request_children[key] = child
        child.inc()
        self._layer(layer)[0].observe(seconds)

    def first_byte(self, layer: str, seconds: float) -> None:
        """Note the time to the first byte of a reply."""
        self._layer(layer)[1].observe(seconds)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time one stage of the path."""
        started = self._monotonic()
        try:
            yield
        finally:
            child = self._stage_children.get(name)
            if child is None:
                child = self._stage_children[name] = self._stages.labels(name)
            child.observe(self._monotonic() - started)

    def semantic_similarity(self, category: str, outcome: str) -> Histogram:
        """Return the histogram of best similarities, by outcome (hit or miss)."""
        return self._similarity.labels(category, outcome)

    @contextmanager
    def upstream_call(self, model: str) -> Iterator[Callable[[str], None]]:
        """Time an upstream call; what is yielded notes its status, else it counts as `error`."""
        label = self._model(model)
        started = self._monotonic()
        status = ["error"]
        self._upstream_in_flight.labels(label).inc()
        try:
            yield lambda value: status.__setitem__(0, value)
        finally:
            self._upstream_in_flight.labels(label).dec()
            self._upstream_requests.labels(label, status[0]).inc()
            self._upstream_seconds.labels(label).observe(self._monotonic() - started)

    def expose(self) -> tuple[bytes, str]:
        """Return the text exposition and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    def _layer(self, layer: str) -> tuple[Histogram, Histogram]:
        found = self._layer_children.get(layer)
        if found is None:
            found = (self._seconds.labels(layer), self._ttft.labels(layer))
            self._layer_children[layer] = found
        return found

    def _model(self, model: str) -> str:
        if model in self._models or len(self._models) < _MAX_MODELS:
            self._models.add(model)
            return model
        return "other"
