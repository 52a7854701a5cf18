"""The admin endpoints, over real stores."""

from __future__ import annotations

import logging

import orjson
import pytest

from tests.cachemw.admin.conftest import MAX_LINE, TOKEN, Admin, admin_over, document, embedded
from tests.support.service import Clock


async def test_a_list_says_what_is_known_and_no_text(admin: Admin) -> None:
    await admin.put(document(1), document(2, tenant="bob"))
    lines = await admin.lines("/cache/entries", "tenant=bob")
    (line,) = lines
    assert line.pop("size") > 0
    assert line == {
        "id": document(2).key.hex(),
        "tenant": "bob",
        "endpoint": "chat.completions",
        "model": "m",
        "category": "default",
        "tags": ["a", "ü"],
        "created_at": document(2).created_at,
        "expires_at": 1_100_000.0,
    }


async def test_conditions_narrow_together(admin: Admin) -> None:
    old = document(500, tags=("x",), category="code")
    await admin.put(document(1), document(2, tenant="bob"), document(3, model="n"), old)
    assert await admin.ids() == {document(n).key.hex() for n in (1, 2, 3, 500)}
    assert await admin.ids("tag=x") == {old.key.hex()}
    assert await admin.ids("category=code&tenant=bob") == set()
    assert await admin.ids("older_than=500") == {old.key.hex()}
    assert await admin.ids("younger_than=500&model=n") == {document(3).key.hex()}
    assert await admin.ids(f"id={old.key.hex()[:10]}") == {old.key.hex()}
    assert len(await admin.lines("/cache/entries", "limit=3")) == 3


async def test_an_entry_with_its_answer(admin: Admin) -> None:
    (stored,) = await admin.put(document(1, embedded=embedded(1)))
    reply = await admin.call("GET", f"/cache/entries/{stored.key.hex()}")
    assert reply.status == 200
    entry = reply.json()
    assert entry["prompt"] == stored.prompt
    assert entry["answer"] == orjson.loads(stored.body)
    assert entry["fingerprint"] == "f" * 16
    assert reply.header("cache-control") == "no-store"


async def test_what_is_deleted_is_gone_from_store_and_memory(admin: Admin) -> None:
    kept, gone = await admin.put(document(1), document(2))
    path = f"/cache/entries/{gone.key.hex()}"
    assert (await admin.call("DELETE", path)).json() == {"id": gone.key.hex(), "removed": True}
    assert await admin.store.get(gone.key) is None
    assert await admin.store.get(kept.key) is not None
    assert admin.forgotten == [gone.key]
    again = await admin.call("DELETE", path)
    assert again.status == (await admin.call("GET", path)).status == 404
    assert again.json()["error"]["param"] == "id"


async def test_a_purge_removes_what_matches(admin: Admin) -> None:
    await admin.put(*(document(n, tenant="bob" if n % 3 else "alice") for n in range(900)))
    wanted = {"tenant": "bob"}
    counts = {"matched": 600, "removed": 0, "dry_run": True}
    dry = await admin.call("POST", "/cache/purge", wanted | {"dry_run": True})
    assert dry.json() == counts
    assert not admin.forgotten
    real = await admin.call("POST", "/cache/purge", wanted)
    assert real.json() == {"matched": 600, "removed": 600, "dry_run": False}
    assert len(await admin.ids()) == 300
    assert await admin.ids("tenant=bob") == set()
    assert len(set(admin.forgotten)) == 600


async def test_a_purge_tells_how_far_it_is(admin: Admin) -> None:
    await admin.put(*(document(n) for n in range(20)))
    headers = {"accept": "application/x-ndjson"}
    reply = await admin.call("POST", "/cache/purge", {"all": True}, headers=headers)
    *_, last = [orjson.loads(line) for line in reply.body.splitlines()]
    assert last == {"matched": 20, "removed": 20, "dry_run": False}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{}", "all"),
        (b'{"all": false}', "all"),
        (b'{"all": "true"}', "all"),
        (b'{"tennant": "x"}', "tennant"),
        (b'{"tenant": ""}', "tenant"),
        (b'{"tenant": null}', "all"),
        (b'{"id": "XYZ"}', "id"),
        (b'{"older_than": -1}', "older_than"),
        (b'{"older_than": "1"}', "older_than"),
        (b'{"older_than": NaN}', "older_than"),
        (b"", None),
        (b"[]", None),
        (b"\xff", None),
    ],
)
async def test_a_purge_that_is_not_meant_so(
    memory_admin: Admin, body: bytes, param: str | None
) -> None:
    await memory_admin.put(document(1))
    reply = await memory_admin.call("POST", "/cache/purge", body)
    assert reply.status == 400
    error = reply.json()["error"]
    assert (error["param"], error["type"]) == (param, "invalid_request_error")
    assert await memory_admin.ids() == {document(1).key.hex()}


@pytest.mark.parametrize(
    ("path", "query", "param"),
    [
        ("/cache/entries", "tennant=x", "tennant"),
        ("/cache/entries", "limit=0", "limit"),
        ("/cache/entries", "older_than=inf", "older_than"),
        ("/cache/export", "limit=3", "limit"),
        ("/cache/export", "tenant=", "tenant"),
        ("/cache/entries/abc", "", "entry_id"),
    ],
)
async def test_wrong_queries_name_their_field(
    memory_admin: Admin, path: str, query: str, param: str
) -> None:
    reply = await memory_admin.call("GET", path, query=query)
    assert (reply.status, reply.json()["error"]["param"]) == (400, param)


async def test_export_purge_import_gives_the_same_documents(admin: Admin) -> None:
    documents = [document(n, embedded=embedded(n) if n % 2 else None) for n in range(300)]
    await admin.put(*documents)
    exported = await admin.call("GET", "/cache/export")
    assert (await admin.call("POST", "/cache/purge", {"all": True})).json()["removed"] == 300
    assert await admin.store.get(documents[0].key) is None
    reply = await admin.call("POST", "/cache/import", exported.body)
    assert reply.json() == {"imported": 300, "expired": 0, "refused": 0, "faults": []}
    for each in documents:
        assert await admin.store.get(each.key) == each
    assert {each.key for each in admin.learnt} == {each.key for each in documents}


async def test_an_import_replaces_and_skips_what_has_expired(admin: Admin) -> None:
    await admin.put(document(1))
    exported = await admin.call("GET", "/cache/export")
    await admin.put(document(1, prompt="newer"))
    assert (await admin.call("POST", "/cache/import", exported.body)).json()["imported"] == 1
    found = await admin.store.get(document(1).key)
    assert found is not None
    assert found.prompt == document(1).prompt
    admin.clock.now = 1_100_000.0
    counts = (await admin.call("POST", "/cache/import", exported.body)).json()
    assert (counts["imported"], counts["expired"]) == (0, 1)


async def test_an_import_stops_at_a_wrong_line_and_names_it(admin: Admin) -> None:
    lines = await _exported(admin, 3)
    bad = {**orjson.loads(lines[1]), "id": "ab" * 31}
    body = b"\n".join([lines[0], b"", orjson.dumps(bad), lines[2]])
    reply = await admin.call("POST", "/cache/import", body)
    error = reply.json()["error"]
    assert (reply.status, error["param"]) == (400, "id")
    assert "line 3, field 'id'" in error["message"].lower()
    assert "Stored before that: 1." in error["message"]
    assert await admin.ids() == {orjson.loads(lines[0])["id"]}


async def test_an_import_can_keep_going(admin: Admin) -> None:
    lines = await _exported(admin, 3)
    body = b"\n".join([lines[0], *[b"{}"] * 100, lines[2]])
    reply = await admin.call("POST", "/cache/import", body, query="keep_going=true")
    counts = reply.json()
    assert (counts["imported"], counts["refused"], len(counts["faults"])) == (2, 100, 20)
    assert (counts["faults"][0]["line"], counts["faults"][0]["field"]) == (2, "id")


async def test_a_line_without_end_is_refused(memory_admin: Admin) -> None:
    reply = await memory_admin.call("POST", "/cache/import", b"[" * (MAX_LINE + 1))
    assert reply.status == 400
    assert f"over the limit of {MAX_LINE} bytes" in reply.json()["error"]["message"]


async def test_a_purge_does_not_read_a_large_body(memory_admin: Admin) -> None:
    reply = await memory_admin.call("POST", "/cache/purge", b" " * 20_000)
    assert reply.status == 413


async def _exported(admin: Admin, count: int) -> list[bytes]:
    """Return the lines of `count` entries that are no longer there."""
    await admin.put(*(document(n) for n in range(count)))
    exported = await admin.call("GET", "/cache/export")
    await admin.call("POST", "/cache/purge", {"all": True})
    return exported.body.splitlines()


ALL = [
    ("GET", "/cache/stats"),
    ("GET", "/cache/entries"),
    ("GET", "/cache/entries/" + "0" * 64),
    ("DELETE", "/cache/entries/" + "0" * 64),
    ("POST", "/cache/purge"),
    ("GET", "/cache/export"),
    ("POST", "/cache/import"),
    ("POST", "/cache/labels"),
]


@pytest.mark.parametrize(("method", "path"), ALL)
@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN + "x", "Grüße", "\xff"])
async def test_nothing_without_the_token(
    memory_admin: Admin, method: str, path: str, token: str | None
) -> None:
    await memory_admin.put(document(1))
    # Neither in the query, nor with a body that would be refused for itself.
    query = f"token={TOKEN}&access_token={TOKEN}"
    reply = await memory_admin.call(method, path, b"?" * 100_000, query=query, token=token)
    assert reply.status == 401
    assert reply.json()["error"]["code"] == "invalid_api_key"
    assert reply.header("www-authenticate") == "Bearer"
    assert reply.header("cache-control") == "no-store"


@pytest.mark.parametrize(("method", "path"), ALL)
async def test_closed_without_a_configured_token(
    memory_admin: Admin, clock: Clock, method: str, path: str
) -> None:
    closed = admin_over(memory_admin.store, clock, sha="")
    reply = await closed.call(method, path)
    assert reply.status == 403
    assert "set admin.token_env" in reply.json()["error"]["message"]


async def test_every_operation_is_audited_without_content(
    admin: Admin, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="cachemw.audit")
    (stored,) = await admin.put(document(1))
    await admin.lines("/cache/entries", "tenant=alice")
    await admin.call("GET", f"/cache/entries/{stored.key.hex()}")
    await admin.call("POST", "/cache/purge", {"model": "m", "dry_run": True})
    exported = await admin.call("GET", "/cache/export")
    await admin.call("DELETE", f"/cache/entries/{stored.key.hex()}")
    await admin.call("DELETE", f"/cache/entries/{stored.key.hex()}")
    await admin.call("POST", "/cache/import", exported.body)
    await admin.call("POST", "/cache/import", b"nothing")
    await admin.call("POST", "/cache/purge", b"{}")
    for _ in range(50):
        await admin.call("GET", "/cache/stats", token="wrong")
    said = [vars(record) for record in caplog.records if record.name == "cachemw.audit"]
    told = [(line["operation"], line["outcome"]) for line in said]
    assert told == [
        ("list", "done"),
        ("get", "done"),
        ("purge", "done"),
        ("export", "done"),
        ("delete", "done"),
        ("delete", "failed"),
        ("import", "done"),
        ("import", "failed"),
        ("purge", "failed"),
        ("GET /cache/stats", "refused"),
    ]
    assert said[0]["filter"] == {"tenant": "alice"}
    assert (said[2]["matched"], said[2]["removed"], said[2]["dry_run"]) == (1, 0, True)
    assert said[3]["lines"] == 1
    assert said[6]["imported"] == 1
    assert {line["client"] for line in said} == {"127.0.0.1"}
    assert {line["who"] for line in said[:-1]} == {said[0]["who"]}
    everything = str(said)
    assert TOKEN not in everything
    assert "Question" not in everything
    assert "Answer" not in everything


async def test_the_endpoints_are_described(memory_admin: Admin) -> None:
    document = (await memory_admin.call("GET", "/openapi.json")).json()
    for method, path in ALL:
        described = document["paths"][path.replace("0" * 64, "{entry_id}")][method.lower()]
        assert described["security"], path
        assert described["description"], path
        responses = described["responses"]
        assert set(responses) >= {"200", "400", "401", "403", "503"}, path
        assert "422" not in responses, path
        (media,) = responses["200"]["content"].values()
        assert media["schema"], path
        assert list(responses["401"]["content"]) == ["application/json"], path
    body = document["paths"]["/cache/import"]["post"]["requestBody"]["content"]
    line = body["application/x-ndjson"]["schema"]["properties"]
    assert "fingerprint" in str(line["embedded"])
    assert "$defs" not in str(document)
