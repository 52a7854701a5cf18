import dataclasses
import lzma
from pathlib import Path

import pytest
from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.codecs.raw import Raw

from loadtests.kv.quality.baselines.kivi import Kivi
from loadtests.kv.quality.results import ResultFile
from loadtests.kv.quality.run import Run
from loadtests.kv.quality.subjects import Subject


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    words = " ".join(f"word{n}" for n in range(200))
    with lzma.open(tmp_path / "wikitext2-test.txt.xz", "wt") as file:
        file.write(words)
    return tmp_path


def a_run(subject: Subject, texts: Path, *codecs: Codec) -> Run:
    return Run(subject, codecs, {"cachegen": 100}, texts, ResultFile(texts / "tiny.jsonl"))


def test_everything_is_measured_and_told(subject: Subject, texts: Path) -> None:
    found = a_run(subject, texts, Raw(), Kivi()).findings(3)
    assert list(found.curves) == ["raw", "kivi"]
    assert len(found.curves["kivi"]) == len(Kivi.levels)
    assert found.curves["raw"][0].loss.value == found.curves["raw"][0].kl.value == 0
    assert all(m.kl.value > 0 for m in found.curves["kivi"])
    assert list(found.probes) == ["copying"]
    assert "Calibration file of `cachegen`: 0.1 kB" in found.about
    assert found.model == "tiny"


def test_an_interrupted_run_goes_on(
    subject: Subject, texts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a_run(subject, texts, Raw()).findings(3)
    first = capsys.readouterr().err.splitlines()
    found = a_run(subject, texts, Raw(), Kivi()).findings(3)
    second = capsys.readouterr().err.splitlines()
    assert any(" raw " in line for line in first)
    assert not any(" raw " in line for line in second)
    assert any(" kivi " in line for line in second)
    assert a_run(subject, texts, Raw(), Kivi()).findings(3) == found
    assert not capsys.readouterr().err


def test_a_model_that_recalls_is_asked(subject: Subject, texts: Path) -> None:
    with lzma.open(texts / "wikitext2-test.txt.xz", "wt") as file:
        file.write(" ".join(f"word{n}" for n in range(2000)))
    run = dataclasses.replace(a_run(subject, texts, Raw()), task="lookup", cases=2)
    [asked] = run.findings(3).probes["lookup"]
    assert len(asked.result.scores) == 2
    assert set(asked.result.scores) <= {0, 1}
