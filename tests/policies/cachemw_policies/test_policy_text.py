from __future__ import annotations

import pytest
from cachemw_policies.policy_text import MAX_PROBLEMS, Fields, PolicyError, Problems, composed

KNOWN = ("delta", "ttl", "sliding", "examples", "inner")


def _fields(text: str) -> tuple[Fields, Problems]:
    problems = Problems()
    return Fields(composed(text), "", problems, KNOWN), problems


def _wrong(problems: Problems) -> tuple[str, ...]:
    with pytest.raises(PolicyError) as raised:
        problems.raise_any()
    return raised.value.problems


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the file is empty"),
        ("# nothing\n", "the file is empty"),
        ("a:\n  b: 1\n c: 2\n", "line 3, column 2: not YAML: did not find expected key"),
        ("a: &x 1\nb: 2", "line 1: anchors and aliases are not allowed"),
        ("b: *x", "line 1: anchors and aliases are not allowed"),
        ("a: 1\n---\nb: 1", "line 2: a second document begins; one is allowed"),
        ("a:\n " + "[" * 16 + "]" * 16, "line 2: nested more than 16 deep"),
        ("a: \x00", "not YAML: unacceptable character #x0000: control characters are not allowed"),
        ("a: \ud800", "the text, or an escape in it, is not Unicode"),
    ],
)
def test_what_is_no_document(text: str, problem: str) -> None:
    with pytest.raises(PolicyError) as raised:
        composed(text)
    assert raised.value.problems == (problem,)


def test_deep_nesting_is_refused_before_anything_recurses() -> None:
    with pytest.raises(PolicyError, match="nested more than"):
        composed("[" * 100_000)


def test_a_tag_makes_no_object() -> None:
    fields, problems = _fields("sliding: !!python/object/apply:os.getcwd []")
    assert fields.flag("sliding") is None
    assert _wrong(problems) == ("line 1: sliding: must be true or false, and is a list",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("detla: 1", "line 1: detla: unknown key; did you mean 'delta'?"),
        (
            "zzz: 1",
            "line 1: zzz: unknown key; known are delta, examples, inner, sliding, ttl",
        ),
        ("delta: 1\nttl: 1\ndelta: 2", "line 3: delta: given twice, first on line 1"),
        ("- a", "line 1: the file: must have keys and values, and is a list"),
        ("[a]: 1", "line 1: the file: a key must be a plain text"),
    ],
)
def test_what_are_no_fields(text: str, problem: str) -> None:
    assert _wrong(_fields(text)[1]) == (problem,)


@pytest.mark.parametrize(
    ("text", "expected"), [("0", 0.0), ("1", 1.0), (".5", 0.5), ("5.e-1", 0.5), ("'0.25'", 0.25)]
)
def test_numbers(text: str, expected: float) -> None:
    fields, problems = _fields(f"delta: {text}")
    assert fields.number("delta", 0.0, 1.0) == expected
    problems.raise_any()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (".nan", "must be a number from 0 to 1, and is '.nan'"),
        (".inf", "must be a number from 0 to 1, and is '.inf'"),
        ("1e999", "must be from 0 to 1, and is '1e999'"),
        ("-0.1", "must be from 0 to 1, and is '-0.1'"),
        ("0x1", "must be a number from 0 to 1, and is '0x1'"),
        ("1:30", "must be a number from 0 to 1, and is '1:30'"),
        ("", "must be a number from 0 to 1, and is empty"),
        ("{a: 1}", "must be a number from 0 to 1, and has keys"),
        ("٣", "must be a number from 0 to 1, and is '٣'"),
    ],
)
def test_what_is_no_number(text: str, problem: str) -> None:
    fields, problems = _fields(f"delta: {text}")
    assert fields.number("delta", 0.0, 1.0) is None
    assert _wrong(problems) == (f"line 1: delta: {problem}",)


def test_a_long_row_of_digits_costs_no_time() -> None:
    # Quadratic backtracking would take minutes.
    fields, _ = _fields(f"ttl: {'1' * 500_000}x")
    assert fields.seconds("ttl", 10.0) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("24h", 86_400), ("7d", 604_800), ("1.5 h", 5_400), ("30", 30)],
)
def test_durations(text: str, seconds: float) -> None:
    fields, problems = _fields(f"ttl: {text}")
    assert fields.seconds("ttl", 1e6) == seconds
    problems.raise_any()


@pytest.mark.parametrize("text", ["0", "0s", "-1", "2000000", "1e9d"])
def test_durations_out_of_range(text: str) -> None:
    fields, problems = _fields(f"ttl: {text}")
    assert fields.seconds("ttl", 864_000) is None
    assert _wrong(problems)[0].startswith("line 1: ttl: must be ")


def test_a_duration_of_an_unknown_unit() -> None:
    fields, problems = _fields("ttl: 2w")
    assert fields.seconds("ttl", 1e9) is None
    said = "must be seconds or a text such as 90s, 15m, 24h or 7d, and is '2w'"
    assert _wrong(problems) == (f"line 1: ttl: {said}",)


@pytest.mark.parametrize(
    ("text", "expected"), [("true", True), ("Yes", True), ("on", True), ("off", False)]
)
def test_flags(text: str, expected: bool) -> None:
    assert _fields(f"sliding: {text}")[0].flag("sliding") is expected


@pytest.mark.parametrize("text", ["1", "'true'", "", "[true]"])
def test_what_is_no_flag(text: str) -> None:
    fields, problems = _fields(f"sliding: {text}")
    assert fields.flag("sliding") is None
    assert _wrong(problems)[0].startswith("line 1: sliding: must be true or false")


def test_texts_know_their_lines() -> None:
    fields, problems = _fields("examples:\n- ' a '\n- >\n  b\n  c\n")
    assert [(t, n.start_mark.line) for t, n in fields.texts("examples")] == [("a", 1), ("b c", 2)]
    problems.raise_any()


def test_what_are_no_texts() -> None:
    fields, problems = _fields("examples:\n- a\n- 42\n- ''\n- {b: c}\n")
    assert [text for text, _ in fields.texts("examples")] == ["a"]
    assert [said.partition(": examples")[0] for said in _wrong(problems)] == [
        "line 3",
        "line 4",
        "line 5",
    ]


def test_a_text_alone_is_no_list() -> None:
    fields, problems = _fields("examples: a")
    assert fields.texts("examples") == []
    assert _wrong(problems) == ("line 1: examples: must be a list of texts, and is 'a'",)


def test_inner_fields_have_their_path() -> None:
    fields, problems = _fields("inner:\n  delta: 7\n")
    inner = fields.fields("inner", KNOWN)
    assert inner is not None
    assert inner.number("delta", 0.0, 1.0) is None
    assert _wrong(problems) == ("line 2: inner.delta: must be from 0 to 1, and is '7'",)


def test_what_is_not_given_is_not_wrong() -> None:
    fields, problems = _fields("inner: {}")
    assert fields.fields("delta") is None
    assert fields.number("delta", 0.0, 1.0) is None
    assert fields.seconds("ttl", 1.0) is None
    assert fields.flag("sliding") is None
    assert fields.texts("examples") == []
    assert list(fields) == ["inner"]
    problems.raise_any()


def test_problems_come_by_line_and_are_bounded() -> None:
    lines = "\n".join(f"unknown{number}: 1" for number in range(MAX_PROBLEMS + 7))
    said = _wrong(_fields(lines)[1])
    assert len(said) == MAX_PROBLEMS + 1
    assert said[-1] == "and 7 more problems"
    assert [line.split(":")[0] for line in said[:3]] == ["line 1", "line 2", "line 3"]


def test_long_keys_and_values_are_cut() -> None:
    assert all(len(line) < 300 for line in _wrong(_fields(f"{'k' * 900}: {'v' * 900}")[1]))
