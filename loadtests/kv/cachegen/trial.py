"""A codec at a level, on all windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.codecs.cachegen import CacheGen
from cachemw_codecs.container import Chunk, write
from cachemw_codecs.kv import LayerKV

from loadtests.kv.cachegen.sizes import Spent
from loadtests.kv.cachegen.texts import Layers, Window, predicted
from loadtests.kv.quality.bench import kl, nll
from loadtests.kv.quality.subjects import Subject


@dataclass(frozen=True)
class Quality:
    """What is lost; `kl` (nats a token) and `rise` (in nats a token) by window.

    `keys`, `values`: squared error by the squares of what was encoded.
    """

    keys: float
    values: float
    kl: list[float]
    rise: list[float]


@dataclass(frozen=True)
class Trial:
    """`bits`: a value, all counted; `spent`: the same by purpose."""

    level: str
    quality: Quality
    spent: Spent

    @property
    def bits(self) -> float:
        """Of a file, for each number in it."""
        return self.spent.total / self.spent.coded


def trial(codec: Codec, level: str, subject: Subject, windows: Sequence[Window]) -> Trial:
    """Encode, decode and continue every window; each is a file of its own."""
    spent, decoded = sent(codec, level, subject, [window.chunk for window in windows])
    return Trial(level, quality(subject, windows, decoded), spent)


def sent(
    codec: Codec, level: str, subject: Subject, chunks: Sequence[Chunk]
) -> tuple[Spent, list[Layers]]:
    """Encode chunks, each as a file; return what was spent and what is decoded.

    Of another codec than CacheGen all is `values`.
    """
    spent, size, decoded = Spent(), 0, []
    for chunk in chunks:
        size += 8 * len(write(chunk, codec, level, subject.fingerprint))
        layers = []
        for number, kv in enumerate(chunk.layers):
            payload = codec.encode_layer(number, kv, level)
            layers.append(codec.decode_layer(number, payload, kv.shape, level))
            if isinstance(codec, CacheGen):
                spent.add(codec, number, payload, kv.shape, level)
            else:
                spent.values += 8 * len(payload)
                spent.coded += 2 * kv.keys.numel()
        decoded.append(tuple(layers))
    spent.container = size - spent.total
    return spent, decoded


def quality(subject: Subject, windows: Sequence[Window], decoded: Sequence[Layers]) -> Quality:
    """Compare what was decoded with what was encoded, and what the model makes of each."""
    kls, rises = [], []
    for window, layers in zip(windows, decoded, strict=True):
        theirs = predicted(subject, window.chunk, layers, window.read)
        kls.append(kl(window.log_probs, theirs))
        rises.append(nll(theirs, window.targets) - nll(window.log_probs, window.targets))
    originals = [window.chunk.layers for window in windows]
    return Quality(
        _error(originals, decoded, lambda kv: kv.keys),
        _error(originals, decoded, lambda kv: kv.values),
        kls,
        rises,
    )


def _error(
    originals: Sequence[Layers],
    decoded: Sequence[Layers],
    part: Callable[[LayerKV], torch.Tensor],
) -> float:
    """Return the mean over layers of squared error by squares."""
    shares = []
    for layer in range(len(originals[0])):
        was = torch.stack([part(kv[layer]) for kv in originals]).double()
        now = torch.stack([part(kv[layer]) for kv in decoded]).double()
        shares.append(float(((was - now) ** 2).sum() / (was**2).sum()))
    return sum(shares) / len(shares)
