"""Settings under which any near question is served, for what measures the cost of a hit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

# Answers of filled stores are weeks old; a delta of 1 is no share that anything can be proven of.
_POLICY = """\
client_may_choose: true
categories:
  default: {threshold: 0, ttl: 3650d, delta: 0.99}
"""


def everything_near(folder: Path, **semantic: Any) -> dict[str, Any]:
    """Write a policy file into `folder`; return the sections of the configuration that go with it.

    Any two questions of a partition are near enough, unless a guard objects. The verifier is asked
    as always, since its time is part of a hit. No check withholds a hit and no account pauses the
    lookups: the fake upstream is so fast that hits lose beside it. `semantic` are more keys of that
    section.
    """
    file = folder / "policies.yaml"
    file.write_text(_POLICY, "utf-8")
    return {
        "categories": {"file": str(file)},
        "semantic": {"min_similarity": 0.0, "verifier": "shipped", **semantic},
        "shadow": {"share": 0.0},
        "accounting": {"probes": 1.0},
    }
