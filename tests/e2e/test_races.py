"""Completing while a sweep runs, on real S3 servers and databases: whoever is first, nobody loses a photo."""

import random
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from cli_support import shared_client
from conftest import new_bucket
from sqlalchemy import update
from support import JPEG, OWNER, Stage, s3_stage, sql_table, sqlite_table

from reconciler.adapters.sql import tables_as_used
from reconciler.core.model import Status, Tag
from reconciler.core.report import Fate
from reconciler.errors import NotUploadedError, ObjectNotFoundError, StoreUnavailableError, UploadExpiredError

pytestmark = pytest.mark.server

COUNT = 20
SECONDS = 1.5  # over which the deadlines are spread, and the completions; longer where the uploads alone took longer


@pytest.fixture(params=["seaweedfs-sqlite", "ceph-postgres"])
def stage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stage]:
    store, database = request.param.split("-")
    for name, value in request.getfixturevalue(store).environment().items():
        monkeypatch.setenv(name, value)
    client = shared_client(connections=16)
    table = sqlite_table(tmp_path) if database == "sqlite" else sql_table(request.getfixturevalue("postgres").create())
    yield s3_stage(client, new_bucket(client), table)
    table.engine.dispose()


def body_of(number: int) -> bytes:
    """Bytes of one size that differ in every upload."""
    return JPEG + number.to_bytes(2, "big")


def fall_due(stage: Stage, moments: Mapping[str, datetime]) -> None:
    """Set each upload's deadline."""
    table = tables_as_used().tables["upload_status"]
    with stage.table.engine.begin() as connection:
        for key, moment in moments.items():
            connection.execute(update(table).where(table.c.key == key).values(due_at=moment))


def complete(stage: Stage, key: str) -> bool:
    """Complete as the form would, again where it is told to; whether the user was told that it worked."""
    while True:
        try:
            stage.uploads.complete(key, owner=OWNER)
        except StoreUnavailableError:  # Ceph's OperationAborted: two requests that tag one object at once
            continue
        except (UploadExpiredError, NotUploadedError):
            return False
        return True


def sweeps(stage: Stage, over: Event) -> Iterator[Any]:
    """Sweep again and again, and once more when all is over."""
    while not over.is_set():
        yield stage.sweep()
    yield stage.sweep()


def body(stage: Stage, key: str) -> bytes | None:
    try:
        return stage.objects.peek(key, length=1 << 20).head
    except ObjectNotFoundError:
        return None


def test_completing_beside_a_sweep_loses_nothing(stage: Stage) -> None:
    """Each upload ends completed with its bytes, or deleted without an object; and the user was told which."""
    draw = random.Random(7)  # noqa: S311  no secret
    began = datetime.now(UTC)
    keys = [stage.upload(body=body_of(number)) for number in range(COUNT)]
    now = datetime.now(UTC)
    seconds = max(SECONDS, (now - began).total_seconds())
    fall_due(stage, {key: now + timedelta(seconds=draw.uniform(0, seconds)) for key in keys})
    waits = {key: draw.uniform(0, seconds) for key in keys}
    over = Event()

    def submit(key: str) -> bool:
        Event().wait(waits[key])
        return complete(stage, key)

    with ThreadPoolExecutor(COUNT + 1) as pool:
        sweeping = pool.submit(lambda: list(sweeps(stage, over)))
        told = dict(zip(keys, pool.map(submit, keys), strict=True))
        Event().wait(max(0.0, (now + timedelta(seconds=seconds) - datetime.now(UTC)).total_seconds()))
        over.set()
        reports = sweeping.result()

    # What was being completed when it fell due is given one more retention before it goes.
    stage.advance(hours=25)
    stage.sweep()
    ends = {key: (stage.row(key).status, body(stage, key)) for key in keys}
    wanted = {
        key: (Status.COMPLETED, body_of(number)) if told[key] else (Status.DELETED, None) for number, key in enumerate(keys)
    }
    assert ends == wanted
    assert {stage.tag(key) for key in keys if told[key]} <= {Tag.COMPLETED}
    assert not any(report.of(Fate.FAILED) or report.of(Fate.REPORTED) for report in reports)
    assert 0 < sum(told.values()) < COUNT, "no race took place: draw other moments"
    assert stage.plan().actions == ()


def test_completing_what_is_due_already_is_refused(stage: Stage) -> None:
    """Past the deadline nobody can complete, sweep or no sweep: all twenty end deleted, and everybody was told."""
    keys = [stage.upload(body=body_of(number)) for number in range(COUNT)]
    fall_due(stage, dict.fromkeys(keys, datetime.now(UTC) - timedelta(seconds=1)))
    with ThreadPoolExecutor(COUNT + 1) as pool:
        sweeping = pool.submit(stage.sweep)
        told = list(pool.map(lambda key: complete(stage, key), keys))
        sweeping.result()
    stage.sweep()
    assert not any(told)
    assert {stage.row(key).status for key in keys} == {Status.DELETED}
    assert stage.keys() == set()


def test_completing_ten_times_at_once_completes_once(stage: Stage) -> None:
    """The same upload completed by ten requests at once is completed once, and stays."""
    key = stage.upload()
    with ThreadPoolExecutor(10) as pool:
        told = list(pool.map(lambda _: complete(stage, key), range(10)))
    assert all(told)
    stage.sweep()
    assert (stage.row(key).status, stage.tag(key), body(stage, key)) == (Status.COMPLETED, Tag.COMPLETED, JPEG)


def test_releasing_beside_a_sweep_deletes_once(stage: Stage) -> None:
    """Uploads released while sweeps run are each deleted once, after their grace, and never before."""
    keys = [stage.completed(body=body_of(number)) for number in range(8)]
    over = Event()
    with ThreadPoolExecutor(9) as pool:
        sweeping = pool.submit(lambda: list(sweeps(stage, over)))
        list(pool.map(lambda key: stage.uploads.release(key, owner=OWNER), keys))
        over.set()
        assert not any(report.deleted for report in sweeping.result())
    stage.advance(days=8)
    assert len(stage.sweep().deleted) == len(keys)
    assert stage.keys() == set()
