"""Reads YAML with its line numbers and collects everything that is wrong with it.

The document is composed to nodes and never constructed, so that no tag can make an object, and
every value still knows its line. Aliases are refused: a few lines of them unfold to gigabytes.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Iterator

import yaml

MAX_PROBLEMS = 50
_MAX_DEPTH = 16
# libyaml's parser, where PyYAML was built with it, takes a tenth of the time.
_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DURATION = re.compile(r"(?P<count>\d+(\.\d*)?|\.\d+)\s*(?P<unit>[smhd])", re.ASCII)
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_TRUE = frozenset({"true", "yes", "on"})


class PolicyError(ValueError):
    """A policy file cannot be used; `problems` has all that is wrong, each with its line."""

    def __init__(self, problems: Collection[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class Problems:
    """What was found wrong so far."""

    def __init__(self) -> None:
        self._found: list[tuple[int, str]] = []

    def add(self, node: yaml.Node, where: str, what: str) -> None:
        """Note that the value at `where`, a dotted path, is wrong."""
        line = node.start_mark.line + 1
        self._found.append((line, f"line {line}: {where}: {what}"))

    def raise_any(self) -> None:
        """Raise a PolicyError if there were any, by line."""
        if not self._found:
            return
        lines = [text for _, text in sorted(self._found, key=lambda problem: problem[0])]
        more = len(lines) - MAX_PROBLEMS
        raise PolicyError(
            lines[:MAX_PROBLEMS] + ([f"and {more} more problems"] if more > 0 else [])
        )


def composed(text: str) -> yaml.Node:
    """Return the root of the only document in `text`; PolicyError where there is none."""
    try:
        text.encode()
        _check_events(text)
        root = yaml.compose(text, _LOADER)
    except PolicyError:
        raise
    except ValueError as error:  # an encoding error, or an escape beyond Unicode
        raise PolicyError(("the text, or an escape in it, is not Unicode",)) from error
    except yaml.MarkedYAMLError as error:
        raise PolicyError((_syntax(error),)) from error
    except yaml.YAMLError as error:
        what = str(error).partition("\n")[0]
        raise PolicyError((f"not YAML: {what}",)) from error
    if root is None:
        raise PolicyError(("the file is empty",))
    return root


def _check_events(text: str) -> None:
    # Composing recurses, in C without a limit: depth and aliases are looked at before.
    depth = documents = 0
    for event in yaml.parse(text, _LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise PolicyError((f"line {line}: anchors and aliases are not allowed",))
        if isinstance(event, yaml.ScalarEvent):
            event.value.encode()
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if documents > 1:
            raise PolicyError((f"line {line}: a second document begins; one is allowed",))
        if depth > _MAX_DEPTH:
            raise PolicyError((f"line {line}: nested more than {_MAX_DEPTH} deep",))


def _syntax(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{place}not YAML: {error.problem or error.context}"


class Fields:
    """The keys of one mapping. What is wrong is noted, and then counts as not given."""

    def __init__(
        self, node: yaml.Node, where: str, problems: Problems, known: Collection[str] | None = None
    ) -> None:
        """Check that `node` is a mapping of distinct keys, all `known` unless that is None."""
        self._node = node
        self.where = where
        self._problems = problems
        self._keys: dict[str, yaml.Node] = {}
        self._values: dict[str, yaml.Node] = {}
        if not isinstance(node, yaml.MappingNode):
            problems.add(node, where or "the file", f"must have keys and values, {_is(node)}")
            return
        for key, value in node.value:
            self._take(key, value, known)

    def _take(self, key: yaml.Node, value: yaml.Node, known: Collection[str] | None) -> None:
        if not isinstance(key, yaml.ScalarNode):
            self._problems.add(key, self.where or "the file", "a key must be a plain text")
        elif key.value in self._values:
            first = self._keys[key.value].start_mark.line + 1
            self._problems.add(key, self.path(key.value), f"given twice, first on line {first}")
        elif known is not None and key.value not in known:
            self._problems.add(key, self.path(key.value), f"unknown key{_meant(key.value, known)}")
        else:
            self._keys[key.value] = key
            self._values[key.value] = value

    def path(self, key: str) -> str:
        """Return the dotted path of a key; one too long to read is cut."""
        short = key if len(key) <= 64 else f"{key[:64]}..."
        return f"{self.where}.{short}" if self.where else short

    def wrong(self, key: str, what: str) -> None:
        """Note that what was given under `key` is wrong."""
        self._problems.add(self._keys.get(key, self._node), self.path(key), what)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def fields(self, key: str, known: Collection[str] | None = None) -> Fields | None:
        """Return the mapping under `key`, None where it is not given."""
        if key not in self._values:
            return None
        return Fields(self._values[key], self.path(key), self._problems, known)

    def number(self, key: str, low: float, high: float) -> float | None:
        """Return a number from `low` to `high`."""
        node = self._values.get(key)
        if node is None:
            return None
        if not isinstance(node, yaml.ScalarNode) or not _NUMBER.fullmatch(node.value):
            self.wrong(key, f"must be a number from {low:g} to {high:g}, {_is(node)}")
            return None
        value = float(node.value)
        if not low <= value <= high:
            self.wrong(key, f"must be from {low:g} to {high:g}, {_is(node)}")
            return None
        return value

    def seconds(self, key: str, most: float) -> float | None:
        """Return a duration above 0: seconds, or a text such as 90s, 15m, 24h, 7d."""
        node = self._values.get(key)
        if node is None:
            return None
        value = _seconds(node.value) if isinstance(node, yaml.ScalarNode) else math.nan
        if math.isnan(value):
            self.wrong(key, f"must be seconds or a text such as 90s, 15m, 24h or 7d, {_is(node)}")
        elif not 0 < value <= most:
            self.wrong(key, f"must be above 0 and at most {most / 86_400:g}d, {_is(node)}")
        else:
            return value
        return None

    def flag(self, key: str) -> bool | None:
        """Return true or false."""
        node = self._values.get(key)
        if node is None:
            return None
        if node.tag != f"{_TAG}bool" or not isinstance(node, yaml.ScalarNode):
            self.wrong(key, f"must be true or false, {_is(node)}")
            return None
        return node.value.lower() in _TRUE

    def texts(self, key: str) -> list[tuple[str, yaml.Node]]:
        """Return a list of texts, each with its node; stripped, never empty."""
        node = self._values.get(key)
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.wrong(key, f"must be a list of texts, {_is(node)}")
            return []
        texts = []
        for each in node.value:
            if each.tag != f"{_TAG}str" or not each.value.strip():
                what = f"each must be a text (in quotes, if need be), {_is(each)}"
                self._problems.add(each, self.path(key), what)
            else:
                texts.append((each.value.strip(), each))
        return texts


def _seconds(text: str) -> float:
    if _NUMBER.fullmatch(text):
        return float(text)
    found = _DURATION.fullmatch(text)
    return float(found["count"]) * _SECONDS[found["unit"]] if found else math.nan


def _is(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "and has keys"
    if isinstance(node, yaml.SequenceNode):
        return "and is a list"
    if not node.value:
        return "and is empty"
    shown = node.value if len(node.value) <= 40 else f"{node.value[:40]}..."
    return f"and is {shown!r}"


def _meant(key: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(key[:64].lower(), known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(sorted(known))}"
