"""A schema-true fake of the OpenAI API: deterministic answers, and every way to fail.

    behaviour.py   what a request asks for: `x-fake: tools=2;chunk-bytes=1`
    answer.py      the content, derived from a hash of the request
    chat.py, completions.py, responses.py, embeddings.py, models.py   one API's shape each
    passthrough.py files, downloads, slow streams, echo: everything that no cache may touch
    slots.py       a capacity: answers at once, and a queue
    sse.py         events, and what can be wrong with them
    wire.py        the only file that talks ASGI
    app.py         a request's path through all of these

Run it with `python -m loadtests.fake_upstream --port 9000`, or serve a `FakeUpstream()` in a test.
"""

from loadtests.fake_upstream.app import FakeUpstream
from loadtests.fake_upstream.record import Seen

__all__ = ["FakeUpstream", "Seen"]
