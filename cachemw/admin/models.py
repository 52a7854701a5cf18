"""What the admin endpoints take and give, as their OpenAPI description shows it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from cachemw.admin.filters import EntryFilter

Text = Annotated[str, Field(min_length=1, max_length=1024)]
Age = Annotated[float, Field(ge=0, lt=1e11, allow_inf_nan=False)]


class FilterQuery(BaseModel):
    """Which entries: all that is given must hold. Ages in seconds."""

    model_config = ConfigDict(extra="forbid")

    id: str | None = Field(None, pattern=r"^[0-9a-f]{1,64}$", description="How the id begins.")
    tenant: Text | None = None
    model: Text | None = None
    endpoint: Text | None = Field(None, examples=["chat.completions"])
    tag: Text | None = None
    category: Text | None = None
    older_than: Age | None = Field(None, description="Age in seconds, or more.")
    younger_than: Age | None = Field(None, description="Less than this age in seconds.")

    def wanted(self) -> EntryFilter:
        """Return the filter."""
        return EntryFilter(**{n: getattr(self, n) for n in FilterQuery.model_fields})


class ListQuery(FilterQuery):
    """A filter, and how many entries at most."""

    limit: int | None = Field(None, ge=1, description="Lines at most; all without it.")


class PurgeRequest(FilterQuery):
    """What to remove. Without any condition it needs `all`, so that nobody does that by mistake."""

    all: bool = False
    dry_run: bool = Field(default=False, description="Count only.")


class PurgeResult(BaseModel):
    """What was, or with `dry_run` would be, removed."""

    matched: int
    removed: int
    dry_run: bool


class DeleteResult(BaseModel):
    """The entry that is gone."""

    id: str
    removed: bool


class FaultShown(BaseModel):
    """What is wrong with a line; lines count from 1."""

    line: int
    field: str
    message: str


class ImportResult(BaseModel):
    """Counts of lines, and the first faults."""

    imported: int
    expired: int
    refused: int
    faults: list[FaultShown]


class LabelsResult(BaseModel):
    """Counts of lines, and the first faults; lines count from 1."""

    imported: int
    refused: int
    faults: list[FaultShown]
    dry_run: bool
    scale: str | None = Field(description="The verifier in force; null where none is loaded.")
    other_scale: int = Field(description="Labels of another verifier: of no use to this one.")


class EntrySummary(BaseModel):
    """What is known of an entry without reading it. Unix seconds; `size` in stored bytes."""

    id: str
    tenant: str
    endpoint: str
    model: str
    category: str
    tags: list[str]
    created_at: float
    expires_at: float
    size: int


class Entry(BaseModel):
    """A whole entry. Times are Unix seconds, durations seconds."""

    id: str
    tenant: str
    endpoint: str
    model: str
    category: str
    tags: list[str]
    created_at: float
    expires_at: float
    prompt: str
    answer: dict[str, Any]
    upstream_seconds: float
    prompt_tokens: int
    completion_tokens: int
    fingerprint: str | None = Field(description="The embedder of its vector, if it has one.")


class StatsResult(BaseModel):
    """Size of the store: entries, and their bytes before and after compression."""

    entries: int
    raw_bytes: int
    stored_bytes: int


class Trouble(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """OpenAI's error object."""

    error: Trouble
