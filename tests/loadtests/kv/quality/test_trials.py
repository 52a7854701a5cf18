import pytest
from cachemw_codecs.codecs.base import LADDER, Codec
from cachemw_codecs.codecs.raw import Raw
from cachemw_codecs.errors import TablesMissing

from loadtests.kv.quality.baselines.kivi import Kivi, KiviWithResidual
from loadtests.kv.quality.baselines.released_cachegen import ReleasedCachegen
from loadtests.kv.quality.subjects import Subject
from loadtests.kv.quality.trials import codecs, curve, longer, parts, probed


class Cachegen(Raw):
    name = "cachegen"
    levels = LADDER


def test_a_codec_that_cannot_be_had_is_named(subject: Subject) -> None:
    def open_named(name: str) -> Codec:
        if name == "transform":
            raise TablesMissing("nothing calibrates it")
        return Raw()

    found, missing = codecs(subject, open_named)
    assert missing == ["transform: nothing calibrates it"]
    assert found[0].name == "raw"
    assert [codec.name for codec in found[-3:]] == ["kivi", "kivi-r128", "cachegen-released"]


def test_only_what_is_named_is_opened(subject: Subject) -> None:
    opened = []

    def open_named(name: str) -> Codec:
        opened.append(name)
        return Raw()

    found, _ = codecs(subject, open_named, {"raw", "kivi"})
    assert opened == ["raw"]
    assert [codec.name for codec in found] == ["raw", "kivi"]


@pytest.mark.parametrize("codec", [Cachegen(), Kivi(), ReleasedCachegen(8)])
def test_a_curve_has_six_points_or_more_in_files_of_256(codec: Codec) -> None:
    trials = curve(codec, 1024)
    assert len(trials) >= 6
    assert {trial.tokens for trial in trials} == {256}
    assert {trial.part for trial in trials} == {"both"}


def test_recent_tokens_are_those_of_the_whole_prefix() -> None:
    trials = curve(KiviWithResidual(), 1024)
    assert {trial.tokens for trial in trials} == {1024}
    assert len(trials) == 6


def test_longer_files_are_no_longer_than_the_prefix() -> None:
    assert {trial.tokens for trial in longer(Cachegen(), 1024)} == {512, 1024}
    assert {trial.tokens for trial in longer(Cachegen(), 512)} == {512}
    assert longer(Cachegen(), 256) == []
    assert longer(Raw(), 1024) == []


def test_parts_are_of_levels_on_the_curve() -> None:
    trials = parts(Cachegen(), 1024)
    assert {trial.part for trial in trials} == {"keys", "values"}
    assert {(t.level, t.tokens) for t in trials} <= {
        (t.level, t.tokens) for t in curve(Cachegen(), 1024)
    }


def test_tasks_are_asked_at_some_levels() -> None:
    assert [trial.level for trial in probed(Kivi(), 1024)] == ["4bit-g32", "3bit-g32", "2bit-g32"]
    assert [trial.level for trial in probed(Cachegen(), 1024)] == list(LADDER[::2])
    assert probed(KiviWithResidual(), 1024) == []
