"""Which upstream serves a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cachemw.errors import BadRequest, ModelNotFound
from cachemw.upstreams.base import Upstream

ANY_MODEL = "*"
# Routes kept by model name: every request asks, and a client can make up names without end.
_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens."""

    prompt: float = 0.0
    completion: float = 0.0

    def of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Return what a call of so many tokens costs, in US dollars."""
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6


_FREE = Price()


@dataclass(frozen=True, slots=True)
class Fallback:
    """Where a call goes when its upstream fails: another one, and the model's name there.

    No `model` asks for the same one.
    """

    upstream: str
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Backend:
    """An upstream with what the configuration says about it.

    `models` are the names it serves, `*` for any; `aliases` map a client's name to the upstream's.
    `default_model` is used where a request names none; a backend with an `only_model` serves that
    whatever name it is asked by. `ask_usage` has streams report their usage,
    which a stored answer needs for clients that do not stream. `fallbacks` are tried in order when
    it fails; theirs are not followed, so that no configuration can send a call in circles.
    """

    upstream: Upstream
    models: tuple[str, ...] = (ANY_MODEL,)
    aliases: Mapping[str, str] = field(default_factory=dict)
    default_model: str | None = None
    only_model: str | None = None
    ask_usage: bool = True
    prices: Mapping[str, Price] = field(default_factory=dict)
    fallbacks: tuple[Fallback, ...] = ()

    def serves(self, model: str) -> bool:
        """Whether it serves the model by name."""
        return model in self.models or model in self.aliases

    def effective(self, model: str) -> str:
        """Return the model that serves a request for `model`."""
        return self.only_model or self.aliases.get(model, model)


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes, under which model name, at which price."""

    backend: Backend
    model: str

    @property
    def price(self) -> Price:
        """The model's price, 0 where the configuration has none."""
        return self.backend.prices.get(self.model, _FREE)


class Router:
    """Picks a backend: by the model's name first, else the first that takes any.

    Fallbacks name backends that are there: the configuration sees to that.
    """

    def __init__(self, backends: Sequence[Backend]) -> None:
        self.backends = tuple(backends)
        self._by_name = {backend.upstream.name: backend for backend in backends}
        self._known: dict[str, Route] = {}

    def fallbacks(self, route: Route) -> list[Route]:
        """Return where a request goes when the route's upstream fails, in order."""
        return [
            Route(backend, backend.effective(fallback.model or route.model))
            for fallback in route.backend.fallbacks
            for backend in (self._by_name[fallback.upstream],)
        ]

    def route(self, model: object) -> Route:
        """Return the route of a request's `model` field. Raises BadRequest, ModelNotFound."""
        if isinstance(model, str) and model in self._known:
            return self._known[model]
        route = self._find(model)
        if len(self._known) < _REMEMBERED and isinstance(model, str):
            self._known[model] = route
        return route

    def _find(self, model: object) -> Route:
        if model is None:
            return self._default()
        if not isinstance(model, str) or not model:
            raise BadRequest("'model' must be a non-empty string.", param="model")
        named = (b for b in self.backends if b.serves(model))
        anyone = (b for b in self.backends if ANY_MODEL in b.models)
        backend = next(named, None) or next(anyone, None)
        if backend is None:
            raise ModelNotFound(f"No upstream serves the model '{model}'.", param="model")
        return Route(backend, backend.effective(model))

    def _default(self) -> Route:
        for backend in self.backends:
            default = backend.only_model or backend.default_model
            if default is not None:
                return Route(backend, backend.effective(default))
        raise BadRequest("'model' is required.", param="model")
