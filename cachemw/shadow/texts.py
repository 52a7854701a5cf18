"""What a stored or fetched answer says, as one text."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cachemw.endpoints.base import Json

# Some models write their reasoning into the answer itself.
_THOUGHTS = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Said:
    """The text of an answer; `refuses` where the API itself marks it as a refusal."""

    text: str
    refuses: bool = False


def said(endpoint: str, answer: Json) -> Said | None:
    """Return what an answer says; None where that is not one text.

    Several choices, tool calls and endpoints without texts are None, and so is any shape that the
    API does not have.
    """
    reader = _READERS.get(endpoint)
    found = None if reader is None else reader(answer)
    if found is None:
        return None
    text = _THOUGHTS.sub("", found.text).strip()
    return Said(text, found.refuses) if text else None


def _chat(answer: Json) -> Said | None:
    choice = _only(answer.get("choices"))
    message = None if choice is None else choice.get("message")
    if not isinstance(message, dict) or message.get("tool_calls") or message.get("function_call"):
        return None
    refusal, content = message.get("refusal"), message.get("content")
    if isinstance(refusal, str) and refusal:
        return Said(refusal, refuses=True)
    return Said(content) if isinstance(content, str) else None


def _completion(answer: Json) -> Said | None:
    choice = _only(answer.get("choices"))
    text = None if choice is None else choice.get("text")
    return Said(text) if isinstance(text, str) else None


def _response(answer: Json) -> Said | None:
    output = answer.get("output")
    if not isinstance(output, list):
        return None
    texts: list[str] = []
    refuses = False
    for item in output:
        kind = item.get("type") if isinstance(item, dict) else None
        if kind == "reasoning":
            continue
        content = item.get("content") if kind == "message" else None
        if not isinstance(content, list):
            return None  # a call of a tool, or nothing we know
        for part in content:
            refused = isinstance(part, dict) and part.get("type") == "refusal"
            text = part.get("refusal" if refused else "text") if isinstance(part, dict) else None
            if not isinstance(text, str):
                return None
            texts.append(text)
            refuses = refuses or refused
    return Said("\n".join(texts), refuses)


def _only(choices: Any) -> Json | None:
    if not isinstance(choices, list) or len(choices) != 1:
        return None
    return choices[0] if isinstance(choices[0], dict) else None


_READERS: dict[str, Callable[[Json], Said | None]] = {
    "chat.completions": _chat,
    "completions": _completion,
    "responses": _response,
}
