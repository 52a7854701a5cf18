"""The admin endpoints from the other side: what the command line says to a running server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
import orjson

from cachemw.admin.media import LINES
from cachemw.errors import CachemwError

Json = dict[str, Any]

_ID_LENGTH = 64
# Reading is slow where a rare condition has to be looked for in a large store.
_TIMEOUT = httpx.Timeout(10.0, read=300.0)


class AdminFailed(CachemwError):
    """The server refused, failed, or is not there; the message is for people."""


class NoSuchEntry(AdminFailed):
    """There is no entry under an id, or more than one."""


class AdminClient:
    """Speaks to the server at `url`. Every method may raise AdminFailed."""

    def __init__(self, url: str, token: str, transport: httpx.BaseTransport | None = None) -> None:
        self._url = url
        self._http = httpx.Client(
            base_url=url,
            headers={"authorization": f"Bearer {token}"},
            timeout=_TIMEOUT,
            transport=transport,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def stats(self) -> Json:
        """Return the size of the store."""
        return self._json("GET", "/cache/stats")

    def categories(self) -> list[Json]:
        """Return what is known of each category."""
        found: list[Json] = self._json("GET", "/cache/categories")["categories"]
        return found

    def entries(self, wanted: Mapping[str, Any], limit: int | None = None) -> Iterator[Json]:
        """Yield what is known of entries."""
        more = {} if limit is None else {"limit": limit}
        for line in self._lines("GET", "/cache/entries", params={**wanted, **more}):
            yield orjson.loads(line)

    def full_id(self, begin: str) -> str:
        """Return the one id that begins so. Raises NoSuchEntry."""
        if len(begin) == _ID_LENGTH:
            return begin
        found = [entry["id"] for entry in self.entries({"id": begin}, limit=2)]
        if len(found) != 1:
            what = "several entries" if found else "no entry"
            raise NoSuchEntry(f"There is {what} with an id that begins with {begin}.")
        return str(found[0])

    def get(self, entry_id: str) -> Json:
        """Return a whole entry. Raises NoSuchEntry."""
        return self._json("GET", f"/cache/entries/{entry_id}")

    def delete(self, entry_id: str) -> None:
        """Remove an entry. Raises NoSuchEntry."""
        self._json("DELETE", f"/cache/entries/{entry_id}")

    def purge(self, wanted: Mapping[str, Any], *, dry_run: bool) -> Iterator[Json]:
        """Yield the counts of a purge as it goes on; the last are the result."""
        body = {**wanted, "all": not wanted, "dry_run": dry_run}
        headers, told = {"accept": LINES}, False
        for line in self._lines("POST", "/cache/purge", json=body, headers=headers):
            told = True
            yield orjson.loads(line)
        if not told:
            raise AdminFailed(f"{self._url} does not answer like cachemw.")

    def export(self, wanted: Mapping[str, Any]) -> Iterator[bytes]:
        """Yield exported lines, without their ends."""
        return self._lines("GET", "/cache/export", params=wanted)

    def load(self, chunks: Iterable[bytes], *, keep_going: bool) -> Json:
        """Import what `chunks` make up together; returns the counts."""
        return self._sent("/cache/import", chunks, {"keep_going": keep_going})

    def load_labels(self, chunks: Iterable[bytes], *, keep_going: bool, dry_run: bool) -> Json:
        """Import labels, likewise."""
        wanted = {"keep_going": keep_going, "dry_run": dry_run}
        return self._sent("/cache/labels", chunks, wanted)

    def _sent(self, path: str, chunks: Iterable[bytes], params: Mapping[str, Any]) -> Json:
        self.stats()  # whoever may not is told before anything is sent
        headers = {"content-type": LINES}
        return self._json("POST", path, params=params, content=iter(chunks), headers=headers)

    def _json(self, method: str, path: str, **request: Any) -> Json:
        with self._failures():
            reply = self._http.request(method, path, **request)
            _check(reply)
            found: Json = orjson.loads(reply.content)
            return found

    def _lines(self, method: str, path: str, **request: Any) -> Iterator[bytes]:
        with self._failures(), self._http.stream(method, path, **request) as reply:
            if reply.is_error:
                reply.read()
            _check(reply)
            rest = b""
            for chunk in reply.iter_bytes():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.startswith(b'{"error":'):
                        raise AdminFailed(_message(line))
                    yield line
            if rest:
                raise AdminFailed(f"The exchange with {self._url} broke off within a line.")

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectError:
            raise AdminFailed(
                f"No server answers at {self._url}. Start one with 'cachemw serve', or name "
                "another with --url."
            ) from None
        except httpx.HTTPError as error:
            kind = type(error).__name__
            raise AdminFailed(f"The exchange with {self._url} broke off ({kind}).") from None
        except orjson.JSONDecodeError:
            raise AdminFailed(f"{self._url} does not answer like cachemw.") from None


def _check(reply: httpx.Response) -> None:
    if not reply.is_error:
        return
    kind = NoSuchEntry if reply.status_code == httpx.codes.NOT_FOUND else AdminFailed
    raise kind(_message(reply.content) or f"The server answers {reply.status_code}.")


def _message(body: bytes) -> str:
    try:
        return str(orjson.loads(body)["error"]["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""
