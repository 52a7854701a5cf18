"""Says what compressed KV costs in quality, by size: `python -m loadtests.kv.quality`.

    python -m loadtests.kv.quality [--models lab,stories,large] [--windows N] [--only CODECS]
        [--recalibrate]

Needs the public data (CACHEMW_SHARED_DATA) and, for models other than `lab` and `stories`, the
trained ones in the load tests' folder. Results are kept there point by point: a run that was
interrupted goes on where it was, and what is already measured is not measured again unless its
first file changed. Writes loadtests/reports/kv-quality.md and a picture a model.
"""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path

import torch

from loadtests.http.command import write_report
from loadtests.kv.quality.catalogue import Catalogue
from loadtests.kv.quality.measured import Findings
from loadtests.kv.quality.plots import draw
from loadtests.kv.quality.results import ResultFile
from loadtests.kv.quality.run import Run
from loadtests.kv.quality.subjects import PLANS, open_subject
from loadtests.kv.quality.tables import sections
from loadtests.kv.quality.trials import codecs
from loadtests.kv.quality.windows import shared_data
from loadtests.report import Section, machine, render

REPORT = Path(__file__).parents[2] / "reports" / "kv-quality.md"
KEPT = Path.home() / ".cache" / "cachemw-loadtests"


def run(options: argparse.Namespace) -> str:
    """Measure, draw and return the report."""
    torch.set_num_threads(options.threads)
    made: list[Section] = []
    pictures, missing = [], []
    for name in options.models.split(","):
        try:
            found, without = of_model(name, options)
        except FileNotFoundError as error:
            missing.append(f"{name}: {error.args[0]}")
            continue
        missing += without
        picture = options.out.with_name(f"{options.out.stem}-{name}.svg")
        draw(found, picture)
        pictures.append(f"![{name}: bits a value against loss]({picture.name})")
        made += sections(found)
    about = conditions(options)
    if missing:
        about += "\n\n**Not measured**: " + "; ".join(missing) + "."
    return render("Quality of compressed KV", "\n\n".join([about, *pictures]), made)


def of_model(name: str, options: argparse.Namespace) -> tuple[Findings, list[str]]:
    """Measure one model; also say which codecs could not be."""
    subject = open_subject(name, shared_data(), options.kept)
    texts, kept = shared_data() / "text", options.kept / "kv-quality"
    plan = PLANS[name]
    catalogue = Catalogue(
        subject=subject,
        novels=texts / "novels.txt.xz",
        folder=kept / "tables",
        windows=plan.texts,
        anew=options.recalibrate,
    )
    only = options.only and {"raw", "int8", *options.only.split(",")}
    listed, missing = codecs(subject, catalogue.open, only)
    run_ = Run(
        subject=subject,
        codecs=listed,
        tables=catalogue.sizes(),
        texts=texts,
        file=ResultFile(kept / f"{name}.jsonl"),
        task=plan.task,
        cases=plan.cases,
        workers=options.workers,
    )
    found = run_.findings(options.windows or plan.windows)
    return found, [f"{name}: {what}" for what in missing]


def conditions(options: argparse.Namespace) -> str:
    """Return how it was measured, and what that does not say."""
    return (
        f"{options.date}, {machine(('torch', 'transformers', 'numpy'))}. "
        f"Command: `python -m loadtests.kv.quality --models {options.models}`.\n\n"
        "Text: WikiText-2 (test). No model that this project trained has seen it; of `smollm2` "
        "(SmolLM2-135M-Instruct out of four-bit weights) nobody here knows. Tables of `cachegen` "
        "and `transform` were calibrated on novels. The prefix's KV is computed in float32 and "
        "rounded to bfloat16: that is *uncompressed*, in quality and in size. Each piece of 256 "
        "tokens is encoded into a container file of its own, read back and put into the model's "
        "cache; the continuation is read over it with the right tokens given. Sizes are those of "
        "the files, headers and all; only calibration tables, which a model has once, are not in "
        "them. `perplexity` is its change to the uncompressed prefix over the same tokens, KL is "
        "KL(uncompressed || compressed); intervals are 95 %, bootstrap over windows, paired. The "
        "short continuation keeps the compressed prefix's share of what is attended to high: a "
        "longer one would read more of its own fresh KV and lose less.\n\n"
        "`kivi` is KIVI without a window of recent full-precision tokens, `kivi-r128` with one of "
        "128 tokens, the prefix being one piece; levels are bits and group. `cachegen-released` is "
        "the scheme of the released code: no anchors, no deltas, tables sent with every piece; "
        "32-16 is its default."
    )


def main() -> int:
    """Measure, print the report and write it."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.kv.quality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--models", default="lab,stories,large", help="names, with commas")
    parser.add_argument("--windows", type=int, help="of text, a model; default by model")
    parser.add_argument("--only", help="codecs, with commas; raw and int8 always")
    parser.add_argument(
        "--recalibrate", action="store_true", help="where the calibration itself has changed"
    )
    parser.add_argument("--workers", type=int, default=2, help="windows measured at once")
    parser.add_argument("--threads", type=int, default=1, help="of torch, a worker")
    parser.add_argument("--out", type=Path, default=REPORT, help="the report's file")
    parser.add_argument("--kept", type=Path, default=KEPT, help="the load tests' folder")
    parser.add_argument("--date", default=date.today().isoformat())  # noqa: DTZ011 - a label
    options = parser.parse_args()
    if not shared_data().exists():
        print(f"{shared_data()} is not there; CACHEMW_SHARED_DATA names it.", file=sys.stderr)
        return 1
    return write_report(run, options)


if __name__ == "__main__":
    sys.exit(main())
