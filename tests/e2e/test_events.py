"""Events pushed by a real gateway to the webhook, while browsers upload: every key is looked after within seconds.

Ceph pushes through a topic, and dies of a bulk deletion meanwhile: there `bulk_delete` is off. SeaweedFS pushes what its filer
does.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import boto3
import pytest
from cli_support import Desk, make_desk
from servers.postgres import Postgres
from support import JPEG, PNG

from reconciler.adapters.webhook import WebhookQueue
from reconciler.demo.servers import Server, free_ports, seaweedfs, weed
from reconciler.watching import Tally, Watcher

pytestmark = [pytest.mark.server, pytest.mark.timeout(120)]

SECRET = "a-secret-for-one-run~only"
SECONDS = 20.0  # far more than it takes
LATER = 90.0  # Ceph looks for new persistent topics every 30 s


@dataclass
class Watched:
    """A deployment whose events are watched."""

    desk: Desk
    tally: Tally

    def count(self, what: str) -> int:
        return self.tally.as_dict()["counts"].get(what, 0)

    def sees(self, what: Callable[[], object], *, seconds: float = SECONDS) -> bool:
        """Wait until something is so."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if what():
                return True
            time.sleep(0.05)
        return False


@contextmanager
def watching(desk: Desk, queue: WebhookQueue) -> Iterator[Watched]:
    """Run the watcher beside the test; insist that it ends well."""
    watcher, stop = Watcher(queue, desk.here.consumer(), threads=2), Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(watcher.run, stop.is_set)
        try:
            yield Watched(desk, watcher.tally)
        finally:
            stop.set()
        assert running.result(timeout=SECONDS) is watcher.tally


@contextmanager
def pushed_by_ceph(desk: Desk, port: int, server: Server, **attributes: str) -> Iterator[None]:
    """Let the gateway push what happens under the prefix; it takes no empty configuration, so it does until the bucket goes."""
    sns: Any = boto3.session.Session().client("sns", endpoint_url=server.endpoint, region_name="us-east-1")
    attributes |= {"push-endpoint": f"http://127.0.0.1:{port}/events?secret={SECRET}"}
    topic = sns.create_topic(Name=f"events-{uuid.uuid4().hex[:8]}", Attributes=attributes)["TopicArn"]
    notification = {
        "Id": "reconciler",
        "TopicArn": topic,
        "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "uploads/"}]}},
    }
    wanted: Any = {"TopicConfigurations": [notification]}
    desk.client.put_bucket_notification_configuration(Bucket=desk.bucket, NotificationConfiguration=wanted)
    yield
    sns.delete_topic(TopicArn=topic)


@pytest.fixture(params=["ceph", "seaweedfs"])
def watched(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Watched]:
    """Ceph with PostgreSQL, and SeaweedFS with SQLite, initialised, and watched."""
    yield from {"ceph": _on_ceph, "seaweedfs": _on_seaweedfs}[request.param](request, monkeypatch, tmp_path)


def _on_ceph(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Watched]:
    ceph, postgres = request.getfixturevalue("ceph"), request.getfixturevalue("postgres")
    monkeypatch.setenv("RECONCILER_TABLE_URL", postgres.create(migrated=False))
    with WebhookQueue("127.0.0.1:0", secret=SECRET) as queue:
        desk = _desk(ceph, monkeypatch, tmp_path, BULK_DELETE="false")
        with watching(desk, queue) as watched, pushed_by_ceph(desk, queue.port, ceph):
            yield watched


def _on_seaweedfs(_: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Watched]:
    if weed() is None:
        pytest.skip("SeaweedFS has no wheel for this platform")
    (port,) = free_ports(1)
    notification = f"""
        [notification.webhook]
        enabled = true
        endpoint = "http://127.0.0.1:{port}/events"
        bearer_token = "{SECRET}"
        event_types = ["create", "update", "delete"]
    """
    with WebhookQueue(f"127.0.0.1:{port}", secret=SECRET) as queue, seaweedfs({"notification.toml": notification}) as server:
        desk = _desk(server, monkeypatch, tmp_path)
        with watching(desk, queue) as watched:
            yield watched


def _desk(server: Server, monkeypatch: pytest.MonkeyPatch, folder: Path, **settings: str) -> Desk:
    desk = make_desk(server, monkeypatch, folder)
    desk.set(**settings)
    desk.ok("init")
    return desk


def test_an_upload_is_known_to_be_stored(watched: Watched) -> None:
    """Its row says so soon after the browser's PUT, although nobody has asked."""
    key = watched.desk.upload()
    assert watched.sees(lambda: watched.desk.here.table.get(key).stored_at)  # type: ignore[union-attr]
    assert watched.desk.status(key) == "pending"


def test_a_completed_object_that_is_overwritten_is_reported(watched: Watched) -> None:
    """It is tagged as changed, and stays."""
    key = watched.desk.completed()
    watched.desk.put(key, PNG)
    assert watched.sees(lambda: watched.desk.tag(key) == "changed")
    assert watched.sees(lambda: watched.count("reported"))
    assert watched.desk.status(key) == "completed"


def test_a_completed_object_that_is_deleted_is_reported(watched: Watched) -> None:
    """Its row stays completed: somebody has to settle it."""
    key = watched.desk.completed()
    assert watched.sees(lambda: watched.count("events"))
    before = watched.count("reported")
    watched.desk.client.delete_object(Bucket=watched.desk.bucket, Key=key)
    assert watched.sees(lambda: watched.count("reported") > before)
    assert watched.desk.status(key) == "completed"


def test_a_late_arrival_is_deleted_again(watched: Watched) -> None:
    """Whoever still holds an old URL cannot leave anything behind; the gateway survives our deletions."""
    desk = watched.desk
    key = desk.abandoned()
    desk.ok("sweep")
    assert watched.sees(lambda: desk.status(key) == "deleted")  # by the sweep, or by the watcher, which is told of the upload
    assert not desk.there(key)
    desk.put(key, JPEG)
    assert watched.sees(lambda: not desk.there(key))
    assert watched.sees(lambda: desk.status(key) == "deleted")
    other = desk.upload()
    assert watched.sees(lambda: desk.here.table.get(other).stored_at)  # type: ignore[union-attr]


def test_what_we_do_ourselves_does_no_harm(watched: Watched) -> None:
    """Our own tags and deletions cause events, too; nothing fails, and nothing is left to do."""
    desk = watched.desk
    kept, gone = desk.completed(), desk.abandoned()
    desk.ok("sweep")
    assert watched.sees(lambda: watched.count("events") >= 3)
    assert watched.sees(lambda: desk.status(gone) == "deleted")
    assert (watched.count("failed"), desk.there(kept), desk.there(gone)) == (0, True, False)
    assert (desk.status(kept), desk.status(gone)) == ("completed", "deleted")


def test_a_persistent_topic_waits_while_nobody_listens(
    ceph: Server, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The browser is not held up, and what happened meanwhile is told when the watcher is back."""
    monkeypatch.setenv("RECONCILER_TABLE_URL", postgres.create(migrated=False))
    desk = _desk(ceph, monkeypatch, tmp_path, BULK_DELETE="false")
    (port,) = free_ports(1)
    with pushed_by_ceph(desk, port, ceph, persistent="true"):
        key = desk.upload()
        with WebhookQueue(f"127.0.0.1:{port}", secret=SECRET) as queue, watching(desk, queue) as watched:
            assert watched.sees(lambda: desk.here.table.get(key).stored_at, seconds=LATER)  # type: ignore[union-attr]
