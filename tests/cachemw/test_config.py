"""Every key has a default and a line in the reference; a mistake is named with what was meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from cachemw.config import Config, UpstreamConfig, api_key, load_config, load_file
from cachemw.config_sections import CacheConfig, PriceConfig, Section
from cachemw.errors import ConfigError

REFERENCE = Path(__file__).parents[2] / "deploy" / "reference.yaml"
HOME = {"HOME": "/home/ann"}
UPSTREAM: dict[str, Any] = {"name": "a", "base_url": "http://a/v1"}
SECRET = "sk-very-secret"


def load(data: dict[str, Any] | None = None, /, **env: str) -> Config:
    return load_config(data, {**HOME, **env})


def refused(data: dict[str, Any] | None = None, /, **env: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(data, **env)
    return str(caught.value)


def sections() -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in Config.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield name, field.annotation


class TestDefaults:
    def test_the_lab_model_where_nothing_is_set(self) -> None:
        (upstream,) = load().upstreams

        assert (upstream.name, upstream.local) == ("lab", "lab")

    def test_the_users_cache_directory(self) -> None:
        assert load().cache_dir == Path("/home/ann/.cache/cachemw")
        assert load(XDG_CACHE_HOME="/var/cache").cache_dir == Path("/var/cache/cachemw")

    @pytest.mark.parametrize(
        ("env", "base_url", "key"),
        [
            ({"OPENAI_API_KEY": SECRET}, "https://api.openai.com/v1", SECRET),
            ({"OPENAI_BASE_URL": "http://vllm/v1"}, "http://vllm/v1", None),
            (
                {"OPENAI_BASE_URL": "http://vllm/v1", "OPENAI_API_KEY": SECRET},
                "http://vllm/v1",
                SECRET,
            ),
            (
                {"OPENAI_BASE_URL": "", "OPENAI_API_KEY": SECRET},
                "https://api.openai.com/v1",
                SECRET,
            ),
        ],
    )
    def test_openais_own_variables(
        self, env: dict[str, str], base_url: str, key: str | None
    ) -> None:
        (upstream,) = load(**env).upstreams

        assert (upstream.base_url, api_key(upstream, env)) == (base_url, key)

    def test_an_empty_variable_is_not_set(self) -> None:
        (upstream,) = load(OPENAI_API_KEY="", OPENAI_BASE_URL="").upstreams

        assert upstream.local == "lab"

    def test_a_configured_upstream_goes_before_openais_variables(self) -> None:
        (upstream,) = load({"upstreams": [UPSTREAM]}, OPENAI_API_KEY=SECRET).upstreams

        assert upstream.name == "a"


class TestUnknownKeys:
    @pytest.mark.parametrize(
        ("data", "said"),
        [
            ({"serverr": {}}, "serverr: unknown key; did you mean 'server'?"),
            ({"server": {"prot": 1}}, "server.prot: unknown key; did you mean 'port'?"),
            (
                {"upstreams": [UPSTREAM, {**UPSTREAM, "name": "b", "modles": []}]},
                "upstreams.1.modles: unknown key; did you mean 'models'?",
            ),
            (
                {"upstreams": [{**UPSTREAM, "prices": {"gpt": {"promt": 1}}}]},
                "upstreams.0.prices.gpt.promt: unknown key; did you mean 'prompt'?",
            ),
            ({"logs": {"zzz": 1}}, "logs.zzz: unknown key; known here: format, level."),
        ],
    )
    def test_is_named_with_what_was_meant(self, data: dict[str, Any], said: str) -> None:
        assert refused(data) == said

    def test_all_mistakes_are_told_at_once(self) -> None:
        said = refused({"server": {"prot": 1, "host": 5}, "mode": "fast"})

        assert {line.partition(":")[0] for line in said.splitlines()} == {
            "mode",
            "server.host",
            "server.prot",
        }


class TestBadValues:
    @pytest.mark.parametrize(
        ("data", "key", "meant"),
        [
            ({"mode": "fast"}, "mode", "'off', 'exact', 'semantic' or 'full', not 'fast'"),
            ({"mode": True}, "mode", "not True"),
            ({"server": {"port": 70000}}, "server.port", "less than or equal to 65535, not 70000"),
            ({"server": {"port": "http"}}, "server.port", "valid integer.*not 'http'"),
            ({"cache": {"ttl_seconds": 0}}, "cache.ttl_seconds", "greater than 0, not 0"),
            ({"cache": {"ttl_seconds": float("inf")}}, "cache.ttl_seconds", "finite"),
            ({"cache": {"ttl_seconds": float("nan")}}, "cache.ttl_seconds", "finite"),
            (
                {"semantic": {"min_similarity": 1.5}},
                "semantic.min_similarity",
                "less than or equal to 1",
            ),
            ({"server": []}, "server", "valid dictionary"),
            ({"upstreams": []}, "upstreams", "at least 1 item"),
            ({"upstreams": {}}, "upstreams", "valid list"),
            ({"upstreams": [{"name": "a"}]}, "upstreams.0", "either base_url or local"),
            (
                {"upstreams": [{**UPSTREAM, "local": "lab"}]},
                "upstreams.0",
                "either base_url or local",
            ),
            ({"upstreams": [{**UPSTREAM, "base_url": "a/v1"}]}, "upstreams.0", "http://"),
            (
                {"upstreams": [{**UPSTREAM, "api_key": "x", "api_key_env": "X"}]},
                "upstreams.0",
                "either api_key or api_key_env",
            ),
            ({"upstreams": [UPSTREAM, UPSTREAM]}, "upstreams", "two share the name 'a'"),
        ],
    )
    def test_names_the_key_and_what_was_meant(
        self, data: dict[str, Any], key: str, meant: str
    ) -> None:
        assert re.match(rf"{re.escape(key)}: .*{meant}", refused(data))

    def test_a_bare_off_is_a_mode_though_yaml_reads_false(self, tmp_path: Path) -> None:
        path = tmp_path / "c.yaml"
        path.write_text("mode: off\n")

        assert load_file(path, HOME).mode == "off"
        assert load(CACHEMW_MODE="off").mode == "off"

    def test_the_home_directory_may_be_a_tilde(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/ann")
        config = load({"cache_dir": "~/c", "store": {"path": "~/c/a.sqlite3"}})

        assert config.cache_dir == Path("/home/ann/c")
        assert config.store.path == Path("/home/ann/c/a.sqlite3")


class TestEnvironment:
    def test_overrides_one_key_and_leaves_the_others(self) -> None:
        config = load(
            {"server": {"port": 1, "host": "h"}},
            CACHEMW_SERVER__PORT="9000",
            CACHEMW_CACHE__STORE_TRUNCATED="true",
            CACHEMW_CACHE__TTL_SECONDS="1.5",
            CACHEMW_CACHE__KEY_HEADERS="[a, b]",
            CACHEMW_MODE="exact",
        )

        assert (config.server.port, config.server.host) == (9000, "h")
        assert (config.cache.store_truncated, config.cache.ttl_seconds) == (True, 1.5)
        assert (config.cache.key_headers, config.mode) == (["a", "b"], "exact")

    def test_does_not_change_what_it_was_given(self) -> None:
        data = {"server": {"port": 1}}

        load(data, CACHEMW_SERVER__PORT="2")

        assert data == {"server": {"port": 1}}

    def test_a_list_is_given_as_a_whole(self) -> None:
        config = load(CACHEMW_UPSTREAMS="[{name: a, base_url: http://a/v1}]")

        assert [upstream.name for upstream in config.upstreams] == ["a"]

    @pytest.mark.parametrize("data", [None, {"upstreams": [UPSTREAM]}])
    def test_an_element_of_a_list_cannot_be_set(self, data: dict[str, Any] | None) -> None:
        said = refused(data, CACHEMW_UPSTREAMS__0__NAME="b")

        assert re.match("CACHEMW_UPSTREAMS__0__NAME: .*whole list.*CACHEMW_UPSTREAMS", said)

    @pytest.mark.parametrize(
        ("name", "key"),
        [
            ("CACHEMW_SERVR__PORT", "servr"),
            ("CACHEMW_SERVER__PROT", "server.prot"),
            ("CACHEMW_PORT", "port"),
            ("CACHEMW_", ""),
            ("CACHEMW_SERVER__PORT__X", "server.port"),
            ("CACHEMW_UPSTREAMS__A__NAME", "upstreams"),
        ],
    )
    def test_an_unknown_one_is_an_error(self, name: str, key: str) -> None:
        assert refused(None, **{name: "1"}).startswith(key)

    def test_a_value_that_is_no_yaml_names_its_variable(self) -> None:
        assert refused(CACHEMW_MODE="[").startswith("CACHEMW_MODE: not a valid value")

    def test_variables_of_others_are_left_alone(self) -> None:
        assert load(CACHEMW_SHARED_DATA="/data", MODE="fast", PORT="x") == load()


class TestFile:
    def written(self, path: Path, text: str | bytes) -> Path:
        path /= "cachemw.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def test_an_empty_file_is_the_defaults(self, tmp_path: Path) -> None:
        assert load_file(self.written(tmp_path, "# nothing\n"), HOME) == load()

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("- a\n", "expected keys"),
            ("a: [\n", "not valid YAML: .*line 2"),
            ("a: b: c\n", "not valid YAML: .*line 1"),
            (b"a: \xff\n", "cannot be read"),
            ("a: \x00\n", "not valid YAML"),
        ],
    )
    def test_what_cannot_be_read_names_the_file(
        self, tmp_path: Path, text: str | bytes, said: str
    ) -> None:
        path = self.written(tmp_path, text)
        with pytest.raises(ConfigError, match=said) as caught:
            load_file(path, HOME)
        assert str(caught.value).startswith(str(path))

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read"):
            load_file(tmp_path / "nowhere.yaml", HOME)


class TestSecrets:
    @pytest.mark.parametrize(
        "upstream",
        [
            {**UPSTREAM, "api_key": SECRET, "api_key_env": "X"},
            {**UPSTREAM, "api_key": [SECRET]},
            {**UPSTREAM, "api_key": {"is": SECRET}},
            {**UPSTREAM, "api_kye": SECRET},
            {**UPSTREAM, "api_key": SECRET, "name": ""},
        ],
    )
    def test_are_in_no_error(self, upstream: dict[str, Any]) -> None:
        assert SECRET not in refused({"upstreams": [upstream]})

    def test_nor_one_of_digits_which_yaml_reads_as_a_number(self) -> None:
        said = refused({"upstreams": [{**UPSTREAM, "api_key": 48151623}]})

        assert said.startswith("upstreams.0.api_key: ")
        assert "48151623" not in said

    @pytest.mark.parametrize("text", [f"api_key: '{SECRET}\n", f"api_key: {SECRET}: x\n"])
    def test_nor_in_that_of_a_broken_file(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "c.yaml"
        path.write_text(text)
        with pytest.raises(ConfigError) as caught:
            load_file(path, HOME)
        assert SECRET not in str(caught.value)
        assert caught.value.__suppress_context__

    def test_nor_in_that_of_a_broken_variable(self) -> None:
        assert SECRET not in refused(CACHEMW_UPSTREAMS=f"[{{api_key: '{SECRET}")

    def test_nor_shown_with_the_configuration(self) -> None:
        config = load({"upstreams": [{**UPSTREAM, "api_key": SECRET}]})

        assert SECRET not in f"{config!r} {config}"
        assert api_key(config.upstreams[0], {}) == SECRET

    def test_a_named_variable_must_be_set(self) -> None:
        (upstream,) = load({"upstreams": [{**UPSTREAM, "api_key_env": "A_KEY"}]}).upstreams

        assert api_key(upstream, {"A_KEY": SECRET}) == SECRET
        for env in ({}, {"A_KEY": ""}):
            with pytest.raises(ConfigError, match=r"upstreams\.a\.api_key_env: .*A_KEY"):
                api_key(upstream, env)


class TestReference:
    def test_it_is_the_defaults(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", HOME["HOME"])  # which `~` stands for
        reference = load_file(REFERENCE, HOME)
        default = load()

        for name in Config.model_fields:
            if name != "upstreams":
                assert getattr(reference, name) == getattr(default, name), name

    def test_its_upstream_is_an_example_with_defaults(self) -> None:
        (example,) = load_file(REFERENCE, HOME).upstreams

        assert example == UpstreamConfig(name="openai", base_url="https://api.openai.com/v1")

    @pytest.mark.parametrize(("name", "section"), list(sections()))
    def test_every_key_of_a_section_is_in_it(self, name: str, section: type[BaseModel]) -> None:
        written = yaml.safe_load(REFERENCE.read_text())

        assert list(written[name]) == list(section.model_fields)

    def test_every_section_and_every_key_of_an_upstream_is_in_it(self) -> None:
        written = yaml.safe_load(REFERENCE.read_text())

        assert list(written) == list(Config.model_fields)
        assert list(written["upstreams"][0]) == list(UpstreamConfig.model_fields)

    def test_the_keys_of_a_price_are_named(self) -> None:
        assert all(f"`{name}`" in REFERENCE.read_text() for name in PriceConfig.model_fields)

    def test_every_key_has_a_comment_above_it(self) -> None:
        lines = REFERENCE.read_text().splitlines()
        keys = [
            number
            for number, line in enumerate(lines)
            if re.match(r"[ -]*[a-z_]+:( |$)", line) and line.rstrip(": ") not in _section_names()
        ]

        assert len(keys) > 50
        assert [lines[n] for n in keys if not lines[n - 1].lstrip().startswith("#")] == []


def _section_names() -> set[str]:
    return {name for name, _ in sections()} | {"upstreams"}


def test_headers_that_name_an_organisation_are_in_the_key() -> None:
    assert {"openai-organization", "openai-project"} <= set(CacheConfig().key_headers)
