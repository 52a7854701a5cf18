"""Where the policies come from: the operator's file, watched for changes, or the shipped one.

Reading blocks on the disk: callers on an event loop do it in a thread (`asyncio.to_thread`). It is
bounded by the greatest size that a policy file may have.
"""

from __future__ import annotations

import logging
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from cachemw_policies.category import PolicySet
from cachemw_policies.policy_file import MAX_BYTES, parse_policy
from cachemw_policies.policy_text import PolicyError

from cachemw.errors import ConfigError

_log = logging.getLogger("cachemw.categories")
SHIPPED = "taxonomy.yaml"


def load_policy(path: Path | None) -> PolicySet:
    """Return the policies of a file, or the shipped ones for None. Blocking.

    Raises ConfigError with the file's name and everything that is wrong with it.
    """
    if path is None:
        return parse_policy(files("cachemw_policies").joinpath(SHIPPED).read_text("utf-8"))
    try:
        return parse_policy(_text(path))
    except (OSError, PolicyError) as error:
        raise ConfigError(_said(path, error)) from error


class PolicySource:
    """Looks whether a policy file has changed. Not thread-safe: one call at a time.

    The content counts, not the file: a rename over it, a swapped symbolic link (as Kubernetes
    mounts a ConfigMap) and a write in place are the same. New content is taken when two polls in a
    row have seen it, so that a file which is being written, or is gone for a moment between two
    names, changes nothing.
    """

    def __init__(self, path: Path, current: PolicySet) -> None:
        """Watch `path`, of which `current` has been read."""
        self._path = path
        self._in_force = current.digest
        #: What the last poll saw, and what was last taken or refused.
        self._last = self._judged = current.digest
        self.failed = False

    def poll(self) -> PolicySet | None:
        """Return the new policies if there are any. Blocking.

        Where the file cannot be used the old policies stay in force, `failed` is true and the log
        says so once, until the file changes again.
        """
        text, fault = "", None
        try:
            text = _text(self._path)
            seen = sha256(text.encode()).hexdigest()
        except (OSError, PolicyError) as error:
            fault = error
            seen = f"{type(error).__name__}: {error}"
        settled, self._last = seen == self._last, seen
        if not settled or seen == self._judged:
            return None
        self._judged = seen
        return self._changed(text, fault)

    def _changed(self, text: str, fault: OSError | PolicyError | None) -> PolicySet | None:
        try:
            if fault is not None:
                raise fault
            policies = parse_policy(text)
        except (OSError, PolicyError) as error:
            self.failed = True
            _log.warning("old policies stay in force: %s", _said(self._path, error, "; "))
            return None
        recovered, self.failed = self.failed, False
        if policies.digest == self._in_force:
            if recovered:
                _log.warning("policies: %s can be used again, and is as before", self._path)
            return None
        self._in_force = policies.digest
        _log.warning("policies: %s has changed, %d categories", self._path, len(policies.names))
        return policies


def _text(path: Path) -> str:
    # A pipe in its place would block for ever.
    if not path.is_file() and path.exists():
        raise PolicyError(("not a regular file",))
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise PolicyError((f"the file is over {MAX_BYTES} bytes",))
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise PolicyError((f"not UTF-8 text, at byte {error.start}",)) from error


def _said(path: Path, error: OSError | PolicyError, between: str = "\n") -> str:
    if isinstance(error, OSError):
        return f"{path}: {error.strerror or type(error).__name__}"
    return f"{path}: {between.join(error.problems)}"
