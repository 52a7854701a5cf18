"""What a section alone can tell of its values."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from cachemw_policies.adaptation import AdaptationSettings, Knee
from cachemw_policies.breakeven import BreakEvenSettings
from cachemw_policies.shadowing import ShadowSettings
from cachemw_policies.thresholds import GuaranteeSettings
from pydantic import BaseModel, ValidationError

from cachemw.config_sections import (
    AccountingConfig,
    AdaptationConfig,
    AdminConfig,
    CategoriesConfig,
    Config,
    GuaranteeConfig,
    Section,
    SemanticConfig,
    ShadowConfig,
    StoreConfig,
)
from cachemw.directives import Mode
from cachemw.shadow.checks import CheckSettings, Credentials


def sections() -> list[type[BaseModel]]:
    return [
        field.annotation
        for field in Config.model_fields.values()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    ]


def test_every_section_has_defaults_that_pass_its_own_checks() -> None:
    assert len(sections()) > 12
    for section in sections():
        made = section()
        assert section.model_validate(made.model_dump()) == made


@pytest.mark.parametrize("section", sections())
def test_a_section_does_not_change_and_takes_no_unknown_key(section: type[BaseModel]) -> None:
    name = next(iter(section.model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(section(), name, None)
    with pytest.raises(ValidationError, match="extra_forbidden"):
        section.model_validate({"no_such_key": 1})


@pytest.mark.parametrize("name", ["cold_start", "window"])
def test_the_defaults_that_are_shared_with_the_policies(name: str) -> None:
    """`cold_start` is the one that differs, on purpose: who installs a cache wants it to serve."""
    same = getattr(GuaranteeConfig(), name) == getattr(GuaranteeSettings(), name)
    assert same is (name == "window")


def test_other_defaults_are_those_of_the_parts() -> None:
    adaptation, accounting, shadow = AdaptationConfig(), AccountingConfig(), ShadowConfig()
    parts = AdaptationSettings()
    assert Knee(adaptation.queueing_from, adaptation.queueing_full) == parts.queueing
    assert Knee(adaptation.error_from, adaptation.error_full) == parts.error
    assert (adaptation.rise_seconds, adaptation.fall_seconds) == (parts.rise_s, parts.fall_s)
    costs = BreakEvenSettings()
    assert accounting.cpu_usd_per_hour == costs.cpu_usd_per_hour
    assert (accounting.usd_per_second, accounting.probes) == (costs.usd_per_second, costs.probes)
    checks = ShadowSettings()
    assert (shadow.share, shadow.dense) == (checks.share, checks.dense)
    assert shadow.per_minute == checks.per_minute
    assert (shadow.max_load, shadow.seconds) == (CheckSettings().max_load, CheckSettings().seconds)
    assert Credentials(shadow.credentials) is CheckSettings().credentials


def test_names_are_those_of_the_parts() -> None:
    credentials = get_args(ShadowConfig.model_fields["credentials"].annotation)
    assert set(credentials) == {each.value for each in Credentials}
    modes = get_args(Config.model_fields["mode"].annotation)
    assert set(modes) == {mode.name.lower() for mode in Mode}


@pytest.mark.parametrize(
    ("section", "values", "said"),
    [
        (AdaptationConfig, {"queueing_from": 4.0}, "`_from` must be below `_full`"),
        (AdaptationConfig, {"error_from": 0.5}, "`_from` must be below `_full`"),
        (AdaptationConfig, {"rise_seconds": 61.0}, "rises no slower than it falls"),
        (AdaptationConfig, {"queueing_from": 0.5}, "queueing_from"),
        (AccountingConfig, {"probes": 0}, "probes"),
        (AccountingConfig, {"usd_per_second": 0}, "usd_per_second"),
        (GuaranteeConfig, {"alpha": 0}, "alpha"),
        (GuaranteeConfig, {"cold_start": "off"}, "cold_start"),
        (GuaranteeConfig, {"window": 30_000}, "window"),
        (SemanticConfig, {"min_similarity": -0.1}, "min_similarity"),
        (SemanticConfig, {"verified": 17}, "verified"),
        (SemanticConfig, {"verifier": ""}, "verifier"),
        (SemanticConfig, {"threshold": 0.9}, "threshold"),
        (ShadowConfig, {"share": 1.1}, "share"),
        (ShadowConfig, {"credentials": "mine"}, "credentials"),
        (CategoriesConfig, {"reload_seconds": 0}, "reload_seconds"),
        (StoreConfig, {"max_entries": 0}, "max_entries"),
        (StoreConfig, {"url": "redis://h"}, "did you mean kind: redis"),
        (AdminConfig, {"token_sha256": "0" * 64, "token_env": "T"}, "either"),
    ],
)
def test_a_value_that_cannot_be_is_refused(
    section: type[Section], values: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        section.model_validate(values)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_number_is_infinite_or_none(value: float) -> None:
    with pytest.raises(ValidationError, match="finite"):
        SemanticConfig.model_validate({"verify_seconds": value})


def test_the_policy_file_may_be_in_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    made = CategoriesConfig.model_validate({"file": "~/policy.yaml"})
    assert made.file == Path("/home/ann/policy.yaml")
