"""The presigned PUT and POST on the wire, against servers that verify signatures: they do one thing, and nothing else.

Statuses are those that AWS answers too: 403 for whatever the signature does not cover, 412 for a key that is taken. What the
table of servers and promises is made of runs on moto as well.
"""

import http.client
import json
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3
from cli_support import shared_client
from support import HTTP, JPEG, OWNER, PNG, Stage, s3_stage, send, sqlite_table

from reconciler.adapters.s3 import S3Signer
from reconciler.adapters.s3.signer import PENDING_TAGGING_XML
from reconciler.core.actions import DeleteLateArrival, MarkChanged
from reconciler.core.model import Status, Tag
from reconciler.demo.servers import Server
from reconciler.presign import PresignedUpload

pytestmark = pytest.mark.server
every_server = pytest.mark.parametrize("wire", ["moto", "seaweedfs", "ceph"], indirect=True)
POLICY_REFUSED = (400, 403)


@dataclass
class Wire:
    """One deployment, and a fresh ticket."""

    stage: Stage
    client: Any
    ticket: PresignedUpload

    def request(self, *, body: bytes = JPEG, method: str = "PUT", url: str | None = None, **headers: str | None) -> int:
        """Send the ticket with some of its headers replaced, added, or (None) left out; return the status."""
        changed = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        sent = {name: value for name, value in self.ticket.headers.items() if name.lower() not in changed}
        sent |= {name: value for name, value in changed.items() if value is not None}
        return HTTP.request(method, url or self.ticket.url, body=body, headers=sent).status

    def uploaded(self) -> "Wire":
        assert self.request() == 200
        return self

    def stored(self, key: str) -> bytes:
        found: bytes = self.client.get_object(Bucket=self.stage.objects.bucket, Key=key)["Body"].read()
        return found

    @property
    def body(self) -> bytes:
        return self.stored(self.ticket.key)


@pytest.fixture(params=["seaweedfs", "ceph"])
def wire(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Wire]:
    server: Server = request.getfixturevalue(request.param)
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    client = shared_client()
    bucket = f"photos-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=bucket)
    table = sqlite_table(tmp_path)
    stage = s3_stage(client, bucket, table)
    yield Wire(stage, client, stage.presign())
    table.engine.dispose()


def test_a_ticket_sent_as_it_says_is_stored(wire: Wire) -> None:
    """The PUT is answered with 200, and the object has the bytes, the type, and the tag `status=pending` alone."""
    assert send(wire.ticket, JPEG) == 200
    assert wire.body == JPEG
    assert wire.stage.objects.head(wire.ticket.key).content_type == "image/jpeg"
    assert wire.stage.objects.tags(wire.ticket.key) == {"status": "pending"}


def test_a_ticket_alone_is_all_one_needs(wire: Wire) -> None:
    """What as_dict() says, through JSON, and the HTTP client's own Host and Content-Length are enough."""
    ticket = json.loads(json.dumps(wire.ticket.as_dict()))
    parts = urlsplit(ticket["url"])
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    connection.putrequest(ticket["method"], f"{parts.path}?{parts.query}", skip_accept_encoding=True)
    for name, value in {**ticket["headers"], "Content-Length": str(len(JPEG))}.items():
        connection.putheader(name, value)
    connection.endheaders(JPEG)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == 200
    assert wire.body == JPEG


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_a_ticket_works_with_curl(wire: Wire, tmp_path: Path) -> None:
    """The README's way, by hand: curl with the ticket's headers, verbatim."""
    (tmp_path / "me.jpg").write_bytes(JPEG)
    headers = [part for name, value in wire.ticket.headers.items() for part in ("-H", f"{name}: {value}")]
    command = ["curl", "-sS", "-o", "answer", "-w", "%{http_code}", "-T", "me.jpg", *headers, wire.ticket.url]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True)  # noqa: S603
    assert done.stdout == "200"
    assert wire.body == JPEG


OTHERWISE = {
    "no tag": {"x_amz_tagging": None},
    "an empty tag": {"x_amz_tagging": ""},
    "tag completed": {"x_amz_tagging": "status=completed"},
    "tag completing": {"x_amz_tagging": "status=completing"},
    "another tag": {"x_amz_tagging": "status=pending&plan=free"},
    "the tag twice": {"x_amz_tagging": "status=pending&status=completed"},
    "another type": {"content_type": "text/html"},
    "a type with a parameter": {"content_type": "image/jpeg; charset=utf-8"},
    "no type": {"content_type": None},
    "no If-None-Match": {"if_none_match": None},
    "another If-None-Match": {"if_none_match": '"etag"'},
    "a smaller body": {"body": JPEG[:-1]},
    "a larger body": {"body": JPEG + b"x"},
    "an empty body": {"body": b""},
}


@pytest.mark.parametrize("change", OTHERWISE.values(), ids=OTHERWISE)
def test_whatever_is_signed_cannot_be_changed(wire: Wire, change: dict[str, Any]) -> None:
    """A PUT with another tag, type, condition or size is answered with 403 and stores nothing."""
    assert wire.request(**change) == 403
    assert wire.stage.keys() == set()


@every_server
def test_a_refused_ticket_still_works(wire: Wire) -> None:
    """A refused attempt stores nothing and does not use the URL up."""
    assert wire.request(x_amz_tagging="status=completed") == 403
    assert wire.uploaded().body == JPEG


def _other_key(url: str) -> str:
    return url.replace(".jpg?", "0.jpg?")


def _the_marker(url: str) -> str:
    path, _, query = url.partition("?")
    return f"{path.partition('uploads/')[0]}uploads/.reconciler/instance.json?{query}"


def _other_signature(url: str) -> str:
    start, _, signature = url.partition("X-Amz-Signature=")
    return f"{start}X-Amz-Signature={'0' if signature[0] != '0' else '1'}{signature[1:]}"


def _no_signature(url: str) -> str:
    return url.partition("?")[0]


def _longer_life(url: str) -> str:
    return url.replace("X-Amz-Expires=900", "X-Amz-Expires=9000")


def _fewer_signed_headers(url: str) -> str:
    return url.replace("%3Bx-amz-tagging", "")


URLS = [_other_key, _the_marker, _other_signature, _no_signature, _longer_life, _fewer_signed_headers]


@pytest.mark.parametrize("change", URLS, ids=lambda change: change.__name__)
def test_the_url_cannot_be_changed(wire: Wire, change: Any) -> None:
    """Another key, life, signature or list of signed headers in the URL is answered with 403 and stores nothing."""
    url = change(wire.ticket.url)
    assert url != wire.ticket.url
    before = wire.stage.objects.marker("uploads/.reconciler/instance.json")[0]
    assert wire.request(url=url) == 403
    assert wire.stage.keys() == set()
    assert wire.stage.objects.marker("uploads/.reconciler/instance.json")[0] == before


@pytest.mark.parametrize(("method", "status"), [("GET", {403}), ("HEAD", {403}), ("DELETE", {403}), ("POST", {403, 405})])
def test_the_url_is_for_put_alone(wire: Wire, method: str, status: set[int]) -> None:
    """With another method the same URL and headers read and delete nothing."""
    wire.uploaded()
    assert wire.request(method=method, body=b"") in status
    assert wire.body == JPEG


@pytest.mark.parametrize("subresource", ["tagging", "acl", "uploads"])
def test_the_url_reaches_no_subresource(wire: Wire, subresource: str) -> None:
    """The URL with ?tagging, ?acl or ?uploads added is answered with 403, and the tag stays."""
    wire.uploaded()
    body = b"<Tagging><TagSet><Tag><Key>status</Key><Value>completed</Value></Tag></TagSet></Tagging>"
    assert wire.request(url=f"{wire.ticket.url}&{subresource}", body=body) == 403
    assert wire.stage.tag(wire.ticket.key) is Tag.PENDING


UNSIGNED = {
    "x-amz-acl": "public-read",
    "x-amz-copy-source": "/other/photo.jpg",
    "x-amz-meta-name": "x",
    "x-amz-object-lock-mode": "GOVERNANCE",
    "x-amz-server-side-encryption": "AES256",
    "x-amz-storage-class": "GLACIER",
    "x-amz-website-redirect-location": "https://example.org",
}


@pytest.mark.parametrize("name", UNSIGNED)
def test_unsigned_amz_headers_are_refused(wire: Wire, name: str) -> None:
    """An x-amz- header that was not signed is answered with 403 and stores nothing."""
    assert wire.request(**{name: UNSIGNED[name]}) == 403
    assert wire.stage.keys() == set()


@every_server
def test_a_tag_that_was_not_signed_is_refused(wire: Wire) -> None:
    """A URL that somebody signed without a tag stores none with one; ours always sign it."""
    where = {"Bucket": wire.stage.objects.bucket, "Key": "uploads/untagged.jpg"}
    url = wire.client.generate_presigned_url("put_object", Params=where)
    assert HTTP.request("PUT", url, body=JPEG, headers={"x-amz-tagging": "status=completed"}).status == 403
    assert wire.stage.keys() == set()


@pytest.mark.parametrize("wire", ["ceph"], indirect=True)  # the one that heeds an unsigned x-amz-copy-source
def test_a_signer_that_may_not_read_copies_nothing(wire: Wire, ceph: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signed by a user who may put and tag and no more, a URL cannot be made to copy another object to its key."""
    bucket = wire.stage.objects.bucket
    other = {"AWS": ["arn:aws:iam:::user/other"]}
    actions = ["s3:PutObject", "s3:PutObjectTagging"]
    allowed = {"Effect": "Allow", "Principal": other, "Action": actions, "Resource": f"arn:aws:s3:::{bucket}/uploads/*"}
    wire.client.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}))
    wire.client.put_object(Bucket=bucket, Key="uploads/theirs.jpg", Body=JPEG)
    for name, value in replace(ceph, access_key="otherkey", secret_key="othersecret").environment().items():
        monkeypatch.setenv(name, value)
    wire.ticket = replace(wire.stage, signer=S3Signer(shared_client(), bucket)).presign()
    assert wire.request(x_amz_copy_source=f"/{bucket}/uploads/theirs.jpg") == 403
    assert wire.request() == 200


def test_other_headers_are_the_uploaders_own(wire: Wire) -> None:
    """Headers that S3 does not want signed, such as Cache-Control, get through; the tag, the type and the size do not change."""
    assert wire.request(cache_control="max-age=31536000") == 200
    assert wire.stage.tag(wire.ticket.key) is Tag.PENDING


def test_a_second_tagging_header_is_refused(wire: Wire) -> None:
    """The tagging header sent twice, once as signed and once as completed, stores nothing as completed."""
    headers = urllib3.HTTPHeaderDict(wire.ticket.headers)
    headers.add("x-amz-tagging", "status=completed")
    assert HTTP.request("PUT", wire.ticket.url, body=JPEG, headers=headers).status == 403
    assert wire.stage.keys() == set()


def test_a_tag_in_the_query_is_refused(wire: Wire) -> None:
    """A tag that is added to the query does not get past the signature."""
    assert wire.request(url=f"{wire.ticket.url}&x-amz-tagging=status%3Dcompleted") == 403
    assert wire.stage.keys() == set()


@every_server
def test_an_expired_url_is_refused(wire: Wire) -> None:
    """A URL past its life is answered with 403 and stores nothing."""
    signer = S3Signer(wire.client, wire.stage.objects.bucket)
    request = signer.put(wire.ticket.key, content_type="image/jpeg", size=len(JPEG), seconds=1)
    time.sleep(2.1)
    assert wire.request(url=request.url) == 403
    assert wire.stage.keys() == set()


# Used twice


@every_server
def test_a_replay_after_the_upload_changes_nothing(wire: Wire) -> None:
    """The same PUT again, with other bytes of the same size, is answered with 412; bytes and tag stay."""
    wire.uploaded()
    assert wire.request(body=bytes(len(JPEG))) == 412
    assert wire.body == JPEG
    assert wire.stage.tag(wire.ticket.key) is Tag.PENDING


def test_a_replay_after_completion_changes_nothing(wire: Wire) -> None:
    """After completion the PUT is answered with 412; bytes, tag and row stay, and no plan has anything to say."""
    wire.uploaded()
    wire.stage.uploads.complete(wire.ticket.key, owner=OWNER)
    row = wire.stage.row(wire.ticket.key)
    assert wire.request(body=bytes(len(JPEG))) == 412
    assert wire.body == JPEG
    assert (wire.stage.tag(wire.ticket.key), wire.stage.row(wire.ticket.key)) == (Tag.COMPLETED, row)
    assert wire.stage.plan().actions == ()


def test_a_replay_after_deletion_is_swept_as_a_late_arrival(wire: Wire) -> None:
    """After the sweep the URL stores once more, tagged pending; the next plan deletes that, and then nothing is left."""
    wire.uploaded()
    wire.stage.advance(hours=25)
    wire.stage.sweep()
    assert wire.stage.keys() == set()
    assert wire.request() == 200
    assert wire.stage.tag(wire.ticket.key) is Tag.PENDING
    plan = wire.stage.plan()
    assert [type(action) for action in plan.actions] == [DeleteLateArrival]
    wire.stage.apply(plan)
    assert wire.stage.keys() == set()
    assert wire.stage.row(wire.ticket.key).status is Status.DELETED
    assert wire.stage.plan().actions == ()


def test_two_browsers_with_one_ticket_store_once(wire: Wire) -> None:
    """Of two PUTs with the same ticket one is answered with 200, the other with 412, whatever they send."""
    statuses = [wire.request(), wire.request(body=bytes(len(JPEG)))]
    assert statuses == [200, 412]


@every_server
def test_every_ticket_has_a_key_of_its_own(wire: Wire) -> None:
    """Two tickets for the same file never share a key, and one's signature does not fit the other's."""
    other = wire.stage.presign()
    assert other.key != wire.ticket.key
    assert wire.request(url=wire.ticket.url.replace(wire.ticket.key, other.key)) == 403


# Forms


def send_form(ticket: PresignedUpload, body: bytes, **changed: str | None) -> int:
    """Send a presigned POST as a form, with some of its fields replaced, or (None) left out; return the status."""
    fields = {name: value for name, value in {**ticket.fields, **changed}.items() if value is not None}
    return HTTP.request(ticket.method, ticket.url, fields=[*fields.items(), ("file", ("me.png", body, "image/png"))]).status


def form(stage: Stage) -> PresignedUpload:
    return stage.uploads.presign_post(filename="me.png", content_type="image/png", owner=OWNER, max_size=4096)


@every_server
def test_a_form_is_stored_with_its_tag(wire: Wire) -> None:
    """A form POST as signed is stored, tagged pending."""
    ticket = form(wire.stage)
    assert send_form(ticket, PNG) in (200, 201, 204)
    assert wire.stored(ticket.key) == PNG
    assert wire.stage.tag(ticket.key) is Tag.PENDING


FORMS: dict[str, dict[str, Any]] = {
    "tag completed": {"tagging": PENDING_TAGGING_XML.replace("pending", "completed")},
    "another document as tag": {"tagging": "<a/>"},
    "no tag": {"tagging": None},
    "another key": {"key": "uploads/mine.png"},
    "another type": {"Content-Type": "text/html"},
    "a field of its own": {"acl": "public-read"},
    "no signature": {"x-amz-signature": None},
    "no policy": {"policy": None},
    "an empty body": {"body": b""},
    "a body too large": {"body": PNG + bytes(4096)},
}


@pytest.mark.parametrize("wire", ["ceph"], indirect=True)  # of those that verify it takes a form at all
@pytest.mark.parametrize("change", FORMS.values(), ids=FORMS)
def test_a_form_cannot_be_changed(wire: Wire, change: dict[str, Any]) -> None:
    """A form with another field or size than signed is refused and stores nothing."""
    assert send_form(form(wire.stage), **{"body": PNG, **change}) in POLICY_REFUSED
    assert wire.stage.keys() == set()


@every_server
def test_a_refused_form_still_works(wire: Wire) -> None:
    """A form with another tag than signed is refused; as signed it is taken afterwards."""
    ticket = form(wire.stage)
    assert send_form(ticket, PNG, **FORMS["tag completed"]) in POLICY_REFUSED
    assert send_form(ticket, PNG) in (200, 201, 204)


def test_a_form_is_completed_like_any_upload(wire: Wire) -> None:
    """What came by POST is completed by its key, and no plan has anything to say."""
    ticket = form(wire.stage)
    assert send_form(ticket, PNG) in (200, 201, 204)
    done = wire.stage.uploads.complete(ticket.key, owner=OWNER)
    assert (done.status, done.size, done.content_type) == (Status.COMPLETED, len(PNG), "image/png")
    assert wire.stage.tag(ticket.key) is Tag.COMPLETED
    assert wire.stage.plan().actions == ()


def test_a_replayed_form_is_noticed(wire: Wire) -> None:
    """A form sent again after completion replaces the object; the next plan marks it as changed and deletes nothing."""
    ticket = form(wire.stage)
    send_form(ticket, PNG)
    wire.stage.uploads.complete(ticket.key, owner=OWNER)
    assert send_form(ticket, PNG + b"another") in (200, 201, 204)
    assert [type(action) for action in wire.stage.plan().actions] == [MarkChanged]
