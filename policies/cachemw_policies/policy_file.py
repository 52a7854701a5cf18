"""Reads a policy file: what an operator says about all kinds of questions (own design).

    client_may_choose: true         # a request may name its category
    min_confidence: 0.5             # of the classifier; below it a question is `default`
    defaults: {ttl: 24h}            # for every category that does not say otherwise
    categories:
      volatile:
        ttl: 5m                     # seconds, or 90s, 15m, 24h, 7d
        quota: {guaranteed: 0.05, cap: 0.2}
        examples: [What is the weather like in Oslo today?, ...]

Where a category gives `delta` or `ttl` and not the overload's value, load does not move it: the
overload's value of `defaults` belongs to the value it stands beside.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from types import MappingProxyType
from typing import NamedTuple

from cachemw_policies.category import DEFAULT, CategoryPolicy, PolicySet, Quota
from cachemw_policies.policy_text import Fields, PolicyError, Problems, composed

MAX_BYTES = 1024 * 1024
MAX_CATEGORIES = 256
MAX_EXAMPLES = 1000
MAX_EXAMPLE_CHARACTERS = 2000
_MAX_TTL = 3_650 * 86_400.0
_MAX_PRIORITY = 1e6
_NAME = re.compile(r"[a-z0-9_-]{1,64}", re.ASCII)
_TOP = ("client_may_choose", "min_confidence", "defaults", "categories")
# All wrong is no bound that could be tested.
_MAX_DELTA = 0.99

CATEGORY_KEYS = (
    "threshold",
    "ttl",
    "sliding",
    "quota",
    "priority",
    "allow_caching",
    "delta",
    "delta_overload",
    "ttl_overload",
    "safety_critical",
    "personalised",
)
_QUOTA = ("guaranteed", "cap")


def parse_policy(text: str) -> PolicySet:
    """Return what `text` says.

    Raises PolicyError with everything that is wrong with it, each with its line.
    """
    if len(text) > MAX_BYTES or len(text.encode(errors="replace")) > MAX_BYTES:
        raise PolicyError((f"the file is over {MAX_BYTES} bytes",))
    problems = Problems()
    top = Fields(composed(text), "", problems, _TOP)
    categories = _categories(top, problems)
    chooses = top.flag("client_may_choose")
    confidence = top.number("min_confidence", 0.0, 1.0)
    problems.raise_any()
    built_in = PolicySet()
    return PolicySet(
        categories=MappingProxyType(categories),
        client_may_choose=built_in.client_may_choose if chooses is None else chooses,
        min_confidence=built_in.min_confidence if confidence is None else confidence,
        digest=sha256(text.encode()).hexdigest(),
    )


class _Given(NamedTuple):
    """The values of one mapping; None where it does not say."""

    threshold: float | None = None
    ttl: float | None = None
    sliding: bool | None = None
    priority: float | None = None
    allow_caching: bool | None = None
    delta: float | None = None
    delta_overload: float | None = None
    ttl_overload: float | None = None
    safety_critical: bool | None = None
    personalised: bool | None = None
    guaranteed: float | None = None
    cap: float | None = None


def _categories(top: Fields, problems: Problems) -> dict[str, CategoryPolicy]:
    defaults = top.fields("defaults", CATEGORY_KEYS)
    base = _Given()
    if defaults is not None:
        base = _given(defaults)
        _check(defaults, _policy(DEFAULT, base))
    found: dict[str, CategoryPolicy] = {}
    listed = top.fields("categories")
    if listed is not None and len({*listed, DEFAULT}) > MAX_CATEGORIES:
        top.wrong("categories", f"more than {MAX_CATEGORIES}, `{DEFAULT}` counted")
    elif listed is not None:
        found = _listed(listed, base, problems)
    if DEFAULT not in found:
        found[DEFAULT] = _policy(DEFAULT, base)
    _check_all(top, found)
    return found


def _listed(listed: Fields, base: _Given, problems: Problems) -> dict[str, CategoryPolicy]:
    found = {}
    used: dict[str, str] = {}
    for name in listed:
        if not _NAME.fullmatch(name):
            listed.wrong(name, "no name of a category: 1 to 64 of a-z, 0-9, _ and -")
            continue
        fields = listed.fields(name, (*CATEGORY_KEYS, "examples"))
        if fields is not None:
            given = _inherited(_given(fields), base)
            found[name] = _policy(name, given, _examples(fields, used, problems))
            _check(fields, found[name])
    return found


def _given(fields: Fields) -> _Given:
    quota = fields.fields("quota", _QUOTA)
    return _Given(
        threshold=fields.number("threshold", 0.0, 1.0),
        ttl=fields.seconds("ttl", _MAX_TTL),
        sliding=fields.flag("sliding"),
        priority=_priority(fields),
        allow_caching=fields.flag("allow_caching"),
        delta=fields.number("delta", 0.0, _MAX_DELTA),
        delta_overload=fields.number("delta_overload", 0.0, _MAX_DELTA),
        ttl_overload=fields.seconds("ttl_overload", _MAX_TTL),
        safety_critical=fields.flag("safety_critical"),
        personalised=fields.flag("personalised"),
        guaranteed=None if quota is None else quota.number("guaranteed", 0.0, 1.0),
        cap=None if quota is None else quota.number("cap", 0.0, 1.0),
    )


def _priority(fields: Fields) -> float | None:
    value = fields.number("priority", 0.0, _MAX_PRIORITY)
    if value == 0:
        fields.wrong("priority", "must be above 0")
        return None
    return value


def _inherited(own: _Given, base: _Given) -> _Given:
    if own.delta is not None:
        base = base._replace(delta_overload=None)
    if own.ttl is not None:
        base = base._replace(ttl_overload=None)
    missing = {key: value for key, value in base._asdict().items() if getattr(own, key) is None}
    merged = own._replace(**missing)
    if merged.safety_critical:
        merged = merged._replace(delta_overload=own.delta_overload, ttl_overload=own.ttl_overload)
    if merged.sliding:
        merged = merged._replace(ttl_overload=own.ttl_overload)
    return merged


def _policy(name: str, given: _Given, examples: tuple[str, ...] = ()) -> CategoryPolicy:
    said = {key: value for key, value in given._asdict().items() if value is not None}
    quota = Quota(**{key: said.pop(key) for key in _QUOTA if key in said})
    policy = replace(CategoryPolicy(name), quota=quota, examples=examples, **said)
    return replace(
        policy,
        delta_overload=said.get("delta_overload", policy.delta),
        ttl_overload=said.get("ttl_overload", policy.ttl),
    )


def _check(fields: Fields, policy: CategoryPolicy) -> None:
    """Note where values that are right by themselves do not go together."""
    if "quota" in fields and policy.quota.guaranteed > policy.quota.cap:
        shares = f"{policy.quota.guaranteed:g} is more than cap, {policy.quota.cap:g}"
        fields.wrong("quota", f"guaranteed, {shares}")
    for key in ("delta_overload", "ttl_overload"):
        if key in fields and policy.safety_critical:
            fields.wrong(key, "has no effect where safety_critical is true: load moves nothing")
    if policy.safety_critical:
        return
    if "delta_overload" in fields and policy.delta == 0 and policy.delta_overload > 0:
        fields.wrong("delta_overload", "has no effect where delta is 0: exact hits only")
    elif "delta_overload" in fields and policy.delta_overload < policy.delta:
        fields.wrong("delta_overload", f"must be at least delta, {policy.delta:g}")
    # A sliding answer is kept in the store for its TTL since the last use, whatever the load.
    if "ttl_overload" in fields and policy.sliding:
        fields.wrong("ttl_overload", "has no effect where sliding is true")
    elif "ttl_overload" in fields and policy.ttl_overload < policy.ttl:
        fields.wrong("ttl_overload", f"must be at least ttl, {policy.ttl:g} seconds")


def _check_all(top: Fields, found: Mapping[str, CategoryPolicy]) -> None:
    guaranteed = sum(policy.quota.guaranteed for policy in found.values())
    # Ten times 0.1 is a little more than 1.
    if guaranteed > 1 + 1e-9:
        top.wrong("categories", f"the guaranteed shares add up to {guaranteed:g}, more than 1")
    taught = [name for name, policy in found.items() if policy.examples]
    if len(taught) == 1:
        what = f"only {taught[0]!r} has examples: a classifier has to tell it from another"
        top.wrong("categories", what)


def _examples(fields: Fields, used: dict[str, str], problems: Problems) -> tuple[str, ...]:
    given = fields.texts("examples")
    if len(given) > MAX_EXAMPLES:
        fields.wrong("examples", f"{len(given)} examples, more than {MAX_EXAMPLES}")
        return ()
    texts = []
    for text, node in given:
        if len(text) > MAX_EXAMPLE_CHARACTERS:
            what = f"an example of {len(text)} characters, more than {MAX_EXAMPLE_CHARACTERS}"
            problems.add(node, fields.path("examples"), what)
        elif text in used:
            what = f"the same text is an example of {used[text]}"
            problems.add(node, fields.path("examples"), what)
        else:
            used[text] = fields.where
            texts.append(text)
    if len(given) == 1:
        fields.wrong("examples", "a single example; give at least 2 or none")
    return tuple(texts)
