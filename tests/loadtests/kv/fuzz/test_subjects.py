from __future__ import annotations

import importlib
import pkgutil

import torch
from cachemw_codecs import codecs
from cachemw_codecs.codecs.base import Codec

from loadtests.kv.fuzz.corpus import corpus
from loadtests.kv.fuzz.subjects import at_hand


def test_every_codec_is_fuzzed() -> None:
    for module in pkgutil.walk_packages(codecs.__path__, codecs.__name__ + "."):
        importlib.import_module(module.name)
    ours = {each for each in _below(Codec) if each.__module__.startswith(codecs.__name__)}
    assert ours
    assert {type(codec) for codec in at_hand()} == ours


def test_each_call_makes_the_same_files() -> None:
    one, again = (corpus(at_hand(), torch.Generator().manual_seed(1)) for _ in range(2))
    assert one == again


def _below(of: type[object]) -> set[type[object]]:
    return set(of.__subclasses__()).union(*map(_below, of.__subclasses__()))
