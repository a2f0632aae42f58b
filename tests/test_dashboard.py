"""The dashboard, asked over real sockets: what it answers, to whom, and that it ends when told to."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas.cli import main
from nas.dashboard.app import make_app
from nas.dashboard.board import Board
from nas.dashboard.hub import Hub
from nas.dashboard.security import Guard
from nas.dashboard.serve import ServeError, address, bind, make_server
from nas.study.feed import Changes, Head, Snapshot, open_sources
from nas.study.storage import records
from tests import report_records
from tests.conftest import ROOT, make_recipe
from tests.test_engine import open_search, url


class Client:
    """Asks one server."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None, host: str | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", f"localhost:{self.port}" if host is None else host)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body

    def json(self, path: str, status: int = 200) -> Any:
        found, _, body = self.ask(path)
        assert found == status, body
        return json.loads(body)

    @contextmanager
    def events(self, since: str, headers: Mapping[str, str] | None = None) -> Iterator[Iterator[dict[str, Any]]]:
        """Patches as they come."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", f"/api/events?since={since}", headers=dict(headers or {}))
        answer = connection.getresponse()
        assert answer.getheader("content-type", "").startswith("text/event-stream")
        try:
            yield (json.loads(line[6:]) for line in answer if line.startswith(b"data: "))
        finally:
            connection.close()


@contextmanager
def serving(hub: Hub, host: str = "127.0.0.1") -> Iterator[Client]:
    listening = bind("127.0.0.1", 0)
    up = threading.Event()
    server = make_server(hub, host, listening.getsockname()[1], up.set)
    hub.start()
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    assert up.wait(10)
    try:
        yield Client(listening.getsockname()[1])
    finally:
        server.should_exit = True
        hub.close()
        thread.join(10)
        listening.close()
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("dashboard")
    open_search(place, make_recipe(trials=4)).run()
    return place


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[Client]:
    with serving(Hub(open_sources([], url(folder)))) as made:
        yield made


def test_the_page_brings_its_policy_and_nothing_else(client: Client) -> None:
    status, headers, body = client.ask("/")
    assert status == 200
    assert headers["content-type"] == "text/html; charset=utf-8"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"
    assert b"nas" in body
    assert "access-control-allow-origin" not in headers


def test_scripts_last_as_long_as_their_address(client: Client) -> None:
    page = client.ask("/")[2].decode()
    for name in ("app.js", "plotly.js"):
        source = re.search(rf'src="({name}\?v=\w+)"', page)
        assert source
        status, headers, body = client.ask("/" + source[1])
        assert (status, headers["content-type"]) == (200, "text/javascript; charset=utf-8")
        assert "immutable" in headers["cache-control"]
        packed = client.ask("/" + source[1], headers={"Accept-Encoding": "gzip"})
        assert packed[1]["content-encoding"] == "gzip"
        assert gzip.decompress(packed[2]) == body
        assert client.ask("/" + source[1], headers={"If-None-Match": headers["etag"]})[0] == 304
        assert client.ask(f"/{name}?v=old")[1]["cache-control"] == "no-store"


def test_the_studies_are_those_of_the_storage(client: Client, folder: Path) -> None:
    document = client.json("/api/studies")
    (study,) = document["studies"]
    assert (document["schema"], document["mode"]) == (1, "live")
    assert (study["key"], study["name"], study["state"]) == ("0", "test", "ok")
    written = records(open_search(folder, make_recipe(trials=4)).study)
    rows = study["rows"]
    assert rows["n"] == len(written) == 4
    assert rows["values"]["flops"] == [record.value("flops") for record in written]
    assert rows["trial"] == [record.trial for record in written]
    assert study["drawings"] is None
    assert len(document["published"]) == 0
    packed = client.ask("/api/studies", headers={"Accept-Encoding": "gzip"})
    assert json.loads(gzip.decompress(packed[2])) == document


def test_a_network_and_the_settings(client: Client, folder: Path) -> None:
    drawing = client.json("/api/network?study=0&row=1")
    assert drawing["fields"][0] == "name"
    assert drawing["rows"][0][0] == "stem"
    settings = client.json("/api/settings?study=0")
    written = records(open_search(folder, make_recipe(trials=4)).study)
    assert settings["names"] == list(written[0].settings)
    assert [column[2] for column in settings["columns"]] == list(written[2].settings.values())


def test_the_report_and_the_file(client: Client) -> None:
    report = client.json("/api/report?study=0")
    assert {"findings", "provenance"} <= {section["anchor"] for section in report["sections"]}
    assert report["of"] == client.json("/api/studies")["version"]
    status, headers, body = client.ask("/download?study=0")
    assert status == 200
    assert headers["content-disposition"] == 'attachment; filename="test.html"'
    assert b'id="explorer-data"' in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_it_only_reads(client: Client, method: str) -> None:
    for path in ("/", "/api/studies", "/api/events"):
        status, headers, body = client.ask(path, method)
        assert status == 405
        assert headers["allow"] == "GET, HEAD"
        assert json.loads(body)["error"] == f"{method} is not allowed"
        assert "content-security-policy" in headers


def test_head_is_the_head_alone(client: Client) -> None:
    for path in ("/", "/api/studies", "/plotly.js", "/api/events"):
        status, _, body = client.ask(path, "HEAD")
        assert (status, body) == (200, b"")


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "localhost", "localhost:1", "localhost:{port}@evil", "", "[::1", "x y"],
)
def test_another_host_is_refused(client: Client, host: str) -> None:
    status, _, body = client.ask("/api/studies", host=host.format(port=client.port))
    assert status == 400
    assert b"test" not in body


@pytest.mark.parametrize("host", ["localhost:{port}", "127.0.0.1:{port}", "[::1]:{port}", "LOCALHOST:{port}"])
def test_names_of_this_machine_are_its_own(client: Client, host: str) -> None:
    assert client.ask("/api/studies", host=host.format(port=client.port))[0] == 200


def test_a_page_of_another_site_is_refused(client: Client) -> None:
    here = f"http://localhost:{client.port}"
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    for headers, status in (
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:1"}, 403),
        ({"Origin": here}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        (followed, 403),
    ):
        assert client.ask("/api/studies", headers=headers)[0] == status, headers
    assert client.ask("/", headers=followed)[0] == 200, "a link to the page"
    assert client.ask("/", headers={**followed, "Sec-Fetch-Dest": "iframe"})[0] == 403


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/network?study=0&row=-1", 400),
        ("/api/network?study=0&row=1e3", 400),
        ("/api/network?study=0&row=٣", 400),
        ("/api/network?study=0&row=99999999999999999999", 400),
        ("/api/network?study=0", 400),
        ("/api/network?study=0&row=4", 404),
        ("/api/network?row=0", 404),
        ("/api/settings?study=../../etc/passwd", 404),
        ("/api/report?study=1", 404),
        ("/download?study=%00", 404),
        ("/../../etc/passwd", 404),
        ("/%2e%2e/%2e%2e/etc/passwd", 404),
        ("/static/../nas.db", 404),
        ("//etc/passwd", 404),
        ("/api/studies/", 404),
        ("/nas.db", 404),
    ],
)
def test_what_is_not_there_is_said_in_one_line(client: Client, path: str, status: int) -> None:
    found, headers, body = client.ask(path.replace("٣", "%D9%A3"))
    assert found == status, body
    assert headers["content-type"] == "application/json"
    assert set(json.loads(body)) == {"error", "hint"}
    assert body.count(b"\n") == 1
    assert b"Traceback" not in body


def test_patches_reach_every_client_while_a_search_writes(tmp_path: Path) -> None:
    open_search(tmp_path, make_recipe(trials=2)).run()
    with serving(Hub(open_sources([], url(tmp_path)))) as client:
        since = client.json("/api/studies")["version"]
        assert client.json(f"/api/changes?since={since}")["studies"] == []
        with client.events(since) as first, client.events(since) as second:
            open_search(tmp_path, make_recipe(trials=3)).run()
            for patches in (first, second):
                seen: dict[int, int] = {}
                head: dict[str, Any] = {}
                for patch in patches:
                    assert patch["reload"] is False
                    for part in patch["studies"]:
                        seen |= dict(zip(part["at"], part["rows"]["state"], strict=True))
                        head |= part.get("head", {})
                    if seen == {2: 0} and head:
                        break
                assert head["recipe"]["trials"] == 3
            last = patch["version"]
        whole = client.json(f"/api/changes?since={since}")
        assert whole["version"] == last
        (part,) = whole["studies"]
        assert (part["at"], part["rows"]["n"]) == ([2], 3)
        assert part["rows"]["notation"]["plain"] == [
            records(open_search(tmp_path, make_recipe(trials=3)).study)[2].arch
        ]
        with client.events("nonsense", {"Last-Event-ID": since}) as again:
            assert next(again)["studies"][0]["at"] == [2]


def told(rows: Mapping[str, Any], at: Sequence[int]) -> dict[int, dict[str, Any]]:
    """What columns say of each row, as a page takes them."""
    plain, tokens = rows["notation"].get("plain"), rows["notation"].get("tokens", [])
    index = rows["notation"].get("index", [])
    return {
        number: {
            **{name: rows[name][i] for name in ("trial", "state", "device", "training", "started", "seconds")},
            "values": {key: column[i] for key, column in rows["values"].items() if column[i] is not None},
            "spreads": {key: column[i] for key, column in rows["spreads"].items() if column[i] is not None},
            "repeat": number in rows["repeat"],
            **{name: rows[name].get(str(number)) for name in ("baseline", "reason", "over", "retry_of")},
            "notation": plain[i]
            if plain
            else " ".join(part[chosen[i]] for part, chosen in zip(tokens, index, strict=True) if chosen[i] >= 0),
        }
        for i, number in enumerate(at)
    }


def whole(hub: Hub) -> tuple[str, dict[int, dict[str, Any]], dict[str, Any]]:
    document = json.loads(hub.page().plain)
    (study,) = document["studies"]
    rows = study.pop("rows")
    return document["version"], told(rows, range(rows["n"])), study


def test_patches_add_up_to_what_a_new_reader_sees(tmp_path: Path) -> None:
    recipe = make_recipe(trials=12, limits=["flops<=350M"], baselines=["efficientnet-b0", "efficientnetv2-b0"])
    search = open_search(tmp_path, recipe)
    hub = Hub(open_sources([], url(tmp_path)))
    hub.poll()
    version, rows, head = whole(hub)
    assert rows == {}
    writer = threading.Thread(target=search.run)
    writer.start()
    patches, ended = 0, False
    while not ended:
        ended = not writer.is_alive()  # asked first: then all that it wrote is read
        hub.poll()
        patch = hub.changes(version)
        version = patch["version"]
        if patch["reload"]:
            version, rows, head = whole(hub)
        for part in json.loads(json.dumps(patch["studies"])):
            patches += 1
            rows |= told(part["rows"], part["at"])
            head |= part.get("head", {})
    fresh = Hub(open_sources([], url(tmp_path)))
    fresh.poll()
    _, expected, study = whole(fresh)
    assert patches > 5

    def place(row: Mapping[str, Any]) -> str:
        return f"{row['trial']} {row['notation'] if row['trial'] is None else ''}"

    assert {place(row): row for row in rows.values()} == {place(row): row for row in expected.values()}
    assert {row["state"] for row in rows.values()} == {0, 1}
    assert head == study


def test_versions_of_another_server_mean_reading_anew(client: Client) -> None:
    version = client.json("/api/studies")["version"]
    for since in ("", "other.1", f"{version}9", version.partition(".")[0], f"{version}.1"):
        patch = client.json(f"/api/changes?since={since}")
        assert (patch["reload"], patch["studies"], patch["version"]) == (True, [], version)
    with client.events("other.1") as patches:
        assert next(patches)["reload"] is True


def test_a_study_deleted_while_it_is_shown_stays_on_the_page(tmp_path: Path) -> None:
    import optuna

    open_search(tmp_path, make_recipe(trials=2)).run()
    with serving(Hub(open_sources([], url(tmp_path)))) as client:
        since = client.json("/api/studies")["version"]
        with client.events(since) as patches:
            optuna.delete_study(study_name="test", storage=url(tmp_path))
            (part,) = next(patches)["studies"]
        assert part["head"]["state"] == "gone"
        assert part["at"] == []
        assert client.json("/api/studies")["studies"][0]["rows"]["n"] == 2
        assert "not in" in client.json("/api/report?study=0", 503)["error"]


class Restless:
    """A study that says something long and new at every poll."""

    def __init__(self) -> None:
        self.polls = 0

    def poll(self) -> Iterator[Changes]:
        self.polls += 1
        head = Head("restless", "nowhere", None, make_recipe()) if self.polls == 1 else None
        yield Changes("nowhere#restless", head, note=f"{self.polls} {'x' * 100_000}")

    def snapshot(self, identity: str) -> Snapshot:
        raise AssertionError(identity)


def test_a_client_that_does_not_read_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub([Restless()])
    asked: list[str] = []
    monkeypatch.setattr(hub, "changes", lambda since: asked.append(since) or Hub.changes(hub, since))
    with serving(hub) as client, socket.create_connection(("127.0.0.1", client.port)) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(f"GET /api/events?since={hub.version} HTTP/1.1\r\nHost: localhost:{client.port}\r\n\r\n".encode())
        while not asked:
            time.sleep(0.01)
        for _ in range(300):
            hub.poll()
            time.sleep(0.001)
        assert len(asked) < 150, "patches of 100 kB wait in memory"
        sent = len(asked)
        for _ in range(100):
            hub.poll()
        assert len(asked) <= sent + 1
        assert client.json("/api/studies")["studies"][0]["name"] == "restless", "others are served"


def test_records_files_are_served_beside(tmp_path: Path, folder: Path) -> None:
    reference = str(ROOT / "studies" / "efficientnetv2-cpu" / "records.jsonl")
    with serving(Hub(open_sources(["test", reference], url(folder)))) as client:
        first, second = client.json("/api/studies")["studies"]
        assert (first["key"], second["key"], second["option"]) == ("0", "1", None)
        assert second["objectives"][0] == {"key": "top1_pct", "goal": "maximize"}
        assert client.json("/api/report?study=1")["sections"]
        assert client.json("/api/settings?study=1")["names"]


def test_what_a_poll_that_breaks_has_read_is_told(caplog: pytest.LogCaptureFixture) -> None:
    from nas.dashboard import hub as module

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "_AFTER_FAILURE", 0.0)
        hub = Hub([Breaking(), Told("second")])
        hub.poll()
        assert [study["name"] for study in json.loads(hub.page().plain)["studies"]] == ["first", "second"]
        assert hub.version.endswith(".1")
        assert "reading the studies failed" in caplog.text


def test_studies_of_one_name_are_told_apart() -> None:
    hub = Hub([Told("here"), Told("there")])
    for source, place in zip(hub._sources, "ab", strict=True):
        head = Head("same", place, "", None)
        source.poll = lambda place=place, head=head: iter([Changes(place, head)])
    for _ in range(2):
        hub.poll()
        shown = json.loads(hub.page().plain)["studies"]
        assert [(study["name"], study["option"]) for study in shown] == [("same", ""), ("same-2", None)]


def test_any_address_written_short_is_any_address() -> None:
    guard = Guard(make_app(Hub([])), ("0", "0.0.0.0"), 80, "")
    assert guard._is_ours("192.0.2.7")
    assert not guard._is_ours("evil.example")


class Told:
    """Tells of one study at every poll."""

    def __init__(self, name: str) -> None:
        self._name = name

    def poll(self) -> Iterator[Changes]:
        yield Changes(self._name, Head(self._name, "here", None, None))

    def snapshot(self, identity: str) -> Snapshot:
        raise NotImplementedError

    def snapshots(self) -> list[Snapshot]:
        raise NotImplementedError

    def settings(self, identity: str) -> dict[Any, Any]:
        raise NotImplementedError


class Breaking(Told):
    """Tells of its study, and breaks."""

    def __init__(self) -> None:
        super().__init__("first")

    def poll(self) -> Iterator[Changes]:
        yield from super().poll()
        raise RuntimeError("a bug")


def test_what_is_assumed_of_records_grows_with_them() -> None:
    first, *others = report_records.records(4)
    bare = replace(first, readings={"params": first.readings["params"]}, excess={})
    board = Board("0", Head("mine", "here", None, None))
    board.take(Changes("mine", board.feed, (bare,)), 1)
    assert [one["key"] for one in board.document()["objectives"]] == ["params"]
    assert board.take(Changes("mine", None, tuple(others)), 2), "pages read it anew"
    assert [one["key"] for one in board.document()["objectives"]] == ["top1_pct", "flops", "train_images_per_s"]
    assert not board.take(Changes("mine", None, ()), 3)


def test_a_report_leaves_other_answers_their_priority(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lowered: list[threading.Thread] = []
    monkeypatch.setattr("nas.dashboard.reports._give_way", lambda: lowered.append(threading.current_thread()))
    with serving(Hub(open_sources([], url(folder)))) as client:
        client.json("/api/report?study=0")
        client.json("/api/studies")
        (thread,) = lowered
        thread.join(5)
        assert (thread.name, thread.daemon, thread.is_alive()) == ("reports", True, False)


def test_the_address_that_was_bound_is_allowed() -> None:
    with serving(Hub([]), host="0.0.0.0") as client:
        assert client.json("/api/studies")["studies"] == []
        assert client.ask("/", host=f"192.0.2.7:{client.port}")[0] == 200
        assert client.ask("/", host=f"{socket.gethostname()}:{client.port}")[0] == 200
        assert client.ask("/", host=f"evil.example:{client.port}")[0] == 400
    with serving(Hub([]), host="box.example") as client:
        assert client.ask("/", host=f"box.example:{client.port}")[0] == 200


def test_a_port_in_use_is_said() -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServeError, match=f"port {port} on 127.0.0.1 is in use") as refused:
            bind("127.0.0.1", port)
        assert "--port 0" in refused.value.hint
        assert address(taken, "0.0.0.0") == f"http://localhost:{port}/"
        assert address(taken, "::1") == f"http://[::1]:{port}/"


# The command.


@contextmanager
def command(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "nas", "dashboard", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_within_a_second_streams_included(folder: Path, number: signal.Signals, code: int) -> None:
    with command(folder, "--port", "0") as (process, shown):
        match = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/", shown)
        assert match, process.communicate()[1]
        with Client(int(match[1])).events("") as patches:
            next(patches)
            start = time.monotonic()
            process.send_signal(number)
            out, err = process.communicate(timeout=10)
            assert time.monotonic() - start < 5
        assert process.returncode == code
        assert out == ""
        assert "Traceback" not in err


def test_the_command_refuses_what_it_cannot_show(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for words, said in (
        (["--port", "0"], "nas.db does not exist"),
        (["tset", "--storage", url(folder), "--port", "0"], "hint: did you mean test?"),
        (["none.jsonl", "--port", "0"], "none.jsonl: no records there"),
        (["--storage", url(folder), "--host", "no such host", "--port", "0"], "no address of that name"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["dashboard", *words])
        assert ended.value.code == 2
        assert said in capsys.readouterr().err
