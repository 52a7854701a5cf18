"""Train the dictionary that stored documents are compressed with, and measure it.

    python -m loadtests.train_dictionary --data ../shared/data

writes `cachemw/assets/answers.zdict` and `loadtests/reports/document-compression.md`. The
dictionary depends on the data, the seed and the zstd version alone. Half of the question groups
train it; the other half, and whole sources left out of training, measure it. A group is what
could leak between halves: a question, a topic, a command asked in several ways.
"""

from __future__ import annotations

import argparse
import gzip
import random
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import zstandard
from numpy.typing import NDArray

from cachemw.stores.base import Document
from cachemw.stores.codec import DocumentCodec, pack

_ROOT = Path(__file__).parents[1]
_SEED = 20261122
_MAX_BYTES = 16 << 20
#: Documents of one source used for training: no source may drown the others.
_TRAINED_PER_SOURCE = 1500
_MEASURED_PER_SOURCE = 1000
_DEFAULT_SIZE = 64 << 10
_SIZES = (16 << 10, 32 << 10, 64 << 10, 110 << 10)
_LEVELS = (1, 3, 9)
_RESAMPLES = 2000

_Sizes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Answer:
    """A real question and answer, before its envelope."""

    source: str
    group: str
    model: str
    question: str
    text: str


def read_answers(data: Path) -> list[Answer]:
    """Return every distinct answer of the sources, in a fixed order."""
    found = dict.fromkeys(
        (*_gsm8k(data), *_commands(data), *_passages(data), *_conversations(data))
    )
    return [answer for answer in found if answer.text]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rb") as lines:
        for line in lines:
            yield orjson.loads(line)


def _gsm8k(data: Path) -> Iterator[Answer]:
    for row in _rows(data / "routing" / "gsm8k.jsonl.gz"):
        for name in ("gpt-4-1106-preview", "mistralai/Mixtral-8x7B-Instruct-v0.1"):
            source = "gsm8k, GPT-4" if name.startswith("gpt") else "gsm8k, Mixtral"
            text = row[f"{name}_response"].strip()
            yield Answer(source, row["prompt"], name, row["prompt"], text)


def _commands(data: Path) -> Iterator[Answer]:
    for row in _rows(data / "semantic" / "nl2bash.jsonl.gz"):
        text = f"```bash\n{row['command']}\n```"
        yield Answer("nl2bash commands", row["command"], "gpt-4o-mini", row["text"], text)


def _passages(data: Path) -> Iterator[Answer]:
    for row in _rows(data / "rag" / "xquad.jsonl.gz"):
        question = row["qas"][0]["question"]
        yield Answer("xquad passages", row["title"], "gpt-4o", question, row["text"])


def _conversations(data: Path) -> Iterator[Answer]:
    turn = re.compile(r"USER: (.*?)\s*ASSISTANT: (.*?)\s*(?=USER:)", re.DOTALL)
    topic = re.compile(r"I would like to discuss the topic of (.*?)\.")
    for row in _rows(data / "rag" / "longchat.jsonl.gz"):
        group = ""
        for question, text in turn.findall(row["prompt"]):
            named = topic.search(question)
            # Conversations share topics, and turns on a topic resemble each other.
            group = named.group(1) if named else group
            yield Answer("longchat turns", group, "vicuna-13b", question, text)


def envelope(answer: Answer, rng: random.Random) -> bytes:
    """Return the answer as a `chat.completion`, in the dialect of its model's usual server."""
    prompt_tokens = len(answer.question) // 4 + 8
    completion_tokens = len(answer.text) // 4 + 1
    usage: dict[str, Any] = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }
    message: dict[str, Any] = {"role": "assistant", "content": answer.text}
    reply: dict[str, Any] = {
        "id": f"chatcmpl-{rng.randbytes(16).hex()}",
        "object": "chat.completion",
        "created": rng.randrange(1_760_000_000, 1_800_000_000),
        "model": answer.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": usage,
    }
    if answer.model.startswith("gpt"):
        message |= {"refusal": None, "annotations": []}
        usage["prompt_tokens_details"] = {"cached_tokens": 0, "audio_tokens": 0}
        usage["completion_tokens_details"] = {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        }
        reply |= {"service_tier": "default", "system_fingerprint": f"fp_{rng.randbytes(5).hex()}"}
    else:
        message |= {"reasoning_content": None, "tool_calls": []}
        reply["choices"][0]["stop_reason"] = None
        reply |= {"prompt_logprobs": None, "kv_transfer_params": None}
    return orjson.dumps(reply)


def to_document(answer: Answer, rng: random.Random) -> Document:
    """Return the document that cachemw would store for this answer."""
    created_at = rng.uniform(1_760_000_000, 1_800_000_000)
    return Document(
        key=rng.randbytes(32),
        tenant=rng.choice(("default", rng.randbytes(8).hex())),
        endpoint="/v1/chat/completions",
        model=answer.model,
        created_at=created_at,
        expires_at=created_at + rng.choice((3600.0, 86400.0, 604800.0)),
        prompt=answer.question,
        body=envelope(answer, rng),
        upstream_seconds=rng.uniform(0.3, 20.0),
        prompt_tokens=len(answer.question) // 4 + 8,
        completion_tokens=len(answer.text) // 4 + 1,
    )


def is_training(group: str) -> bool:
    """Split groups in halves by a hash: adding data moves no group to the other half."""
    return blake2b(group.encode(), digest_size=1).digest()[0] % 2 == 0


@dataclass(frozen=True, slots=True)
class Halves:
    """Documents by source: those that train, and those that measure."""

    training: dict[str, list[Document]]
    measuring: dict[str, list[Document]]


def split(answers: Iterable[Answer], seed: int) -> Halves:
    """Wrap, shuffle and cut the answers."""
    rng = random.Random(seed)
    halves = Halves(defaultdict(list), defaultdict(list))
    shuffled = sorted(answers, key=lambda answer: (answer.source, answer.question, answer.text))
    rng.shuffle(shuffled)
    for answer in shuffled:
        training = is_training(answer.group)
        half, limit = (
            (halves.training, _TRAINED_PER_SOURCE)
            if training
            else (halves.measuring, _MEASURED_PER_SOURCE)
        )
        if len(half[answer.source]) < limit:
            half[answer.source].append(to_document(answer, rng))
    return halves


def train(sources: Iterable[list[Document]], size: int) -> bytes:
    """Return a dictionary of at most `size` bytes."""
    samples: list[bytes | bytearray | memoryview[int]] = [
        pack(document) for documents in sources for document in documents
    ]
    # k and d are fixed because searching for them uses threads, whose order would decide.
    trained = zstandard.train_dictionary(size, samples, k=1024, d=8, level=3)
    return trained.as_bytes()


@dataclass(frozen=True, slots=True)
class Measured:
    """Bytes per document before and after, and seconds for all of them."""

    raw: _Sizes
    stored: _Sizes
    encode_s: float
    decode_s: float

    def ratio(self) -> str:
        """Return raw / stored with the 95 % bootstrap interval over documents."""
        rng = np.random.default_rng(_SEED)
        picks = rng.integers(0, len(self.raw), (_RESAMPLES, len(self.raw)))
        resampled = self.raw[picks].sum(axis=1) / self.stored[picks].sum(axis=1)
        low, high = np.percentile(resampled, [2.5, 97.5])
        return f"{self.raw.sum() / self.stored.sum():.2f} [{low:.2f}, {high:.2f}]"

    def microseconds(self, seconds: float) -> str:
        """Return `seconds` per document."""
        return f"{seconds / len(self.raw) * 1e6:.0f}"

    def speed(self, seconds: float) -> str:
        """Return MB/s of uncompressed data."""
        return f"{self.raw.sum() / seconds / 1e6:.0f}"


def measure(
    documents: Sequence[Document],
    encode: Callable[[Document], bytes],
    decode: Callable[[Document, bytes], object],
) -> Measured:
    """Encode and decode every document three times; the fastest round counts."""
    raw = np.array([len(pack(document)) for document in documents])
    encode_s = decode_s = float("inf")
    frames: list[bytes] = []
    for _ in range(3):
        began = time.perf_counter()
        frames = [encode(document) for document in documents]
        encoded = time.perf_counter()
        for document, frame in zip(documents, frames, strict=True):
            decode(document, frame)
        decode_s = min(decode_s, time.perf_counter() - encoded)
        encode_s = min(encode_s, encoded - began)
    return Measured(raw, np.array([len(frame) for frame in frames]), encode_s, decode_s)


def measure_plain(documents: Sequence[Document], level: int) -> Measured:
    """Zstd without a dictionary, on the same bytes and with the same checksum."""
    compressor = zstandard.ZstdCompressor(level=level, write_checksum=True)
    decompressor = zstandard.ZstdDecompressor()
    return measure(
        documents,
        lambda document: compressor.compress(pack(document)),
        lambda _, frame: decompressor.decompress(frame),
    )


def measure_codec(documents: Sequence[Document], dictionary: bytes, level: int) -> Measured:
    """`DocumentCodec` as it is used: its header and digest are part of the size."""
    codec = DocumentCodec(dictionary, level=level, max_bytes=_MAX_BYTES)
    return measure(
        documents,
        lambda document: codec.encode(document).data,
        lambda document, data: codec.decode(document.key, data),
    )


def blanked(documents: Iterable[Document]) -> list[Document]:
    """Return the documents without question and answer: what only the envelope teaches."""
    blank = []
    for document in documents:
        body = orjson.loads(document.body)
        body["choices"][0]["message"]["content"] = ""
        blank.append(replace(document, prompt="", body=orjson.dumps(body)))
    return blank


def sources_table(halves: Halves, dictionary: bytes, size: int) -> list[str]:
    """Return the ratios per source: held-out half, and source never seen in training."""
    lines = [
        "| source | documents | bytes | zstd -3 | other half | source unseen | envelope only |",
        "|---|---|---|---|---|---|---|",
    ]
    blank = train((blanked(d) for _, d in sorted(halves.training.items())), size)
    for source, documents in sorted(halves.measuring.items()):
        # Both models answer the same questions, so leaving one out means leaving both.
        family = source.split(",")[0]
        others = [d for name, d in sorted(halves.training.items()) if not name.startswith(family)]
        unseen = measure_codec(documents, train(others, size), 3)
        plain, seen = measure_plain(documents, 3), measure_codec(documents, dictionary, 3)
        envelopes = measure_codec(documents, blank, 3)
        lines.append(
            f"| {source} | {len(documents)} | {plain.raw.mean():.0f} | {plain.ratio()} "
            f"| {seen.ratio()} | {unseen.ratio()} | {envelopes.ratio()} |"
        )
    return lines


def levels_table(documents: Sequence[Document], dictionary: bytes) -> list[str]:
    """Return ratios and speeds per level, over all held-out documents."""
    lines = [
        "| | ratio | encode µs | decode µs | encode MB/s | decode MB/s |",
        "|---|---|---|---|---|---|",
    ]
    for level in _LEVELS:
        for name, measured in (
            (f"zstd -{level}", measure_plain(documents, level)),
            (f"codec, level {level}", measure_codec(documents, dictionary, level)),
        ):
            lines.append(
                f"| {name} | {measured.ratio()} "
                f"| {measured.microseconds(measured.encode_s)} "
                f"| {measured.microseconds(measured.decode_s)} "
                f"| {measured.speed(measured.encode_s)} | {measured.speed(measured.decode_s)} |"
            )
    return lines


def sizes_table(halves: Halves, documents: Sequence[Document]) -> list[str]:
    """Return the ratio at level 3 for several dictionary sizes."""
    lines = ["| dictionary | ratio at level 3 |", "|---|---|"]
    for size in _SIZES:
        dictionary = train((d for _, d in sorted(halves.training.items())), size)
        measured = measure_codec(documents, dictionary, 3)
        lines.append(f"| {len(dictionary)} bytes | {measured.ratio()} |")
    return lines


_REPORT = """# Compression of stored documents

`python -m loadtests.train_dictionary --data ../shared/data`,
2026-11-22, {machine},
zstd {zstd}. Dictionary: {bytes} bytes, id {id}, trained on {trained} documents.

Ratio = bytes of packed documents (numbers, names, prompt, body) / stored bytes; for the codec
these include its 9 bytes of header and digest. In brackets: 95 % bootstrap interval over
documents ({resamples} resamples). Questions and answers are real; the `chat.completion` around
them is written by the script, with random ids, so part of the gain is the envelope, which a
dictionary always knows: the last column of the first table shows how much. Vectors are stored
apart and as they are (4 bytes a dimension, 1536 for the default embedder); they are not in here.

## By source

The dictionary that ships, on question groups that it never saw; and one trained without the
whole source (both models' answers, for gsm8k); and one trained on the same documents with
questions and answers blanked.

{sources}

## Levels and speed

All held-out documents, one thread. Encoding includes packing, decoding includes unpacking and
the digest for the codec; plain zstd is decompression alone.

{levels}

## Size of the dictionary

{sizes}

Larger dictionaries gain little on held-out text and cost every process their size in memory.
"""


def report(halves: Halves, dictionary: bytes, size: int, machine: str) -> str:
    """Measure everything and return the report as Markdown."""
    held_out = [d for _, documents in sorted(halves.measuring.items()) for d in documents]
    return _REPORT.format(
        machine=machine,
        zstd=".".join(map(str, zstandard.ZSTD_VERSION)),
        bytes=len(dictionary),
        id=zstandard.ZstdCompressionDict(dictionary).dict_id(),
        trained=sum(map(len, halves.training.values())),
        resamples=_RESAMPLES,
        sources="\n".join(sources_table(halves, dictionary, size)),
        levels="\n".join(levels_table(held_out, dictionary)),
        sizes="\n".join(sizes_table(halves, held_out)),
    )


def main() -> None:
    """Train, measure, write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--size", type=int, default=_DEFAULT_SIZE, help="dictionary bytes")
    parser.add_argument("--machine", default="2 cores of an AMD EPYC, no GPU")
    arguments = parser.parse_args()
    halves = split(read_answers(arguments.data), _SEED)
    dictionary = train((d for _, d in sorted(halves.training.items())), arguments.size)
    (_ROOT / "cachemw" / "assets" / "answers.zdict").write_bytes(dictionary)
    text = report(halves, dictionary, arguments.size, arguments.machine)
    (_ROOT / "loadtests" / "reports" / "document-compression.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
