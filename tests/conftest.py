"""S3 servers for the whole run, each started once per worker and only when a test asks for it."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.ceph import INSTALL, ceph, installed
from servers.postgres import Postgres, postgres
from servers.promises import RECORD, Recorder, known_fault, plain_name, server_of
from sqlalchemy import Connection, Engine, event
from support import Stage, keep_versions, memory_stage, s3_stage, sql_table, sqlite_table

from reconciler.adapters.s3 import make_client
from reconciler.demo.servers import Server, moto, seaweedfs, weed


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(RECORD, type=Path, help="write down which server kept which promise, once everything has passed")


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption(RECORD)
    if path and not hasattr(config, "workerinput"):  # xdist's workers report to the one who writes
        config.pluginmanager.register(Recorder(path.absolute()))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what a server is known to get wrong as a strict expected failure of that server alone."""
    for item in items:
        server, fault = server_of(item), known_fault(item)
        if server:
            item.user_properties += [("server", server), ("test", plain_name(item)), ("fault", fault or "")]
        if fault:
            item.add_marker(pytest.mark.xfail(reason=f"{server}: {fault}", strict=True))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Let nothing be skipped where everything must be there: in CI."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        report.outcome = "failed"
    return report


@pytest.fixture(autouse=True)
def _no_outside_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the developer's own settings or credentials, or writes into the checkout."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "RECONCILER_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _every_engine_ends_with_its_test() -> Iterator[None]:
    """Whatever a test has connected to is closed: from Python 3.13 on an open SQLite connection warns when it is collected."""
    engines: set[Engine] = set()

    def note(connection: Connection) -> None:
        engines.add(connection.engine)

    event.listen(Engine, "engine_connect", note)
    yield
    event.remove(Engine, "engine_connect", note)
    for engine in engines:
        engine.dispose()


@pytest.fixture(scope="session", name="seaweedfs")
def _seaweedfs() -> Iterator[Server]:
    if weed() is None:
        pytest.skip("SeaweedFS has no wheel for this platform")
    with seaweedfs() as server:
        yield server


@pytest.fixture(scope="session", name="moto")
def _moto() -> Iterator[Server]:
    with moto() as server:
        yield server


@pytest.fixture(scope="session", name="ceph")
def _ceph() -> Iterator[Server]:
    if not installed():
        pytest.skip(f"Ceph is not installed: {INSTALL}")
    with ceph() as server:
        yield server


@pytest.fixture(scope="session", name="postgres")
def _postgres() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture
def postgres_table(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name an empty database in the environment."""
    url = postgres.create(migrated=False)
    monkeypatch.setenv("RECONCILER_TABLE_URL", url)
    return url


@pytest.fixture(params=["moto", "seaweedfs", "ceph"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each S3 server in turn."""
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def client(server: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of the server; the environment points at it as well."""
    return connect(server, monkeypatch)


@pytest.fixture
def bucket(client: Any) -> str:
    """A fresh bucket."""
    return new_bucket(client)


@pytest.fixture
def s3(client: Any, bucket: str, tmp_path: Path) -> Stage:
    """Each S3 server in turn, with SQLite."""
    return s3_stage(client, bucket, sqlite_table(tmp_path))


@pytest.fixture
def memory() -> Stage:
    """Everything in memory."""
    return memory_stage()


@pytest.fixture(params=["memory", "moto-sqlite", "seaweedfs-sqlite", "ceph-postgres"])
def stage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stage]:
    """The same deployment in memory, on moto and SeaweedFS with SQLite, and on Ceph with PostgreSQL."""
    if request.param == "memory":
        yield memory_stage()
        return
    store, database = request.param.split("-")
    client = connect(request.getfixturevalue(store), monkeypatch)
    if database == "sqlite":
        yield s3_stage(client, new_bucket(client), sqlite_table(tmp_path))
        return
    with request.getfixturevalue("postgres").database() as url:
        table = sql_table(url)
        yield s3_stage(client, new_bucket(client), table)
        table.engine.dispose()


@pytest.fixture
def versioned(stage: Stage) -> Stage:
    """The same, where the bucket keeps versions from the beginning of the test."""
    keep_versions(stage)
    return stage


def connect(server: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Point the environment at a server, and return a client of it."""
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    return make_client()


def new_bucket(client: Any) -> str:
    """Create a bucket and return its name."""
    name = f"photos-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name)
    return name
