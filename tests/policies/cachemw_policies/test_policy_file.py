from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Any

import pytest
import yaml
from cachemw_policies.category import CategoryPolicy, PolicySet, Quota
from cachemw_policies.policy_file import CATEGORY_KEYS, MAX_BYTES, parse_policy
from cachemw_policies.policy_text import PolicyError
from hypothesis import given
from hypothesis import strategies as st

MINIMAL = "categories: {}"


def _problems(text: str) -> tuple[str, ...]:
    with pytest.raises(PolicyError) as raised:
        parse_policy(text)
    return raised.value.problems


def _one(values: str, defaults: str = "") -> CategoryPolicy:
    return parse_policy(f"defaults: {{{defaults}}}\ncategories:\n  x: {{{values}}}\n").of("x")


def test_every_value_is_read() -> None:
    policies = parse_policy(
        """
client_may_choose: false
min_confidence: 0.7
categories:
  math:
    threshold: 0.9
    ttl: 7d
    sliding: false
    quota: {guaranteed: 0.1, cap: 0.4}
    priority: 2
    allow_caching: true
    delta: 0.01
    delta_overload: 0.02
    ttl_overload: 14d
    personalised: true
    examples: [what is 2 + 2, what is 3 + 5]
  code: {safety_critical: true, examples: [write a loop, write a class]}
"""
    )
    assert policies.of("math") == CategoryPolicy(
        "math",
        threshold=0.9,
        ttl=604_800.0,
        quota=Quota(0.1, 0.4),
        priority=2.0,
        delta=0.01,
        delta_overload=0.02,
        ttl_overload=1_209_600.0,
        personalised=True,
        examples=("what is 2 + 2", "what is 3 + 5"),
    )
    assert policies.names == ("math", "code", "default")
    assert policies.of("code").safety_critical
    assert not policies.client_may_choose
    assert policies.min_confidence == 0.7


def test_an_empty_set_has_the_built_in_default() -> None:
    built_in = PolicySet()
    policies = parse_policy(MINIMAL)
    assert policies.categories == built_in.categories
    assert policies.client_may_choose == built_in.client_may_choose
    assert policies.min_confidence == built_in.min_confidence


def test_the_digest_is_of_the_text() -> None:
    assert parse_policy(MINIMAL).digest == sha256(MINIMAL.encode()).hexdigest()


def test_policies_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        parse_policy(MINIMAL).categories["x"] = CategoryPolicy("x")  # type: ignore[index]


def test_default_may_be_given() -> None:
    policies = parse_policy("categories: {default: {ttl: 5m}, x: {}}")
    assert policies.names == ("default", "x")
    assert policies.of("gone").ttl == 300


class TestInheritance:
    def test_what_a_category_does_not_say_is_the_default_for_all(self) -> None:
        policies = parse_policy("defaults: {ttl: 1h, quota: {cap: 0.2}}\ncategories: {x: {}}")
        assert policies.of("x").ttl == policies.of("default").ttl == 3600
        assert policies.of("x").quota == Quota(0.0, 0.2)

    def test_shares_are_inherited_one_by_one(self) -> None:
        assert _one("quota: {guaranteed: 0.1}", "quota: {cap: 0.2}").quota == Quota(0.1, 0.2)

    def test_load_moves_nothing_that_says_nothing_of_it(self) -> None:
        policy = _one("delta: 0.01, ttl: 5m")
        assert (policy.delta_overload, policy.ttl_overload) == (0.01, 300)

    @pytest.mark.parametrize("delta", [0.0, 0.01, 0.5])
    def test_an_inherited_overload_value_belongs_to_the_inherited_value(self, delta: float) -> None:
        policy = _one(f"delta: {delta}, ttl: 9d", "delta_overload: 0.1, ttl_overload: 2d")
        assert (policy.delta_overload, policy.ttl_overload) == (delta, 9 * 86_400)

    def test_an_overload_value_is_inherited_with_the_value(self) -> None:
        policy = _one("", "delta: 0.01, delta_overload: 0.1, ttl: 1d, ttl_overload: 2d")
        assert (policy.delta_overload, policy.ttl_overload) == (0.1, 2 * 86_400)

    def test_a_safety_critical_category_inherits_no_overload_value(self) -> None:
        policy = _one("safety_critical: true", "delta: 0.01, delta_overload: 0.1, ttl_overload: 2d")
        assert policy.delta_overload == 0.01
        assert policy.ttl_overload == policy.ttl

    def test_a_sliding_category_inherits_no_overload_ttl(self) -> None:
        assert _one("sliding: true", "ttl: 1h, ttl_overload: 2h").longest_ttl == 3600


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ("delta: 1.1", "delta: must be from 0 to 0.99, and is '1.1'"),
        ("threshold: -1", "threshold: must be from 0 to 1, and is '-1'"),
        ("ttl: 0", "ttl: must be above 0 and at most 3650d, and is '0'"),
        ("ttl: 3651d", "ttl: must be above 0 and at most 3650d, and is '3651d'"),
        ("priority: 0", "priority: must be above 0"),
        ("quota: {cap: 2}", "quota.cap: must be from 0 to 1, and is '2'"),
        ("quota: {gap: 1}", "quota.gap: unknown key; did you mean 'cap'?"),
        ("quota: 0.5", "quota: must have keys and values, and is '0.5'"),
        ("quota: {guaranteed: 0.5, cap: 0.2}", "quota: guaranteed, 0.5 is more than cap, 0.2"),
        ("delta: 0.2, delta_overload: 0.1", "delta_overload: must be at least delta, 0.2"),
        ("ttl: 2h, ttl_overload: 1h", "ttl_overload: must be at least ttl, 7200 seconds"),
        (
            "delta: 0, delta_overload: 0.1",
            "delta_overload: has no effect where delta is 0: exact hits only",
        ),
        (
            "safety_critical: true, delta_overload: 0.1",
            "delta_overload: has no effect where safety_critical is true: load moves nothing",
        ),
        (
            "safety_critical: true, ttl_overload: 7d",
            "ttl_overload: has no effect where safety_critical is true: load moves nothing",
        ),
        ("sliding: true, ttl_overload: 7d", "ttl_overload: has no effect where sliding is true"),
        ("examples: [a]", "examples: a single example; give at least 2 or none"),
        (
            "name: y",
            "name: unknown key; known are " + ", ".join(sorted((*CATEGORY_KEYS, "examples"))),
        ),
    ],
)
def test_what_a_category_must_not_say(values: str, problem: str) -> None:
    found = _problems(f"categories:\n  x: {{{values}}}\n")
    assert f"line 2: categories.x.{problem}" in found


def test_a_wrong_default_is_said_once() -> None:
    text = "defaults: {delta: 0.2, delta_overload: 0.1}\ncategories: {x: {}, y: {ttl: 1h}}"
    assert _problems(text) == ("line 1: defaults.delta_overload: must be at least delta, 0.2",)


def test_defaults_have_no_examples() -> None:
    assert _problems("defaults: {examples: [a, b]}")[0].startswith("line 1: defaults.examples: unk")


@pytest.mark.parametrize("name", ["Math", "a b", "x" * 65, "ä", "a.b"])
def test_what_is_no_name(name: str) -> None:
    assert "no name of a category" in _problems(f"categories:\n  {name}: {{}}\n")[0]


@pytest.mark.parametrize("name", ["x", "0", "no", "a-b_c", "y" * 64])
def test_names(name: str) -> None:
    assert name in parse_policy(f"categories: {{{name}: {{}}}}").names


def test_guarantees_add_up_to_all_at_most() -> None:
    tenth = "".join(f"  c{number}: {{quota: {{guaranteed: 0.1}}}}\n" for number in range(10))
    assert len(parse_policy(f"categories:\n{tenth}").names) == 11
    more = f"categories:\n{tenth}  more: {{quota: {{guaranteed: 0.001}}}}\n"
    assert _problems(more) == (
        "line 1: categories: the guaranteed shares add up to 1.001, more than 1",
    )


def test_the_guarantee_of_default_counts() -> None:
    text = "defaults: {quota: {guaranteed: 0.6}}\ncategories: {x: {}}"
    assert "add up to 1.2" in _problems(text)[0]


def test_the_number_of_categories_is_bounded() -> None:
    assert len(parse_policy(_many(255)).names) == 256
    assert _problems(_many(256)) == ("line 1: categories: more than 256, `default` counted",)


def _many(count: int) -> str:
    return "categories:\n" + "".join(f"  c{number}: {{}}\n" for number in range(count))


def test_examples_are_bounded() -> None:
    many = "".join(f"    - text {number}\n" for number in range(1001))
    assert (
        "1001 examples, more than 1000" in _problems(f"categories:\n  x:\n    examples:\n{many}")[0]
    )
    long = _problems(f"categories: {{x: {{examples: [a, {'b' * 2001}]}}}}")
    assert "an example of 2001 characters, more than 2000" in long[0]


def test_the_text_is_bounded() -> None:
    assert _problems("#" * (MAX_BYTES + 1)) == (f"the file is over {MAX_BYTES} bytes",)
    assert _problems("ä" * (MAX_BYTES // 2 + 1)) == (f"the file is over {MAX_BYTES} bytes",)


def test_an_example_belongs_to_one_category() -> None:
    found = _problems("categories:\n  x: {examples: [a, b]}\n  y: {examples: [a, c]}\n")
    said = "categories.y.examples: the same text is an example of categories.x"
    assert found == (f"line 3: {said}",)


def test_a_classifier_needs_two_categories() -> None:
    found = _problems("categories: {x: {examples: [a, b]}}")
    said = "only 'x' has examples: a classifier has to tell it from another"
    assert found == (f"line 1: categories: {said}",)


def test_all_problems_are_said_at_once() -> None:
    found = _problems("min_confidence: 2\ncategorie: 1\ndefaults:\n  detla: 1\n")
    assert [said.split(":")[:2] for said in found] == [
        ["line 1", " min_confidence"],
        ["line 2", " categorie"],
        ["line 4", " defaults.detla"],
    ]


def test_the_shipped_taxonomy_is_a_policy_file() -> None:
    text = files("cachemw_policies").joinpath("taxonomy.yaml").read_text("utf-8")
    policies = parse_policy(text)
    categories = policies.categories.values()
    assert all(len(policy.examples) >= 25 for policy in categories)
    assert sum(policy.quota.guaranteed for policy in categories) < 0.8
    assert policies.of("creative").delta == 0
    assert policies.of("medical").safety_critical
    assert policies.of("legal").safety_critical
    assert policies.of("customer_support").personalised
    assert policies.of("volatile").longest_ttl <= 900
    # What the classifier is not sure of may be of the strictest category.
    default = policies.of("default")
    assert default.delta == default.delta_overload == min(p.delta for p in categories if p.delta)
    assert default.longest_ttl == policies.of("medical").longest_ttl


def _accepted_or_refused(text: str) -> None:
    try:
        policies = parse_policy(text)
    except PolicyError:
        return
    assert "default" in policies.categories
    assert sum(policy.quota.guaranteed for policy in policies.categories.values()) <= 1 + 1e-6
    for policy in policies.categories.values():
        assert 0 <= policy.delta <= policy.delta_overload <= 1
        assert 0 < policy.ttl <= policy.ttl_overload
        assert policy.quota.guaranteed <= policy.quota.cap
        assert policy.priority > 0


@given(st.text(st.characters(codec=None)))
def test_any_text_is_accepted_or_refused(text: str) -> None:
    _accepted_or_refused(text)


_FRAGMENTS = [
    "categories:", "defaults:", "default:", "  ", "\n", "x:", "{", "}", "[", "]", ", ", ": ",
    "ttl", "delta", "delta_overload", "quota", "examples", "- ", "a", "1", "0.5", ".inf", "7d",
    "true", "null", "&a ", "*a", "<<", "!!int ", "!!binary ", "? ", "| ", "> ", "'", '"', "\\",
    "\\ud800", "\\U11111111", "#", "---", "...", "%YAML 1.1", "\t", "\r", "\ufeff", "\x85", "=",
]  # fmt: skip


@given(st.lists(st.sampled_from(_FRAGMENTS), max_size=40))
def test_any_row_of_fragments_is_accepted_or_refused(fragments: Sequence[str]) -> None:
    _accepted_or_refused("".join(fragments))


_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 10**30), st.floats(), st.text(max_size=8),
    st.sampled_from(["5m", "7d", 0.5, 0.1, 0.0, 1]), st.dates(), st.binary(max_size=4),
)  # fmt: skip
_KEYS = st.sampled_from((*CATEGORY_KEYS, "examples", "tll"))
_QUOTAS = st.dictionaries(st.sampled_from(["guaranteed", "cap", "gap"]), _SCALARS)
_VALUES = st.dictionaries(_KEYS, st.one_of(_SCALARS, _QUOTAS, st.lists(_SCALARS, max_size=4)))
_FILES = st.fixed_dictionaries(
    {"categories": st.dictionaries(st.sampled_from(["default", "x", "y", "Z"]), _VALUES)},
    optional={"defaults": _VALUES, "min_confidence": _SCALARS, "client_may_choose": _SCALARS},
)


@given(_FILES)
def test_any_mapping_is_accepted_or_refused(content: dict[str, Any]) -> None:
    _accepted_or_refused(yaml.safe_dump(content, allow_unicode=True))


_SHARES = st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0])
_SOUND = st.fixed_dictionaries(
    {},
    optional={
        "delta": _SHARES,
        "delta_overload": _SHARES,
        "ttl": st.sampled_from(["1h", "2h"]),
        "ttl_overload": st.sampled_from(["1h", "2h"]),
        "safety_critical": st.booleans(),
        "sliding": st.booleans(),
        "quota": st.fixed_dictionaries({}, optional={"guaranteed": _SHARES, "cap": _SHARES}),
    },
)


@given(
    st.fixed_dictionaries({"defaults": _SOUND, "categories": st.fixed_dictionaries({"x": _SOUND})})
)
def test_values_that_are_right_by_themselves_are_right_together(content: dict[str, Any]) -> None:
    _accepted_or_refused(yaml.safe_dump(content))
