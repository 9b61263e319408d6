"""The installed program as an operator runs it: processes of its own, real S3 servers, databases and HTTP, nothing patched."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cli_support
import pytest
from cli_support import Desk, no_secret_in, program

pytestmark = pytest.mark.server

BACKEND = """
import json, sys
from reconciler import Uploads
asked = {"filename": "me.jpg", "content_type": "image/jpeg", "size": int(sys.argv[1]), "owner": "user:42"}
uploads = Uploads.from_settings()
print(json.dumps([uploads.presign(**asked).as_dict() for _ in range(2)]))
"""
BROWSER = """
import json, sys, urllib3
http, body = urllib3.PoolManager(retries=False), bytes.fromhex(sys.argv[2])
tickets = json.loads(sys.argv[1])
print(*(http.request(each["method"], each["url"], body=body, headers=each["headers"]).status for each in tickets))
"""
FORM = """
import sys
from reconciler import Uploads
print(Uploads.from_settings().complete(sys.argv[1], owner="user:42").status)
"""


def run(*command: str, code: int = 0, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a process in the test's folder, and insist on its exit code."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)  # noqa: S603
    assert done.returncode == code, (command, done.returncode, done.stdout, done.stderr)
    return done


def reconcile(*args: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = run(program(), *args, code=code, stdin=subprocess.DEVNULL)
    no_secret_in(done.stdout + done.stderr)
    return done


def python(script: str, *args: str) -> str:
    return run(sys.executable, "-c", script, *args).stdout.strip()


@pytest.fixture(params=["seaweedfs-sqlite", "ceph-postgres"])
def real(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Desk:
    store, database = request.param.split("-")
    if database == "postgres":
        request.getfixturevalue("postgres_table")
    monkeypatch.setenv("RECONCILER_LIFECYCLE_DAYS", "365")  # on Ceph half an hour: no rule may fire in between
    return cli_support.make_desk(request.getfixturevalue(store), monkeypatch, tmp_path)


def test_the_whole_story_in_processes_of_its_own(real: Desk) -> None:
    """Operator, backend, browser and form, each a process: what was completed stays, what was abandoned goes, nothing is left."""
    reconcile("init")
    reconcile("install", "--yes")
    body = b"\xff\xd8\xff" + b"photo" * 100
    tickets = python(BACKEND, str(len(body)))
    assert python(BROWSER, tickets, body.hex()) == "200 200"
    kept, abandoned = (ticket["key"] for ticket in json.loads(tickets))
    assert python(FORM, kept) == "completed"
    real.age(abandoned)
    assert abandoned in reconcile("plan", "--sweep", code=3).stdout
    assert "1 object" in reconcile("sweep").stderr
    assert not real.there(abandoned)
    # Both URLs are still alive: the completed key is taken, the other one's object is a late arrival.
    assert python(BROWSER, tickets, body.hex()) == "412 200"
    reconcile("plan", "-o", "plan.json", code=3)
    reconcile("apply", "plan.json")
    reconcile("plan")
    assert (real.there(kept), real.there(abandoned)) == (True, False)
    assert real.client.get_object(Bucket=real.bucket, Key=kept)["Body"].read() == body


def at_a_terminal(*command: str, answer: bytes, environment: Mapping[str, str]) -> tuple[int, str]:
    """Run a command whose stdin, stdout and stderr are a terminal, and answer what it asks."""
    ours, theirs = pytest.importorskip("pty").openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=dict(environment))  # noqa: S603
    os.close(theirs)
    os.write(ours, answer)
    said = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        said += part
    os.close(ours)
    return process.wait(60), said.decode()


@pytest.mark.parametrize(("answer", "code", "stays"), [(b"n\n", 1, True), (b"y\n", 0, False)], ids=["no", "yes"])
def test_apply_asks_at_a_real_terminal(real: Desk, answer: bytes, code: int, stays: bool) -> None:
    """At a terminal apply asks before it deletes, and only yes is yes."""
    real.ok("init")
    key = real.abandoned()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    found, said = at_a_terminal(program(), "apply", answer=answer, environment=environment)
    assert found == code, said
    assert "1 of them deletions?" in said
    assert "Traceback" not in said
    assert real.there(key) is stays


def test_two_sweeps_at_once_leave_nothing(real: Desk) -> None:
    """Sweeps that run at the same time both end well, and every object is deleted and journalled.

    Each row is claimed once; what one sweep has claimed and not deleted yet the other may finish as well, and journal.
    """
    real.ok("init")
    keys = [real.abandoned() for _ in range(12)]
    command = [program(), "sweep", "--format", "json"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]  # noqa: S603
    said = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum(json.loads(stdout)["deleted"] for stdout, _ in said) >= len(keys)
    assert not any(real.there(key) for key in keys)
    assert {real.status(key) for key in keys} == {"deleted"}
    assert {line["key"] for line in real.journal() if line["event"] == "outcome"} == set(keys)


def test_what_a_dead_sweep_left_is_finished_by_the_next(real: Desk) -> None:
    """Rows that a sweep had claimed before it died are finished by the next one, whether their object had gone or not."""
    real.ok("init")
    keys = [real.abandoned() for _ in range(5)]
    real.client.delete_object(Bucket=real.bucket, Key=keys[0])
    real.age(*keys, status="deleting", reason="abandoned", due_at=datetime.now(UTC) - timedelta(hours=1))
    real.ok("sweep")
    assert {real.status(key) for key in keys} == {"deleted"}
    assert not any(real.there(key) for key in keys)
