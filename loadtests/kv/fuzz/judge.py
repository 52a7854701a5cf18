"""What a decoder makes of one input, and whether it may."""

from __future__ import annotations

import tracemalloc
from collections.abc import Collection
from typing import Any

import torch
from cachemw_codecs.container import Chunk, Header, OpenCodec, Reader, of_bytes, read_all
from cachemw_codecs.errors import (
    CodecError,
    DamagedData,
    TablesMissing,
    UnsupportedFormat,
    WrongModel,
)
from cachemw_codecs.kv import LayerKV, LayerShape
from torch.overrides import TorchFunctionMode

from loadtests.kv.fuzz.cases import Case
from loadtests.kv.fuzz.corpus import OWNER

MAX_DECODED = 1 << 26
"""Bytes: small enough that a decoder's intermediate results fit the workers' address space."""
DECODED = "decoded"
MEMORY_FLOOR = 4 << 20
MEMORY_FACTOR = 16
"""Allowed at once: the floor, and so many times the input and what its header claims together."""
_ALLOWED = (DamagedData, UnsupportedFormat, WrongModel, TablesMissing)


class Forbidden(Exception):
    """A decoder did what none may."""


class Judge:
    """Decodes inputs. `genuine`: the files that decode rightly, as bytes."""

    def __init__(self, open_codec: OpenCodec, genuine: Collection[bytes]) -> None:
        self._open = open_codec
        self._genuine = frozenset(genuine)

    def outcome(self, case: Case) -> str:
        """Return `decoded` or the error's name; raises whatever else a decoder raises.

        Every fourth input is read layer by layer, as by range reads, which cannot know whether
        the file ends where it should.
        """
        try:
            if case.number // 2 % 4 == 3:
                self._by_layer(case.data)
            else:
                self._whole(case)
        except _ALLOWED as error:
            return type(error).__name__
        except CodecError as error:
            raise Forbidden(f"a decoder raised {type(error).__name__}: {error}") from error
        return DECODED

    def measured(self, case: Case) -> tuple[str, int, int]:
        """Return the outcome, the most bytes held at once, and how many were allowed.

        Held by Python and numpy together, or by the largest tensor, whichever is more.
        """
        tensors = _Tensors()
        tracemalloc.start()
        try:
            with tensors:
                outcome = self.outcome(case)
            held = max(tracemalloc.get_traced_memory()[1], tensors.largest)
        finally:
            tracemalloc.stop()
        return outcome, held, MEMORY_FLOOR + MEMORY_FACTOR * (len(case.data) + _claimed(case.data))

    def _whole(self, case: Case) -> None:
        chunk = read_all(case.data, self._open, OWNER, max_decoded_bytes=MAX_DECODED)
        if case.kind == "raw" and case.data not in self._genuine:
            raise Forbidden("changed bytes were accepted although no checksum was set for them")
        _require_chunk(chunk, Header.parse(case.data))

    def _by_layer(self, data: bytes) -> None:
        reader = Reader(of_bytes(data), self._open, OWNER, max_decoded_bytes=MAX_DECODED)
        for number in range(reader.header.layers):
            _require_layer(reader.layer(number), reader.header.shape)


def _require_chunk(chunk: Chunk, header: Header) -> None:
    if len(chunk.layers) != header.layers or not torch.equal(chunk.positions, header.positions):
        raise Forbidden("layers or positions are not the header's")
    for layer in chunk.layers:
        _require_layer(layer, header.shape)


def _require_layer(layer: LayerKV, shape: LayerShape) -> None:
    if layer.shape != shape:
        raise Forbidden(f"decoded to {layer.shape}, not to {shape}")
    for part in (layer.keys, layer.values):
        if not part.is_contiguous() or part.device.type != "cpu":
            raise Forbidden("decoded to a tensor that is not contiguous on the CPU")


def _claimed(data: bytes) -> int:
    try:
        return min(Header.parse(data).decoded_bytes, MAX_DECODED)
    except CodecError:
        return 0


class _Tensors(TorchFunctionMode):
    """Watches how large the memory behind tensors is.

    A `TorchDispatchMode` would see those inside of operations too, but loads all of torch's
    compiler, while tracemalloc counts.
    """

    def __init__(self) -> None:
        super().__init__()
        self.largest = 0

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: Any = (),
        kwargs: Any = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for each in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(each, torch.Tensor):
                self.largest = max(self.largest, each.untyped_storage().nbytes())
        return result
