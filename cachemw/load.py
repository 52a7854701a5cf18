"""What is known of the load on each model's upstream: kept here, decided on elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

from cachemw_policies.load import LoadFigures, LoadSettings, attempted, first_token
from cachemw_policies.retry import TRANSIENT_STATUSES

from cachemw.errors import UpstreamError
from cachemw.metrics import Metrics

_NO_FIGURES = LoadFigures()
# Models by name, which clients can make up without end; what is past this many shares one place.
_MAX_MODELS = 100
_OTHER = "other"


class UpstreamLoad:
    """The load figures by model, and their metrics."""

    def __init__(
        self, metrics: Metrics, monotonic: Callable[[], float], settings: LoadSettings
    ) -> None:
        self._metrics = metrics
        self._monotonic = monotonic
        self._settings = settings
        self._figures: dict[str, LoadFigures] = {}
        self._in_flight: Counter[str] = Counter()
        metrics.include(self)

    def of(self, model: str) -> LoadFigures:
        """Return the figures of a model, those of an idle one where nothing is known."""
        place = self._place(model)
        figures = self._figures.get(place, _NO_FIGURES)
        return figures._replace(in_flight=self._in_flight[place])

    def call(self, model: str) -> ModelCall:
        """Begin a call to the model; it is under way until what is returned is closed."""
        place = self._place(model)
        self._in_flight[place] += 1
        return ModelCall(self, self._metrics, place, self._monotonic)

    def retried(self, model: str, reason: str) -> None:
        """Note a call that has failed and is made anew."""
        place = self._place(model)
        self._metrics.upstream_retries.labels(place, reason).inc()
        self.attempted(place, failed=True)

    def fell_back(self, model: str, to: str) -> None:
        """Note a call that another model takes over."""
        self._metrics.upstream_fallbacks.labels(self._place(model), self._place(to)).inc()

    def attempted(self, place: str, *, failed: bool) -> None:
        """Note how one call ended."""
        self._figures[place] = attempted(
            self._figures.get(place, _NO_FIGURES),
            self._settings,
            failed=failed,
            now=self._monotonic(),
        )

    def first_token(self, place: str, seconds: float) -> None:
        """Note that the first token of a stream came `seconds` after its call began."""
        self._figures[place] = first_token(
            self._figures.get(place, _NO_FIGURES), self._settings, seconds, self._monotonic()
        )

    def ended(self, place: str) -> None:
        """Note that a call is no longer under way."""
        self._in_flight[place] -= 1

    def fold(self) -> None:
        """Write the figures where an exposition reads them (see Metrics.fold)."""
        for model, figures in self._figures.items():
            self._metrics.upstream_error_ema.labels(model).set(figures.error)
            if figures.ttft_s is not None:
                self._metrics.upstream_ttft_ema.labels(model).set(figures.ttft_s)
                self._metrics.upstream_queueing.labels(model).set(figures.queueing)

    def _place(self, model: str) -> str:
        known = model in self._in_flight or len(self._in_flight) < _MAX_MODELS
        return model if known else _OTHER


class ModelCall:
    """One call under way, retries included; a context manager that ends it."""

    def __init__(
        self, load: UpstreamLoad, metrics: Metrics, place: str, monotonic: Callable[[], float]
    ) -> None:
        self._load = load
        self._place = place
        self._monotonic = monotonic
        self._started = monotonic()
        self._timed = metrics.upstream_call(place)
        self._note = self._timed.__enter__()
        self._heard = False
        self.status = "error"

    @property
    def seconds(self) -> float:
        """How long it has been under way."""
        return self._monotonic() - self._started

    def first_token(self) -> None:
        """Note that a part of a stream has come; only the first of them counts."""
        if not self._heard:
            self._heard = True
            self._load.first_token(self._place, self.seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, UpstreamError):
            self.status = error.code or "error"
        self._note(self.status)
        self._timed.__exit__(None, None, None)
        self._load.ended(self._place)
        if error is None or isinstance(error, UpstreamError):
            failed = not self.status.isdigit() or int(self.status) in TRANSIENT_STATUSES
            self._load.attempted(self._place, failed=failed)
