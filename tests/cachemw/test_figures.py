from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge

from cachemw.figures import FAST, RENAMED, SIMILARITY, STAGE, Figures, Instruments


def test_every_gauge_is_of_the_living_workers_and_one_value_for_all() -> None:
    figures = Figures(Instruments(CollectorRegistry()))
    gauges = [each for each in vars(figures).values() if isinstance(each, Gauge)]
    assert len(gauges) > 10
    assert {each._multiprocess_mode for each in gauges} <= {
        "livesum",
        "livemin",
        "livemax",
        "livemostrecent",
    }


def test_bounds_rise() -> None:
    for bounds in (FAST, STAGE, SIMILARITY):
        assert list(bounds) == sorted(set(bounds))


def test_what_is_renamed_exists() -> None:
    registry = CollectorRegistry()
    Figures(Instruments(registry))
    names = {metric.name for metric in registry.collect()}
    assert all(name.startswith("cachemw_") for name in names)
    assert set(RENAMED) <= names
    assert set(RENAMED.values()) <= names
