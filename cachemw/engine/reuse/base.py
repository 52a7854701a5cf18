"""How prefills are run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator

from cachemw.engine.model.sequence_kv import SequenceKV
from cachemw.engine.prompt.segments import Prompt
from cachemw.engine.reuse.outcome import Prefilled

Steps = Generator[None, None, Prefilled]
"""Yields between bounded pieces of work, so that other requests' tokens come in between; its
return value is the outcome. Dropping it abandons the prefill."""


class Prefill(ABC):
    """Fills a `SequenceKV` with a prompt's keys and values."""

    @abstractmethod
    def steps(self, prompt: Prompt, tenant: bytes, kv: SequenceKV) -> Steps:
        """Prefill `prompt` for `tenant` into an empty `kv` of enough capacity."""
