"""The safety net on a server whose lifecycle rules really fire: Ceph, where a day lasts seconds, with PostgreSQL as the table."""

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from cli_support import Desk, make_desk
from servers.ceph import DAY_SECONDS
from sqlalchemy.orm import Session
from support import HTTP, JPEG, OWNER, PNG

from reconciler import Uploads
from reconciler.adapters.s3 import make_client
from reconciler.core.documents import pending_rule_id, same_meaning

pytestmark = [pytest.mark.server, pytest.mark.timeout(240)]

DAYS = 3
SAFE = {"RETENTION": "2h", "SWEEP_INTERVAL": "1h", "LIFECYCLE_DAYS": str(DAYS)}  # the shortest that install accepts
PENDING_RULE = pending_rule_id("uploads/")
FOREIGN: list[dict[str, Any]] = [
    {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 300}},
    {"ID": "drafts", "Status": "Disabled", "Filter": {"Tag": {"Key": "draft", "Value": "a b+c"}}, "Expiration": {"Days": 9}},
    {
        "ID": "reconciler:elsewhere/:pending",
        "Status": "Enabled",
        "Filter": {"And": {"Prefix": "elsewhere/", "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]}},
        "Expiration": {"Days": 90},
    },
    {
        "ID": "versions",
        "Status": "Enabled",
        "Filter": {"Prefix": "archive/"},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 40},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 50},
    },
]


@pytest.fixture(params=["ceph"])  # a parameter, so that the table of servers knows whose rules these tests saw
def desk(request: pytest.FixtureRequest, postgres_table: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Desk:
    """Ceph and PostgreSQL, as the environment names them, initialised."""
    desk = make_desk(request.getfixturevalue(request.param), monkeypatch, tmp_path)
    desk.set(**SAFE)
    desk.ok("init")
    return desk


def posted(desk: Desk) -> str:
    """Presign a form and send it as a browser would; return the key."""
    ticket = desk.uploads.presign_post(filename="me.png", content_type="image/png", owner=OWNER, max_size=10_000)
    fields = [*ticket.fields.items(), ("file", ("me.png", PNG, "image/png"))]
    assert HTTP.request("POST", ticket.url, fields=fields).status == 204
    return ticket.key


def rolled_back(desk: Desk) -> str:
    """Complete in a session that is rolled back; return the key."""
    key = desk.upload()
    with Session(desk.here.table.engine) as session:
        desk.uploads.complete(key, owner=OWNER, session=session)
        session.rollback()
    return key


def gone_in_time(desk: Desk, *keys: str) -> bool:
    """Wait for the rule's days, and some more until the server has come round to these keys."""
    deadline = time.monotonic() + 12 * DAYS * DAY_SECONDS
    while time.monotonic() < deadline:
        if not any(desk.there(key) for key in keys):
            return True
        time.sleep(0.5)
    return False


def actions(desk: Desk, *finder: str) -> list[tuple[str, str]]:
    """Plan, and return each action with its reason."""
    listed = json.loads(desk.run("plan", *finder, "--format", "json").stdout)
    return [(action["kind"], action["reason"]) for action in listed["actions"]]


def test_the_rule_expires_what_is_pending_and_nothing_else(desk: Desk) -> None:
    """Pending uploads expire, by PUT and by POST; a completed one and one that was rolled back stay; then all is settled."""
    desk.ok("install", "--yes")
    put, post = desk.upload(), posted(desk)
    kept, completing = desk.completed(), rolled_back(desk)
    assert [desk.tag(key) for key in (put, post, kept, completing)] == ["pending", "pending", "completed", "completing"]

    assert gone_in_time(desk, put, post)
    time.sleep(2 * DAY_SECONDS)  # two more rounds: what is to stay has had its days by now
    assert (desk.tag(kept), desk.tag(completing)) == ("completed", "completing")
    assert desk.client.get_object(Bucket=desk.bucket, Key=kept)["Body"].read() == JPEG
    assert desk.ok("check").stdout == ""

    desk.age(put, post)
    assert actions(desk, "--sweep") == [("tombstone", "never-uploaded")] * 2
    desk.ok("sweep")
    assert [desk.status(key) for key in (put, post, kept, completing)] == ["deleted", "deleted", "completed", "pending"]
    desk.run("apply", "--yes")  # notes that the one which was rolled back is stored
    assert actions(desk) == []


def test_the_rule_is_announced_until_the_upload_is_completed(desk: Desk) -> None:
    """`x-amz-expiration` names our rule while the object is pending, by PUT and by POST, and is gone once it is completed."""
    desk.ok("install", "--yes")
    keys = [desk.upload(), posted(desk)]
    assert [desk.here.objects.head(key).expiring_rule for key in keys] == [PENDING_RULE, PENDING_RULE]
    for key in keys:
        desk.uploads.complete(key, owner=OWNER)
    assert [desk.here.objects.head(key).expiring_rule for key in keys] == [None, None]


def test_completing_costs_four_requests(desk: Desk) -> None:
    """Where S3 announces the rule, complete asks for the first bytes, tags, looks again and tags, and no more."""
    desk.ok("install", "--yes")
    key = desk.upload()
    sent: Counter[str] = Counter()
    client = make_client()
    client.meta.events.register("before-send.s3", lambda event_name, **_: sent.update([event_name.rpartition(".")[2]]))
    Uploads.from_settings(client=client).complete(key, owner=OWNER)
    assert sent == {"GetObject": 1, "PutObjectTagging": 2, "HeadObject": 1}
    assert desk.tag(key) == "completed"


def test_others_rules_survive_the_installation(desk: Desk) -> None:
    """Rules of others mean what they meant, whatever they are made of, also after our own were changed; check finds no drift."""
    desk.put_rules(*FOREIGN)
    desk.ok("install", "--yes")
    desk.set(LIFECYCLE_DAYS="30")
    assert desk.run("check").exit_code == 3
    desk.ok("install", "--yes")
    desk.ok("check")
    found = {rule["ID"]: rule for rule in desk.rules()}
    assert [rule["ID"] for rule in FOREIGN if not same_meaning(found[rule["ID"]], rule)] == []
    assert set(found) == {*(rule["ID"] for rule in FOREIGN), PENDING_RULE, "reconciler:uploads/:multipart"}
    assert found[PENDING_RULE]["Expiration"] == {"Days": 30}


def test_a_versioned_bucket_takes_its_own_rules(desk: Desk) -> None:
    """The rules for old versions and delete markers are accepted and read back."""
    desk.client.put_bucket_versioning(Bucket=desk.bucket, VersioningConfiguration={"Status": "Enabled"})
    desk.ok("install", "--yes")
    desk.ok("check")
