"""The media type that server and client agree on; apart, so that neither loads the other."""

from __future__ import annotations

LINES = "application/x-ndjson"
