"""Labels: what others rely on by name or number."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from cachemw_policies.labels import Label, Source


def test_the_names_of_sources_are_those_that_metrics_and_stored_labels_have() -> None:
    assert {source.value for source in Source} == {"shadow", "miss", "feedback", "offline"}


def test_a_label_counts_in_full_unless_something_is_said() -> None:
    assert Label("code", 0.9, True, Source.SHADOW, "verifier", 1.0).weight == 1.0


def test_a_label_does_not_change() -> None:
    label = Label("code", 0.9, True, Source.SHADOW, "verifier", 1.0)
    with pytest.raises(FrozenInstanceError):
        label.right = False  # type: ignore[misc]
