"""`cachemw demo`: a backend, a proxy, a realistic session, a table, and how to go on from there."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn
from rich.console import Console

from cachemw.app import build
from cachemw.config import Config, default_cache_dir, load_config
from cachemw.demo.client import Outcome, ask
from cachemw.demo.report import print_json, print_summary, print_table
from cachemw.demo.session import session
from cachemw.errors import CachemwError
from cachemw.logs import set_up_logs

MODEL = "cachemw-lab"
_READY_SECONDS = 180.0

_TRY_IT = """
Try it yourself{keep}:

  curl -i {base}/chat/completions -H 'content-type: application/json' \\
    -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "What is a proxy?"}}]}}'

  from openai import OpenAI
  client = OpenAI(base_url="{base}", api_key="anything")
  answer = client.chat.completions.create(
      model="{model}", messages=[{{"role": "user", "content": "What is a proxy?"}}])

Send it twice and look at the header x-cachemw-layer. Metrics: {root}/metrics"""


class DemoFailed(CachemwError):
    """The demonstration could not be run; the message says why."""


def run_demo(*, keep: bool, as_json: bool) -> int:
    """Run the demonstration; returns 0 if every request was answered from the expected layer."""
    set_up_logs("warning", "plain")
    console = Console(stderr=as_json)
    with tempfile.TemporaryDirectory(prefix="cachemw-demo-") as folder:
        config = _config(Path(folder))
        with (
            _serving(config, console) as root,
            httpx.Client(base_url=f"{root}/v1", timeout=_READY_SECONDS) as client,
        ):
            outcomes = [ask(client, MODEL, step) for step in session()]
            _print(console, outcomes, as_json=as_json)
            hint = "" if keep else " (with --keep this proxy goes on running)"
            if not as_json:
                text = _TRY_IT.format(base=f"{root}/v1", root=root, model=MODEL, keep=hint)
                console.print(text, highlight=False, markup=False, soft_wrap=True)
            if keep:
                _until_interrupted(console, root)
    return 0 if all(outcome.as_expected for outcome in outcomes) else 1


def _config(folder: Path) -> Config:
    """Embedded defaults with a store of its own; the model prepared once stays for next time.

    The lab model computes on the same cores, so that the verifier may take its time.
    """
    lab = {"name": "lab", "local": "lab", "default_model": MODEL}
    store = {"path": str(folder / "answers.sqlite3")}
    cache_dir = str(default_cache_dir(os.environ))
    # No checks in the background: what is shown would compete with them for the processor.
    tuned = {"shadow": {"share": 0}, "semantic": {"verify_seconds": 2.0}}
    settings = {"cache_dir": cache_dir, "store": store, "upstreams": [lab], **tuned}
    return load_config(settings, env={})


@contextmanager
def _serving(config: Config, console: Console) -> Iterator[str]:
    """Serve in a thread on a free port; yields the root URL once everything answers."""
    service = build(config, env={})
    settings = uvicorn.Config(
        service.asgi, host="127.0.0.1", port=0, http="httptools", log_config=None, access_log=False
    )
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run, name="cachemw-demo")
    thread.start()
    try:
        with console.status("starting cachemw and loading a small language model ..."):
            root = _ready(server, thread)
        yield root
    finally:
        server.should_exit = True
        thread.join()


def _ready(server: uvicorn.Server, thread: threading.Thread) -> str:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and thread.is_alive():
        if server.started:
            port = server.servers[0].sockets[0].getsockname()[1]
            root = f"http://127.0.0.1:{port}"
            # The list of models comes from the backend itself: it waits until the model is loaded.
            if httpx.get(f"{root}/readyz").is_success:
                httpx.get(f"{root}/v1/models", timeout=_READY_SECONDS).raise_for_status()
                return root
        time.sleep(0.05)
    raise DemoFailed("The proxy did not become ready; see the messages above.")


def _print(console: Console, outcomes: list[Outcome], *, as_json: bool) -> None:
    if as_json:
        print_json(outcomes)
        return
    print_table(console, outcomes)
    print_summary(console, outcomes)


def _until_interrupted(console: Console, root: str) -> None:
    console.print(f"\nRunning on {root} until you press Ctrl-C.")
    sys.stdout.flush()
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.print("stopping")
