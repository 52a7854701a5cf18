from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from cachemw_policies.category import PolicySet
from cachemw_policies.policy_file import MAX_BYTES

from cachemw.categories.source import PolicySource, load_policy
from cachemw.errors import ConfigError

ONE, TWO, BAD = "categories: {one: {}}\n", "categories: {two: {}}\n", "categories: {three: {}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policies.yaml"
    path.write_text(ONE)
    return path


@pytest.fixture
def source(file: Path) -> PolicySource:
    return PolicySource(file, load_policy(file))


def _names(policies: PolicySet | None) -> tuple[str, ...]:
    assert policies is not None
    return policies.names


def _polled(source: PolicySource, times: int = 2) -> list[PolicySet | None]:
    return [source.poll() for _ in range(times)]


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno >= logging.WARNING]


class TestLoad:
    def test_the_shipped_policies(self) -> None:
        assert {"code", "medical", "volatile", "default"} <= set(load_policy(None).names)

    def test_a_file(self, file: Path) -> None:
        assert load_policy(file).names == ("one", "default")

    def test_all_problems_are_said_with_the_name_of_the_file(self, file: Path) -> None:
        file.write_text("categorys: {}\nmin_confidence: 2\n")
        with pytest.raises(ConfigError) as raised:
            load_policy(file)
        first, second = str(raised.value).splitlines()
        assert first.startswith(f"{file}: line 1: categorys: unknown key; did you mean 'cat")
        assert second == "line 2: min_confidence: must be from 0 to 1, and is '2'"

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"gone\.yaml: No such file or directory"):
            load_policy(tmp_path / "gone.yaml")

    def test_bytes_that_are_no_text(self, file: Path) -> None:
        file.write_bytes(b"abc\xff")
        with pytest.raises(ConfigError, match="not UTF-8 text, at byte 3"):
            load_policy(file)

    def test_a_file_without_an_end(self, file: Path) -> None:
        file.write_bytes(b"#" * (MAX_BYTES + 1))
        with pytest.raises(ConfigError, match="the file is over 1048576 bytes"):
            load_policy(file)

    @pytest.mark.timeout(10)
    def test_a_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ConfigError, match="not a regular file"):
            load_policy(tmp_path / "pipe")

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="not a regular file"):
            load_policy(tmp_path)


class TestPoll:
    def test_an_unchanged_file_brings_nothing(
        self, source: PolicySource, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert _polled(source, 3) == [None] * 3
        assert not caplog.records

    def test_new_content_is_taken_once_two_polls_have_seen_it(
        self, file: Path, source: PolicySource
    ) -> None:
        file.write_text(TWO)
        first, second, third = _polled(source, 3)
        assert first is None
        assert _names(second) == ("two", "default")
        assert third is None

    def test_the_same_content_written_again_is_no_change(
        self, file: Path, source: PolicySource
    ) -> None:
        file.unlink()
        file.write_text(ONE)
        assert _polled(source, 3) == [None] * 3

    def test_a_file_renamed_over_it(self, file: Path, source: PolicySource) -> None:
        beside = file.with_suffix(".new")
        beside.write_text(TWO)
        beside.replace(file)
        assert _names(_polled(source)[-1]) == ("two", "default")

    def test_a_swapped_link_as_in_a_configmap(self, tmp_path: Path) -> None:
        # policies.yaml -> ..data/policies.yaml, ..data -> ..2024_1: the middle link is replaced.
        for version, text in (("..2024_1", ONE), ("..2024_2", TWO)):
            (tmp_path / version).mkdir()
            (tmp_path / version / "policies.yaml").write_text(text)
        (tmp_path / "..data").symlink_to("..2024_1")
        path = tmp_path / "policies.yaml"
        path.symlink_to("..data/policies.yaml")
        source = PolicySource(path, load_policy(path))
        (tmp_path / "..data_tmp").symlink_to("..2024_2")
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")
        assert _names(_polled(source)[-1]) == ("two", "default")

    def test_a_file_that_is_being_written_changes_nothing(
        self, file: Path, source: PolicySource, caplog: pytest.LogCaptureFixture
    ) -> None:
        for end in range(len(TWO)):
            file.write_text(TWO[:end])
            assert source.poll() is None
        assert not source.failed
        assert not _lines(caplog)
        file.write_text(TWO)
        assert _names(_polled(source)[-1]) == ("two", "default")

    def test_a_file_that_is_gone_for_a_moment_changes_nothing(
        self, file: Path, source: PolicySource, caplog: pytest.LogCaptureFixture
    ) -> None:
        file.unlink()
        assert source.poll() is None
        file.write_text(ONE)
        assert _polled(source, 3) == [None] * 3
        assert not source.failed
        assert not _lines(caplog)


class TestFailure:
    @pytest.mark.parametrize("how", ["bad", "empty", "gone", "not text", "folder"])
    def test_the_old_policies_stay_and_one_line_says_so(
        self, file: Path, source: PolicySource, caplog: pytest.LogCaptureFixture, how: str
    ) -> None:
        file.unlink()
        if how == "folder":
            file.mkdir()
        elif how != "gone":
            file.write_bytes({"bad": BAD.encode(), "empty": b"", "not text": b"\xff"}[how])
        assert _polled(source, 5) == [None] * 5
        assert source.failed
        (line,) = _lines(caplog)
        assert line.startswith(f"old policies stay in force: {file}: ")

    def test_the_line_names_what_is_wrong(
        self, file: Path, source: PolicySource, caplog: pytest.LogCaptureFixture
    ) -> None:
        file.write_text("categories:\n  x: {detla: 1}\n")
        _polled(source)
        (line,) = _lines(caplog)
        assert line.endswith("line 2: categories.x.detla: unknown key; did you mean 'delta'?")

    def test_another_mistake_is_said_too(
        self, file: Path, source: PolicySource, caplog: pytest.LogCaptureFixture
    ) -> None:
        for text in (BAD, "x: 1"):
            file.write_text(text)
            _polled(source, 3)
        assert len(_lines(caplog)) == 2

    def test_the_old_content_again_ends_it(
        self, file: Path, source: PolicySource, caplog: pytest.LogCaptureFixture
    ) -> None:
        file.write_text(BAD)
        _polled(source)
        file.write_text(ONE)
        assert _polled(source, 3) == [None] * 3
        assert not source.failed
        assert _lines(caplog)[1:] == [f"policies: {file} can be used again, and is as before"]

    def test_new_content_ends_it(self, file: Path, source: PolicySource) -> None:
        file.write_text(BAD)
        _polled(source)
        file.write_text(TWO)
        assert _names(_polled(source)[-1]) == ("two", "default")
        assert not source.failed

    def test_from_new_content_back_to_the_old(self, file: Path, source: PolicySource) -> None:
        file.write_text(TWO)
        _polled(source)
        file.write_text(ONE)
        assert _names(_polled(source)[-1]) == ("one", "default")
