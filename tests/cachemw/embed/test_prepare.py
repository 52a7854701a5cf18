from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from cachemw.embed.base import RuntimeUnusable
from cachemw.embed.manifest import MANIFEST_FILE, REFUSAL_FILE
from cachemw.embed.model_files import ModelFiles
from cachemw.embed.prepare import export_in_subprocess, prepare, prepared_directory
from cachemw.embed.runtimes import GraphRuntime, graph_runtime

FILES = ModelFiles("org/model", Path("/nowhere"), "0123456789abcdef")
# numpy is always installed; the fake exports never touch the runtime.
RUNTIME = replace(graph_runtime("openvino"), distribution="numpy")


def good_export(files: ModelFiles, directory: Path, runtime: GraphRuntime) -> None:
    (directory / MANIFEST_FILE).write_text("{}")


def left_over(cache_dir: Path) -> list[str]:
    return sorted(path.name for path in cache_dir.iterdir() if path.name.startswith("."))


def test_exports_once(tmp_path: Path) -> None:
    calls: list[Path] = []

    def export(files: ModelFiles, directory: Path, runtime: GraphRuntime) -> None:
        calls.append(directory)
        good_export(files, directory, runtime)

    first = prepare(FILES, RUNTIME, tmp_path / "cache", run_export=export)
    second = prepare(FILES, RUNTIME, tmp_path / "cache", run_export=export)
    assert first == second
    assert len(calls) == 1
    assert left_over(first.parent) == []


def test_the_key_holds_model_runtime_and_version(tmp_path: Path) -> None:
    base = prepared_directory(FILES, RUNTIME, tmp_path)
    others = {
        prepared_directory(replace(FILES, fingerprint="f" * 16), RUNTIME, tmp_path),
        prepared_directory(FILES, replace(RUNTIME, name="other"), tmp_path),
        prepared_directory(FILES, replace(RUNTIME, distribution="orjson"), tmp_path),
    }
    assert len({base, *others}) == 4
    assert base.parent == tmp_path


def test_a_failed_export_leaves_nothing_and_is_tried_again(tmp_path: Path) -> None:
    def failing(files: ModelFiles, directory: Path, runtime: GraphRuntime) -> None:
        (directory / "half").write_text("a graph")
        raise RuntimeUnusable("out of memory")

    with pytest.raises(RuntimeUnusable, match="out of memory"):
        prepare(FILES, RUNTIME, tmp_path, run_export=failing)
    assert list(tmp_path.iterdir()) == []
    assert prepare(FILES, RUNTIME, tmp_path, run_export=good_export).is_dir()


def test_an_export_without_result_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(RuntimeUnusable, match="neither"):
        prepare(FILES, RUNTIME, tmp_path, run_export=lambda *_: None)
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_is_kept(tmp_path: Path) -> None:
    def refusing(files: ModelFiles, directory: Path, runtime: GraphRuntime) -> None:
        (directory / REFUSAL_FILE).write_text("it differs")

    directory = prepare(FILES, RUNTIME, tmp_path, run_export=refusing)
    assert prepare(FILES, RUNTIME, tmp_path, run_export=good_export) == directory
    assert (directory / REFUSAL_FILE).is_file()


def test_two_at_once_both_get_a_whole_directory(tmp_path: Path) -> None:
    both_inside = threading.Barrier(2)
    found: list[Path] = []

    def export(files: ModelFiles, directory: Path, runtime: GraphRuntime) -> None:
        both_inside.wait(30)
        good_export(files, directory, runtime)

    def run() -> None:
        found.append(prepare(FILES, RUNTIME, tmp_path, run_export=export))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1]
    assert (found[0] / MANIFEST_FILE).is_file()
    assert left_over(tmp_path) == []


def test_an_unwritable_cache_is_unusable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RuntimeUnusable, match="cannot write"):
        prepare(FILES, RUNTIME, tmp_path / "file", run_export=good_export)


def test_a_missing_runtime_is_unusable(tmp_path: Path) -> None:
    with pytest.raises(RuntimeUnusable, match="not installed"):
        prepare(FILES, replace(RUNTIME, distribution="no-such-package"), tmp_path)


def test_the_child_reports_a_model_it_cannot_load(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text('{"model_type": "no-such-architecture"}')
    files = ModelFiles("model", model, "0" * 16)
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(RuntimeUnusable, match="its export ended with 1"):
        export_in_subprocess(files, out, RUNTIME)
