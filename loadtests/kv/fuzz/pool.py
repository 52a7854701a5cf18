"""Workers, watched: a crash or a hang is a finding, and the rest of the share goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext

from cachemw_codecs.codecs.base import Codec

from loadtests.kv.fuzz.cases import Cases
from loadtests.kv.fuzz.tally import Tally
from loadtests.kv.fuzz.worker import Share, work

HANG_SECONDS = 20.0
MAX_FAULTS = 100
"""More need not be known of a decoder."""
_LOOK_SECONDS = 0.2
MakeCodecs = Callable[[], list[Codec]]


def _context() -> ForkServerContext:
    """Children of a process that has loaded what they need, but runs no threads."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["loadtests.kv.fuzz.worker"])
    return context


class _Watched:
    """A worker on a share of the inputs. When one of these ends it, another goes on behind."""

    def __init__(self, make_codecs: MakeCodecs, share: Share, hang_seconds: float) -> None:
        context = _context()
        self._make_codecs = make_codecs
        self._share = share
        self._hang_seconds = hang_seconds
        self._at = context.Value("q", -1, lock=False)
        self._seen, self._since = -1, time.monotonic()
        self._hung: int | None = None
        self.results, sender = context.Pipe(duplex=False)
        self._process = context.Process(
            target=work, args=(make_codecs, share, self._at, sender), daemon=True
        )
        self._process.start()
        sender.close()

    @property
    def done(self) -> bool:
        """Whether the whole share is through."""
        return not self._share.numbers

    def receive(self, total: Tally, cases: Cases) -> _Watched:
        """Add the next batch to `total`, or the input that ended the worker.

        Returns who goes on: this one, or in the latter case its successor.
        """
        try:
            count, tally = self.results.recv()
        except EOFError:
            return self._succeeded(total, cases)
        total.merge(tally)
        self._share = replace(self._share, numbers=self._share.numbers[count:])
        return self

    def look(self) -> None:
        """Kill a worker that has been at one input for too long."""
        number, now = self._at.value, time.monotonic()
        if number != self._seen:
            self._seen, self._since = number, now
        elif self._hung is None and number >= 0 and now - self._since > self._hang_seconds:
            # It may get on before the signal arrives.
            self._hung = number
            self._process.kill()

    def stop(self) -> None:
        """End the worker, whatever it is at."""
        self._process.kill()
        self._process.join()
        self.results.close()

    def _succeeded(self, total: Tally, cases: Cases) -> _Watched:
        self._process.join()
        number, code = self._at.value, self._process.exitcode
        what = f"crash: exit code {code}"
        if self._hung is not None:
            number, what = self._hung, f"hang: {self._hang_seconds:g} s"
        self.stop()
        if number < 0:
            raise RuntimeError(f"a worker ended by itself, exit code {code}")
        total.fault(cases[number], what)
        share = replace(self._share, without=self._share.without | {number})
        return _Watched(self._make_codecs, share, self._hang_seconds)


def fuzzed(
    make_codecs: MakeCodecs,
    seed: int,
    inputs: int,
    workers: int = 2,
    hang_seconds: float = HANG_SECONDS,
) -> Tally:
    """Try inputs 0 to `inputs` - 1 in worker processes; ends early after `MAX_FAULTS`.

    `make_codecs` is called in each worker, so it has to be importable.
    """
    cases, total = Cases(make_codecs(), seed), Tally()
    step = -(-inputs // workers)
    watched = [
        _Watched(make_codecs, Share(seed, numbers, frozenset()), hang_seconds)
        for numbers in (range(inputs)[first : first + step] for first in range(0, inputs, step))
    ]
    try:
        while any(not each.done for each in watched) and len(total.faults) < MAX_FAULTS:
            ready = wait([each.results for each in watched if not each.done], _LOOK_SECONDS)
            for place, each in enumerate(watched):
                if each.results in ready:
                    watched[place] = each.receive(total, cases)
                elif not each.done:
                    each.look()
    finally:
        for each in watched:
            each.stop()
    return total
