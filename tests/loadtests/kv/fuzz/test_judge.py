from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from cachemw_codecs.codecs.raw import Raw
from cachemw_codecs.container import Chunk, write
from cachemw_codecs.errors import DamagedData, InvalidInput
from cachemw_codecs.kv import LayerKV, LayerShape

from loadtests.kv.fuzz.cases import Case
from loadtests.kv.fuzz.corpus import OWNER, opener
from loadtests.kv.fuzz.judge import DECODED, MEMORY_FLOOR, Forbidden, Judge

LAYER = LayerKV(torch.zeros(2, 5, 3), torch.ones(2, 5, 3))
DATA = write(Chunk((LAYER, LAYER), torch.arange(5)), Raw(), "raw", OWNER)
WHOLE, BY_LAYER = 1, 7
Decode = Callable[[LayerKV], LayerKV]


class _Planted(Raw):
    """Does to what it decoded what a test wants."""

    def __init__(self, decode: Decode) -> None:
        self._decode = decode

    def decode_layer(self, layer: int, payload: bytes, shape: LayerShape, level: str) -> LayerKV:
        return self._decode(super().decode_layer(layer, payload, shape, level))


def _judge(decode: Decode = lambda kv: kv) -> Judge:
    return Judge(opener([_Planted(decode)]), [DATA])


def _case(data: bytes = DATA, number: int = WHOLE) -> Case:
    return Case(number, "sealed" if number % 2 else "raw", "raw", data)


def _raising(error: Exception) -> Decode:
    def decode(kv: LayerKV) -> LayerKV:
        raise error

    return decode


@pytest.mark.parametrize("number", [WHOLE, BY_LAYER])
def test_what_decodes_rightly_is_fine(number: int) -> None:
    assert _judge().outcome(_case(number=number)) == DECODED


@pytest.mark.parametrize("number", [WHOLE, BY_LAYER])
def test_errors_of_decoders_are_outcomes(number: int) -> None:
    assert _judge().outcome(_case(DATA[:-1], number)) == "DamagedData"
    assert _judge(_raising(DamagedData("x"))).outcome(_case(number=number)) == "DamagedData"


@pytest.mark.parametrize("number", [WHOLE, BY_LAYER])
def test_other_errors_are_not(number: int) -> None:
    with pytest.raises(ZeroDivisionError):
        _judge(_raising(ZeroDivisionError())).outcome(_case(number=number))
    with pytest.raises(Forbidden, match="a decoder raised InvalidInput: x"):
        _judge(_raising(InvalidInput("x"))).outcome(_case(number=number))


@pytest.mark.parametrize("number", [WHOLE, BY_LAYER])
@pytest.mark.parametrize(
    "decode",
    [
        lambda kv: LayerKV(kv.keys[:1], kv.values[:1]),
        lambda kv: LayerKV(kv.keys.half(), kv.values.half()),
        lambda kv: LayerKV(kv.keys, kv.values.mT.contiguous().mT),
        lambda kv: LayerKV(kv.keys, kv.values[:1]),
    ],
    ids=["heads", "dtype", "strides", "values unlike keys"],
)
def test_tensors_have_to_be_what_the_header_says(number: int, decode: Decode) -> None:
    with pytest.raises((Forbidden, InvalidInput)):
        _judge(decode).outcome(_case(number=number))


def test_changed_bytes_that_are_accepted_are_a_fault() -> None:
    # Sealed again, which bytes changed without knowledge cannot be.
    changed = write(Chunk((LAYER,), torch.arange(5)), Raw(), "raw", OWNER)
    assert _judge().outcome(Case(0, "raw", "raw", DATA)) == DECODED
    with pytest.raises(Forbidden, match="changed bytes were accepted"):
        _judge().outcome(Case(0, "raw", "raw", changed))
    assert _judge().outcome(Case(1, "sealed", "raw", changed)) == DECODED


@pytest.mark.parametrize(
    "hog",
    [lambda: np.zeros(MEMORY_FLOOR, np.uint16), lambda: torch.zeros(MEMORY_FLOOR).half()],
    ids=["numpy", "torch"],
)
def test_memory_is_measured(hog: Callable[[], object]) -> None:
    def decode(kv: LayerKV) -> LayerKV:
        hog()
        return kv

    outcome, held, allowed = _judge(decode).measured(_case())
    assert outcome == DECODED
    assert held >= 2 * MEMORY_FLOOR > allowed
    _, held, _ = _judge().measured(_case())
    assert held < MEMORY_FLOOR


def test_what_the_header_claims_may_be_held() -> None:
    _, _, whole = _judge().measured(_case())
    _, _, cut = _judge().measured(_case(DATA[:20]))
    assert whole - cut == 16 * (len(DATA) - 20 + 4 * 2 * 5 * 3 * 4)
