"""Every other path under /v1 goes through untouched, streaming both ways, and is never cached."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from loadtests.fake_upstream.passthrough import blob
from tests.support.fakes import RunningFake
from tests.support.servers import wait_until


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_method_path_query_headers_and_body(http: httpx.Client, method: str) -> None:
    body = b"" if method == "GET" else b'\x00\xff{"not": "touched" }\r\n'
    answer = http.request(
        method,
        "/v1/unheard/of%20it/x?a=1&a=2&b=%2F",
        content=body,
        headers={"x-mine": "yes", "openai-beta": "assistants=v2"},
    )
    echo: Any = answer.json()
    assert echo["method"] == method
    assert echo["path"] == "/v1/unheard/of it/x"
    assert echo["query"] == "a=1&a=2&b=%2F"
    assert echo["sha256"] == hashlib.sha256(body).hexdigest()
    assert echo["headers"]["x-mine"] == "yes"
    assert echo["headers"]["openai-beta"] == "assistants=v2"
    assert echo["headers"]["authorization"] == "Bearer sk-alice"
    assert answer.headers["x-request-id"].startswith("req_")


def test_nothing_is_cached(http: httpx.Client, fake: RunningFake) -> None:
    before = fake.calls("GET /v1/batches")
    for _ in range(2):
        assert http.get("/v1/batches").status_code == 200
    assert fake.calls("GET /v1/batches") == before + 2


def test_an_error_is_passed_on(client: OpenAI) -> None:
    headers = {"x-fake": "status=429;retry-after=5"}
    with pytest.raises(openai.RateLimitError) as caught:
        client.get("/batches", cast_to=httpx.Response, options={"headers": headers})
    assert caught.value.response.headers["retry-after"] == "5"


def test_upload_and_download_with_the_official_client(client: OpenAI) -> None:
    content = blob(1_000_000)
    uploaded = client.files.create(file=("data.bin", content), purpose="assistants")
    assert uploaded.bytes == len(content)
    assert (uploaded.model_extra or {})["sha256"] == hashlib.sha256(content).hexdigest()
    assert client.files.content(uploaded.id).read() == content


def test_a_download_larger_than_any_buffer(http: httpx.Client) -> None:
    digest = hashlib.sha256()
    with http.stream("GET", "/v1/files/file-20000000/content") as answer:
        assert answer.headers["content-length"] == "20000000"
        for part in answer.iter_bytes():
            digest.update(part)
    assert digest.hexdigest() == hashlib.sha256(blob(20_000_000)).hexdigest()


def test_a_download_streams(http: httpx.Client) -> None:
    started = time.monotonic()
    with http.stream("GET", "/v1/drip?count=4&delay=0.25") as answer:
        arrivals = [(line, time.monotonic() - started) for line in answer.iter_lines()]
    assert [line for line, _ in arrivals] == ["line 0", "line 1", "line 2", "line 3"]
    assert arrivals[0][1] < 0.5 < arrivals[-1][1]


def test_an_upload_streams(http: httpx.Client, fake: RunningFake) -> None:
    part = b"x" * 100_000
    before = fake.record.uploaded_bytes

    def arrived(count: int) -> bool:
        return fake.record.uploaded_bytes >= before + count * len(part)

    def parts() -> Iterator[bytes]:
        for count in (1, 2, 3):
            yield part
            # A proxy that collected the body first would never get past this.
            wait_until(partial(arrived, count), what="part at the upstream")

    echo: Any = http.post("/v1/uploads/stream", content=parts()).json()
    assert echo["bytes"] == 3 * len(part)


def test_a_body_comes_back_as_it_was_sent(http: httpx.Client) -> None:
    content = blob(300_000)
    assert http.post("/v1/duplex", content=content).content == content
