"""The pairs, one JSON object a line: `{"a", "b", "same", "kind", "half"}`.

`same` says whether the answer to one question is right and complete for the other. Conversations
have `history_a` and `history_b`: the messages before the question, user and assistant in turn.
The half follows from a hash of the pair: `dev` may be looked at to mend something, `test` may not.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import orjson

FILE = Path(__file__).with_name("pairs.jsonl")
HALVES = ("dev", "test")


@dataclass(frozen=True, slots=True)
class AdversarialPair:
    """A stored question `a` and an asked one `b`, with what was said before them."""

    a: str
    b: str
    same: bool
    kind: str
    history_a: tuple[str, ...] = ()
    history_b: tuple[str, ...] = ()

    @property
    def half(self) -> str:
        """`dev` or `test`."""
        said = [self.a, self.b, self.history_a, self.history_b]
        return HALVES[blake2b(orjson.dumps(said), digest_size=1).digest()[0] & 1]


def read_pairs(path: Path = FILE) -> list[AdversarialPair]:
    """Read all pairs."""
    return [_pair(line) for line in path.read_bytes().splitlines()]


def _pair(line: bytes) -> AdversarialPair:
    row = orjson.loads(line)
    histories = (tuple(row.get(name, ())) for name in ("history_a", "history_b"))
    return AdversarialPair(row["a"], row["b"], row["same"], row["kind"], *histories)
