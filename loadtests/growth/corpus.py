"""Questions, answers and vectors in any number, out of real ones.

The questions are those of question-pairs.jsonl.gz (CACHEMW_SHARED_DATA); past their number they are
asked again with a number at the end. The vectors of the first `BASE` are the embedder's own, and
the others are those turned a little at random (own design): as far from each other as near
questions are, so that the graph is as crowded as with real ones.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cachemw.embed.base import Embedder
from cachemw.endpoints.table import endpoints
from cachemw.keys import KeyScope, compatibility_key, exact_key
from cachemw.stores.base import Document, Embedded
from loadtests.fake_upstream.answer import compose
from loadtests.fake_upstream.behaviour import parse
from loadtests.http.shots import TOKENS
from loadtests.questions import distinct, embedded, pairs_file, read_pairs

Vectors = NDArray[np.float32]
PATH = "/v1/chat/completions"
MODEL = "fake-large"
BASE = 20_000
"""Questions whose own vectors are taken."""
SHAPES = ("one", "many")
"""All entries in one partition; or ten in each, as in conversations."""
_A_CONVERSATION = 10
_TTL_S = 30 * 24 * 3600.0
_COSINE = 0.9
_ENDPOINT = endpoints()[PATH]


@dataclass(frozen=True)
class Corpus:
    """Entries by number; the same number is always the same entry. `vectors` are of `texts`."""

    texts: Sequence[str]
    vectors: Vectors
    fingerprint: str

    def text(self, number: int) -> str:
        """Return the question of an entry."""
        turn, place = divmod(number, len(self.texts))
        return self.texts[place] if turn == 0 else f"{self.texts[place]} ({turn})"

    def body(self, number: int, shape: str) -> dict[str, Any]:
        """Return the request of an entry."""
        conversation = 0 if shape == "one" else number // _A_CONVERSATION
        return {
            "model": MODEL,
            "messages": [
                {"role": "system", "content": f"You answer in conversation {conversation}."},
                {"role": "user", "content": self.text(number)},
            ],
        }

    def vector(self, number: int) -> NDArray[np.float32]:
        """Return the vector of an entry: its question's, turned where that is asked again."""
        turn, place = divmod(number, len(self.texts))
        own: NDArray[np.float32] = self.vectors[place]
        if turn == 0:
            return own
        aside = np.random.default_rng(number).standard_normal(len(own)).astype(np.float32)
        aside -= own * float(aside @ own)
        turned = _COSINE * own + np.sqrt(1 - _COSINE**2) * aside / np.linalg.norm(aside)
        result: NDArray[np.float32] = (turned / np.linalg.norm(turned)).astype(np.float32)
        return result

    def documents(self, first: int, last: int, shape: str) -> Iterator[Document]:
        """Yield the documents of the entries from `first` to before `last`."""
        now = time.time()
        for number in range(first, last):
            yield self._document(number, shape, now)

    def _document(self, number: int, shape: str, now: float) -> Document:
        body = self.body(number, shape)
        scope = KeyScope("anonymous", _ENDPOINT.name, "fake", MODEL)
        question = _ENDPOINT.question(body)
        assert question is not None
        partition = compatibility_key(scope, question.params_without, _ENDPOINT.ignored)
        return Document(
            key=exact_key(scope, body, _ENDPOINT.ignored),
            tenant=scope.tenant,
            endpoint=_ENDPOINT.name,
            model=MODEL,
            created_at=now,
            expires_at=now + _TTL_S,
            prompt=question.text,
            body=_ENDPOINT.pack(_answer(body)),
            upstream_seconds=1.0,
            prompt_tokens=20,
            completion_tokens=TOKENS,
            embedded=Embedded(partition, self.fingerprint, self.vector(number)),
        )


def answer_text(body: dict[str, Any]) -> str:
    """Return what the fake upstream would answer, and what is stored as its answer."""
    return compose(body, parse(""), tokens=TOKENS, salt="").choices[0].text


def _answer(body: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": answer_text(body), "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    usage = {"prompt_tokens": 20, "completion_tokens": TOKENS, "total_tokens": 20 + TOKENS}
    return {
        "id": "chatcmpl-growth",
        "object": "chat.completion",
        "created": 0,
        "model": MODEL,
        "choices": [choice],
        "usage": usage,
        "system_fingerprint": "fp_fake",
    }


def load(embedder: Embedder, folder: Path) -> Corpus:
    """Return the corpus; the vectors are kept in `folder` from one run to the next."""
    texts = distinct(read_pairs(pairs_file()))[:BASE]
    kept = folder / f"vectors-{embedder.fingerprint}-{len(texts)}.npy"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        np.save(kept, embedded(embedder, texts))
    return Corpus(texts, np.load(kept), embedder.fingerprint)
