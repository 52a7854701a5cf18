"""What came of many inputs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from loadtests.kv.fuzz.cases import Case, Kind


@dataclass(frozen=True, slots=True)
class Fault:
    """An input on which a decoder did what none may. `what`: one line."""

    number: int
    kind: Kind
    codec: str
    what: str


@dataclass(slots=True)
class Tally:
    """Counts, and the extremes by codec with the number of the input."""

    outcomes: Counter[tuple[Kind, str, str]] = field(default_factory=Counter)
    slowest: dict[str, tuple[float, int]] = field(default_factory=dict)
    """Seconds."""
    fullest: dict[str, tuple[float, int]] = field(default_factory=dict)
    """Bytes held, as a share of those allowed."""
    faults: list[Fault] = field(default_factory=list)
    grown: int = 0
    """Bytes by which the resident memory of a process grew at most."""

    @property
    def inputs(self) -> int:
        """How many inputs were tried."""
        return self.outcomes.total() + len(self.faults)

    def count(self, case: Case, outcome: str, seconds: float) -> None:
        """Add an input that came out as it may."""
        self.outcomes[case.kind, case.codec, outcome] += 1
        self.slowest[case.codec] = max(
            (seconds, case.number), self.slowest.get(case.codec, (0.0, 0))
        )

    def hold(self, case: Case, share: float) -> None:
        """Add a measurement of memory."""
        self.fullest[case.codec] = max((share, case.number), self.fullest.get(case.codec, (0.0, 0)))

    def fault(self, case: Case, what: str) -> None:
        """Add an input that came out as none may."""
        self.faults.append(Fault(case.number, case.kind, case.codec, what))

    def merge(self, other: Tally) -> None:
        """Add what another process found."""
        self.outcomes.update(other.outcomes)
        for mine, theirs in ((self.slowest, other.slowest), (self.fullest, other.fullest)):
            for codec, extreme in theirs.items():
                mine[codec] = max(extreme, mine.get(codec, (0.0, 0)))
        self.faults += other.faults
        self.grown = max(self.grown, other.grown)
