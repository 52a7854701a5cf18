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


def client(body: bytes, *, status: int = 200) -> httpx.Client:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer demo-bob"
        assert request.headers["x-cachemw-explain"] == "1"
        headers = {
            "x-cachemw-layer": "semantic",
            "x-cachemw-category": "factual",
            "x-cachemw-decision": "category=factual; outcome=served; threshold_by=cold_start",
        }
        return httpx.Response(status, content=body, headers=headers)

    return httpx.Client(transport=httpx.MockTransport(answer), base_url="http://proxy/v1")


@pytest.mark.parametrize(("body", "stream"), [(PLAIN, False), (STREAM, True)])
def test_both_forms_are_read(body: bytes, *, stream: bool) -> None:
    step = Step("again", "Where?", "semantic", tenant="bob", stream=stream)
    with client(body) as http:
        outcome = ask(http, "m", step)
    assert (outcome.answer, outcome.layer, outcome.category) == ("Paris.", "semantic", "factual")
    assert outcome.decision["outcome"] == "served"
    assert outcome.decision["threshold_by"] == "cold_start"
    assert outcome.as_expected
    assert 0 < outcome.first_byte <= outcome.total


def test_an_error_is_not_an_answer() -> None:
    step = Step("again", "Where?", "exact", tenant="bob")
    with client(PLAIN, status=502) as http, pytest.raises(httpx.HTTPStatusError):
        ask(http, "m", step)
