import dataclasses
import lzma
from pathlib import Path

import pytest
from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.codecs.raw import Raw
from cachemw_codecs.errors import InvalidInput, TablesMissing

from loadtests.kv.quality import catalogue as module
from loadtests.kv.quality.catalogue import Catalogue
from loadtests.kv.quality.subjects import Subject


def test_a_codec_without_tables_is_opened(subject: Subject, tmp_path: Path) -> None:
    catalogue = Catalogue(subject, tmp_path / "novels.txt.xz", tmp_path / "tables")
    assert catalogue.open("int8").name == "int8"
    assert catalogue.sizes() == {}


def test_a_codec_is_calibrated_once(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lzma.open(tmp_path / "novels.txt.xz", "wt") as file:
        file.write("\0".join("Some words of a novel. " * 300 for _ in range(3)))
    calls = []

    def calibrator(model: object, texts: list[object]) -> bytes:
        calls.append((model, texts))
        return b"tables"

    opened = []
    monkeypatch.setattr(module, "CALIBRATORS", {"cachegen": calibrator})
    monkeypatch.setattr(module, "open_codec", lambda *arguments: opened.append(arguments))
    catalogue = Catalogue(subject, tmp_path / "novels.txt.xz", tmp_path / "tables", windows=5)
    catalogue.open("cachegen")
    catalogue.open("cachegen")
    assert opened == [("cachegen", b"tables")] * 2
    assert catalogue.sizes() == {"cachegen": 6}
    [(model, texts)] = calls
    dataclasses.replace(catalogue, anew=True).open("cachegen")
    assert len(calls) == 2
    assert model is subject.model
    assert len(texts) == 5


def test_a_file_of_an_older_format_is_made_anew(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lzma.open(tmp_path / "novels.txt.xz", "wt") as file:
        file.write("\0".join("Some words of a novel. " * 300 for _ in range(3)))

    def open_codec(_name: str, tables: bytes) -> Codec:
        if tables != b"new":
            raise InvalidInput("format 1")
        return Raw()

    monkeypatch.setattr(module, "CALIBRATORS", {"cachegen": lambda *_: b"new"})
    monkeypatch.setattr(module, "open_codec", open_codec)
    catalogue = Catalogue(subject, tmp_path / "novels.txt.xz", tmp_path, windows=5)
    catalogue.path("cachegen").write_bytes(b"old")
    catalogue.open("cachegen")
    assert catalogue.path("cachegen").read_bytes() == b"new"


def test_what_nothing_calibrates_is_missing(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CALIBRATORS", {})
    with pytest.raises(TablesMissing):
        Catalogue(subject, tmp_path / "novels.txt.xz", tmp_path).open("transform")
