"""What is compared: which codecs, at which levels, in which pieces."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.errors import TablesMissing

from loadtests.kv.quality.baselines.kivi import Kivi, KiviWithResidual
from loadtests.kv.quality.baselines.released_cachegen import ReleasedCachegen
from loadtests.kv.quality.bench import Trial
from loadtests.kv.quality.subjects import Subject

CHUNK = 256
LONGER = (512, 1024)
PLAIN = ("raw", "lossless", "zstd", "fp8", "int8")
CALIBRATED = ("cachegen", "transform")
_IN_PARTS = (*CALIBRATED, Kivi.name)

OpenNamed = Callable[[str], Codec]
"""A codec of the table by name; raises `TablesMissing` where nothing calibrates it."""


def codecs(
    subject: Subject, open_named: OpenNamed, only: Collection[str] | None = None
) -> tuple[list[Codec], list[str]]:
    """Return all codecs, or those named, and why some are not among them."""
    found: list[Codec] = []
    missing = []
    for name in (*PLAIN, *CALIBRATED):
        if only and name not in only:
            continue
        try:
            found.append(open_named(name))
        except TablesMissing as error:
            missing.append(f"{name}: {error}")
    layers = subject.model.config.num_hidden_layers
    others = (Kivi(), KiviWithResidual(), ReleasedCachegen(layers))
    return [*found, *(codec for codec in others if not only or codec.name in only)], missing


def curve(codec: Codec, prefix: int) -> list[Trial]:
    """Every level of a codec, or enough of them."""
    # What KIVI keeps exact is the end of the whole prefix, not of every piece.
    tokens = prefix if isinstance(codec, KiviWithResidual) else min(CHUNK, prefix)
    return [Trial(codec, level, tokens) for level in codec.levels if _wanted(codec, level)]


def longer(codec: Codec, prefix: int) -> list[Trial]:
    """Two levels in longer pieces; of codecs with a price by the piece."""
    if codec.name not in (*CALIBRATED, ReleasedCachegen.name):
        return []
    return [
        Trial(codec, level, tokens)
        for tokens in LONGER
        if tokens <= prefix
        for level in _some(codec.levels)
    ]


def parts(codec: Codec, prefix: int) -> list[Trial]:
    """Two levels with only the keys, and only the values, compressed."""
    if codec.name not in _IN_PARTS:
        return []
    return [
        Trial(codec, level, min(CHUNK, prefix), part)
        for level in _some(codec.levels)
        for part in ("keys", "values")
    ]


def probed(codec: Codec, prefix: int) -> list[Trial]:
    """Levels that tasks with right answers are asked at: every second one of a ladder."""
    if codec.name == KiviWithResidual.name:
        return []
    if codec.name == Kivi.name:
        return [t for t in curve(codec, prefix) if t.level.endswith("g32")]
    return curve(codec, prefix)[::2]


def _wanted(codec: Codec, level: str) -> bool:
    """Six levels show what a window of full precision costs: the others are as far apart."""
    return not isinstance(codec, KiviWithResidual) or level.endswith(("g32", "g128"))


def _some(levels: Sequence[str]) -> list[str]:
    """From the middle of a ladder, and near its coarse end."""
    return [levels[len(levels) // 2], levels[-2]]
