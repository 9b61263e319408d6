"""S3 servers for the whole run, each started once per worker and only when a test asks for it."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import Stage, memory_stage, s3_stage

from reconciler.adapters.s3 import make_client
from reconciler.demo import servers


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


@pytest.fixture(scope="session")
def seaweedfs() -> Iterator[servers.Server]:
    if servers.weed() is None:
        pytest.skip("SeaweedFS has no wheel for this platform")
    with servers.seaweedfs() as server:
        yield server


@pytest.fixture(scope="session")
def moto() -> Iterator[servers.Server]:
    with servers.moto() as server:
        yield server


@pytest.fixture(params=["moto", "seaweedfs"])
def server(request: pytest.FixtureRequest) -> servers.Server:
    """Each S3 server in turn."""
    found: servers.Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def client(server: servers.Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of the server; the environment points at it as well."""
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    return make_client()


@pytest.fixture
def bucket(client: Any) -> str:
    """A fresh bucket."""
    name = f"photos-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name)
    return name


@pytest.fixture
def s3(client: Any, bucket: str, tmp_path: Path) -> Stage:
    """Each S3 server in turn, with SQLite."""
    return s3_stage(client, bucket, tmp_path)


@pytest.fixture
def memory() -> Stage:
    """Everything in memory."""
    return memory_stage()


@pytest.fixture(params=["memory", "moto", "seaweedfs"])
def stage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stage:
    """The same deployment on memory, on moto with SQLite, and on SeaweedFS with SQLite."""
    if request.param == "memory":
        return memory_stage()
    server: servers.Server = request.getfixturevalue(request.param)
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    client = make_client()
    name = f"photos-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name)
    return s3_stage(client, name, tmp_path)
