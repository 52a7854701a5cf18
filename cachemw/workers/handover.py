"""What a worker is told by its supervisor, on its standard input.

Not by command line or environment: the configuration has keys in it. All workers get the same one,
also those that are started after its file has changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cachemw.config import Config
from cachemw.workers.listening import Address


@dataclass(frozen=True, slots=True)
class Place:
    """A worker's place among the others: its number, from 0, and what they share.

    `metrics` is the directory of all workers' figures, `models` the socket of each local upstream's
    model, by the upstream's name.
    """

    number: int
    metrics: Path
    models: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class Handover:
    """The configuration in force, where to listen, and the place."""

    config: Config
    listen: tuple[Address, ...]
    place: Place

    def line(self) -> bytes:
        """Return it as one line."""
        content = {
            "config": self.config.model_dump(mode="json"),
            "listen": self.listen,
            "number": self.place.number,
            "metrics": str(self.place.metrics),
            "models": {name: str(path) for name, path in self.place.models.items()},
        }
        return json.dumps(content).encode() + b"\n"


def read_handover(stream: BinaryIO) -> Handover:
    """Read what `Handover.line` wrote. Raises EOFError where the supervisor has gone."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError("the supervisor has gone")
    content = json.loads(line)
    models = {name: Path(path) for name, path in content["models"].items()}
    place = Place(content["number"], Path(content["metrics"]), models)
    listen = tuple(Address(family, tuple(where)) for family, where in content["listen"])
    return Handover(Config.model_validate(content["config"]), listen, place)
