"""A request to a cached endpoint, read once: everything the tiers ask of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from cachemw_policies.category import DEFAULT
from cachemw_policies.decision import Decision

from cachemw.directives import Directives, Mode, read_directives
from cachemw.endpoints.base import Endpoint, Json, wants_stream, wants_usage
from cachemw.errors import BadRequest
from cachemw.http.messages import BodyMemory, HttpRequest
from cachemw.keys import KeyScope, exact_key
from cachemw.parse import parse_object
from cachemw.stores.base import Document, Vector
from cachemw.upstreams.router import Route, Router


@dataclass(slots=True)
class Asked:
    """The fuzzy half of a request, once it is known to have one.

    `embedding` is computed once, by whoever needs it first: the search, or later the store.
    """

    text: str
    partition: bytes
    embedding: asyncio.Future[Vector] | None = None

    @property
    def embedded(self) -> bool:
        """Whether the embedding is there, or known not to come."""
        return self.embedding is not None and self.embedding.done()


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate: its document, and its score in its category on the verifier's scale.

    `weight` is that of the label it may become.
    """

    document: Document
    score: float
    category: str
    scale: str
    weight: float = 1.0


@dataclass(slots=True)
class Ask:
    """A parsed request. `started` is monotonic, in seconds.

    `load` is the level of load of the model asked for, in [0, 1].
    `named` is the category that the client chose, `category` the one that is in force: `default`
    until the question has been embedded. `decision` says what came of the semantic lookup, if
    there was one, and `near` is the candidate it was about; `withheld` where it was a hit and was
    asked anew to check it.
    """

    request: HttpRequest
    endpoint: Endpoint
    params: Json
    route: Route
    tenant: str
    directives: Directives
    scope: KeyScope
    key: bytes
    stream: bool
    usage: bool
    started: float
    load: float = 0.0
    named: str | None = None
    category: str = DEFAULT
    asked: Asked | None = None
    decision: Decision | None = None
    near: Scored | None = None
    withheld: bool = False

    @property
    def max_age(self) -> float | None:
        """The oldest answer, in seconds, that the client takes: its `max-age` and its TTL."""
        max_age, ttl = self.directives.max_age, self.directives.ttl
        if max_age is None or ttl is None:
            return ttl if max_age is None else max_age
        return min(max_age, ttl)


class AskReader:
    """Reads requests: parse, tenant, directives, route, exact key."""

    def __init__(
        self,
        router: Router,
        *,
        ceiling: Mode,
        max_body_bytes: int,
        bodies: BodyMemory,
        key_headers: tuple[str, ...],
        monotonic: Callable[[], float],
        named: Callable[[str | None], str | None],
        load_of: Callable[[Route], float],
    ) -> None:
        """Read; `named` checks the category that a request names, `load_of` knows the load."""
        self._router = router
        self._named = named
        self._load_of = load_of
        self._ceiling = ceiling
        self._max_body_bytes = max_body_bytes
        self._bodies = bodies
        names = sorted(name.lower() for name in key_headers)
        self._key_headers = tuple((name, name.encode()) for name in names)
        self._monotonic = monotonic

    async def read(self, request: HttpRequest, endpoint: Endpoint) -> Ask:
        """Read a request. Raises RequestError and its kinds."""
        started = self._monotonic()
        params = parse_object(await request.body(self._max_body_bytes, self._bodies))
        endpoint.check(params)
        route = self._router.route(params.get("model"))
        directives = read_directives(request.headers, self._ceiling)
        named = self._category(directives, params)
        tenant = request.caller.scoped(directives.scope)
        scope = KeyScope(
            tenant, endpoint.name, route.backend.upstream.name, route.model, self._variant(request)
        )
        return Ask(
            request=request,
            endpoint=endpoint,
            params=params,
            route=route,
            tenant=tenant,
            directives=directives,
            scope=scope,
            key=exact_key(scope, params, endpoint.ignored),
            stream=wants_stream(params),
            usage=wants_usage(params),
            started=started,
            load=self._load_of(route),
            named=named,
            category=named or DEFAULT,
        )

    def _category(self, directives: Directives, params: Json) -> str | None:
        try:
            return self._named(directives.category or _category_in(params))
        except BadRequest as error:
            if not directives.category:
                error.param = "metadata.cachemw_category"
            raise

    def _variant(self, request: HttpRequest) -> tuple[tuple[str, str], ...]:
        # No header can be named "?".
        variant = [("?", request.query.decode("latin-1"))] if request.query else []
        for name, encoded in self._key_headers:
            if encoded in request.headers:
                # Each of them, where a header comes more than once: the upstream sees them all.
                values = (value for key, value in request.header_list if key == encoded)
                variant.extend((name, value.decode("latin-1")) for value in values)
        return tuple(variant)


def _category_in(params: Json) -> str | None:
    """Return the category that a request's metadata names; what is there else is not ours."""
    metadata = params.get("metadata")
    wanted = metadata.get("cachemw_category") if isinstance(metadata, dict) else None
    return wanted if isinstance(wanted, str) else None
