"""Input number i of a run: always the same for one seed, whoever makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from cachemw_codecs.codecs.base import Codec

from loadtests.kv.fuzz.corpus import Specimen, corpus
from loadtests.kv.fuzz.forge import File, Forger
from loadtests.kv.fuzz.mutate import mutated

Kind = Literal["raw", "sealed"]


@dataclass(frozen=True, slots=True)
class Case:
    """One input. `codec`: of the file that it was made from."""

    number: int
    kind: Kind
    codec: str
    data: bytes


class Cases:
    """The inputs of one seed: even ones are changed as bytes, odd ones are sealed again."""

    def __init__(self, codecs: Sequence[Codec], seed: int) -> None:
        self._seed = seed
        self.specimens: list[Specimen] = corpus(codecs, torch.Generator().manual_seed(seed))
        self._by_codec = [
            [place for place, specimen in enumerate(self.specimens) if specimen.codec == name]
            for name in dict.fromkeys(specimen.codec for specimen in self.specimens)
        ]
        self._all = [specimen.data for specimen in self.specimens]
        self._files = [File.of(data) for data in self._all]
        self._forger = Forger(self._files, codecs)

    def __getitem__(self, number: int) -> Case:
        random = np.random.default_rng([self._seed, number])
        # Each codec as often, however many levels it has.
        places = self._by_codec[int(random.integers(len(self._by_codec)))]
        chosen = places[int(random.integers(len(places)))]
        specimen = self.specimens[chosen]
        if number % 2 == 0:
            return Case(number, "raw", specimen.codec, mutated(specimen.data, self._all, random))
        forged = self._forger.forged(self._files[chosen], random)
        return Case(number, "sealed", specimen.codec, forged)
