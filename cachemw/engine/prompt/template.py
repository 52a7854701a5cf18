"""Messages and documents through the model's chat template, cut where the documents stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from jinja2.exceptions import TemplateError
from transformers import PreTrainedTokenizerBase

from cachemw.engine.prompt.segments import Prompt, Segment
from cachemw.engine.prompt.separator import assemble
from cachemw.errors import BadRequest
from cachemw.local.errors import UnsupportedParameter

Message = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Document:
    """A passage as chat templates know it."""

    text: str
    title: str = ""


class ChatPrompts:
    """Builds prompts. `mark` returns a new alphanumeric string that no client can guess.

    `separator`: cuts passages inside message contents when no documents are sent.
    `max_document_bytes`: bound on a document's title and text together, in UTF-8.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        *,
        mark: Callable[[], str],
        max_document_bytes: int,
        separator: str | None = None,
    ) -> None:
        self._tokenizer = tokenizer
        self._mark = mark
        self._max_bytes = max_document_bytes
        self._separator = separator
        added = tokenizer.added_tokens_decoder.values()
        self._control = tuple(token.content for token in added if token.special)

    def build(self, messages: Sequence[Message], documents: Sequence[Document] = ()) -> Prompt:
        """Return the prompt, opened for the answer.

        Raises `BadRequest` naming the field for an empty or oversized document, or messages that
        the template refuses; `UnsupportedParameter` when there is no template.
        """
        if self._tokenizer.chat_template is None:
            raise UnsupportedParameter("this model has no chat template", param="messages")
        clean = [{**m, "content": self._harmless(m.get("content", ""))} for m in messages]
        if documents:
            return self._with_documents(clean, self._checked(documents))
        return self._with_separator(clean)

    def _with_separator(self, messages: Sequence[Message]) -> Prompt:
        if not self._separator:
            return Prompt.plain(self._encode(self._render(messages)))
        mark = self._mark()
        marked = [{**m, "content": m["content"].replace(self._separator, mark)} for m in messages]
        pieces = self._render(marked).split(mark)
        return assemble(pieces, self._encode, first=self._encode, param="messages")

    def _with_documents(self, messages: Sequence[Message], documents: Sequence[Document]) -> Prompt:
        marks = [self._mark() for _ in documents]
        marked = [
            {"title": document.title, "text": mark}
            for document, mark in zip(documents, marks, strict=True)
        ]
        between = _cut(self._render(messages, marked), marks)
        texts = [document.text for document in documents]
        if between is None:  # the template does not know documents
            between = _cut(self._render(_put_in_front(messages, "".join(marks))), marks)
            texts = [_passage(document) for document in documents]
        if between is None:
            raise BadRequest("the model's chat template shows no documents", param="documents")
        return self._joined(between, texts)

    def _joined(self, between: Sequence[str], texts: Sequence[str]) -> Prompt:
        segments = [Segment(self._encode(between[0]), reusable=True)]
        for at, (text, behind) in enumerate(zip(texts, between[1:], strict=True)):
            tokens = self._encode(text)
            if not tokens:
                raise BadRequest("the document has no tokens", param=f"documents[{at}].text")
            segments.append(Segment(tokens, reusable=True))
            segments.append(Segment(self._encode(behind), reusable=False))
        if not segments[-1].tokens:
            raise BadRequest("no question follows the last document", param="messages")
        return Prompt(tuple(segment for segment in segments if segment.tokens))

    def _checked(self, documents: Sequence[Document]) -> list[Document]:
        checked = []
        for at, document in enumerate(documents):
            if len((document.title + document.text).encode()) > self._max_bytes:
                raise BadRequest(
                    f"the document is over {self._max_bytes} bytes", param=f"documents[{at}].text"
                )
            clean = Document(self._harmless(document.text), self._harmless(document.title))
            if not clean.text.strip():
                raise BadRequest("the document is empty", param=f"documents[{at}].text")
            checked.append(clean)
        return checked

    def _render(
        self, messages: Sequence[Message], documents: list[dict[str, str]] | None = None
    ) -> str:
        try:
            return str(
                self._tokenizer.apply_chat_template(
                    [dict(message) for message in messages],
                    documents=documents,
                    add_generation_prompt=True,
                    tokenize=False,
                )
            )
        except (TemplateError, TypeError, ValueError) as error:  # a template is a program
            # Its message may quote the conversation; its type never does.
            raise BadRequest(
                f"the model's chat template refuses these messages ({type(error).__name__})",
                param="messages",
            ) from None

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text, add_special_tokens=False, verbose=False))

    def _harmless(self, text: str) -> str:
        before = None
        while before != text:  # taking one control token out can put another together
            before = text
            for token in self._control:
                text = text.replace(token, "")
        return text


def _cut(text: str, marks: Sequence[str]) -> list[str] | None:
    """Return what stands around the marks; None unless each stands there once, in order."""
    if any(text.count(mark) != 1 for mark in marks):
        return None
    pieces = []
    for mark in marks:
        before, found, text = text.partition(mark)
        if not found:
            return None
        pieces.append(before)
    return [*pieces, text]


def _put_in_front(messages: Sequence[Message], text: str) -> list[Message]:
    for at in reversed(range(len(messages))):
        if messages[at]["role"] == "user":
            asked = {**messages[at], "content": text + messages[at]["content"]}
            return [*messages[:at], asked, *messages[at + 1 :]]
    raise BadRequest("documents need a user's message to stand in front of", param="messages")


def _passage(document: Document) -> str:
    title = f"{document.title}\n" if document.title else ""
    return f"{title}{document.text}\n\n"
