"""What keeps two requests apart, and what must not."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachemw.endpoints.base import Endpoint
from cachemw.endpoints.chat import ChatCompletions
from cachemw.endpoints.completions import Completions
from cachemw.endpoints.responses import Responses
from cachemw.errors import BadRequest
from cachemw.keys import KeyScope, compatibility_key, exact_key

CHAT = ChatCompletions()
SCOPE = KeyScope(tenant="tenant", endpoint="chat.completions", upstream="openai", model="gpt")

scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
names = st.text("abcdefgh_", min_size=1, max_size=8)
bodies = st.dictionaries(names, values, max_size=4).map(
    lambda more: {**more, "messages": [{"role": "user", "content": "Why is the sky blue?"}]}
)

# One for each kind of parameter that changes an answer, with two values that are not the same.
MATTERS: dict[str, tuple[Any, Any]] = {
    "temperature": (0, 1),
    "temperature by type": ("1", 1),
    "seed, true against one": (True, 1),
    "seed, false against zero": (False, 0),
    "null against a value": (None, 0),
    "fraction": (0.1, 0.2),
    "text": ("a", "A"),
    "array order": (["a", "b"], ["b", "a"]),
    "array length": ([], [None]),
    "array against object": ([], {}),
    "nested": ({"type": {"deep": 1}}, {"type": {"deep": 2}}),
    "nested type": ({"deep": True}, {"deep": 1}),
    "text against its JSON": ('{"a":1}', {"a": 1}),
    "Unicode form": ("\u00e9", "e\u0301"),
}


def key(body: dict[str, Any], scope: KeyScope = SCOPE, endpoint: Endpoint = CHAT) -> bytes:
    return exact_key(scope, body, endpoint.ignored)


def partition(body: dict[str, Any], scope: KeyScope = SCOPE) -> bytes:
    question = CHAT.question(body)
    assert question is not None
    return compatibility_key(scope, question.params_without, CHAT.ignored)


def reordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: reordered(value[name]) for name in reversed(value)}
    return [reordered(item) for item in value] if isinstance(value, list) else value


class TestWhatNeverMatters:
    @given(bodies)
    def test_order_of_names_and_whitespace(self, body: dict[str, Any]) -> None:
        spaced = orjson.loads(json.dumps(reordered(body), indent=3))

        assert key(spaced) == key(body)

    @pytest.mark.parametrize("value", [True, None, "x", {"include_usage": True}])
    @pytest.mark.parametrize(
        "name",
        [
            "metadata",
            "prompt_cache_key",
            "prompt_cache_retention",
            "safety_identifier",
            "service_tier",
            "store",
            "stream",
            "stream_options",
            "user",
        ],
    )
    def test_parameters_that_cannot_change_the_answer(self, name: str, value: Any) -> None:
        body: dict[str, Any] = {"messages": []}

        assert key({**body, name: value}) == key(body)

    def test_the_name_the_client_uses_for_the_model(self) -> None:
        assert key({"model": "fast", "x": 1}) == key({"model": "gpt", "x": 1}) == key({"x": 1})

    @given(st.integers(-(2**53) + 1, 2**53 - 1))
    def test_how_a_whole_number_is_written(self, number: int) -> None:
        assert key({"temperature": float(number)}) == key({"temperature": number})

    def test_but_a_nested_number_stays_as_it_was_written(self) -> None:
        # A schema is put into the prompt as it stands.
        assert key({"tools": [{"minimum": 1.0}]}) != key({"tools": [{"minimum": 1}]})

    def test_the_sign_of_zero(self) -> None:
        assert key({"temperature": -0.0}) == key({"temperature": 0})


class TestWhatAlwaysMatters:
    @pytest.mark.parametrize("case", MATTERS)
    @pytest.mark.parametrize("name", ["temperature", "a_parameter_nobody_knows", "tools"])
    def test_value(self, name: str, case: str) -> None:
        one, other = MATTERS[case]

        assert key({name: one}) != key({name: other})

    @given(bodies, names, values)
    def test_presence(self, body: dict[str, Any], name: str, value: Any) -> None:
        without = {k: v for k, v in body.items() if k != name}

        assert key({**without, name: value}) != key(without)

    @given(bodies, bodies)
    def test_different_requests_have_different_keys(
        self, one: dict[str, Any], other: dict[str, Any]
    ) -> None:
        same = orjson.dumps(one, option=orjson.OPT_SORT_KEYS) == orjson.dumps(
            other, option=orjson.OPT_SORT_KEYS
        )

        assert (key(one) == key(other)) is same

    @pytest.mark.parametrize(
        "other",
        [
            SCOPE._replace(tenant="another"),
            SCOPE._replace(endpoint="another"),
            SCOPE._replace(upstream="another"),
            SCOPE._replace(model="another"),
        ],
    )
    def test_scope(self, other: KeyScope) -> None:
        assert key({}, other) != key({}, SCOPE)
        assert compatibility_key(other, {}, frozenset()) != compatibility_key(
            SCOPE, {}, frozenset()
        )

    def test_variant(self) -> None:
        variants: list[tuple[tuple[str, str], ...]] = [
            (),
            (("?", "api-version=1"),),
            (("?", "api-version=2"),),
            (("openai-beta", "api-version=1"),),
            (("openai-beta", ""),),
            (("openai-beta", "a"), ("openai-beta", "b")),
            (("openai-beta", "b"), ("openai-beta", "a")),
        ]

        keys = {key({}, SCOPE._replace(variant=variant)) for variant in variants}

        assert len(keys) == len(variants)

    def test_store_for_responses_because_the_id_is_then_a_handle(self) -> None:
        responses = Responses()

        assert key({"store": True}, endpoint=responses) != key({}, endpoint=responses)

    @given(st.text(max_size=4), st.text(max_size=4), st.integers(0, 8))
    def test_parts_that_join_to_the_same_text(self, one: str, other: str, cut: int) -> None:
        joined = one + other
        moved = SCOPE._replace(tenant=joined[:cut], model=joined[cut:])
        scope = SCOPE._replace(tenant=one, model=other)

        assert (key({}, moved) == key({}, scope)) is (joined[:cut] == one)

    def test_the_last_message_alone_is_no_key(self) -> None:
        last = {"role": "user", "content": "And then?"}
        histories = [
            [last],
            [{"role": "system", "content": "Be brief."}, last],
            [{"role": "user", "content": "Tell me of Rome."}, last],
            [{"role": "assistant", "content": "Tell me of Rome."}, last],
        ]

        assert len({key({"messages": history}) for history in histories}) == len(histories)
        assert len({partition({"messages": history}) for history in histories}) == len(histories)


class TestCompatibility:
    BODY: ClassVar[dict[str, Any]] = {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Where is Rome?"},
            {"role": "assistant", "content": "In Italy."},
            {"role": "user", "content": "How old is it?"},
        ],
        "temperature": 0,
        "response_format": {"type": "text"},
    }

    def with_message(self, position: int, **changed: Any) -> dict[str, Any]:
        messages = [dict(message) for message in self.BODY["messages"]]
        messages[position] |= changed
        return {**self.BODY, "messages": messages}

    @given(st.text(min_size=1).filter(str.strip))
    def test_only_the_last_user_text_is_free(self, text: str) -> None:
        assert partition(self.with_message(3, content=text)) == partition(self.BODY)

    @pytest.mark.parametrize("position", [0, 1, 2])
    def test_earlier_messages_are_not(self, position: int) -> None:
        assert partition(self.with_message(position, content="Else")) != partition(self.BODY)

    def test_nor_who_says_it(self) -> None:
        assert partition(self.with_message(3, name="Ann")) != partition(self.BODY)
        assert partition(self.with_message(0, role="developer")) != partition(self.BODY)

    @pytest.mark.parametrize(
        "changed",
        [
            {"temperature": 1},
            {"response_format": {"type": "json_object"}},
            {"seed": 1},
            {"max_tokens": 5},
            {"documents": [{"text": "Rome was founded in 753 BC."}]},
            {"unknown": None},
        ],
        ids=lambda changed: next(iter(changed)),
    )
    def test_nor_any_parameter(self, changed: dict[str, Any]) -> None:
        assert partition({**self.BODY, **changed}) != partition(self.BODY)

    @given(bodies)
    def test_it_is_never_an_exact_key(self, body: dict[str, Any]) -> None:
        assert compatibility_key(SCOPE, body, CHAT.ignored) != key(body)

    def test_taking_the_text_out_leaves_the_request_as_it_was(self) -> None:
        before = orjson.dumps(self.BODY)

        partition(self.BODY)

        assert orjson.dumps(self.BODY) == before


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return {"messages": [], "x": value}


def test_deep_nesting_is_refused_not_a_crash() -> None:
    assert len(key(nested(100))) == 32
    with pytest.raises(BadRequest, match="canonicalised"):
        key(nested(1000))


@pytest.mark.parametrize("number", [2**63, 2**64 - 1, 1e300, 5e-324])
def test_extreme_numbers_have_a_key(number: float) -> None:
    assert len(key({"seed": number})) == 32


class TestVectors:
    """Frozen: whoever changes what is hashed must raise KEY_SCHEMA, and then these."""

    def test_exact(self) -> None:
        body = {
            "model": "alias",
            "messages": [{"role": "user", "content": "Hé, 2+2?"}],
            "temperature": 0.0,
            "stream": True,
        }

        assert key(body).hex() == "022ab5940fe8fa9b6efa292d914003e17057c01b02052d15b47ab0ba976055d6"

    def test_compatibility(self) -> None:
        assert (
            partition(TestCompatibility.BODY).hex()
            == "69dd6f82a6fec1755e14d52de96271b89a16974111dbb49865a0a7dc380a6e6b"
        )

    def test_variant(self) -> None:
        scope = KeyScope("t", "completions", "u", "m", (("?", "a=1"), ("openai-beta", "x")))

        assert (
            key({"prompt": [1, 2]}, scope, Completions()).hex()
            == "d1f755a58f7344139346d681fbbac8473d7da31210fc4f591e05f870a7cc0101"
        )
