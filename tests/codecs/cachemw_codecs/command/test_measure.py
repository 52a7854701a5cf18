from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.codecs.raw import Raw
from cachemw_codecs.command.inputs import Subject, load_subject
from cachemw_codecs.command.measure import Choice, Result, Task, measure
from cachemw_codecs.errors import InvalidInput, TablesMissing, UnsupportedFormat, WrongModel
from cachemw_codecs.kv import LayerKV

TABLES = b"tables of the calibrated codec"


def every_second() -> Any:
    """Return a clock that goes one second a look."""
    ticks = itertools.count()
    return lambda: float(next(ticks))


@pytest.fixture(scope="module")
def subject(model_folder: Path) -> Subject:
    return load_subject(str(model_folder), "float32", "cpu")


def measured(subject: Subject, choice: Choice, tokens: int = 60) -> Result:
    ids = torch.randint(0, 256, (81,), generator=torch.Generator().manual_seed(3))
    return measure(Task(subject.model, subject.tokenizer, ids, tokens), choice, every_second())


def test_each_codec_and_level_has_a_row(subject: Subject, choose: Any) -> None:
    result = measured(subject, choose(tables=(b"others", TABLES)))
    assert [(row.codec, row.level) for row in result.rows] == [
        ("raw", "raw"), ("int8", "8bit"), ("calibrated", "8bit"), ("calibrated", "also-8bit"),
    ]  # fmt: skip
    assert (result.layers, result.continuation, result.exact_keys) == (2, 20, True)
    assert result.nbytes == 2 * 2 * 2 * 16 * 60 * 4
    assert not result.skipped
    raw, int8, *_ = result.rows
    assert raw.bytes > result.nbytes  # the container is counted
    assert raw.ratio == pytest.approx(result.nbytes / raw.bytes)
    assert 3.0 < int8.ratio < 4.0
    assert raw.encode_seconds == raw.decode_seconds == 1.0


def test_what_is_lost_is_seen(subject: Subject, choose: Any) -> None:
    raw, int8 = measured(subject, choose()).rows
    assert abs(raw.kl) < 1e-9
    assert abs(raw.perplexity_change) < 1e-5
    assert 1e-7 < int8.kl < 1e-2
    assert 1e-6 < abs(int8.perplexity_change) < 0.05


def test_the_perplexity_is_the_models_own(subject: Subject, choose: Any) -> None:
    ids = torch.randint(0, 256, (81,), generator=torch.Generator().manual_seed(3))
    model: Any = subject.model
    with torch.no_grad():
        logits = model(input_ids=ids[None]).logits[0]
    expected = torch.nn.functional.cross_entropy(logits[60:80], ids[61:]).exp()
    assert measured(subject, choose(codec="raw")).perplexity == pytest.approx(float(expected))


class _Forgetful(Raw):
    """Gives back zeros."""

    def decode_layer(self, layer: int, payload: bytes, shape: Any, level: str) -> LayerKV:
        kv = super().decode_layer(layer, payload, shape, level)
        return LayerKV(torch.zeros_like(kv.keys), torch.zeros_like(kv.values))


def test_a_cache_that_is_lost_is_told(subject: Subject) -> None:
    (row,) = measured(subject, Choice(("raw",), lambda name, tables=None: _Forgetful())).rows
    assert row.kl > 0.01
    assert abs(row.perplexity_change) > 0.01


def test_a_codec_without_its_tables_is_skipped(subject: Subject, choose: Any) -> None:
    result = measured(subject, choose())
    assert {row.codec for row in result.rows} == {"raw", "int8"}
    assert result.skipped == {"calibrated": "calibrated: has no tables"}


def test_a_level_that_a_codec_lacks_skips_it(subject: Subject, choose: Any) -> None:
    result = measured(subject, choose(level="8bit"))
    assert [row.codec for row in result.rows] == ["int8"]
    assert "no level '8bit'" in result.skipped["raw"]


@pytest.mark.parametrize(
    ("chosen", "error"),
    [
        ({"codec": "calibrated"}, TablesMissing),
        ({"codec": "calibrated", "tables": (b"others",)}, WrongModel),
        ({"codec": "raw", "level": "coarse"}, UnsupportedFormat),
        ({"codec": "none-such"}, UnsupportedFormat),
    ],
)
def test_what_was_asked_for_by_name_is_refused(
    subject: Subject, choose: Any, chosen: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        choose(**chosen).require_known()
    with pytest.raises(error):
        measured(subject, choose(**chosen))


class _Picky(Raw):
    """Cannot encode this shape."""

    def encode_layer(self, layer: int, kv: LayerKV, level: str) -> bytes:
        raise InvalidInput("head_dim: 16 is too small")


def test_a_codec_that_cannot_encode_the_model_is_skipped_or_refused(subject: Subject) -> None:
    def opened(name: str, tables: bytes | None = None) -> Codec:
        return _Picky()

    result = measured(subject, Choice(("raw",), opened))
    assert result.skipped == {"raw": "head_dim: 16 is too small"}
    with pytest.raises(InvalidInput, match="too small"):
        measured(subject, Choice(("raw",), opened, codec="raw"))


def test_a_level_that_no_codec_has_is_refused(choose: Any) -> None:
    choose(level="8bit").require_known()
    with pytest.raises(UnsupportedFormat, match="none-such"):
        choose(level="none-such").require_known()
