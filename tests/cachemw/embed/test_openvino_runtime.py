from __future__ import annotations

import ctypes
import random
from pathlib import Path

import pytest

from cachemw.embed.load import load_embedder
from cachemw.embed.settings import EmbedderSettings

pytest.importorskip("openvino")
# What the plugin keeps of these 256 shapes by its own choice is 88 MB.
_MOST_MB = 70
_FIELDS = (
    *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
    *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
)


class _MallInfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in _FIELDS]


def _used_mb() -> float:
    libc = ctypes.CDLL("libc.so.6")
    libc.mallinfo2.restype = _MallInfo
    info = libc.mallinfo2()
    return float(info.uordblks + info.hblkhd) / 2**20


def test_batches_of_many_shapes_do_not_grow_the_process(embedder_cache: Path) -> None:
    embedder = load_embedder(EmbedderSettings(runtime="openvino"), embedder_cache)
    try:
        embedder.embed(["one"])
        before = _used_mb()
        shapes = [(size, words) for size in range(1, 17) for words in range(3, 19)]
        random.Random(1).shuffle(shapes)
        for size, words in shapes:
            embedder.embed([" ".join(["word"] * words)] * size)
        assert _used_mb() - before < _MOST_MB
    finally:
        embedder.close()
