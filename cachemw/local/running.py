"""A model that another process runs: `LocalModelProcess` for those who only use it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cachemw.errors import UpstreamUnavailable

_LOOK_EVERY_S = 0.05


class RunningModel:
    """The model `name` behind `socket_path`, started and restarted elsewhere."""

    def __init__(self, name: str, socket_path: Path) -> None:
        self._name = name
        self.socket_path = socket_path

    async def start(self) -> None:
        """Nothing to start."""

    async def wait_ready(self, timeout_s: float) -> None:
        """Return once the model answers; `UpstreamUnavailable` after `timeout_s` seconds.

        Its socket takes connections from when it is loaded until its process ends.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while not await self._accepts():  # noqa: ASYNC110 - another process changes it
                    await asyncio.sleep(_LOOK_EVERY_S)
        except TimeoutError:
            raise UpstreamUnavailable(
                f"the local model '{self._name}' is not ready after {timeout_s:g} s"
            ) from None

    async def aclose(self) -> None:
        """Nothing to stop."""

    async def _accepts(self) -> bool:
        try:
            _, writer = await asyncio.open_unix_connection(self.socket_path)
        except OSError:
            return False
        writer.close()
        return True
