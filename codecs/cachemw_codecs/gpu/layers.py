"""Layer after layer of a compressed cache to the GPU, while others compute.

A layer is copied, decoded and transformed on a stream of its own; layers take turns on a few side
streams, so that one's copy and the tail of its last blocks overlap another's decoding. Whoever
attends to a layer waits for its event alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cachemw_codecs.errors import DamagedData, InvalidInput
from cachemw_codecs.gpu.coder import (
    DeviceTables,
    Field,
    Strides,
    decode,
    require_good,
)
from cachemw_codecs.gpu.plan import Geometry, LayerPlan
from cachemw_codecs.gpu.transform import Inverse, Unit, inverse, put_escapes

NO_ESCAPES: NDArray[np.int64] = np.zeros((3, 0), np.int64)


@dataclass(frozen=True, slots=True)
class LayerModel:
    """What calibration says of one layer, on the device.

    `columns`: int32 [settings x geometry.streams, width] of tables. `inverse`: geometry.transforms
    matrices, and as many rows of steps and means a setting.
    """

    columns: Tensor
    inverse: Inverse


@dataclass(frozen=True, slots=True)
class LayerPayload:
    """One layer to decode, on the host; pinned, its copy overlaps the decoding of another.

    `words`: uint16. `described`: int64, the plan's streams and units, then escapes.
    """

    words: Tensor
    described: Tensor
    plan: LayerPlan
    escapes: int

    @classmethod
    def of(
        cls,
        payload: bytes | memoryview,
        plan: LayerPlan,
        escapes: NDArray[np.int64] = NO_ESCAPES,
        pin: bool = False,
    ) -> LayerPayload:
        """From the streams' bytes, back to back; `escapes`: int64 [3, n], see `put_escapes`."""
        if len(payload) != 2 * plan.words:
            raise DamagedData(f"{len(payload)} bytes of streams, not {2 * plan.words}")
        flat = np.concatenate([plan.streams.ravel(), plan.units.ravel(), escapes.ravel()])
        words = torch.from_numpy(np.frombuffer(payload, "<u2").copy())
        described = torch.from_numpy(flat)
        if pin:
            words, described = words.pin_memory(), described.pin_memory()
        return cls(words, described, plan, escapes.shape[1])


@dataclass(frozen=True, slots=True)
class ReadyLayer:
    """A layer on its way into the cache."""

    event: torch.cuda.Event
    status: Tensor

    def wait(self) -> None:
        """Let the current stream wait for the layer; the host does not."""
        torch.cuda.current_stream().wait_event(self.event)

    def require_good(self) -> None:
        """Wait on the host and raise `DamagedData` where the streams were not sound."""
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
            tables.check(model.columns.cpu().numpy())
            if model.columns.shape[1] != geometry.width or model.inverse.size != geometry.size:
                raise InvalidInput("a layer's tables and transforms do not fit the geometry")
            if len(model.inverse.matrices) != geometry.transforms:
                raise InvalidInput(f"expected {geometry.transforms} matrices a layer")
            if model.columns.dtype != torch.int32 or not model.columns.is_contiguous():
                raise InvalidInput("columns: expected int32, contiguous")
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
        plan, model = payload.plan, self._models[layer]
        self._check(plan, model, cache)
        words = payload.words.to(self._device, non_blocking=True)
        described = payload.described.to(self._device, non_blocking=True)
        streams, units, escapes = (
            part.view(rows, -1)
            for part, rows in zip(
                torch.split(described, [plan.streams.size, plan.units.size, 3 * payload.escapes]),
                (len(Field), len(Unit), 3),
                strict=True,
            )
        )
        width = self._geometry.width
        values = torch.empty(plan.room, dtype=torch.float16, device=self._device)
        order = Strides.decoding_order(width)
        status = decode(words, streams, model.columns, self._tables, values, order)
        put_escapes(escapes, streams, model.columns, self._tables.offsets, values, status)
        inverse(values, units, plan.longest, width, model.inverse, cache)
        return status

    def decode_layers(
        self, payloads: Sequence[LayerPayload], caches: Sequence[Tensor]
    ) -> list[ReadyLayer]:
        """Start all layers, first to last, on the side streams, and return without waiting.

        The payloads must live until their events have passed.
        """
        current = torch.cuda.current_stream(self._device)
        for stream in self._streams:
            stream.wait_stream(current)
        ready = []
        for layer, (payload, cache) in enumerate(zip(payloads, caches, strict=True)):
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
        if plan.streams[Field.COLUMNS].max(initial=-1) >= len(model.columns):
            raise DamagedData("a stream names tables that the model does not have")
        if plan.units[Unit.ROW].max(initial=-1) >= len(model.inverse.steps):
            raise DamagedData("a stream names a transform that the model does not have")
        if plan.capacity != cache.shape[-2]:
            raise InvalidInput(f"cache: planned for {plan.capacity} tokens")
