"""What is counted, by subject: the metrics of the contract and how workers' values become one."""

from __future__ import annotations

from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge

from cachemw.instruments import BulkHistogram, UpGauge

# Upper bounds: seconds of requests and calls, seconds of stages, cosine similarities.
FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
STAGE = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)
SIMILARITY = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99, 1.0)

# How the workers' values of a gauge become one. Those of a worker that died do not count.
Over = Literal["livesum", "livemin", "livemax", "livemostrecent"]
# A gauge has one way for all its labels. So the store's bytes, which all workers share, are a
# gauge of their own that is shown as one of `bytes`, where the memory tiers add up.
RENAMED = {"cachemw_shared_bytes": "cachemw_bytes"}


class Instruments:
    """Makes metrics named `cachemw_...` in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        """Return a counter; those of all workers add up, also of those that have died."""
        return Counter(f"cachemw_{name}", text, labels, registry=self._registry)

    def gauge(self, name: str, text: str, over: Over, *labels: str) -> Gauge:
        """Return a gauge whose value over all living workers is told by `over`."""
        full = f"cachemw_{name}"
        return Gauge(full, text, labels, registry=self._registry, multiprocess_mode=over)

    def up_gauge(self, name: str, text: str, *labels: str) -> UpGauge:
        """Return a gauge that is 1 where no worker has found a failure."""
        full = f"cachemw_{name}"
        return UpGauge(full, text, labels, registry=self._registry, multiprocess_mode="livemin")

    def histogram(
        self, name: str, text: str, bounds: tuple[float, ...], *labels: str
    ) -> BulkHistogram:
        """Return a histogram with these upper bounds."""
        full = f"cachemw_{name}"
        return BulkHistogram(full, text, labels, buckets=bounds, registry=self._registry)


class RequestFigures:
    """Requests, replies and what they saved."""

    def __init__(self, make: Instruments) -> None:
        self.requests = make.counter(
            "requests", "Requests answered.", "endpoint", "layer", "category", "status"
        )
        self.seconds = make.histogram(
            "request_duration_seconds", "From the request to the end of its reply.", FAST, "layer"
        )
        self.ttft = make.histogram(
            "time_to_first_token_seconds", "From the request to its first byte.", FAST, "layer"
        )
        self.stages = make.histogram(
            "stage_duration_seconds", "Time in one stage of the path.", STAGE, "stage"
        )
        self.similarity = make.histogram(
            "semantic_similarity", "Best similarity found.", SIMILARITY, "category", "outcome"
        )
        self.decisions = make.counter(
            "semantic_decisions", "Semantic lookups by what came of them.", "category", "outcome"
        )
        self.refused = make.counter("refused", "Requests refused.", "reason")
        self.admin = make.counter("admin", "Administrative operations.", "operation", "outcome")


class StoreFigures:
    """The document store and the memory tier."""

    def __init__(self, make: Instruments) -> None:
        self.entries = make.gauge(
            "entries", "Documents in the store.", "livemostrecent", "category"
        )
        self.bytes = make.gauge("bytes", "Bytes held.", "livesum", "tier")
        shared_bytes = make.gauge("shared_bytes", "Bytes held.", "livemostrecent", "tier")
        self.store_bytes = shared_bytes.labels("store")
        self.evictions = make.counter("evictions", "Entries evicted.", "category", "reason")
        self.store_skipped = make.counter("store_skipped", "Answers not stored.", "reason")
        self.store_failures = make.counter(
            "store_failures", "Failed store operations.", "operation"
        )
        self.stored = make.counter("stored", "Answers stored.", "category")
        self.dependency_up = make.up_gauge(
            "dependency_up", "1 if it answers, else 0.", "dependency"
        )
        self.store_up = make.up_gauge("store_up", "1 if the document store answers, else 0.")


class UpstreamFigures:
    """Calls to upstreams, and what others did not have to call for."""

    def __init__(self, make: Instruments) -> None:
        self.upstream_requests = make.counter(
            "upstream_requests", "Calls to upstreams.", "model", "status"
        )
        self.upstream_seconds = make.histogram(
            "upstream_duration_seconds", "Duration of upstream calls.", FAST, "model"
        )
        self.upstream_in_flight = make.gauge(
            "upstream_in_flight", "Upstream calls under way.", "livesum", "model"
        )
        self.upstream_retries = make.counter(
            "upstream_retries", "Upstream calls made anew.", "model", "reason"
        )
        self.upstream_fallbacks = make.counter(
            "upstream_fallbacks", "Calls that another model took over.", "model", "to"
        )
        self.upstream_breaker_open = make.gauge(
            "upstream_breaker_open", "1 while it is left alone, else 0.", "livemax", "upstream"
        )
        self.upstream_ttft_ema = make.gauge(
            "upstream_ttft_ema_seconds", "Time to first token, average.", "livemostrecent", "model"
        )
        self.upstream_queueing = make.gauge(
            "upstream_queueing_ratio", "The same over its baseline.", "livemostrecent", "model"
        )
        self.upstream_error_ema = make.gauge(
            "upstream_error_ema", "Share of failed calls, average.", "livemostrecent", "model"
        )
        self.followers = make.counter(
            "singleflight_followers", "Requests that joined another's call."
        )
        self.takeovers = make.counter(
            "singleflight_takeovers", "Followers that called themselves after a failure."
        )
        self.singleflight_remote = make.counter(
            "singleflight_remote", "Calls shared with other processes.", "outcome"
        )


class IndexFigures:
    """The semantic index and the change log that keeps it up to date."""

    def __init__(self, make: Instruments) -> None:
        self.index_vectors = make.gauge("index_vectors", "Vectors in the index.", "livemostrecent")
        self.index_tombstones = make.gauge(
            "index_tombstones", "Removed vectors that the index still holds.", "livemostrecent"
        )
        self.index_builds = make.counter("index_builds", "Graphs built since the start.")
        self.snapshots = make.counter("index_snapshots", "Snapshots of the index.", "outcome")
        self.changes_applied = make.counter(
            "changes_applied", "Changes that others made, applied here.", "kind"
        )
        self.changes_gaps = make.counter("changes_gaps", "Times that changes had been forgotten.")
        self.changes_lag = make.gauge(
            "changes_lag_seconds", "Time since the change log was last read to its end.", "livemax"
        )


class CategoryFigures:
    """What is learnt of each category, and what it wins."""

    def __init__(self, make: Instruments) -> None:
        self.threshold = make.gauge(
            "threshold",
            "Least score that is served; above 1: nothing is.",
            "livemostrecent",
            "category",
        )
        self.threshold_overload = make.gauge(
            "threshold_overload",
            "The same where the load is at its highest.",
            "livemostrecent",
            "category",
        )
        self.false_hits = make.gauge(
            "false_hit_ratio",
            "Share of wrong answers at the threshold.",
            "livemostrecent",
            "category",
        )
        self.false_hits_low = make.gauge(
            "false_hit_ratio_low", "Its 95 % interval, from.", "livemostrecent", "category"
        )
        self.false_hits_high = make.gauge(
            "false_hit_ratio_high", "Its 95 % interval, to.", "livemostrecent", "category"
        )
        self.labels = make.counter("labels", "Judged candidates.", "source", "verdict")
        self.labels_dropped = make.counter("labels_dropped", "Not kept for want of room.", "kind")
        self.checks = make.counter("checks", "Comparisons of answers.", "source", "outcome")
        self.feedback = make.counter("feedback", "Judgements by clients.", "verdict")
        self.net_seconds = make.gauge(
            "net_saved_seconds",
            "Seconds hits won less those of lookups.",
            "livesum",
            "category",
        )
        self.net_usd = make.gauge("net_saved_usd", "US dollars, likewise.", "livesum", "category")
        self.paused = make.gauge(
            "category_paused", "1 while lookups cost more than they win.", "livemax", "category"
        )
        self.entitlement = make.gauge(
            "entitlement_entries",
            "Entries that it may have of a full store.",
            "livemostrecent",
            "category",
        )
        self.category_bytes = make.gauge(
            "category_bytes", "Bytes in the store.", "livemostrecent", "category"
        )
        self.load_level = make.gauge(
            "load_level", "How far the cache gives way, 0 to 1.", "livemax", "model"
        )
        self.policy_failed = make.gauge(
            "policy_failed", "1 while the policy file cannot be used.", "livemax"
        )


class Figures(RequestFigures, StoreFigures, UpstreamFigures, IndexFigures, CategoryFigures):
    """All of them."""

    def __init__(self, make: Instruments) -> None:
        RequestFigures.__init__(self, make)
        StoreFigures.__init__(self, make)
        UpstreamFigures.__init__(self, make)
        IndexFigures.__init__(self, make)
        CategoryFigures.__init__(self, make)
