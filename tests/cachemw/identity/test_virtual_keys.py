"""Virtual keys: who is let in, and that nothing of a key goes any further."""

from __future__ import annotations

from secrets import token_urlsafe

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachemw.errors import NotAuthenticated, RateLimited
from cachemw.http.messages import Header, HttpRequest, by_name
from cachemw.identity.base import CREDENTIAL_HEADERS
from cachemw.identity.virtual_keys import VirtualKey, VirtualKeys, key_digest, new_key
from tests.support.service import Clock

ANN, BOB = "sk-cachemw-ann", "sk-cachemw-bob"


def identity(*, isolation: bool = True, rpm: int | None = None) -> VirtualKeys:
    keys = [
        VirtualKey(key_digest(ANN), "research", rpm=rpm),
        VirtualKey(key_digest(BOB), "sales", tpm=100),
    ]
    return VirtualKeys(keys, Clock(), isolation=isolation)


async def never() -> dict[str, object]:
    raise NotImplementedError


def request(*headers: Header) -> HttpRequest:
    listed = list(headers)
    return HttpRequest("POST", "/v1/x", b"", listed, by_name(listed), never)


def admitted(*headers: Header, by: VirtualKeys | None = None) -> HttpRequest:
    made = request(*headers)
    (by or identity()).admit(made)
    return made


ann: Header = (b"authorization", f"Bearer {ANN}".encode())


@pytest.mark.parametrize(
    "headers",
    [
        [ann],
        [(b"authorization", f"bearer   {ANN} ".encode())],
        [(b"api-key", ANN.encode())],
        [(b"x-api-key", ANN.encode())],
        [ann, (b"api-key", ANN.encode())],  # Azure's client sends both
    ],
)
def test_a_key_is_its_tenant_wherever_a_client_puts_it(headers: list[Header]) -> None:
    assert admitted(*headers).caller.tenant == "name:research"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"authorization", b"")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"Bearer ")],
        [(b"authorization", ANN.encode())],
        [(b"authorization", b"Basic " + ANN.encode())],
        [(b"authorization", f"Bearer {ANN}x".encode())],
        [(b"authorization", f"Bearer {ANN[:-1]}".encode())],
        [(b"authorization", f"Bearer {ANN.upper()}".encode())],
        [(b"authorization", b"Bearer " + key_digest(ANN).hex().encode())],
        [(b"authorization", b"Bearer name:research")],
        [(b"x-goog-api-key", ANN.encode())],
        [(b"api-key", b"")],
        [ann, ann],  # which of the two somebody in front has looked at nobody knows
        [ann, (b"api-key", BOB.encode())],
        [ann, (b"x-api-key", b"unknown")],
        [(b"authorization", b"Bearer \xff\xfe")],
    ],
)
def test_all_else_is_refused_without_a_word_of_it(headers: list[Header]) -> None:
    with pytest.raises(NotAuthenticated) as caught:
        admitted(*headers)
    assert ANN not in caught.value.message
    assert (b"www-authenticate", b"Bearer") in caught.value.headers


@given(st.binary(max_size=80))
def test_no_other_bytes_are_a_key(presented: bytes) -> None:
    with pytest.raises(NotAuthenticated):
        admitted((b"authorization", b"Bearer " + presented))


def test_no_credential_goes_on() -> None:
    others: list[Header] = [(name, ANN.encode()) for name in CREDENTIAL_HEADERS[1:]]
    plain: Header = (b"openai-beta", b"x")

    made = admitted(ann, *others, plain)

    assert made.header_list == [plain]
    assert made.headers == {b"openai-beta": b"x"}


def test_budgets_are_of_the_key() -> None:
    keys = identity(rpm=1)
    admitted(ann, by=keys)
    with pytest.raises(RateLimited):
        admitted(ann, by=keys)
    bob = admitted((b"api-key", BOB.encode()), by=keys).caller
    assert bob.account is not None
    assert bob.account.requests is None


def test_a_wrong_key_takes_nothing_from_a_budget() -> None:
    keys = identity(rpm=1)
    for _ in range(5):
        with pytest.raises(NotAuthenticated):
            admitted((b"api-key", b"guess"), by=keys)
    admitted(ann, by=keys)


def test_without_isolation_all_are_one_but_must_still_be_known() -> None:
    keys = identity(isolation=False)
    ann_there, bob_there = (
        admitted((b"api-key", key.encode()), by=keys).caller.tenant for key in (ANN, BOB)
    )
    assert ann_there == bob_there
    with pytest.raises(NotAuthenticated):
        admitted(by=keys)


def test_a_new_key_has_256_bits_and_a_name_to_find_it_by() -> None:
    one, other = new_key(token_urlsafe), new_key(token_urlsafe)

    assert one != other
    assert one.startswith("sk-cachemw-")
    assert len(one.removeprefix("sk-cachemw-")) == 43  # 256 bits, 6 a character
