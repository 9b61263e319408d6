"""The whole bucket configuration on Ceph: installed once, others' beside it, and ten ways in which it drifts."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import yard_support
from cli_support import Desk, make_desk
from click.testing import Result
from contract.test_configuration import make_topic

from reconciler.adapters.s3 import S3Bucket
from reconciler.core.dialects import Findings
from reconciler.core.parts import Configuration, Item, PartName
from reconciler.core.wanted import sid_prefix
from reconciler.demo.servers import Server
from reconciler.testing.configuration import sample

pytestmark = pytest.mark.server

USER = "arn:aws:iam:::user/backend"
SID = sid_prefix("uploads/")


_found = yard_support._found


@pytest.fixture
def untried(ceph: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Desk:
    """A fresh bucket on Ceph, with every setting and a topic."""
    desk = make_desk(ceph, monkeypatch, tmp_path)
    desk.set(
        **dict.fromkeys(("PRESIGNER_ROLES", "COMPLETER_ROLES", "RECONCILER_ROLES"), USER),
        ORIGINS="https://www.example.com",
        NOTIFY=make_topic(ceph),
    )
    return desk


@pytest.fixture
def desk(untried: Desk, found: Findings) -> Desk:
    """The same, where it is known what the store makes of the policy."""
    untried.here.findings.write(found)
    return untried


def store(desk: Desk) -> S3Bucket:
    return S3Bucket(desk.client, desk.bucket)


def everything(desk: Desk) -> dict[PartName, Configuration]:
    return {name: store(desk).read(name) for name in PartName}


def raw(desk: Desk) -> dict[str, str]:
    """Each part in the server's own words, to the letter."""
    client, bucket = desk.client, {"Bucket": desk.bucket}
    answers = {
        "lifecycle": client.get_bucket_lifecycle_configuration(**bucket)["Rules"],
        "cors": client.get_bucket_cors(**bucket)["CORSRules"],
        "notifications": client.get_bucket_notification_configuration(**bucket)["TopicConfigurations"],
        "policy": json.loads(client.get_bucket_policy(**bucket)["Policy"])["Statement"],
    }
    return {name: "\n".join(json.dumps(item) for item in items) for name, items in answers.items()}


def test_installing_twice_changes_nothing(desk: Desk) -> None:
    """The second install finds everything in place, asks nobody, and leaves every letter as it was; so does check."""
    desk.ok("install", "--yes")
    before = raw(desk)
    assert desk.ok("install").stdout == ""
    assert desk.ok("check").stdout == ""
    assert raw(desk) == before


def test_what_others_made_by_hand_survives(desk: Desk) -> None:
    """Rule, CORS rule, statement and notification of others are the same to the letter, also after ours have changed."""
    for name in PartName:
        items = tuple(sample(name, number, bucket=desk.bucket, topic=make_topic_of(desk)) for number in range(3))
        store(desk).write(name, Configuration(items))
    theirs = {name: lines.splitlines() for name, lines in raw(desk).items()}
    desk.ok("install", "--yes")
    desk.set(LIFECYCLE_DAYS="9", ORIGINS="https://app.example.com", URL_LIFE="10m")
    assert desk.run("check").exit_code == 3
    desk.ok("install", "--yes")
    desk.ok("check")
    after = {name: lines.splitlines() for name, lines in raw(desk).items()}
    assert {name: [line for line in after[name] if line in lines] for name, lines in theirs.items()} == theirs


def make_topic_of(desk: Desk) -> str:
    return str(desk.here.settings.notify)


def test_a_deployment_works_in_the_bucket_that_was_installed(desk: Desk) -> None:
    """Bind, presign, upload, complete and sweep; without notifications, of which Ceph dies when it deletes in bulk."""
    desk.ok("init")
    desk.ok("install", "--yes", "--without", "notifications")
    kept, abandoned = desk.completed(), desk.abandoned()
    desk.ok("sweep")
    assert (desk.there(kept), desk.there(abandoned)) == (True, False)
    assert desk.tag(kept) == "completed"


def test_events_that_ceph_refuses_are_told(desk: Desk) -> None:
    """Once by install, and as a note by check."""
    told = "s3:ObjectRemoved:*, s3:ObjectTagging:*, s3:LifecycleExpiration:*"
    assert told in desk.ok("install", "--yes").stderr
    assert told in desk.ok("check").stderr


def test_what_the_store_heeds_is_tried_once(untried: Desk) -> None:
    """Before anybody has tried, check calls that a drift; install tries, puts what works, and says what it leaves out."""
    checked = untried.run("check", "--only", "policy")
    assert (checked.exit_code, "policy: drift: dialect: " in checked.stdout) == (3, True)
    assert {"OnlyOurRolesUpload", "BornPending", "OnlyOursTag"} <= set(_purposes(untried.ok("install", "--yes")))
    assert "trying out" not in untried.ok("install", "--yes").stderr
    assert "policy: note: ShortUrls: left out: aws: never applies" in untried.ok("check", "--only", "policy").stderr


def _purposes(installed: Result) -> list[str]:
    assert "trying out" in installed.stderr
    assert "left out, because this store does not heed them: TlsOnly, SigV4Only" in installed.stderr
    return re.findall(r"policy: missing: Reconciler[0-9a-f]{8}([A-Za-z]+)", installed.stdout)


# Ten drifts


def change(name: PartName, alter: Callable[[list[Any]], list[Any]]) -> Callable[[Desk], None]:
    """Let somebody alter a part."""

    def meddle(desk: Desk) -> None:
        found = store(desk).read(name)
        store(desk).write(name, Configuration(tuple(alter(list(found.items))), found.rest))

    return meddle


def each(identity: str, **new: Any) -> Callable[[list[Any]], list[Any]]:
    """Change the one item whose name ends so."""

    def alter(items: list[Any]) -> list[Any]:
        return [{**item, **new} if _name(item).endswith(identity) else item for item in items]

    return alter


def _name(item: Item) -> str:
    return str(next(filter(None, map(item.get, ("ID", "Id", "Sid"))), ""))


OPEN: Item = {"Sid": "Open", "Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::*"}
BROAD: Item = {"ID": "tidy", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 30}}


def _unblock(desk: Desk) -> None:
    desk.client.delete_public_access_block(Bucket=desk.bucket)


def _open(desk: Desk) -> None:
    _unblock(desk)  # else Ceph refuses such a policy
    change(PartName.POLICY, lambda found: [*found, OPEN])(desk)


def _version(desk: Desk) -> None:
    desk.client.put_bucket_versioning(Bucket=desk.bucket, VersioningConfiguration={"Status": "Enabled"})


def _lose_the_policy(desk: Desk) -> None:
    desk.client.delete_bucket_policy(Bucket=desk.bucket)


DRIFTS: dict[str, tuple[Callable[[Desk], None], str]] = {
    "our rule switched off": (
        change(PartName.LIFECYCLE, each(":pending", Status="Disabled")),
        "lifecycle: changed: reconciler:uploads/:pending",
    ),
    "our rule in other days": (
        change(PartName.LIFECYCLE, each(":pending", Expiration={"Days": 1})),
        "lifecycle: drift: reconciler:uploads/:pending: expires pending objects after 1 days",
    ),
    "the abort rule removed": (
        change(PartName.LIFECYCLE, lambda rules: [rule for rule in rules if not rule["ID"].endswith("multipart")]),
        "lifecycle: drift: multipart uploads: ",
    ),
    "another's rule for everything": (change(PartName.LIFECYCLE, lambda rules: [*rules, BROAD]), "lifecycle: drift: tidy: "),
    "versions kept without an end": (_version, "lifecycle: drift: noncurrent versions: "),
    "any site let in": (
        change(PartName.CORS, each(":upload", AllowedOrigins=["*"])),
        "cors: changed: reconciler:uploads/:upload",
    ),
    "events of another kind": (
        change(PartName.NOTIFICATIONS, each("ObjectRemoved", Events=["s3:ObjectCreated:Put"])),
        "notifications: changed: reconciler:uploads/:without-ObjectTagging-LifecycleExpiration-ObjectRemoved",
    ),
    "a statement softened": (
        change(PartName.POLICY, each("VersionsStay", Action="s3:GetObjectVersion")),
        f"policy: changed: {SID}VersionsStay",
    ),
    "the bucket opened to everybody": (_open, "policy: drift: Open: "),
    "public access no longer blocked": (_unblock, "verified: drift: block-public-access: "),
    "the policy gone": (_lose_the_policy, f"policy: missing: {SID}OnlyOurRolesUpload"),
    "an old statement of ours": (
        change(PartName.POLICY, lambda found: [*found, {**found[0], "Sid": f"{SID}Old"}]),
        f"policy: surplus: {SID}Old",
    ),
}


@pytest.mark.parametrize(("meddle", "said"), DRIFTS.values(), ids=DRIFTS)
def test_check_finds_what_has_drifted(desk: Desk, meddle: Callable[[Desk], None], said: str) -> None:
    """It exits with 3 and says exactly what; what is ours, install mends."""
    desk.ok("install", "--yes")
    meddle(desk)
    result = desk.run("check")
    assert result.exit_code == 3
    assert any(line.startswith(said) for line in result.stdout.splitlines()), result.stdout
    desk.ok("install", "--yes")
    states = json.loads(desk.run("check", "--format", "json").stdout)["parts"]
    assert [part["state"] for part in states] == ["in-place"] * len(PartName)
