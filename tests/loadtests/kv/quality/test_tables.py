import dataclasses

import numpy as np

from loadtests.kv.quality.measured import Findings, measured, probed
from loadtests.kv.quality.results import ProbeResult, Reference, Result
from loadtests.kv.quality.tables import bars, sections
from loadtests.report import Section, render

#: Bits a value, nats a token.
Curve = list[tuple[float, float]]
INT8: Curve = [(8.0, 0.0)]


def point(codec: str, bits: float, nats: float, part: str = "both", chunk: int = 256) -> Result:
    level = f"at-{bits:g}"
    sizes = [round(1000 * bits / 8)] * 5
    return Result("k", "lab", codec, level, chunk, part, 1000, sizes, [nats] * 5, [nats] * 5, 0)


def findings(curves: dict[str, Curve], model: str = "lab") -> Findings:
    def rng() -> np.random.Generator:
        return np.random.default_rng(0)

    answers = [
        ProbeResult("k", model, "recall", name, "l", [1] * 4, [1] * 4, scores, 0)
        for name, scores in (("raw", [1, 1, 1, 0]), ("int8", [1, 1, 0, 0]))
    ]
    first = next(iter(curves))
    bits, nats = curves[first][0]
    return Findings(
        model=model,
        about="A model.",
        reference=Reference("k", model, [2.0] * 5, [2.5] * 5),
        curves={
            name: [measured(point(name, b, n), rng()) for b, n in curve]
            for name, curve in curves.items()
        },
        longer=[measured(point(first, bits, nats, chunk=1024), rng())],
        parts=[measured(point(first, bits, nats / 2, part="keys"), rng())],
        probes={"recall": [probed(answer, answers[0], rng()) for answer in answers]},
    )


def met(curves: dict[str, Curve]) -> dict[str, tuple[str, bool]]:
    made = bars(findings(curves))
    return {b.what.removeprefix("lab: ").split(",")[0]: (b.measured, b.met) for b in made}


def test_targets_are_judged_at_their_loss() -> None:
    judged = met(
        {
            "int8": INT8,
            "cachegen": [(4.0, 0.0), (2.0, np.log(1.02)), (1.0, 0.2)],
            "transform": [(4.0, 0.0), (2.4, np.log(1.01)), (2.0, np.log(1.02)), (1.0, 0.2)],
        }
    )
    assert judged["cachegen against int8 at 2 % loss"] == ("4.00", True)
    assert judged["transform against bf16 at 2 % loss"] == ("8.00", True)
    assert judged["transform against bf16 at 1 % loss"] == ("6.67", True)
    assert judged["transform's size by cachegen's at equal KL"] == ("1.00", True)


def test_misses_are_misses() -> None:
    judged = met(
        {
            "int8": INT8,
            "cachegen": [(4.0, 0.001), (2.0, 0.1)],
            "transform": [(4.4, 0.001), (2.0, 0.2)],
        }
    )
    assert not any(fine for _, fine in judged.values())
    assert judged["transform's size by cachegen's at equal KL"][0] > "1.09"


def test_a_codec_that_always_loses_more_has_no_ratio() -> None:
    judged = met({"transform": [(4.0, 0.5)]})
    assert judged["transform against bf16 at 1 % loss"] == ("no level keeps it", False)


def test_what_is_only_a_check_is_not_judged() -> None:
    assert bars(findings({"int8": INT8, "transform": [(1.0, 0.0)]}, "stories")) == []


def found_sections() -> dict[str, Section]:
    found = findings({"int8": INT8, "transform": [(4.0, 0.001), (2.0, 0.1)]})
    return {section.title: section for section in sections(found)}


def test_ratios_are_read_off_the_curve() -> None:
    rows = {row[0]: row[1:] for row in found_sections()["lab: ratio at a loss"].rows}
    assert rows["int8"] == ("2.00",) * 6
    one, best_one, *_ = rows["transform"]
    assert best_one == "4.00"
    assert 4.0 < float(one) < 8.0


def test_a_loss_is_set_against_what_the_cache_is_worth() -> None:
    found = findings({"int8": INT8})
    assert "is +64.9 %, so that a rise of 2 % is 3% of" in sections(found)[0].about
    worthless = dataclasses.replace(found, reference=Reference("k", "lab", [2.0], [1.9]))
    assert "worth nothing" in sections(worthless)[0].about


def test_points_are_set_against_bf16_and_int8() -> None:
    section = found_sections()["lab: every point"]
    assert ("transform", "at-2", "2.00", "8.00", "4.00") in [row[:5] for row in section.rows]
    assert "perplexity 7.39; with none of the prefix 12.18, +64.9 %" in section.about


def test_a_task_shows_its_interval_and_the_paired_change() -> None:
    rows = found_sections()["lab: recall"].rows
    assert rows[0][3].startswith("75.0 % (30.1 to 95.4")
    assert rows[0][4] == "+0.0 (+0.0 to +0.0)"
    assert rows[1][4].startswith("-25.0 (-75.0 to +0.0")


def test_parts_are_a_share_of_both() -> None:
    found = findings({"transform": [(2.0, 0.1)]})
    section = next(s for s in sections(found) if s.title.endswith("apart"))
    assert section.rows[0][2] == "keys"
    assert section.rows[0][-1] == "50%"


def test_all_of_it_is_a_report() -> None:
    found = findings({"int8": INT8, "transform": [(4.0, 0.001), (2.0, 0.1)]})
    assert "## Bars" in render("Title", "Conditions.", sections(found))
