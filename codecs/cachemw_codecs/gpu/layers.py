"""Layer after layer of a compressed cache to the GPU, while others compute.

A layer is copied, decoded and transformed on a stream of its own; layers take turns on a few side
streams, so that one's copy and the tail of its last blocks overlap another's decoding. Whoever
attends to a layer waits for its event alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cachemw_codecs.errors import DamagedData, InvalidInput
from cachemw_codecs.gpu.blocks import unblock
from cachemw_codecs.gpu.coder import DeviceTables, Field, Strides, decode, require_good
from cachemw_codecs.gpu.plan import Geometry, LayerPlan
from cachemw_codecs.gpu.staged import LayerPayload, RowsToDecode
from cachemw_codecs.gpu.transform import Inverse, Unit, inverse, put_escapes


@dataclass(frozen=True, slots=True)
class LayerModel:
    """What calibration says of one layer, on the device.

    `columns`: int32 [settings x geometry.streams, width] of tables. `inverse`: geometry.transforms
    matrices, and as many rows of steps and means a setting. Where tokens come by the block too,
    `block_columns`: the same for block settings, block x width columns each, and `bases`: float32
    [block settings x 2, block, block], keys' and values' in turn, see `blocks.unblock`.
    """

    columns: Tensor
    inverse: Inverse
    block_columns: Tensor | None = None
    bases: Tensor | None = None


@dataclass(frozen=True, slots=True)
class ReadyLayer:
    """A layer on its way into the cache."""

    event: torch.cuda.Event | None
    """None where there are no streams, and the layer is there."""
    status: Tensor

    def wait(self) -> None:
        """Let the current stream wait for the layer; the host does not."""
        if self.event is not None:
            torch.cuda.current_stream().wait_event(self.event)

    def require_good(self) -> None:
        """Wait on the host and raise `DamagedData` where the streams were not sound."""
        if self.event is not None:
            self.event.synchronize()
        require_good(self.status)


class LayerDecoder:
    """Decodes layers of one model. Safe to use from one thread at a time."""

    def __init__(
        self,
        geometry: Geometry,
        tables: DeviceTables,
        models: Sequence[LayerModel],
        side_streams: int = 4,
    ) -> None:
        self._geometry = geometry
        self._tables = tables
        self._models = tuple(models)
        device = tables.slots.device
        self._device = device
        for model in self._models:
            _check_model(model, geometry, tables)
        self._streams = (
            [
                torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
                for _ in range(side_streams)
            ]
            if device.type == "cuda"
            else []
        )

    def decode_layer(self, layer: int, payload: LayerPayload, cache: Tensor) -> Tensor:
        """Decode into `cache`, [2, kv_heads, capacity, head_dim], on the current stream.

        Returns the streams' status: see `coder.require_good`. Nothing is written out of bounds
        whatever the bytes are; what is written where the status is bad means nothing.
        """
        if not 0 <= layer < len(self._models):
            raise InvalidInput(f"layer: {layer} of {len(self._models)}")
        plan, model = payload.plan, self._models[layer]
        self._check(plan, model, cache)
        words = payload.words.to(self._device, non_blocking=True)
        described = payload.described.to(self._device, non_blocking=True)
        tokens, blocks = payload.taken_apart(described)
        values = torch.empty(plan.room, dtype=torch.float16, device=self._device)
        status = torch.empty(len(plan.order), dtype=torch.int32, device=self._device)
        counts = [rows.streams.shape[1] for rows in (tokens, blocks)]
        of_tokens, of_blocks = torch.split(status, counts)
        width = self._geometry.width
        self._decode(words, tokens, model.columns, values, of_tokens)
        inverse(values, tokens.units, plan.tokens.longest, width, model.inverse, cache)
        if model.block_columns is not None and model.bases is not None:
            scratch = torch.empty(plan.blocks.room, dtype=torch.float16, device=self._device)
            self._decode(words, blocks, model.block_columns, scratch, of_blocks)
            unblock(scratch, blocks.blocks, plan.blocks.most, width, model.bases, values)
            inverse(values, blocks.units, plan.blocks.longest, width, model.inverse, cache)
        return status

    def _decode(
        self, words: Tensor, rows: RowsToDecode, columns: Tensor, target: Tensor, status: Tensor
    ) -> None:
        order = Strides.decoding_order(columns.shape[1])
        decode(words, rows.streams, columns, self._tables, target, order, status)
        put_escapes(rows.escapes, rows.streams, columns, self._tables.offsets, target, status)

    def decode_layers(
        self, payloads: Sequence[LayerPayload], caches: Sequence[Tensor]
    ) -> list[ReadyLayer]:
        """Start all layers, first to last, on the side streams, and return without waiting.

        The payloads must live until their events have passed.
        """
        both = list(zip(payloads, caches, strict=True))
        if not self._streams:
            return [
                ReadyLayer(None, self.decode_layer(layer, payload, cache))
                for layer, (payload, cache) in enumerate(both)
            ]
        current = torch.cuda.current_stream(self._device)
        for stream in self._streams:
            stream.wait_stream(current)
        ready = []
        for layer, (payload, cache) in enumerate(both):
            stream = self._streams[layer % len(self._streams)]
            with torch.cuda.stream(stream):
                status = self.decode_layer(layer, payload, cache)
                event = torch.cuda.Event()  # type: ignore[no-untyped-call]
                event.record(stream)
            ready.append(ReadyLayer(event, status))
        return ready

    def _check(self, plan: LayerPlan, model: LayerModel, cache: Tensor) -> None:
        shape = (2, self._geometry.kv_heads, cache.shape[-2], self._geometry.head_dim)
        if tuple(cache.shape) != shape or not cache.is_contiguous():
            raise InvalidInput(f"cache: expected {list(shape)}, contiguous")
        if cache.device != self._device:
            raise InvalidInput(f"cache: is on {cache.device}, not {self._device}")
        if plan.blocks.streams.size and model.block_columns is None:
            raise DamagedData("a stream is of blocks, which the model does not have")
        for rows, columns in ((plan.tokens, model.columns), (plan.blocks, model.block_columns)):
            known = 0 if columns is None else len(columns)
            if rows.streams[Field.COLUMNS].max(initial=-1) >= known:
                raise DamagedData("a stream names tables that the model does not have")
            if rows.units[Unit.ROW].max(initial=-1) >= len(model.inverse.steps):
                raise DamagedData("a stream names a transform that the model does not have")
        if plan.capacity != cache.shape[-2]:
            raise InvalidInput(f"cache: planned for {plan.capacity} tokens")


def _check_model(model: LayerModel, geometry: Geometry, tables: DeviceTables) -> None:
    """Raise `InvalidInput` for what the kernels would read beyond its end, or misread."""
    width, block = geometry.width, geometry.block
    every = [(model.columns, width)]
    if model.block_columns is not None:
        every.append((model.block_columns, block * width))
    for columns, wanted in every:
        tables.check(columns.cpu().numpy())
        if columns.shape[1] != wanted:
            raise InvalidInput("a layer's tables do not fit the geometry")
        if columns.dtype != torch.int32 or not columns.is_contiguous():
            raise InvalidInput("columns: expected int32, contiguous")
    if model.inverse.size != geometry.size or len(model.inverse.matrices) != geometry.transforms:
        raise InvalidInput(f"expected {geometry.transforms} transforms of {geometry.size}")
    if model.bases is None or model.block_columns is None:
        return
    settings = len(model.block_columns) // geometry.streams
    wanted_bases = (2 * settings, block, block)
    fits = tuple(model.bases.shape) == wanted_bases and model.bases.is_contiguous()
    if not fits or model.bases.dtype != torch.float32:
        raise InvalidInput(f"bases: expected float32 {list(wanted_bases)}, contiguous")
