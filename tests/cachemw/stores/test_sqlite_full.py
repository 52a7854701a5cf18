"""The SQLite store on a disk that is full: nothing is lost, reading goes on, writing comes back."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cachemw

REPOSITORY = Path(cachemw.__file__).parents[1]

#: Fills the disk (in the way that the last argument says), goes on, makes room, goes on.
CHILD = """
import asyncio, random, resource, signal, sys, time
from pathlib import Path
from cachemw.errors import StoreUnavailable
from cachemw.stores.base import Document
from cachemw.stores.settings import StoreSettings
from cachemw.stores.table import make_store

folder, full_by = Path(sys.argv[1]), sys.argv[2]
ballast = folder / "ballast"

def document(number):
    return Document(
        key=number.to_bytes(32, "big"), tenant="t", endpoint="e", model="m", created_at=0.0,
        expires_at=1e12, prompt=str(number), body=random.Random(number).randbytes(20_000),
        upstream_seconds=1.0, prompt_tokens=1, completion_tokens=1)

def fill():
    if full_by == "limit":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
        return
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass

def make_room():
    if full_by == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    else:
        ballast.unlink()

async def put_until(store, first, refused):
    '''Put until that is refused, or no longer; returns the numbers of what was put.'''
    done = []
    for number in range(first, first + 1000):
        try:
            await store.put(document(number))
        except StoreUnavailable:
            if refused:
                return done
            continue
        done.append(number)
        if not refused and len(done) == 10:
            return done
    sys.exit(f"1000 puts and none was {'refused' if refused else 'accepted'}")

async def check(store, numbers):
    for number in numbers:
        assert await store.get(document(number).key) == document(number), number
    assert (await store.stats()).entries == len(numbers)

async def main():
    settings = StoreSettings(path=folder / "a.sqlite3", timeout_s=30.0, write_timeout_s=30.0)
    store = make_store(settings, time.time, lambda key: sys.exit("corrupt"))
    await store.start()
    start = await store.newest()
    await store.put(document(0))
    fill()
    put = [0, *await put_until(store, 1, refused=True)]
    for _ in range(3):
        await put_until(store, 5000, refused=True)
        await check(store, put)
        assert len((await store.changes(start, 10_000)).changes) == len(put)
    make_room()
    put += await put_until(store, 10_000, refused=False)
    await check(store, put)
    changes = (await store.changes(start, 10_000)).changes
    assert [key for change in changes for key in change.keys] == [document(n).key for n in put]
    await store.aclose()
    again = make_store(settings, time.time, lambda key: sys.exit("corrupt"))
    await again.start()
    await check(again, put)
    await again.aclose()
    print("refused after", len(put) - 11)

asyncio.run(main())
"""


def run(command: list[str], folder: Path, full_by: str) -> str:
    ended = subprocess.run(
        [*command, sys.executable, "-c", CHILD, str(folder), full_by],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_files_that_may_not_grow_refuse_writes_until_they_may(tmp_path: Path) -> None:
    assert run([], tmp_path, "limit").startswith("refused after")


#: A disk of two megabytes that only the child sees, and that goes when it ends.
_SMALL_DISK = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
_MOUNT = 'mount -t tmpfs -o size=2m none "$0" && exec "$@"'


def can_mount(folder: Path) -> bool:
    if shutil.which("unshare") is None:
        return False
    command = [*_SMALL_DISK, _MOUNT, str(folder), "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_full_disk_refuses_writes_until_there_is_room(tmp_path: Path) -> None:
    if not can_mount(tmp_path):
        pytest.skip("no disk can be made here; the test of files that may not grow has run")
    assert run([*_SMALL_DISK, _MOUNT, str(tmp_path)], tmp_path, "disk").startswith("refused after")
