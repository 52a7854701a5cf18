"""Measures the GPU's KV codec: `python -m loadtests.kv.speed`, on a machine with an NVIDIA GPU.

Takes about two minutes. nvCOMP (`pip install nvidia-nvcomp-cu13`) is measured too where it is
installed. Everything decoded is checked in the same run. Writes loadtests/reports/kv-speed.md.
"""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path

REPORT = Path(__file__).parents[2] / "reports" / "kv-speed.md"


def main() -> int:
    """Measure, print the report and write it."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.kv.speed", description=__doc__)
    parser.add_argument("--tokens", type=int, nargs="+", default=[8192, 32768])
    parser.add_argument("--chunks", type=int, nargs="+", default=[256, 512], help="tokens in each")
    parser.add_argument("--layers", type=int, default=32)
    parser.add_argument("--bits", type=float, default=2.2, help="a value")
    parser.add_argument("--repeats", type=int, default=9, help="of each measurement")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=REPORT, help="the report's file")
    parser.add_argument("--date", default=date.today().isoformat())  # noqa: DTZ011 - a label
    options = parser.parse_args()
    import torch  # noqa: PLC0415 - `--help` needs none of it

    if not torch.cuda.is_available():
        print("no NVIDIA GPU that torch can use is here", file=sys.stderr)
        return 1
    from loadtests.kv.speed.run import run  # noqa: PLC0415 - needs triton

    text = run(options)
    print(text)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
