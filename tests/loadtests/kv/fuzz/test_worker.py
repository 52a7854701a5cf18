from __future__ import annotations

import multiprocessing
import resource
from typing import ClassVar

from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.codecs.raw import Raw
from cachemw_codecs.kv import LayerKV, LayerShape

from loadtests.kv.fuzz.tally import Tally
from loadtests.kv.fuzz.worker import ADDRESS_SPACE, BATCH, Share, work


class Greedy(Raw):
    """Wants more memory than a worker has, once it is limited."""

    name: ClassVar[str] = "greedy"

    def decode_layer(self, layer: int, payload: bytes, shape: LayerShape, level: str) -> LayerKV:
        if resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
            bytearray(2 * ADDRESS_SPACE)
        return super().decode_layer(layer, payload, shape, level)


def greedy() -> list[Codec]:
    return [Greedy()]


def test_a_share_is_tried_in_batches_under_a_limit_of_memory() -> None:
    context = multiprocessing.get_context("spawn")
    at = context.Value("q", -2, lock=False)
    results, sender = context.Pipe(duplex=False)
    share = Share(1, range(100, 100 + BATCH + 50), frozenset({100, 301, 999}))
    process = context.Process(target=work, args=(greedy, share, at, sender))
    process.start()
    sender.close()
    batches: list[tuple[int, Tally]] = [results.recv(), results.recv()]
    process.join()
    assert process.exitcode == 0
    assert at.value == -1
    assert [(count, tally.inputs) for count, tally in batches] == [(BATCH, BATCH - 1), (50, 49)]
    faults = [fault for _, tally in batches for fault in tally.faults]
    assert {fault.what.split(":")[0] for fault in faults} == {"MemoryError"}
    assert len(faults) > 10
