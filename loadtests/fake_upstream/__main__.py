"""Run the fake server: `python -m loadtests.fake_upstream --port 9000 --ttft-ms 300`."""

from __future__ import annotations

import argparse

import uvicorn

from loadtests.fake_upstream.app import FakeUpstream


def main() -> None:
    """Parse the command line and serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.fake_upstream", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ttft-ms", type=float, default=0.0, help="time to the first token")
    parser.add_argument("--tpot-ms", type=float, default=0.0, help="time per further token")
    parser.add_argument("--tokens", type=int, default=40, help="length of an answer")
    parser.add_argument("--slots", type=int, help="answers at once; default: any number")
    parser.add_argument("--waiting", type=int, default=0, help="calls that may wait for a slot")
    chosen = parser.parse_args()
    app = FakeUpstream(
        ttft_ms=chosen.ttft_ms,
        tpot_ms=chosen.tpot_ms,
        tokens=chosen.tokens,
        slots=chosen.slots,
        waiting=chosen.waiting,
        # Nobody in this process looks at them, and a benchmark sends millions.
        keep_requests=False,
    )
    uvicorn.run(app, host=chosen.host, port=chosen.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
