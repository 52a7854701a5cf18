from pathlib import Path

from loadtests.kv.quality.results import ProbeResult, Reference, Result, ResultFile


def result(key: str, seconds: float = 1.0) -> Result:
    return Result(
        key, "lab", "raw", "raw", 256, "both", 100, [200, 200], [0.0, 0.1], [0, 0], seconds
    )


def test_what_was_stored_is_known_to_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lab.jsonl"
    reference = Reference("b", "lab", [1.0], [2.0])
    probe = ProbeResult("c", "lab", "recall", "raw", "raw", [10], [20], [1.0], 0.5)
    file = ResultFile(path)
    file.add(result("a"))
    file.add(reference)
    file.add(probe)
    again = ResultFile(path)
    assert again.known(Result, "a") == result("a")
    assert again.known(Reference, "b") == reference
    assert again.known(ProbeResult, "c") == probe
    assert again.known(Result, "d") is None


def test_a_line_that_was_cut_off_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "lab.jsonl"
    ResultFile(path).add(result("a"))
    ResultFile(path).add(result("b"))
    path.write_text(path.read_text()[:-20])
    file = ResultFile(path)
    assert file.known(Result, "a") == result("a")
    assert file.known(Result, "b") is None
    file.add(result("b"))
    assert ResultFile(path).known(Result, "b") == result("b")


def test_the_last_result_of_a_key_counts(tmp_path: Path) -> None:
    file = ResultFile(tmp_path / "lab.jsonl")
    file.add(result("a", 1))
    file.add(result("a", 2))
    assert ResultFile(tmp_path / "lab.jsonl").known(Result, "a") == result("a", 2)


def test_bits_are_of_all_windows() -> None:
    assert result("a").bits == 16
    assert ProbeResult("c", "lab", "recall", "r", "r", [10, 30], [20, 60], [1.0, 0.0], 0).bits == 4
