"""What pairs that are labelled as no duplicates turned out to be when they were read.

`same`: one answer does for both; `arguable`: it does unless it is too short. The data is not part
of the project, so pairs are named by a digest. Judged by a language model that knew their scores to
be high; no person has checked it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import orjson

FILE = Path(__file__).parent / "readings.json"
SAME, ARGUABLE, OTHER, UNREAD = "same", "arguable", "other", "unread"


def digest(a: str, b: str) -> str:
    """Return what a pair is called by."""
    return blake2b(f"{a}\0{b}".encode(), digest_size=8).hexdigest()


def read_as(pairs: Sequence[tuple[str, str]], file: Path = FILE) -> Counter[str]:
    """Return how many pairs were read as what."""
    known = orjson.loads(file.read_bytes())
    return Counter(known.get(digest(a, b), UNREAD) for a, b in pairs)
