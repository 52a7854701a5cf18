"""What chat completions and completions share: `choices`, finish reasons, usage on request."""

from __future__ import annotations

from typing import Any

from cachemw.endpoints.base import Collector, Json, Verdict, usage_tokens
from cachemw.endpoints.deltas import merge_delta

# What OpenAI pads chunks with, so that their length tells nothing of their text.
_PADDING = frozenset({"obfuscation"})


def choices_verdict(answer: Json, *, holds: tuple[str, type]) -> Verdict:
    """Judge an answer by the finish reasons of its choices.

    A choice without what it `holds`, by name and type, is not complete.
    """
    choices = answer.get("choices")
    reasons = [_reason(choice, *holds) for choice in choices] if isinstance(choices, list) else []
    prompt, completion = usage_tokens(answer, "prompt_tokens", "completion_tokens")
    return Verdict(
        complete=bool(reasons) and all(isinstance(r, str) and r for r in reasons),
        truncated="length" in reasons,
        blocked="content_filter" in reasons,
        prompt_tokens=prompt,
        completion_tokens=completion,
    )


def _reason(choice: Any, name: str, kind: type) -> Any:
    if not isinstance(choice, dict) or not isinstance(choice.get(name), kind):
        return None
    return choice.get("finish_reason")


class ChoicesCollector(Collector):
    """Collects chunks with `choices`, of which `expected` must come.

    `streamed` is the field of a chunk's choice that grows (`delta`), `plain` what it grows into
    (`message`); neither where a choice is its own text.
    """

    def __init__(
        self,
        object_name: str,
        expected: Any,
        *,
        streamed: str | None = None,
        plain: str | None = None,
    ) -> None:
        self._object = object_name
        self._expected = expected if isinstance(expected, int) else 1
        self._streamed = streamed
        self._plain = plain
        self._answer: Json = {}
        self._choices: dict[int, Json] = {}
        self._broken = False

    @property
    def broken(self) -> bool:
        """Whether an `error` object came in the stream."""
        return self._broken

    def feed(self, event: str | None, data: Json) -> None:
        """Take one chunk."""
        if event == "error" or data.get("error") is not None or data.get("object") == "error":
            self._broken = True
            return
        choices = data.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            index = choice.get("index", 0) if isinstance(choice, dict) else None
            if isinstance(index, int):
                self._take_choice(index, choice)
            else:
                self._broken = True
        for name, value in data.items():
            # An empty text (Azure's first chunk has an empty model) does not undo what came before.
            says = value is not None and (value != "" or name not in self._answer)
            if name != "choices" and name not in _PADDING and says:
                self._answer[name] = value

    def _take_choice(self, index: int, chunk: Json) -> None:
        choice = self._choices.setdefault(index, {"index": index})
        for name, value in chunk.items():
            if name == self._streamed:
                part = choice.setdefault(str(self._plain), {})
                merge_delta(part, value if isinstance(value, dict) else {})
            elif name == "logprobs" and value is not None:
                choice["logprobs"] = _longer(choice.get("logprobs"), value)
            elif name == "text":
                choice["text"] = choice.get("text", "") + str(value or "")
            elif value not in (None, {}, []) or name not in choice:
                choice[name] = value

    def answer(self) -> Json | None:
        """Return the plain answer once every choice has its finish reason."""
        ordered = [self._choices[index] for index in sorted(self._choices)]
        answer = {**self._answer, "object": self._object, "choices": ordered}
        holds = ("text", str) if self._plain is None else (self._plain, dict)
        complete = choices_verdict(answer, holds=holds).complete
        if self._broken or len(ordered) < self._expected or not complete:
            return None
        if self._plain is not None:
            for choice in ordered:
                _finish_message(choice[self._plain])
        return answer


def _longer(old: Any, new: Any) -> Any:
    """Continue logprobs: every list in them grows by the chunk's."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    names = list(dict.fromkeys([*old, *new]))
    return {name: _joined(old.get(name), new.get(name)) for name in names}


def _joined(old: Any, new: Any) -> Any:
    if isinstance(old, list) and isinstance(new, list):
        return old + new
    return old if new is None else new


def _finish_message(message: Json) -> None:
    """Give a collected message the fields that a plain one always has."""
    message.setdefault("role", "assistant")
    message.setdefault("content", None)
    message.setdefault("refusal", None)
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        if isinstance(call, dict):
            call.pop("index", None)  # only fragments carry it
