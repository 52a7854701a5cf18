from __future__ import annotations

import hashlib

import pytest
import torch
from cachemw_codecs.errors import InvalidInput, TablesMissing, UnsupportedFormat
from cachemw_codecs.fingerprint import tables_hash
from cachemw_codecs.kv import LayerKV
from cachemw_codecs.table import CALIBRATED, NAMES, PLAIN, Codecs, open_codec

from tests.codecs.cachemw_codecs.codecs.cachegen.samples import calibration
from tests.codecs.cachemw_codecs.transform.samples import small_tables


def files() -> dict[str, bytes]:
    """Return a calibration file of each codec that takes one."""
    return {"cachegen": calibration(), "transform": small_tables().save()}


def test_every_codec_has_its_own_name() -> None:
    assert set(NAMES) == {*PLAIN, *CALIBRATED}
    assert len(set(NAMES)) == len(NAMES)
    assert set(files()) == set(CALIBRATED)


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_codec_opens_by_name(name: str) -> None:
    codec = open_codec(name)
    assert codec.name == name
    assert codec.tables_hash == b""
    assert Codecs()(name, b"").name == name


@pytest.mark.parametrize("name", CALIBRATED)
def test_a_calibrated_codec_opens_with_its_file(name: str) -> None:
    file = files()[name]
    codec = open_codec(name, file)
    assert codec.name == name
    assert codec.tables_hash == tables_hash(file)
    with pytest.raises(TablesMissing, match=f"{name} needs the calibration file"):
        open_codec(name)


@pytest.mark.parametrize("name", CALIBRATED)
def test_the_file_of_another_codec_is_refused(name: str) -> None:
    (other,) = (file for owner, file in files().items() if owner != name)
    for wrong in (other, b"", b"no tables"):
        with pytest.raises(InvalidInput, match="calibration"):
            open_codec(name, wrong)


def test_an_unknown_name_is_refused() -> None:
    says = "'mp3' is none of raw, lossless"
    with pytest.raises(UnsupportedFormat, match=says):
        open_codec("mp3")
    with pytest.raises(UnsupportedFormat, match=says):
        Codecs()("mp3", b"")


def test_files_are_found_by_their_hash() -> None:
    codecs = Codecs(files().values())
    for name, file in files().items():
        codec = codecs(name, hashlib.sha256(file).digest()[:16])
        assert codec.name == name
        assert codec.tables_hash == hashlib.sha256(file).digest()[:16]


@pytest.mark.parametrize("name", CALIBRATED)
def test_a_hash_without_a_file_names_what_is_missing(name: str) -> None:
    wanted = bytes(range(16))
    for codecs in (Codecs(), Codecs(files().values())):
        with pytest.raises(TablesMissing, match=f"{name}.*{wanted.hex()}"):
            codecs(name, wanted)


def test_a_hash_of_another_codecs_file_is_refused() -> None:
    codecs = Codecs(files().values())
    with pytest.raises(InvalidInput, match="calibration file"):
        codecs("transform", tables_hash(files()["cachegen"]))


def test_what_one_encodes_another_that_found_the_file_decodes() -> None:
    kv = LayerKV(torch.ones(2, 20, 8), torch.zeros(2, 20, 8))
    for name, file in files().items():
        codec = open_codec(name, file)
        payload = codec.encode_layer(0, kv, codec.levels[0])
        reader = Codecs(files().values())(name, codec.tables_hash)
        decoded = reader.decode_layer(0, payload, kv.shape, codec.levels[0])
        assert float((decoded.keys - 1).abs().max()) < 1
