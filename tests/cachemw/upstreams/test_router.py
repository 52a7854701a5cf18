"""A model's name picks the upstream, and the name it has there."""

from __future__ import annotations

from typing import Any

import pytest

from cachemw.errors import BadRequest, ModelNotFound
from cachemw.upstreams.base import Upstream, UpstreamReply, UpstreamRequest
from cachemw.upstreams.router import Backend, Fallback, Price, Router


class Named(Upstream):
    """An upstream that is never called."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def start(self) -> None:
        raise NotImplementedError

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        raise NotImplementedError

    async def aclose(self) -> None:
        raise NotImplementedError


def backend(name: str, **options: Any) -> Backend:
    return Backend(Named(name), **options)


def routed(router: Router, model: object) -> tuple[str, str]:
    route = router.route(model)
    return route.backend.upstream.name, route.model


def test_by_name_first_then_the_first_that_takes_any() -> None:
    router = Router([backend("any"), backend("named", models=("gpt",)), backend("later")])

    assert routed(router, "gpt") == ("named", "gpt")
    assert routed(router, "other") == ("any", "other")


def test_the_same_name_again_goes_the_same_way() -> None:
    router = Router([backend("any"), backend("named", models=("gpt",))])

    assert [routed(router, "gpt") for _ in range(3)] == [("named", "gpt")] * 3


def test_an_alias_is_a_name_too() -> None:
    router = Router([backend("any"), backend("aliased", models=("m",), aliases={"fast": "m"})])

    assert routed(router, "fast") == ("aliased", "m")


def test_an_alias_and_its_model_are_the_same_route() -> None:
    router = Router([backend("a", aliases={"fast": "gpt"})])

    assert router.route("fast") == router.route("gpt")


def test_no_model_is_the_first_default() -> None:
    router = Router([backend("a"), backend("b", default_model="gpt"), backend("c")])

    assert routed(router, None) == ("b", "gpt")


def test_a_default_may_be_an_alias() -> None:
    router = Router([backend("a", default_model="fast", aliases={"fast": "gpt"})])

    assert routed(router, None) == ("a", "gpt")


def test_a_backend_with_one_model_serves_it_under_any_name() -> None:
    router = Router([backend("local", only_model="lab")])

    assert routed(router, "gpt-4o") == routed(router, None) == ("local", "lab")


def test_no_upstream_serves_it() -> None:
    with pytest.raises(ModelNotFound, match="'gpt'") as caught:
        Router([backend("a", models=("other",))]).route("gpt")
    assert (caught.value.status, caught.value.param) == (404, "model")


def test_no_model_and_no_default() -> None:
    with pytest.raises(BadRequest, match="required"):
        Router([backend("a")]).route(None)


@pytest.mark.parametrize("model", ["", 5, True, ["gpt"], {"name": "gpt"}])
def test_a_model_is_a_name(model: object) -> None:
    with pytest.raises(BadRequest, match="'model'") as caught:
        Router([backend("a")]).route(model)
    assert caught.value.param == "model"


def test_the_price_is_that_of_the_upstreams_model() -> None:
    priced = backend("a", aliases={"fast": "gpt"}, prices={"gpt": Price(1, 2)})

    assert Router([priced]).route("fast").price == Price(1, 2)
    assert Router([priced]).route("other").price == Price()


def falling_back(*fallbacks: Fallback) -> Router:
    return Router(
        [
            backend("openai", models=("gpt",), fallbacks=fallbacks),
            backend("azure", aliases={"gpt": "gpt-eu"}),
            backend("local", only_model="lab"),
        ]
    )


def test_fallbacks_in_order_by_their_own_names_for_the_model() -> None:
    router = falling_back(Fallback("azure"), Fallback("local", "ignored"), Fallback("azure", "o1"))
    routes = router.fallbacks(router.route("gpt"))
    assert [(r.backend.upstream.name, r.model) for r in routes] == [
        ("azure", "gpt-eu"),
        ("local", "lab"),
        ("azure", "o1"),
    ]


def test_the_fallbacks_of_a_fallback_are_not_followed() -> None:
    router = Router(
        [backend("a", fallbacks=(Fallback("b"),)), backend("b", fallbacks=(Fallback("a"),))]
    )
    (route,) = router.fallbacks(router.route("gpt"))
    assert route.backend.upstream.name == "b"
