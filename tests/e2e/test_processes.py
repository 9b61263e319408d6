"""Backends and sweeps in processes of their own, on real servers and databases: nobody loses a photo, and nobody is lied to."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cli_support import shared_client
from conftest import new_bucket
from sqlalchemy import update
from support import JPEG, Stage, s3_stage, sql_table, sqlite_table

from reconciler.adapters.sql import tables_as_used
from reconciler.core.model import Status, Tag
from reconciler.errors import ObjectNotFoundError

pytestmark = pytest.mark.server

COUNT = 30
SECONDS = 1.5  # over which the deadlines are spread, and the completions
HOUR = 3600.0
BACKENDS = 2
SWEEPERS = 2
AGAIN = ("locked", "OperationAborted")  # SQLite's word, and Ceph's for two requests that tag one object at once
BACKEND = """
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
from reconciler import Uploads
from reconciler.errors import NotUploadedError, StoreUnavailableError, TableBusyError, UploadExpiredError
uploads = Uploads.from_settings()

def submit(job):
    key, moment = job
    time.sleep(max(0, moment - time.time()))
    while True:
        try:
            uploads.complete(key, owner="user:42")
        except (TableBusyError, StoreUnavailableError):
            continue
        except (UploadExpiredError, NotUploadedError):
            return key, False
        return key, True

print("ready", flush=True)
with ThreadPoolExecutor(8) as pool:
    print(json.dumps(list(pool.map(submit, json.loads(sys.stdin.readline())))))
"""
SWEEPER = """
import json, sys, time
from reconciler.core.guards import Limits
from reconciler.errors import TableBusyError
from reconciler.wiring import deploy, load_settings
here = deploy(load_settings())
print("ready", flush=True)
until, told = json.loads(sys.stdin.readline()), []
while time.time() < until:
    try:
        report = here.applier().apply(here.planner().sweep(), limits=Limits())
    except TableBusyError:
        continue
    told += [[outcome.action.kind, outcome.fate.value, outcome.detail] for outcome in report.outcomes]
print(json.dumps(told))
"""


@pytest.fixture(params=["seaweedfs-sqlite", "ceph-postgres"])
def stage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stage]:
    """A deployment that the environment names, for other processes."""
    store, database = request.param.split("-")
    for name, value in request.getfixturevalue(store).environment().items():
        monkeypatch.setenv(name, value)
    client = shared_client(connections=16)
    table = sqlite_table(tmp_path) if database == "sqlite" else sql_table(request.getfixturevalue("postgres").create())
    bucket = new_bucket(client)
    monkeypatch.setenv("RECONCILER_BUCKET", bucket)
    monkeypatch.setenv("RECONCILER_TABLE_URL", table.engine.url.render_as_string(hide_password=False))
    yield s3_stage(client, bucket, table)
    table.engine.dispose()


@contextmanager
def process(script: str) -> Iterator[subprocess.Popen[str]]:
    """Start a process that waits for a line on stdin; end it, whatever happens."""
    with subprocess.Popen(  # noqa: S603  this Python
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def is_ready(started: subprocess.Popen[str]) -> bool:
    assert started.stdout is not None
    return started.stdout.readline() == "ready\n"


def tell(started: subprocess.Popen[str], what: Any) -> None:
    assert started.stdin is not None
    started.stdin.write(json.dumps(what) + "\n")
    started.stdin.flush()


def result(started: subprocess.Popen[str]) -> Any:
    """Return what a process printed, and insist that nothing went wrong in it."""
    out, err = started.communicate(timeout=60)
    assert (started.returncode, [line for line in err.splitlines() if "Error" in line]) == (0, []), err
    return json.loads(out)


def body_of(number: int) -> bytes:
    """Bytes of one size that differ in every upload."""
    return JPEG + number.to_bytes(2, "big")


def body(stage: Stage, key: str) -> bytes | None:
    try:
        return stage.objects.peek(key, length=1 << 20).head
    except ObjectNotFoundError:
        return None


def fall_due(stage: Stage, deadlines: dict[str, float]) -> None:
    table = tables_as_used().tables["upload_status"]
    with stage.table.engine.begin() as connection:
        for key, moment in deadlines.items():
            due_at = datetime.fromtimestamp(moment, UTC)
            connection.execute(update(table).where(table.c.key == key).values(due_at=due_at))


def race(keys: list[str], stage: Stage) -> tuple[dict[str, bool], list[list[str]]]:
    """Complete every upload in two backends at once, beside sweeps; return what each side was told.

    A third is not due, a third is due already, and a third falls due meanwhile.
    """
    draw = random.Random(7)  # noqa: S311  no secret
    with ExitStack() as stack:
        backends = [stack.enter_context(process(BACKEND)) for _ in range(BACKENDS)]
        sweepers = [stack.enter_context(process(SWEEPER)) for _ in range(SWEEPERS)]
        assert all(is_ready(each) for each in [*backends, *sweepers])
        start = time.time() + 0.2
        moments = (lambda: start + HOUR, lambda: start - HOUR, lambda: start + draw.uniform(0, SECONDS))
        fall_due(stage, {key: moments[place % 3]() for place, key in enumerate(keys)})
        for each in sweepers:
            tell(each, start + SECONDS + 1)
        for each in backends:
            tell(each, sorted(((key, start + draw.uniform(0, SECONDS)) for key in keys), key=lambda job: job[1]))
        told: dict[str, bool] = {}
        for each in backends:
            for key, completed in result(each):
                told[key] = told.get(key, False) or completed
        return told, [outcome for each in sweepers for outcome in result(each)]


def troubles(outcomes: list[list[str]]) -> list[list[str]]:
    """Return what went wrong in a sweep, but for what the next run does."""
    wrong = [outcome for outcome in outcomes if outcome[1] in ("failed", "reported")]
    return [outcome for outcome in wrong if not any(word in outcome[2] for word in AGAIN)]


def test_processes_that_complete_beside_processes_that_sweep(stage: Stage) -> None:
    """Each upload ends completed with its bytes, or deleted without an object, and every backend was told which."""
    keys = [stage.upload(body=body_of(number)) for number in range(COUNT)]
    told, outcomes = race(keys, stage)
    stage.advance(hours=25)  # what was being completed when it fell due is given one more retention
    for _ in range(2):
        stage.sweep()
    ends = {key: (stage.row(key).status, body(stage, key)) for key in keys}
    wanted = {
        key: (Status.COMPLETED, body_of(number)) if told[key] else (Status.DELETED, None) for number, key in enumerate(keys)
    }
    assert ends == wanted
    assert {stage.tag(key) for key in keys if told[key]} == {Tag.COMPLETED}
    assert troubles(outcomes) == []
    assert [told[key] for key in keys[0::3]] == [True] * (COUNT // 3)
    assert [told[key] for key in keys[1::3]] == [False] * (COUNT // 3)
    assert stage.plan().actions == ()


def test_several_sweeps_delete_each_object_once(stage: Stage) -> None:
    """Everything is due, and nobody completes: the sweeps share the work, and each object is deleted by one of them."""
    keys = [stage.upload(body=body_of(number)) for number in range(COUNT)]
    fall_due(stage, dict.fromkeys(keys, time.time() - HOUR))
    with ExitStack() as stack:
        sweepers = [stack.enter_context(process(SWEEPER)) for _ in range(SWEEPERS)]
        assert all(is_ready(each) for each in sweepers)
        for each in sweepers:
            tell(each, time.time() + 1.5)
        outcomes = [outcome for each in sweepers for outcome in result(each)]
    stage.sweep()
    assert {stage.row(key).status for key in keys} == {Status.DELETED}
    assert stage.keys() == set()
    assert sum(outcome[:2] == ["delete", "done"] for outcome in outcomes) == COUNT
    assert troubles(outcomes) == []
