"""An operator's desk for tests: one deployment in the environment, `reconcile` to run on it, and rows that can be made older.

`desk` is a fresh bucket on moto, not initialised; `cli` is the same after `reconcile init`; `real_cli` is one on SeaweedFS. A
test module takes these fixtures over by assigning them to names of its own.
"""

import json
import logging
import os
import sys
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update
from support import JPEG, OWNER, send

from reconciler import Uploads, logs, wiring
from reconciler.adapters.memory.configuration import BLOCKED
from reconciler.adapters.s3 import make_client
from reconciler.adapters.sql import DatabaseClock, tables_as_used
from reconciler.cli import bucket as bucket_commands
from reconciler.cli import reconciling, restoring
from reconciler.cli.main import main
from reconciler.core.model import Upload, tag_of
from reconciler.demo.servers import SECRET_KEY, Server
from reconciler.errors import ObjectNotFoundError
from reconciler.reading import find
from reconciler.wiring import Deployment, deploy, load_settings

UPLOADS = tables_as_used().tables["upload_status"]
SECRETS = (SECRET_KEY, "X-Amz-Signature", "X-Amz-Credential", "x-amz-signature", "Signature=")
SHORT = {  # one minute is the shortest retention there is; nothing else may then take time
    "RECONCILER_RETENTION": "1m",
    "RECONCILER_URL_LIFE": "1m",
    "RECONCILER_SLOWEST_TRANSFER": "0",
    "RECONCILER_SKEW": "0",
}


_CLIENTS: dict[Any, Any] = {}


def shared_client(**given: Any) -> Any:
    """Make a client once for each environment: making one costs more than most commands do."""
    key = (*sorted(given.items()), *sorted(item for item in os.environ.items() if item[0].startswith("AWS_")))
    if key not in _CLIENTS:
        _CLIENTS[key] = make_client(**given)
    return _CLIENTS[key]


def invoke(*args: object, input: str | None = None) -> Result:  # noqa: A002  click's name
    """Run `reconcile`, and leave no log handler behind that writes to the runner's streams."""
    logger = logging.getLogger(logs.NAME)
    handlers, propagate, level = logger.handlers, logger.propagate, logger.level
    try:
        return CliRunner().invoke(main, [str(arg) for arg in args], input=input)
    finally:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


@dataclass
class Desk:
    """One deployment, as the environment names it, and what an operator and a browser do to it."""

    client: Any
    bucket: str
    folder: Path
    patch: pytest.MonkeyPatch

    def set(self, **settings: str) -> None:
        """Put RECONCILER_ settings into the environment."""
        for name, value in settings.items():
            self.patch.setenv(f"RECONCILER_{name}", value)

    def run(self, *args: object, input: str | None = None) -> Result:  # noqa: A002  click's name
        """Run `reconcile`."""
        return invoke(*args, input=input)

    def ok(self, *args: object) -> Result:
        """Run `reconcile`, and insist that it exits with 0."""
        result = self.run(*args)
        assert result.exit_code == 0, (args, result.exit_code, result.output, result.exception)
        return result

    @cached_property
    def here(self) -> Deployment:
        return deploy(load_settings())

    @cached_property
    def uploads(self) -> Uploads:
        return Uploads.from_settings()

    def upload(self, *, owner: str = OWNER) -> str:
        """Presign and send as a browser would; return the key."""
        ticket = self.uploads.presign(filename="me.jpg", content_type="image/jpeg", size=len(JPEG), owner=owner)
        assert send(ticket, JPEG) == 200
        return ticket.key

    def presigned(self) -> str:
        """Presign and walk away; return the key."""
        return self.uploads.presign(filename="me.jpg", content_type="image/jpeg", size=len(JPEG), owner=OWNER).key

    def completed(self) -> str:
        key = self.upload()
        self.uploads.complete(key, owner=OWNER)
        return key

    def abandoned(self) -> str:
        """Upload, and let the deadline pass; return the key."""
        key = self.upload()
        self.age(key)
        return key

    def disputed(self) -> str:
        """Upload, tag it completed behind the table's back, and let the deadline pass; return the key."""
        key = self.abandoned()
        self.retag(key, "completed")
        return key

    def changed(self) -> str:
        """Complete, then overwrite the object; return the key."""
        key = self.completed()
        self.put(key, b"another")
        return key

    def age(self, *keys: str, **values: Any) -> None:
        """Let the deadline of rows have passed an hour ago, or set whatever else is named; all rows without a key."""
        values = values or {"due_at": datetime.now(UTC) - timedelta(hours=1)}
        statement = update(UPLOADS).values(**values)
        with self.here.table.engine.begin() as connection:
            connection.execute(statement.where(UPLOADS.c.key.in_(keys)) if keys else statement)

    def put(self, key: str, body: bytes = JPEG) -> str:
        """Put an object behind reconciler's back."""
        self.client.put_object(Bucket=self.bucket, Key=key, Body=body)
        return key

    def retag(self, key: str, value: str) -> None:
        self.client.put_object_tagging(Bucket=self.bucket, Key=key, Tagging={"TagSet": [{"Key": "status", "Value": value}]})

    def row(self, key: str) -> Upload | None:
        return self.here.table.get(key)

    def status(self, key: str) -> str | None:
        row = self.row(key)
        return row and row.status.value

    def there(self, key: str) -> bool:
        return find(self.here.objects, key) is not None

    def tag(self, key: str) -> str | None:
        try:
            return tag_of(self.here.objects.tags(key)).value
        except ObjectNotFoundError:
            return None

    def journal(self, name: str = "reconciler-journal.jsonl") -> list[dict[str, Any]]:
        path = self.folder / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def state(self) -> Any:
        """Everything that a command which changes nothing must leave as it is."""
        objects = [entry for page in self.here.objects.pages("") for entry in page]
        rows = self.here.table.between("", None, limit=1000)
        return rows, [(entry, self.tag(entry.key)) for entry in objects]

    def later(self, span: timedelta) -> None:
        """Move the command line's clock on; up to 15 minutes, S3's own clock may disagree."""
        self.patch.setattr(DatabaseClock, "now", lambda _: datetime.now(UTC) + span)

    def somebody_at_the_terminal(self) -> None:
        """Let stdin be a terminal as far as the commands can tell."""
        terminal = SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
        self.patch.setattr(reconciling, "sys", terminal)
        self.patch.setattr(bucket_commands, "sys", terminal)
        self.patch.setattr(restoring, "sys", terminal)

    def keep_versions(self, status: str = "Enabled") -> None:
        """Let the bucket keep versions, or suspend that."""
        self.client.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": status})

    def rules(self) -> list[Any]:
        """The bucket's lifecycle rules, as S3 words them."""
        try:
            found = self.client.get_bucket_lifecycle_configuration(Bucket=self.bucket)
        except self.client.exceptions.ClientError:
            return []
        return list(found["Rules"])

    def put_rules(self, *rules: Any) -> None:
        self.client.put_bucket_lifecycle_configuration(Bucket=self.bucket, LifecycleConfiguration={"Rules": list(rules)})


def as_aws_makes_it(client: Any, bucket: str) -> None:
    """Close a bucket to the public, and let its owner own every object, as far as the server knows how to."""
    blocked = dict(BLOCKED)
    try:
        controls = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        client.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=controls)
    except client.exceptions.ClientError:
        blocked["BlockPublicAcls"] = False  # Ceph refuses every upload while it is on
    with suppress(client.exceptions.ClientError):
        client.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=blocked)


def make_desk(server: Server, patch: pytest.MonkeyPatch, folder: Path) -> Desk:
    """Point the environment at a fresh bucket of the server."""
    for name, value in server.environment().items():
        patch.setenv(name, value)
    patch.setattr(wiring, "make_client", shared_client)
    client = shared_client()
    bucket = f"photos-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=bucket)
    as_aws_makes_it(client, bucket)
    patch.setenv("RECONCILER_BUCKET", bucket)
    if "RECONCILER_TABLE_URL" not in os.environ:
        patch.setenv("RECONCILER_TABLE_URL", "sqlite:///reconciler.db")
    return Desk(client, bucket, folder, patch)


@pytest.fixture
def desk(moto: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Desk:
    """A fresh bucket on moto; nothing is initialised."""
    return make_desk(moto, monkeypatch, tmp_path)


@pytest.fixture
def cli(desk: Desk) -> Desk:
    """A fresh bucket on moto, initialised."""
    desk.ok("init")
    return desk


@pytest.fixture
def real_cli(seaweedfs: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Desk:
    """A fresh bucket on SeaweedFS, initialised."""
    desk = make_desk(seaweedfs, monkeypatch, tmp_path)
    desk.ok("init")
    return desk


def one_line(result: Result, code: int = 1) -> str:
    """Insist on the exit code, one line `error:`, at most one `hint:`, no trace and nothing on stdout; return stderr."""
    lines = [line for line in result.stderr.splitlines() if not line.startswith("{")]
    assert result.exit_code == code, (result.exit_code, result.output, result.exception)
    assert lines[0].startswith("error: "), result.stderr
    assert [line[:8] for line in lines[1:]] in ([], ["  hint: "]), result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""
    return result.stderr


def no_secret_in(text: str) -> None:
    """Insist that a text holds neither credential nor signature."""
    assert not [secret for secret in SECRETS if secret in text]


def program() -> str:
    """The installed `reconcile` script."""
    return str(Path(sys.executable).with_name("reconcile"))
