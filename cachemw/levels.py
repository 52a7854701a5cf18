"""How far the cache gives way to each model's load: the levels of `cachemw_policies.adaptation`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from cachemw_policies.adaptation import AdaptationSettings, Level, adapted

from cachemw.load import UpstreamLoad
from cachemw.upstreams.router import Route

# A level moves by hundredths in that time; it is looked at by every request.
_LOOK_SECONDS = 0.05
# Models by name, which clients can make up without end; those past this many are calm.
_MAX_MODELS = 100


class LoadLevels:
    """The level of every model, brought up to date when it is asked for.

    `capacities`: calls in flight that an upstream takes at once, by its name, where that is known.
    No `settings`: the load moves nothing.
    """

    def __init__(
        self,
        load: UpstreamLoad,
        settings: AdaptationSettings | None,
        capacities: Mapping[str, int],
        monotonic: Callable[[], float],
    ) -> None:
        self._load = load
        self._settings = settings
        self._of_upstream = (
            {}
            if settings is None
            else {name: replace(settings, capacity=most) for name, most in capacities.items()}
        )
        self._monotonic = monotonic
        self._levels: dict[str, Level] = {}

    def of(self, route: Route) -> float:
        """Return the level of a route's model, from 0 (calm) to 1."""
        if self._settings is None:
            return 0.0
        now = self._monotonic()
        level = self._levels.get(route.model)
        if level is None:
            if len(self._levels) >= _MAX_MODELS:
                return 0.0
            level = Level()
        elif level.at is not None and now - level.at < _LOOK_SECONDS:
            return level.value
        settings = self._of_upstream.get(route.backend.upstream.name, self._settings)
        level = adapted(level, self._load.of(route.model), settings, now)
        self._levels[route.model] = level
        return level.value

    def __iter__(self) -> Iterator[tuple[str, float]]:
        """Yield every model with its level as of the last look."""
        return iter([(model, level.value) for model, level in self._levels.items()])

    @property
    def highest(self) -> float:
        """The highest of all levels as of the last look."""
        return max((level.value for level in self._levels.values()), default=0.0)
