from __future__ import annotations

from loadtests.peers.__main__ import chosen
from loadtests.peers.subjects import VARIANTS, Variant


def test_variants_are_chosen_by_store_and_workers() -> None:
    assert chosen(["sqlite", "redis"], 2) == list(VARIANTS)
    assert chosen(["redis"], 1) == [Variant("Redis"), Variant("Redis", memory=False)]


def test_names_say_what_differs() -> None:
    assert len({variant.name for variant in VARIANTS}) == len(VARIANTS)
    assert Variant("Redis", 2).name == "cachemw, 2 workers, Redis"
    assert Variant("SQLite", memory=False).name == "cachemw, 1 worker, SQLite, no memory tier"
