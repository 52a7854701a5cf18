"""Structured logs: one JSON object a line, or plain lines for people."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

import orjson

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


class JsonFormatter(logging.Formatter):
    """Time (UTC), level, logger, message, and the record's extra fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
            **_extra(record),
        }
        try:
            return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        except orjson.JSONEncodeError:  # half a surrogate pair, or a number past 64 bits
            return json.dumps({name: str(value) for name, value in line.items()})


class PlainFormatter(logging.Formatter):
    """The same on a line for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        extra = "".join(f" {name}={value}" for name, value in _extra(record).items())
        when = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        return f"{when} {record.levelname.lower():7} {_message(record)}{extra}"


def _message(record: logging.LogRecord) -> str:
    """Return the first line: asyncio puts the repr of a failed task, error and all, below it."""
    return record.getMessage().partition("\n")[0]


def _extra(record: logging.LogRecord) -> dict[str, object]:
    """Return the record's own fields. Of exceptions the kind alone: the text may quote a prompt."""
    extra = {
        name: type(value).__name__ if isinstance(value, BaseException) else value
        for name, value in vars(record).items()
        if name not in _STANDARD
    }
    if record.exc_info and record.exc_info[0] is not None:
        extra["error"] = record.exc_info[0].__name__
    return extra


def set_up_logs(level: str, form: str) -> None:
    """Send all logs to standard error; `form` is `json` or `plain`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else PlainFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # A record and not a message: it is kept at every level.
    logging.getLogger("cachemw.audit").setLevel(logging.INFO)
    # Libraries that log each request, and at times its content.
    for name in ("httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.WARNING)
