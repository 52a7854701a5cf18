from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import torch
from cachemw_codecs.command.inputs import Subject, load_subject, one_window, read_file, read_text
from cachemw_codecs.errors import InvalidInput


@pytest.fixture(scope="module")
def subject(model_folder: Path) -> Subject:
    return load_subject(str(model_folder), "auto", "cpu")


def test_a_model_is_loaded_as_it_was_saved_or_as_asked(
    subject: Subject, model_folder: Path
) -> None:
    assert subject.model.dtype == torch.bfloat16
    assert not subject.model.training
    assert subject.context == 512
    assert load_subject(str(model_folder), "float32", "cpu").model.dtype == torch.float32


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "cannot be loaded"),
        ({"config.json": "{"}, "cannot be loaded"),
        ({"config.json": '{"model_type": "none-such"}'}, "cannot be loaded"),
        ({"config.json": '{"model_type": "llama"}'}, "cannot be loaded"),
    ],
)
def test_a_folder_without_a_model_is_refused(
    tmp_path: Path, files: dict[str, str], says: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(InvalidInput, match=says) as caught:
        load_subject(str(tmp_path), "auto", "cpu")
    assert "\n" not in str(caught.value)


def test_damaged_weights_are_refused(model_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(model_folder, tmp_path / "model")
    with (folder / "model.safetensors").open("r+b") as weights:
        weights.truncate(1000)
    with pytest.raises(InvalidInput, match="cannot be loaded"):
        load_subject(str(folder), "auto", "cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a torch without a GPU")
def test_a_device_that_is_not_there_is_refused(model_folder: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be loaded"):
        load_subject(str(model_folder), "auto", "cuda")


def test_without_transformers_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InvalidInput, match="transformers cannot be imported"):
        load_subject("x", "auto", "cpu")


def test_a_window_is_the_texts_beginning(subject: Subject) -> None:
    text = "Zebra, " * 40
    ids = one_window(subject, text, 100)
    assert ids.dtype == torch.int64
    assert subject.tokenizer.decode(ids.tolist()) == text[:100]


def test_the_default_text_is_long_and_always_the_same(subject: Subject) -> None:
    text = read_text(None)
    assert len(text) > 400_000
    assert text == read_text(None)


def test_a_python_without_its_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(InvalidInput, match="--text"):
        read_text(None)


def test_too_few_tokens_are_refused(subject: Subject) -> None:
    with pytest.raises(InvalidInput, match="the text has 5 tokens, 100 are needed"):
        one_window(subject, "short", 100)


def test_more_than_the_models_context_is_refused(subject: Subject) -> None:
    with pytest.raises(InvalidInput, match="made for 512"):
        one_window(subject, "long" * 1000, 513)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        read_file(tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInput, match="not UTF-8"):
        read_text(tmp_path / "binary")
