"""`reconcile doctor` as an operator runs it: what it says of credentials, what it leaves behind, how it ends when interrupted."""

import json
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ceph_policies import for_ceph
from cli_support import Desk, make_desk, one_line, shared_client
from doctor_support import ORIGIN, doctor_for, set_up
from support import JPEG, PREFIX

from reconciler.adapters import documents
from reconciler.adapters.clocks import MovableClock
from reconciler.adapters.s3 import S3Raw
from reconciler.core.documents import DEFAULTS, ROLES, fill
from reconciler.core.promises import PROMISES, Verdict
from reconciler.core.roles import ROLES as PLAYED
from reconciler.demo.servers import Server, free_ports

pytestmark = pytest.mark.server
every_server = pytest.mark.parametrize("server", ["moto", "seaweedfs", "ceph"])
OTHER = "arn:aws:iam:::user/other"
COMMAND = "from reconciler.cli.main import main; main()"


def desk_of(server: str, request: pytest.FixtureRequest, patch: pytest.MonkeyPatch, folder: Path) -> Desk:
    return make_desk(request.getfixturevalue(server), patch, folder)


@pytest.fixture
def desk(ceph: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Desk:
    return make_desk(ceph, monkeypatch, tmp_path)


def said(desk: Desk, *args: str) -> Any:
    """Run doctor, and return what it says, as data."""
    return json.loads(desk.run("doctor", "--format", "json", *args).stdout)


def in_the_bucket(desk: Desk) -> list[Any]:
    versions = desk.client.list_object_versions(Bucket=desk.bucket)
    uploads = desk.client.list_multipart_uploads(Bucket=desk.bucket)
    return [*versions.get("Versions", []), *versions.get("DeleteMarkers", []), *uploads.get("Uploads", [])]


def configuration(desk: Desk) -> Any:
    """The bucket's configuration, as the store gives it."""
    store = S3Raw(desk.client, desk.bucket)
    asked = ("get_bucket_policy", "get_bucket_lifecycle_configuration", "get_bucket_cors", "get_bucket_versioning")
    return [(answer.code, answer.content) for answer in map(store.ask, asked)]


# What it leaves behind


@every_server
@pytest.mark.parametrize("versioned", [False, True], ids=["plain", "versioned"])
def test_nothing_is_left_behind(
    server: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, versioned: bool
) -> None:
    """No object, no version, no delete marker, no part; what lay there stays, and so does the bucket's configuration."""
    desk = desk_of(server, request, monkeypatch, tmp_path)
    set_up_like(desk)
    if versioned:
        desk.client.put_bucket_versioning(Bucket=desk.bucket, VersioningConfiguration={"Status": "Enabled"})
    desk.put("uploads/2026/11/22/theirs.jpg")
    before = in_the_bucket(desk), configuration(desk)
    result = desk.run("doctor", "--policy")
    assert result.exit_code in (0, 3), result.output
    assert "left behind" not in result.stderr
    assert (in_the_bucket(desk), configuration(desk)) == before


def set_up_like(desk: Desk) -> None:
    """Give the bucket rules of ours and of others, others' CORS and others' policy."""
    desk.put_rules({"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 3}})
    desk.ok("install", "--yes")
    desk.client.put_bucket_cors(
        Bucket=desk.bucket, CORSConfiguration={"CORSRules": [{"AllowedOrigins": [ORIGIN], "AllowedMethods": ["GET"]}]}
    )
    with suppress(desk.client.exceptions.ClientError):  # SeaweedFS knows none
        desk.client.delete_public_access_block(Bucket=desk.bucket)
    read = {"Sid": "Read", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    theirs = {**read, "Resource": f"arn:aws:s3:::{desk.bucket}/public/*"}
    desk.client.put_bucket_policy(Bucket=desk.bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [theirs]}))


def test_it_needs_neither_table_nor_init(desk: Desk) -> None:
    """No table is made, and no marker is missed."""
    desk.patch.delenv("RECONCILER_TABLE_URL")
    assert {row["verdict"] for row in said(desk)["promises"]} == {verdict.value for verdict in Verdict}
    assert in_the_bucket(desk) == []
    assert list(desk.folder.iterdir()) == []


# How it ends


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_doctor_cleans_up(desk: Desk, number: signal.Signals) -> None:
    """Stopped while its objects lie there, it takes them away before it ends with 1."""
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", COMMAND, "doctor", "--policy"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 30
        while not in_the_bucket(desk) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        _, talk = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in talk
    assert "left behind" not in talk
    assert in_the_bucket(desk) == []


def test_what_cannot_be_cleaned_up_is_said(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where deleting is forbidden meanwhile, each key is named."""
    patient = doctor_for(desk.client, desk.bucket)
    key = patient.bench.put("stays")
    deny = {"Sid": "No", "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::{}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]}).replace("{}", desk.bucket)
    desk.client.put_bucket_policy(Bucket=desk.bucket, Policy=policy)
    assert patient.tidy() == [key]
    desk.client.delete_bucket_policy(Bucket=desk.bucket)
    assert patient.tidy() == []


# What it says


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"RECONCILER_BUCKET": "no-such-bucket"}, "does not exist"),
        ({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}, "127.0.0.1:1"),
        ({"AWS_ENDPOINT_URL_S3": "127.0.0.1"}, "endpoint"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "InvalidAccessKeyId"),
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "SignatureDoesNotMatch"),
        ({"RECONCILER_PREFIX": "uploads"}, "RECONCILER_PREFIX"),
        ({"RECONCILER_TABLE_URL": "nonsense"}, "RECONCILER_TABLE_URL"),
    ],
    ids=["bucket", "unreachable", "no endpoint", "unknown key", "wrong secret", "prefix", "table"],
)
def test_what_cannot_run_is_one_clear_line(desk: Desk, settings: dict[str, str], words: str) -> None:
    """With what to do, and exit code 1."""
    for name, value in settings.items():
        desk.patch.setenv(name, value)
    assert words in one_line(desk.run("doctor"))


def test_an_unknown_role_is_wrong_usage(desk: Desk) -> None:
    """Those that there are are named."""
    result = desk.run("doctor", "--role", "king")
    assert result.exit_code == 2
    assert "presigner" in result.stderr


@pytest.mark.parametrize("output", ["table", "json", "jsonl"])
def test_every_promise_and_role_is_printed(desk: Desk, output: str) -> None:
    """In every format, on stdout; what to do instead of what is not kept as well."""
    result = desk.run("doctor", "--format", output)
    words = [promise.text for promise in PROMISES] + list(PLAYED)
    assert [word for word in words if word not in result.stdout] == []
    instead = next(promise.instead for promise in PROMISES if promise.id == "multipart-tags")
    assert instead in (result.stderr if output == "table" else result.stdout)
    assert result.exit_code == 3


def test_a_store_that_keeps_everything_is_healthy(seaweedfs: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that was tried is broken but what SeaweedFS is known for; with those promises aside the exit code would be 0."""
    for name, value in seaweedfs.environment().items():
        monkeypatch.setenv(name, value)
    client = shared_client()
    patient = doctor_for(client, set_up(client), origins=(ORIGIN,))
    found = patient.examine()
    patient.tidy()
    kept = tuple(finding for finding in found.findings if not finding.broken)
    assert (found.healthy, replace(found, findings=kept).healthy) == (False, True)


# Clocks and addresses


@pytest.mark.parametrize(("minutes", "verdict"), [(1, Verdict.KEPT), (20, Verdict.BROKEN), (-20, Verdict.BROKEN)])
def test_a_table_whose_clock_is_apart_is_found(desk: Desk, minutes: int, verdict: Verdict) -> None:
    """Beyond the skew that is configured, 15 minutes unless said otherwise."""
    clock = MovableClock()
    clock.advance(timedelta(minutes=minutes))
    patient = doctor_for(desk.client, desk.bucket, clock=clock)
    found = patient.examine()
    patient.tidy()
    (clocks,) = [finding for finding in found.findings if finding.promise.id == "clocks"]
    assert clocks.result.verdict is verdict
    assert ("the table" in clocks.result.how) == (verdict is Verdict.BROKEN)


def test_a_machine_whose_clock_is_apart_is_found(desk: Desk) -> None:
    """S3 is then ahead or behind, and no time is spent on waiting for a URL to expire."""
    patient = doctor_for(desk.client, desk.bucket)
    ahead = replace(patient.here, now=lambda: datetime.now(UTC) + timedelta(minutes=20))
    found = replace(patient, here=ahead).examine()
    patient.tidy()
    told = {finding.promise.id: finding.result for finding in found.findings}
    assert (told["clocks"].verdict, told["expiry"].verdict) == (Verdict.BROKEN, Verdict.UNTRIED)
    assert re.search(r"S3 is 1[12]\d\d s behind", told["clocks"].how)


def test_the_address_for_browsers_is_tried(desk: Desk, seaweedfs: Server) -> None:
    """One that leads to the bucket, one that leads elsewhere, one that leads nowhere."""
    port = desk.client.meta.endpoint_url.rpartition(":")[2]
    (closed,) = free_ports(1)
    verdicts = []
    for url in (f"http://localhost:{port}", seaweedfs.endpoint, f"http://127.0.0.1:{closed}"):
        desk.set(PRESIGN_ENDPOINT_URL=url)
        (row,) = [row for row in said(desk)["promises"] if row["promise"] == "address"]
        verdicts.append(row["verdict"])
        assert "X-Amz" not in row["how"]
    assert verdicts == ["kept", "not kept", "not kept"]


@pytest.mark.parametrize(
    ("origin", "verdict"), [(ORIGIN, "kept"), ("https://elsewhere.example.org", "not kept"), ("", "not tried")]
)
def test_the_origins_are_asked_for(desk: Desk, origin: str, verdict: str) -> None:
    """As a browser there would, before it sends anything."""
    desk.patch.setenv("RECONCILER_BUCKET", set_up(desk.client))
    desk.set(ORIGINS=origin)
    (row,) = [row for row in said(desk)["promises"] if row["promise"] == "cors"]
    assert row["verdict"] == verdict


# Permissions


def granted(desk: Desk, *names: str) -> None:
    """Let the other user do what these identity documents say, and run doctor as him from now on."""
    values = {"bucket": desk.bucket, "prefix": PREFIX, **DEFAULTS, **dict.fromkeys(ROLES, OTHER)}
    statements = []
    for name in names:
        for each in for_ceph(fill(documents.load(f"iam-{name}"), values))["Statement"]:
            statements.append({**each, "Sid": f"S{len(statements)}", "Principal": {"AWS": OTHER}})
    if statements:
        desk.client.delete_public_access_block(Bucket=desk.bucket)  # Ceph takes every Allow for a public one
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        desk.client.put_bucket_policy(Bucket=desk.bucket, Policy=policy)
    desk.patch.setenv("AWS_ACCESS_KEY_ID", "otherkey")
    desk.patch.setenv("AWS_SECRET_ACCESS_KEY", "othersecret")


LOOKS = {"reader", "installer"}  # on Ceph nobody but the bucket's owner reads notifications, whatever a policy says
CANNOT: dict[tuple[str, ...], set[str]] = {
    (): {"presigner", "completer", "reconciler", *LOOKS},
    ("presigner",): {"completer", "reconciler", *LOOKS},
    ("completer",): {"presigner", "reconciler", *LOOKS},
    ("reconciler",): {"presigner", *LOOKS},
    ("reader",): {"presigner", "reconciler", *LOOKS},  # it may not tag, either; but an absent key is 404 to whoever may list
    ("installer",): {"presigner", "completer", "reconciler", *LOOKS},
    ("presigner", "completer", "reconciler"): LOOKS,
    ("presigner", "completer", "reconciler", "reader", "installer"): LOOKS,
}


@pytest.mark.parametrize("roles", CANNOT, ids=lambda roles: " and ".join(roles) or "nobody")
def test_who_can_play_what(desk: Desk, roles: tuple[str, ...]) -> None:
    """Credentials play the roles whose documents they have, and each role that they do not play lacks an action by name."""
    desk.put("uploads/2026/11/22/theirs.jpg")
    granted(desk, *roles)
    found = said(desk)
    assert {row["role"] for row in found["roles"] if not row["playable"]} == CANNOT[roles]
    assert all(row["lacks"] for row in found["roles"] if not row["playable"])
    assert [version["Key"] for version in in_the_bucket(desk)] == ["uploads/2026/11/22/theirs.jpg"]


def test_what_is_not_permitted_is_not_called_broken(desk: Desk) -> None:
    """Of the store nothing is said that could not be tried; the actions that were missing are named."""
    granted(desk)
    found = said(desk)
    assert {row["verdict"] for row in found["promises"]} == {"not tried"}
    (row,) = [row for row in found["promises"] if row["promise"] == "create-once"]
    assert "s3:PutObject" in row["how"]


@pytest.mark.parametrize(("role", "code"), [("completer", 0), ("presigner", 3)])
def test_a_missing_permission_matters_to_the_roles_that_are_meant(desk: Desk, role: str, code: int) -> None:
    """Exit code 3 where the role that is asked for lacks something, and a line that names the document; else 0."""
    granted(desk, "completer")
    result = desk.run("doctor", "--role", role)
    assert result.exit_code == code, result.output
    assert (f"reconcile policy iam-{role}" in result.stderr) == (code == 3)


def test_who_may_not_delete_leaves_nothing(desk: Desk) -> None:
    """A presigner that may put is found to be one without an object being put."""
    granted(desk, "presigner")
    found = said(desk, "--role", "presigner")
    assert found["roles"][0] == {"role": "presigner", "playable": True, "needed": True, "lacks": [], "not_tried": []}
    assert found["healthy"] is True
    assert in_the_bucket(desk) == []


def test_objects_that_lie_there_are_never_touched(desk: Desk) -> None:
    """Whatever lies under the prefix has the same bytes, tags and time afterwards."""
    keys = [desk.put(f"uploads/{name}", JPEG) for name in ("a", ".reconciler/instance.json", ".reconciler/doctor-another/a")]
    before = [desk.client.head_object(Bucket=desk.bucket, Key=key)["LastModified"] for key in keys]
    desk.run("doctor")
    assert [desk.client.head_object(Bucket=desk.bucket, Key=key)["LastModified"] for key in keys] == before
    assert len(in_the_bucket(desk)) == len(keys)
