"""The real worker, a process of its own with a tiny model, spoken to as an application would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from cachemw.local.worker import parse_arguments

ASK: Any = [{"role": "user", "content": "the cat sat"}]


@pytest.fixture(scope="module")
def socket(tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("s") / "w.sock"
    command = [sys.executable, "-m", "cachemw.local.worker", "--exit-on-stdin-eof"]
    command += ["--model", str(tiny_model_dir), "--name", "tiny", "--uds", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as worker:
        while not path.exists():
            assert worker.poll() is None
            time.sleep(0.02)
        yield path
        worker.terminate()
        worker.wait()
        # uvicorn ends with the signal it was sent, once everything is closed.
        assert worker.returncode in {0, -signal.SIGTERM}


@pytest.fixture
def client(socket: Path) -> Iterator[openai.OpenAI]:
    with (
        httpx2.Client(transport=httpx2.HTTPTransport(uds=str(socket))) as http,
        openai.OpenAI(
            base_url="http://worker/v1", api_key="none", max_retries=0, http_client=http
        ) as made,
    ):
        yield made


def chat(client: openai.OpenAI, **options: Any) -> str:
    answer = client.chat.completions.create(model="tiny", messages=ASK, **options)
    content: str | None = answer.choices[0].message.content
    assert content is not None
    return content


def test_greedy_answers_repeat_and_seeded_ones_too(client: openai.OpenAI) -> None:
    greedy = [chat(client, temperature=0, max_tokens=20) for _ in range(2)]
    assert greedy[0] == greedy[1] != ""
    seeded = [chat(client, temperature=1.5, seed=s, max_tokens=20) for s in (1, 1, 2)]
    assert seeded[0] == seeded[1] != seeded[2]


def test_choices_differ_among_themselves_and_repeat_with_their_seed(client: openai.OpenAI) -> None:
    def texts() -> list[str | None]:
        answer = client.chat.completions.create(
            model="tiny", messages=ASK, n=3, seed=5, temperature=1.5, max_tokens=12
        )
        return [choice.message.content for choice in answer.choices]

    first = texts()
    assert len(set(first)) == 3
    assert texts() == first


def test_a_stream_is_the_whole_answer_in_pieces(client: openai.OpenAI) -> None:
    whole = chat(client, temperature=0, max_tokens=40)
    stream = client.chat.completions.create(
        model="tiny", messages=ASK, temperature=0, max_tokens=40, stream=True
    )
    pieces = [chunk.choices[0].delta.content or "" for chunk in stream]
    assert "".join(pieces) == whole
    assert len([piece for piece in pieces if piece]) > 5


async def test_the_async_client(socket: Path) -> None:
    transport = httpx2.AsyncHTTPTransport(uds=str(socket))
    async with (
        httpx2.AsyncClient(transport=transport) as http,
        openai.AsyncOpenAI(
            base_url="http://worker/v1", api_key="none", max_retries=0, http_client=http
        ) as client,
    ):
        whole = await client.chat.completions.create(
            model="tiny", messages=ASK, max_tokens=10, seed=3
        )
        stream = await client.chat.completions.create(
            model="tiny", messages=ASK, max_tokens=10, seed=3, stream=True
        )
        pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(pieces) == whole.choices[0].message.content


def test_a_stop_string_cuts_the_greedy_answer(client: openai.OpenAI) -> None:
    whole = chat(client, temperature=0, max_tokens=40)
    stop = whole[8:11]
    answer = client.chat.completions.create(
        model="tiny", messages=ASK, temperature=0, max_tokens=40, stop=[stop]
    )
    assert answer.choices[0].message.content == whole[: whole.index(stop)]
    assert answer.choices[0].finish_reason == "stop"


def test_a_prompt_over_the_context(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.completions.create(model="tiny", prompt="z" * 300)
    assert refused.value.code == "context_length_exceeded"
    assert refused.value.param == "prompt"


@pytest.mark.parametrize("flag", ["--threads", "--max-concurrency", "--max-queue"])
def test_counts_on_the_command_line_are_positive(
    flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--model", "m", "--name", "n", "--uds", "s", flag, "0"])
    assert "must be at least 1" in capsys.readouterr().err


def test_the_end_of_stdin_ends_a_worker_that_is_still_loading(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cachemw.local.worker", "--exit-on-stdin-eof"]
    command += ["--model", str(tmp_path), "--name", "x", "--uds", str(tmp_path / "w.sock")]
    read_end, write_end = os.pipe()
    os.close(write_end)
    with subprocess.Popen(command, stdin=read_end, stderr=subprocess.PIPE) as worker:
        os.close(read_end)
        worker.communicate()
    assert worker.returncode == -signal.SIGTERM
