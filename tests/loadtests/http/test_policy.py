from __future__ import annotations

from pathlib import Path

from cachemw_policies.decision import Candidate, Outcome, Weighed, decide
from cachemw_policies.guarantee import Pool, state_of

from cachemw.categories.source import load_policy
from cachemw.config import load_config
from cachemw.settings import board_settings
from loadtests.http.policy import everything_near

UPSTREAM = {"name": "fake", "base_url": "http://127.0.0.1:9/v1"}
WEEKS = 30 * 86_400.0


def test_the_least_score_is_served_weeks_later(tmp_path: Path) -> None:
    sections = everything_near(tmp_path)
    config = load_config({"cache_dir": str(tmp_path), "upstreams": [UPSTREAM], **sections}, {})
    policies = load_policy(config.categories.file)
    assert policies.names == ("default",)
    settings = board_settings(config)
    state = state_of(Pool(settings.guarantee), policies.of("default"), settings.guarantee)
    weighed = Weighed(Candidate(b"key", 0.0), created_at=0.0, expires_at=2 * WEEKS, score=0.0)
    decision = decide([weighed], policies.of("default"), state, 0.0, WEEKS)
    assert decision.outcome is Outcome.SERVED
    assert (config.semantic.min_similarity, config.semantic.verifier) == (0.0, "shipped")
    assert (config.shadow.share, config.accounting.probes) == (0.0, 1.0)


def test_other_keys_of_the_section_are_taken_over(tmp_path: Path) -> None:
    sections = everything_near(tmp_path, min_similarity=0.85, max_vectors=600)
    assert sections["semantic"] == {
        "min_similarity": 0.85,
        "verifier": "shipped",
        "max_vectors": 600,
    }
