"""A directive tightens what the configuration allows, and a bad one is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachemw.directives import Directives, Mode, read_directives
from cachemw.errors import BadRequest


def read(ceiling: Mode = Mode.FULL, /, **headers: str) -> Directives:
    named = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return read_directives(named, ceiling)


@pytest.mark.parametrize("ceiling", Mode)
def test_without_directives_the_configuration_holds(ceiling: Mode) -> None:
    assert read(ceiling) == Directives(mode=ceiling)
    assert read(ceiling, content_type="application/json", x_other="1") == Directives(mode=ceiling)


@pytest.mark.parametrize("ceiling", Mode)
@pytest.mark.parametrize("asked", Mode)
def test_a_mode_can_only_be_lowered(asked: Mode, ceiling: Mode) -> None:
    assert read(ceiling, x_cachemw_mode=asked.name.lower()).mode is min(asked, ceiling)


@pytest.mark.parametrize("ceiling", Mode)
def test_no_other_header_raises_the_mode(ceiling: Mode) -> None:
    assert read(ceiling, cache_control="max-age=5", x_cachemw_threshold="0").mode is ceiling


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        ("no-cache", Directives(read=False)),
        ("no-store", Directives(store=False)),
        ("only-if-cached", Directives(only_if_cached=True)),
        ("max-age=60", Directives(max_age=60.0)),
        ("max-age=0", Directives(max_age=0.0, read=False)),
        ('max-age="60"', Directives(max_age=60.0)),
        (" No-Cache ,, NO-STORE ", Directives(read=False, store=False)),
        ("max-age=60, only-if-cached", Directives(max_age=60.0, only_if_cached=True)),
        ("max-stale=5, no-transform", Directives()),
        ("private, no-store-really", Directives()),
        ("", Directives()),
    ],
)
def test_cache_control(control: str, expected: Directives) -> None:
    assert read(cache_control=control) == expected


def test_own_headers() -> None:
    directives = read(
        x_cachemw_ttl="1.5",
        x_cachemw_threshold="0.97",
        x_cachemw_scope=" session-7 ",
        x_cachemw_category="code",
        x_cachemw_tags="b, a,,b",
    )

    assert directives == Directives(
        ttl=1.5, threshold=0.97, scope="session-7", category="code", tags=("a", "b")
    )


@pytest.mark.parametrize("value", ["", "soon", "-1", "nan", "inf", "1.5s"])
@pytest.mark.parametrize(
    ("header", "written", "named"),
    [
        ("cache_control", "max-age={}", "Cache-Control"),
        ("x_cachemw_ttl", "{}", "x-cachemw-ttl"),
    ],
)
def test_a_bad_duration_names_its_header(header: str, written: str, named: str, value: str) -> None:
    with pytest.raises(BadRequest, match=named) as caught:
        read(**{header: written.format(value)})
    assert caught.value.param == named


def test_max_age_needs_its_argument() -> None:
    with pytest.raises(BadRequest, match="Cache-Control"):
        read(cache_control="max-age")


@pytest.mark.parametrize("value", ["", "high", "-0.1", "1.01", "nan", "95%"])
def test_a_bad_threshold_names_its_header(value: str) -> None:
    with pytest.raises(BadRequest, match="x-cachemw-threshold") as caught:
        read(x_cachemw_threshold=value)
    assert caught.value.param == "x-cachemw-threshold"


@pytest.mark.parametrize("value", ["", "fast", "exact,semantic", "1"])
def test_a_bad_mode_names_its_header_and_what_there_is(value: str) -> None:
    with pytest.raises(BadRequest, match=r"x-cachemw-mode.*off, exact, semantic, full") as caught:
        read(x_cachemw_mode=value)
    assert caught.value.param == "x-cachemw-mode"


@pytest.mark.parametrize("header", ["x-cachemw-scope", "x-cachemw-category", "x-cachemw-tags"])
def test_a_text_without_end_names_its_header(header: str) -> None:
    with pytest.raises(BadRequest, match=header) as caught:
        read(**{header: "x" * 5000})
    assert caught.value.param == header


@pytest.mark.parametrize("tags", [",".join(map(str, range(17))), "x" * 129])
def test_tags_are_bounded(tags: str) -> None:
    with pytest.raises(BadRequest, match="x-cachemw-tags"):
        read(x_cachemw_tags=tags)


@given(
    st.sampled_from(
        [
            "cache-control",
            "x-cachemw-category",
            "x-cachemw-mode",
            "x-cachemw-scope",
            "x-cachemw-tags",
            "x-cachemw-threshold",
            "x-cachemw-ttl",
        ]
    ),
    st.binary(max_size=30),
    st.sampled_from(Mode),
)
def test_any_bytes_are_read_or_refused(header: str, value: bytes, ceiling: Mode) -> None:
    try:
        directives = read_directives({header.encode(): value}, ceiling)
    except BadRequest as error:
        assert str(error.param).lower() == header  # noqa: PT017
    else:
        assert directives.mode <= ceiling
