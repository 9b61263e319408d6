"""Presigning: the row comes first, the signature is never kept, and a bad request leaves nothing behind."""

import base64
import json
import re
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from integration_support import Around, rows
from support import HTTP, IMAGES, JPEG, OWNER, PREFIX, Stage, send

from reconciler.adapters.s3 import make_client
from reconciler.core.keys import day_start
from reconciler.core.model import Status, Upload
from reconciler.core.requests import Allowed
from reconciler.errors import (
    InvalidFilenameError,
    InvalidMetadataError,
    InvalidOwnerError,
    InvalidReferenceError,
    InvalidRequestError,
    ReconcilerError,
    SigningError,
    SizeNotAllowedError,
    TypeNotAllowedError,
    UnknownUploadError,
)
from reconciler.ports import SignedRequest
from reconciler.presign import POST_CONDITIONS, PUT_HEADERS, Presigner

on_seaweedfs = pytest.mark.parametrize("server", ["seaweedfs"], indirect=True)
on_moto = pytest.mark.parametrize("server", ["moto"], indirect=True)


def policy_of(fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.b64decode(fields["policy"]))
    return found


def presign_post(stage: Stage, **asked: Any) -> Any:
    return stage.uploads.presign_post(**{"filename": "me.jpg", "content_type": "image/jpeg", "owner": OWNER, **asked})


# The row


def test_the_row_is_committed_before_the_url_exists(stage: Stage) -> None:
    """A signer that looks at the table when it is asked to sign finds the pending row."""
    seen: list[Upload | None] = []

    def look(sign: Any, key: str, **asked: Any) -> Any:
        seen.append(stage.table.get(key))
        return sign(key, **asked)

    stage.signer = Around(stage.signer).instead("put", look)
    ticket = stage.presign()
    assert [row and (row.key, row.status) for row in seen] == [(ticket.key, Status.PENDING)]


def test_the_row_remembers_what_was_asked_for(stage: Stage) -> None:
    """The row holds owner, filename, type, exact size, metadata and the three moments."""
    ticket = stage.presign(filename="Ferien 🏖.jpg", metadata={"form": 7, "tags": ["a", None]})
    row = stage.row(ticket.key)
    assert (row.owner, row.filename, row.declared_type) == (OWNER, "Ferien 🏖.jpg", "image/jpeg")
    assert (row.min_size, row.max_size, row.size) == (len(JPEG), len(JPEG), None)
    assert row.metadata == {"form": 7, "tags": ["a", None]}
    assert (row.expires_at - row.created_at, row.due_at - row.created_at) == (timedelta(minutes=15), timedelta(days=1))
    assert (row.bucket, ticket.expires_at) == (stage.objects.bucket, row.expires_at)


def test_no_column_holds_a_signature(s3: Stage) -> None:
    """No column of the table holds the URL's signature, its credential, or any query."""
    ticket = s3.presign()
    query = parse_qs(urlsplit(ticket.url).query)
    with s3.table.engine.connect() as connection:
        (kept,) = connection.exec_driver_sql("SELECT * FROM upload_status").all()
    text = repr(tuple(kept))
    assert query["X-Amz-Signature"][0] not in text
    assert query["X-Amz-Credential"][0] not in text
    assert "X-Amz" not in text
    assert "?" not in s3.row(ticket.key).object_url


def test_no_row_in_memory_holds_a_signature(memory: Stage) -> None:
    """The same holds for the table in memory."""
    key = memory.presign().key
    assert "X-Amz" not in repr(asdict(memory.row(key)))


def test_the_key_names_the_day_and_nothing_of_the_user(memory: Stage) -> None:
    """A key is prefix, day, a random id and the type's own extension."""
    key = memory.presign(filename="secret-name.exe.png").key
    assert re.fullmatch(re.escape(day_start(PREFIX, memory.clock.now().date())) + r"[0-9a-f-]{36}\.jpg", key)


def test_every_presign_has_a_key_of_its_own(memory: Stage) -> None:
    """The same request twice leads to two keys and two rows."""
    assert memory.presign().key != memory.presign().key
    assert len(rows(memory)) == 2


def test_a_taken_key_is_never_handed_out_again(memory: Stage) -> None:
    """Should the random id repeat, no second URL is issued for the first one's key."""
    presigner = Presigner(
        signer=memory.signer,
        table=memory.table,
        clock=memory.clock,
        timing=memory.timing,
        allowed=Allowed(content_types=IMAGES, max_size=1000),
        bucket="photos",
        prefix=PREFIX,
        new_id=lambda: UUID(int=1),
    )
    asked = {"filename": "me.jpg", "content_type": "image/jpeg", "size": 10}
    presigner.put(owner="user:1", **asked)
    with pytest.raises(ReconcilerError):
        presigner.put(owner="user:2", **asked)


# The ticket


def test_a_ticket_is_ready_for_json(memory: Stage) -> None:
    """as_dict holds everything the browser needs and survives JSON."""
    ticket = memory.presign()
    assert json.loads(json.dumps(ticket.as_dict())) == {
        "key": ticket.key,
        "method": "PUT",
        "url": ticket.url,
        "headers": dict(ticket.headers),
        "fields": {},
        "expires_at": ticket.expires_at.isoformat(),
    }


def test_a_tickets_repr_hides_what_lets_upload(s3: Stage) -> None:
    """The repr shows neither URL nor form fields."""
    for ticket in (s3.presign(), presign_post(s3)):
        assert ticket.url not in repr(ticket)
        assert "X-Amz-Signature" not in repr(ticket)
        assert "policy" not in repr(ticket)


def test_the_headers_are_to_be_sent_verbatim(s3: Stage) -> None:
    """The ticket's headers alone, beside Host and Content-Length, make the upload succeed and tag it pending."""
    ticket = s3.presign()
    assert ticket.headers == {"Content-Type": "image/jpeg", "If-None-Match": "*", "x-amz-tagging": "status=pending"}
    assert s3.browser(ticket, JPEG) == 200
    assert s3.objects.tags(ticket.key) == {"status": "pending"}


@on_seaweedfs
@pytest.mark.parametrize("left_out", ["Content-Type", "If-None-Match", "x-amz-tagging"])
def test_no_signed_header_may_be_left_out(s3: Stage, left_out: str) -> None:
    """A store that verifies signatures refuses the upload without any one of the headers."""
    ticket = s3.presign()
    headers = {name: value for name, value in ticket.headers.items() if name != left_out}
    assert send(ticket, JPEG, headers) == 403
    assert s3.keys() == set()


@on_seaweedfs
def test_another_size_than_was_signed_is_refused(s3: Stage) -> None:
    """A store that verifies signatures refuses one byte more."""
    assert send(s3.presign(), JPEG + b"x") == 403


def test_a_url_uploads_once(stage: Stage) -> None:
    """A second PUT with the same URL does not replace the object."""
    ticket = stage.presign()
    assert [stage.browser(ticket, JPEG), stage.browser(ticket, JPEG)] == [200, 412]


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_either_variable_names_the_region(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """AWS_REGION, which every hint names, sets the region that is signed for, and so does boto3's own variable."""
    monkeypatch.setenv(name, "eu-central-1")
    assert make_client().meta.region_name == "eu-central-1"


# POST


def test_a_form_fixes_everything_but_the_size(s3: Stage) -> None:
    """The policy's conditions are exact, but for the range of sizes."""
    ticket = presign_post(s3, min_size=10, max_size=5000)
    conditions = policy_of(ticket.fields)["conditions"]
    exact = {name: value for condition in conditions if isinstance(condition, dict) for name, value in condition.items()}
    assert ["content-length-range", 10, 5000] in conditions
    assert [condition for condition in conditions if isinstance(condition, list)] == [["content-length-range", 10, 5000]]
    assert (exact["bucket"], exact["key"], exact["Content-Type"]) == (s3.objects.bucket, ticket.key, "image/jpeg")
    assert exact["tagging"] == ticket.fields["tagging"]
    assert "<Key>status</Key><Value>pending</Value>" in ticket.fields["tagging"]


def test_a_form_is_signed_with_sigv4_and_dies_with_the_url_life(s3: Stage) -> None:
    """The form carries SigV4 fields, has no headers, and its policy expires a quarter of an hour later."""
    ticket = presign_post(s3)
    assert (ticket.method, dict(ticket.headers)) == ("POST", {})
    assert ticket.fields["x-amz-algorithm"] == "AWS4-HMAC-SHA256"
    assert policy_of(ticket.fields)["expiration"].startswith(f"{ticket.expires_at:%Y-%m-%dT%H:%M}")


def test_a_forms_size_range_is_kept_in_the_row(s3: Stage) -> None:
    """The row holds the range, which by default reaches from 1 byte to the allowed maximum."""
    given, default = presign_post(s3, min_size=10, max_size=5000), presign_post(s3)
    assert [(row.min_size, row.max_size) for row in map(s3.row, (given.key, default.key))] == [(10, 5000), (1, 20 * 1024**2)]


@on_moto
def test_a_form_can_be_sent_and_completed(s3: Stage) -> None:
    """What was posted with the fields as they are can be completed."""
    ticket = presign_post(s3)
    fields = {**ticket.fields, "file": ("me.jpg", JPEG, "image/jpeg")}
    assert HTTP.request("POST", ticket.url, fields=fields).status in (200, 204)
    assert s3.uploads.complete(ticket.key, owner=OWNER).status is Status.COMPLETED


@pytest.mark.parametrize(
    "sizes",
    [
        {"min_size": 0},
        {"max_size": 0},
        {"min_size": 5, "max_size": 4},
        {"min_size": 5, "max_size": 5},
        {"max_size": 20 * 1024**2 + 1},
    ],
)
def test_a_forms_impossible_range_leaves_no_row(memory: Stage, sizes: dict[str, int]) -> None:
    """A range that is empty, begins at nothing, or reaches too far is refused before anything is remembered."""
    with pytest.raises(SizeNotAllowedError):
        presign_post(memory, **sizes)
    assert rows(memory) == []


# Refusals


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"filename": ""}, InvalidFilenameError),
        ({"filename": "  "}, InvalidFilenameError),
        ({"filename": None}, InvalidFilenameError),
        ({"filename": "x" * 256}, InvalidFilenameError),
        ({"filename": "../me.jpg"}, InvalidFilenameError),
        ({"filename": "C:\\me.jpg"}, InvalidFilenameError),
        ({"filename": ".."}, InvalidFilenameError),
        ({"filename": "me\n.jpg"}, InvalidFilenameError),
        ({"content_type": "text/html"}, TypeNotAllowedError),
        ({"content_type": ""}, TypeNotAllowedError),
        ({"content_type": None}, TypeNotAllowedError),
        ({"content_type": "image/jpeg; charset=utf-8"}, TypeNotAllowedError),
        ({"size": 0}, SizeNotAllowedError),
        ({"size": -1}, SizeNotAllowedError),
        ({"size": 20 * 1024**2 + 1}, SizeNotAllowedError),
        ({"size": "17"}, SizeNotAllowedError),
        ({"size": True}, SizeNotAllowedError),
        ({"size": 1.5}, SizeNotAllowedError),
        ({"metadata": {"note": "x" * 4096}}, InvalidMetadataError),
        ({"metadata": {"note": "é" * 1000}}, InvalidMetadataError),
        ({"metadata": {"when": timedelta()}}, InvalidMetadataError),
        ({"metadata": {"number": float("nan")}}, InvalidMetadataError),
        ({"metadata": ["a"]}, InvalidMetadataError),
        ({"owner": ""}, InvalidOwnerError),
        ({"owner": "   "}, InvalidOwnerError),
        ({"owner": "x" * 256}, InvalidOwnerError),
        ({"owner": None}, InvalidOwnerError),
        ({"owner": 42}, InvalidOwnerError),
        ({"owner": "user\x00"}, InvalidOwnerError),
        ({"replaces": "elsewhere/me.jpg"}, InvalidReferenceError),
        ({"replaces": "https://example.org/uploads/me.jpg"}, InvalidReferenceError),
        ({"replaces": f"{PREFIX}.reconciler/instance.json"}, InvalidReferenceError),
        ({"replaces": f"{PREFIX}unknown.jpg"}, UnknownUploadError),
    ],
    ids=lambda value: next(iter(f"{k}={str(v)[:20]!r}" for k, v in value.items())) if isinstance(value, dict) else "",
)
def test_a_bad_request_leaves_no_row(memory: Stage, asked: dict[str, Any], error: type[Exception]) -> None:
    """Whatever is not allowed is refused before anything is remembered or signed."""
    memory.signer = Around(memory.signer)
    with pytest.raises(error):
        memory.presign(**asked)
    assert rows(memory) == []
    assert "put" not in memory.signer.verbs()


def test_a_bad_request_is_one_kind_of_error(memory: Stage) -> None:
    """Every refusal of what was asked for is an InvalidRequestError, so that one handler turns them into a 400."""
    with pytest.raises(InvalidRequestError):
        memory.presign(size=0)


# Signatures


@pytest.mark.parametrize("left_out", sorted(PUT_HEADERS))
def test_a_signature_that_leaves_out_a_header_is_never_handed_out(memory: Stage, left_out: str) -> None:
    """A signer that does not cover a header leads to a SigningError which names it, and to no ticket."""

    def leave_out(sign: Any, key: str, **asked: Any) -> SignedRequest:
        request = sign(key, **asked)
        signed = "%3B".join(sorted(PUT_HEADERS - {left_out}))
        return replace(request, url=re.sub(r"X-Amz-SignedHeaders=.*", f"X-Amz-SignedHeaders={signed}", request.url))

    memory.signer = Around(memory.signer).instead("put", leave_out)
    with pytest.raises(SigningError, match=left_out):
        memory.presign()


def test_a_sigv2_signature_is_never_handed_out(memory: Stage) -> None:
    """A signer that signs otherwise than with SigV4 leads to a SigningError."""

    def old(sign: Any, key: str, **asked: Any) -> SignedRequest:
        return replace(sign(key, **asked), url=f"https://bucket.invalid/{key}?AWSAccessKeyId=a&Signature=b&Expires=1")

    memory.signer = Around(memory.signer).instead("put", old)
    with pytest.raises(SigningError, match="SigV4"):
        memory.presign()


@on_moto
@pytest.mark.parametrize("left_out", sorted(POST_CONDITIONS))
def test_a_policy_that_leaves_out_a_condition_is_never_handed_out(s3: Stage, left_out: str) -> None:
    """A policy without an exact condition leads to a SigningError which names it; a starts-with does not count."""

    def loosen(sign: Any, key: str, **asked: Any) -> SignedRequest:
        request = sign(key, **asked)
        policy = policy_of(request.fields)
        policy["conditions"] = [loose(condition) for condition in policy["conditions"]]
        encoded = base64.b64encode(json.dumps(policy).encode()).decode()
        return replace(request, fields={**request.fields, "policy": encoded})

    def loose(condition: Any) -> Any:
        name = next(iter(condition)) if isinstance(condition, dict) else condition[0]
        return ["starts-with", f"${name}", ""] if name.lower() == left_out else condition

    s3.signer = Around(s3.signer).instead("post", loosen)
    with pytest.raises(SigningError, match=left_out):
        presign_post(s3)


# Replacing


def test_replacing_a_pending_upload_brings_its_deadline_forward(stage: Stage) -> None:
    """A pending predecessor is due as soon as its URL is dead and the slowest transfer over."""
    old = stage.upload()
    new = stage.presign(replaces=old).key
    assert stage.row(old).due_at == stage.row(old).expires_at + timedelta(hours=1)
    assert stage.row(new).replaces == old


def test_replacing_never_pushes_a_deadline_back(memory: Stage) -> None:
    """A predecessor that is due earlier than that stays so."""
    memory.timing = replace(memory.timing, retention=timedelta(minutes=30))
    old = memory.upload()
    before = memory.row(old).due_at
    memory.presign(replaces=old)
    memory.presign(replaces=old)
    assert memory.row(old).due_at == before


def test_replacing_leaves_a_completed_upload_alone(memory: Stage) -> None:
    """Naming a completed predecessor changes nothing about it yet."""
    old = memory.completed()
    before = memory.row(old)
    memory.presign(replaces=old)
    assert memory.row(old) == before


def test_replacing_takes_the_url_as_well(memory: Stage) -> None:
    """The predecessor may be named by an address of the object."""
    old = memory.upload()
    new = memory.presign(replaces=f"s3://{memory.objects.bucket}/{old}").key
    assert memory.row(new).replaces == old


def test_replacing_tells_nothing_about_others_uploads(stage: Stage) -> None:
    """An unknown key and somebody else's give the same error, and neither leaves a row or moves a deadline."""
    theirs = stage.upload(owner="user:1")
    before = rows(stage)
    said = []
    for key in (theirs, f"{PREFIX}unknown.jpg"):
        with pytest.raises(UnknownUploadError) as caught:
            stage.presign(replaces=key)
        said.append((type(caught.value), str(caught.value), caught.value.hint, caught.value.facts))
    assert said[0] == said[1]
    assert rows(stage) == before
