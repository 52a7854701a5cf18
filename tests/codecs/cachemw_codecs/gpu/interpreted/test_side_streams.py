"""Not under the interpreter: it knows no streams."""

from __future__ import annotations

import torch
from cachemw_codecs.coding.frequencies import FrequencyTables
from cachemw_codecs.gpu.coder import DeviceTables
from cachemw_codecs.gpu.plan import Geometry, plan_layer
from cachemw_codecs.gpu.staged import LayerPayload

from tests.codecs.cachemw_codecs.gpu.interpreted.batches import DEVICE
from tests.codecs.cachemw_codecs.gpu.interpreted.test_layers import small_layer


def test_layers_on_side_streams(
    tables: FrequencyTables, device_tables: DeviceTables, generator: torch.Generator
) -> None:
    decoder, payloads, piece = small_layer(tables, device_tables, generator)
    plan = plan_layer([piece], Geometry(1, 16, 16, 16), 8)
    payload = LayerPayload.of(b"".join(payloads), plan, pin=True)
    cache = torch.zeros(2, 1, 8, 16, device=DEVICE)
    alone = torch.zeros_like(cache)
    for ready in decoder.decode_layers([payload], [cache]):
        ready.wait()
        ready.require_good()
    decoder.decode_layer(0, payload, alone)
    torch.testing.assert_close(cache, alone, rtol=0, atol=0)
