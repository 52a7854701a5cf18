import httpx
import pytest

from cachemw.demo.client import ask
from cachemw.demo.session import Step

PLAIN = b'{"choices":[{"message":{"content":"Paris."}}]}'
STREAM = (
    b'data: {"choices":[{"delta":{"role":"assistant"}}]}\n\n'
    b'data: {"choices":[{"delta":{"content":"Par"}}]}\n\n'
    b'data: {"choices":[{"delta":{"content":"is."}}]}\n\n'
    b"data: [DONE]\n\n"
)


def client(body: bytes, *, status: int = 200, similarity: str = "") -> httpx.Client:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer demo-bob"
        headers = {"x-cachemw-layer": "exact"}
        headers |= {"x-cachemw-similarity": similarity} if similarity else {}
        return httpx.Response(status, content=body, headers=headers)

    return httpx.Client(transport=httpx.MockTransport(answer), base_url="http://proxy/v1")


@pytest.mark.parametrize(("body", "stream"), [(PLAIN, False), (STREAM, True)])
def test_both_forms_are_read(body: bytes, *, stream: bool) -> None:
    step = Step("again", "Where?", "exact", tenant="bob", stream=stream)
    with client(body, similarity="0.9712") as http:
        outcome = ask(http, "m", step)
    assert (outcome.answer, outcome.layer, outcome.similarity) == ("Paris.", "exact", 0.9712)
    assert outcome.as_expected
    assert 0 < outcome.first_byte <= outcome.total


def test_an_error_is_not_an_answer() -> None:
    step = Step("again", "Where?", "exact", tenant="bob")
    with client(PLAIN, status=502) as http, pytest.raises(httpx.HTTPStatusError):
        ask(http, "m", step)
