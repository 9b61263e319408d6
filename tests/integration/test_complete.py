"""Completing: the object is verified, prepared and looked at again; the row moves only when all of it held."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from integration_support import OBJECT_WRITES, Around, around_objects, is_there, put, remove, tag_as
from support import JPEG, OWNER, PNG, PREFIX, Stage

from reconciler.core.documents import pending_rule_id
from reconciler.core.model import Status, Tag
from reconciler.errors import (
    AccessDeniedError,
    EmptyObjectError,
    InvalidOwnerError,
    InvalidReferenceError,
    NotUploadedError,
    ObjectChangedError,
    ObjectRefusedError,
    StoreUnavailableError,
    UnknownUploadError,
    UploadExpiredError,
    WrongSizeError,
    WrongTypeError,
)

OTHER_JPEG = JPEG[:-1] + b"x"
HTML = b"<!doctype html>" + b"x" * (len(JPEG) - 15)


def complete(stage: Stage, key: str, owner: str = OWNER) -> Any:
    return stage.uploads.complete(key, owner=owner)


def still_pending(stage: Stage, key: str) -> bool:
    row = stage.row(key)
    return (row.status, row.completed_at, row.settled_at) == (Status.PENDING, None, None)


# What completing does


def test_completing_moves_the_row_and_tells_s3(stage: Stage) -> None:
    """A completed upload's row is completed and settled, and its object is tagged so."""
    key = stage.upload()
    complete(stage, key)
    row = stage.row(key)
    assert (row.status, stage.objects.tags(key)) == (Status.COMPLETED, {"status": "completed"})
    assert None not in (row.completed_at, row.settled_at)
    assert row.confirmed_at is None


def test_completing_records_what_is_stored(stage: Stage) -> None:
    """The row takes the object's etag, size, type and time."""
    key = stage.upload()
    facts = stage.objects.head(key)
    done = complete(stage, key)
    row = stage.row(key)
    assert (row.etag, row.size, row.content_type) == (facts.etag, len(JPEG), "image/jpeg")
    assert row.last_modified == facts.last_modified
    assert (done.key, done.etag, done.status) == (row.key, row.etag, Status.COMPLETED)


@pytest.mark.parametrize(
    "form",
    [
        "{key}",
        "s3://{bucket}/{key}",
        "https://{bucket}.s3.eu-central-1.amazonaws.com/{key}",
        "https://s3.eu-central-1.amazonaws.com/{bucket}/{key}",
        "http://127.0.0.1:8333/{bucket}/{key}?X-Amz-Signature=abc#top",
        "https://{bucket}.s3.amazonaws.com/{encoded}",
    ],
)
def test_every_form_of_reference_completes(memory: Stage, form: str) -> None:
    """The key and every address of the object are understood."""
    key = memory.upload()
    reference = form.format(bucket="photos", key=key, encoded=key.replace("-", "%2D"))
    assert complete(memory, reference).key == key


def test_the_rows_own_url_completes(stage: Stage) -> None:
    """The object's address as the row keeps it names the upload."""
    key = stage.upload()
    assert complete(stage, stage.row(key).object_url).key == key


def test_the_presigned_url_completes(s3: Stage) -> None:
    """A form may hand back the whole presigned URL."""
    ticket = s3.presign()
    s3.browser(ticket, JPEG)
    assert complete(s3, ticket.url).key == ticket.key


@pytest.mark.parametrize(
    "reference",
    [
        "",
        " ",
        PREFIX,
        "elsewhere/a.jpg",
        "uploads2/a.jpg",
        f"{PREFIX}.reconciler/instance.json",
        "https://example.org/uploads/a.jpg",
        "s3://other/uploads/a.jpg",
        "ftp://photos/uploads/a.jpg",
        "http://[photos/uploads/a.jpg",
        f"{PREFIX}a\n.jpg",
        PREFIX + "x" * 1024,
        None,
        7,
    ],
)
def test_what_is_no_upload_of_ours_is_refused(memory: Stage, reference: Any) -> None:
    """Another bucket, another prefix, reconciler's own folder and nonsense are InvalidReferenceErrors."""
    with pytest.raises(InvalidReferenceError):
        complete(memory, reference)


# Whose it is


def test_completing_tells_nothing_about_others_uploads(stage: Stage) -> None:
    """An unknown key and somebody else's give the same error, word for word, and S3 is not asked."""
    theirs = stage.upload(owner="user:1")
    objects = around_objects(stage)
    said = []
    for key in (theirs, f"{PREFIX}2026/11/22/unknown.jpg"):
        with pytest.raises(UnknownUploadError) as caught:
            complete(stage, key)
        said.append((type(caught.value), str(caught.value), caught.value.hint, caught.value.facts))
    assert said[0] == said[1]
    assert objects.calls == []


def test_somebody_elses_completed_upload_is_unknown_too(memory: Stage) -> None:
    """The status makes no difference to what a stranger is told."""
    key = memory.completed(owner="user:1")
    for ask in (complete, lambda stage, key: stage.uploads.release(key, owner=OWNER)):
        with pytest.raises(UnknownUploadError):
            ask(memory, key)


@pytest.mark.parametrize("owner", ["", None, 42])
def test_an_unusable_owner_is_refused(memory: Stage, owner: Any) -> None:
    """Completing without saying who it is for is an InvalidOwnerError."""
    with pytest.raises(InvalidOwnerError):
        complete(memory, memory.upload(), owner=owner)


# What is not as it was signed


def test_what_was_never_uploaded_cannot_be_completed(stage: Stage) -> None:
    """A key without an object is NotUploadedError, and may be completed once the object is there."""
    ticket = stage.presign()
    with pytest.raises(NotUploadedError):
        complete(stage, ticket.key)
    stage.browser(ticket, JPEG)
    assert complete(stage, ticket.key).status is Status.COMPLETED


@pytest.mark.parametrize(
    ("body", "kind", "error"),
    [
        (b"", "image/jpeg", EmptyObjectError),
        (JPEG + b"x", "image/jpeg", WrongSizeError),
        (JPEG[:-1], "image/jpeg", WrongSizeError),
        (JPEG, "image/png", WrongTypeError),
        (JPEG, "text/html", WrongTypeError),
        (HTML, "image/jpeg", WrongTypeError),
        ((PNG + JPEG)[: len(JPEG)], "image/jpeg", WrongTypeError),
    ],
    ids=["empty", "longer", "shorter", "other image type", "other type", "html named jpeg", "png declared jpeg"],
)
def test_an_object_that_is_not_what_was_signed_is_refused(
    memory: Stage, body: bytes, kind: str, error: type[ObjectRefusedError]
) -> None:
    """Size, Content-Type and first bytes must be as declared; a refused object keeps its tag and its pending row."""
    key = memory.presign().key
    put(memory, key, body, kind=kind, status="pending")
    with pytest.raises(error):
        complete(memory, key)
    assert still_pending(memory, key)
    assert memory.tag(key) is Tag.PENDING


@pytest.mark.parametrize(("body", "error"), [(b"", EmptyObjectError), (HTML, WrongTypeError)], ids=["empty", "html"])
def test_real_servers_show_what_is_wrong(s3: Stage, body: bytes, error: type[ObjectRefusedError]) -> None:
    """An empty object (which has no first byte to ask for) and other bytes are told apart on real servers."""
    key = s3.presign().key
    put(s3, key, body, status="pending")
    with pytest.raises(error):
        complete(s3, key)
    assert still_pending(s3, key)


def test_a_refused_object_is_swept(stage: Stage) -> None:
    """What completing refused is deleted after its deadline like any abandoned upload."""
    key = stage.presign().key
    put(stage, key, HTML, status="pending")
    with pytest.raises(WrongTypeError):
        complete(stage, key)
    stage.advance(hours=25)
    stage.sweep()
    assert not is_there(stage, key)


# Too late


def test_an_upload_past_its_deadline_is_expired(stage: Stage) -> None:
    """At its deadline an upload can no longer be completed, and nothing is asked of or written to S3."""
    key = stage.upload()
    stage.advance(hours=24)
    objects = around_objects(stage)
    with pytest.raises(UploadExpiredError):
        complete(stage, key)
    assert still_pending(stage, key)
    assert objects.calls == []


def test_just_before_the_deadline_is_in_time(memory: Stage) -> None:
    """One second before its deadline an upload is completed."""
    key = memory.upload()
    memory.advance(hours=23, minutes=59, seconds=59)
    assert complete(memory, key).status is Status.COMPLETED


def test_a_deadline_that_passes_while_completing_counts(memory: Stage) -> None:
    """The deadline is compared again when the row moves."""
    key = memory.upload()
    around_objects(memory).before("head", lambda: memory.advance(hours=24))
    with pytest.raises(UploadExpiredError):
        complete(memory, key)
    assert still_pending(memory, key)


def test_what_was_deleted_is_never_revived(stage: Stage) -> None:
    """Neither a tombstone nor a released row is completed again, even if an object lies there."""
    swept, released = stage.upload(), stage.completed()
    stage.uploads.release(released, owner=OWNER)
    stage.advance(hours=25)
    stage.sweep()
    put(stage, swept, status="pending")
    for key, status in ((swept, Status.DELETED), (released, Status.DELETING)):
        with pytest.raises(UploadExpiredError):
            complete(stage, key)
        assert stage.row(key).status is status
    assert stage.tag(swept) is Tag.PENDING


# Twice


def test_completing_twice_returns_the_same_upload_and_asks_nothing_of_s3(stage: Stage) -> None:
    """The second call returns the row as it is."""
    key = stage.upload()
    first = complete(stage, key)
    objects = around_objects(stage)
    second = complete(stage, key)
    assert (second.key, second.etag, second.completed_at) == (first.key, first.etag, first.completed_at)
    assert objects.calls == []


def test_a_completed_upload_stays_completable_after_its_deadline(memory: Stage) -> None:
    """A form that is sent again a week later still succeeds."""
    key = memory.completed()
    memory.advance(days=7)
    assert complete(memory, key).status is Status.COMPLETED


def test_being_completed_meanwhile_by_the_same_owner_is_fine(stage: Stage) -> None:
    """Whoever loses the race between two requests returns the winner's row, and settles once more."""
    key = stage.upload()
    other = replace(stage)
    objects = around_objects(stage).before("head", lambda: complete(other, key))
    done = complete(stage, key)
    assert (done.status, stage.row(key).status) == (Status.COMPLETED, Status.COMPLETED)
    assert objects.verbs().count("put_tags") == 2
    assert stage.tag(key) is Tag.COMPLETED


def test_settling_by_hand_is_harmless(memory: Stage) -> None:
    """settle() on a settled upload says that S3 has been told, and changes nothing about the tag."""
    done = complete(memory, memory.upload())
    assert done.settle() is True
    assert memory.tag(done.key) is Tag.COMPLETED


# Requests and tags


def test_foreign_tags_are_kept(stage: Stage) -> None:
    """Tags that somebody else put on the object survive completing and settling."""
    key = stage.presign().key
    put(stage, key, status="pending", scan="clean", team="web")
    complete(stage, key)
    assert stage.objects.tags(key) == {"status": "completed", "scan": "clean", "team": "web"}


def test_foreign_tags_survive_the_sweeps_settling(stage: Stage) -> None:
    """A sweep that settles keeps them as well."""
    key = stage.presign().key
    put(stage, key, status="pending", scan="clean")
    objects = refuse_settling(stage)
    complete(stage, key)
    objects.mend()
    stage.sweep()
    assert stage.objects.tags(key) == {"status": "completed", "scan": "clean"}


def test_a_plain_completion_costs_six_requests_where_no_rule_is_announced(s3: Stage) -> None:
    """One GET, a look at the tags, the retag, one HEAD, another look at the tag, and the settling retag."""
    key = s3.upload()
    asked: list[str] = []
    events = s3.objects._client.meta.events
    events.register("before-send.s3", lambda event_name, **_: asked.append(event_name.rpartition(".")[2]))
    complete(s3, key)
    assert asked == [
        "GetObject",
        "GetObjectTagging",
        "PutObjectTagging",
        "HeadObject",
        "GetObjectTagging",
        "PutObjectTagging",
    ]


# The second look


@pytest.mark.parametrize("verb", ["put_tags", "head"])
def test_an_object_overwritten_while_completing_is_refused(stage: Stage, verb: str) -> None:
    """Other bytes that arrive before or after the retag are noticed by the second look."""
    key = stage.upload()
    around_objects(stage).before(verb, lambda: put(stage, key, OTHER_JPEG, status="pending"))
    with pytest.raises(ObjectChangedError):
        complete(stage, key)
    assert still_pending(stage, key)


def test_the_same_bytes_again_after_the_retag_are_refused(stage: Stage) -> None:
    """A replayed upload has the same etag but resets the tag: that is noticed too, and completing again succeeds."""
    key = stage.upload()
    around_objects(stage).before("head", lambda: put(stage, key, status="pending"))
    with pytest.raises(ObjectChangedError):
        complete(stage, key)
    assert still_pending(stage, key)
    assert complete(stage, key).status is Status.COMPLETED


def test_an_object_deleted_while_completing_is_not_uploaded(stage: Stage) -> None:
    """An object that goes between the retag and the second look leaves the row pending."""
    key = stage.upload()
    around_objects(stage).before("head", lambda: remove(stage, key))
    with pytest.raises(NotUploadedError):
        complete(stage, key)
    assert still_pending(stage, key)


def naming(rule: str | None) -> Callable[..., Any]:
    """Let a store answer with an x-amz-expiration header."""
    return lambda ask, *args, **kwargs: replace(ask(*args, **kwargs), expiring_rule=rule)


def test_a_store_that_no_longer_names_our_rule_is_believed(memory: Stage) -> None:
    """Where x-amz-expiration named our rule before the retag and not after it, the tag is not read."""
    key = memory.upload()
    objects = around_objects(memory).instead("peek", naming(pending_rule_id(PREFIX)))
    complete(memory, key)
    assert objects.verbs() == ["peek", "put_tags", "head", "put_tags"]


def test_an_object_still_up_for_expiry_is_refused(memory: Stage) -> None:
    """Where x-amz-expiration names our rule after the retag, the tag was reset: ObjectChangedError."""
    key = memory.upload()
    rule = pending_rule_id(PREFIX)
    around_objects(memory).instead("peek", naming(rule)).instead("head", naming(rule))
    with pytest.raises(ObjectChangedError, match="expiry"):
        complete(memory, key)
    assert still_pending(memory, key)


def test_somebody_elses_expiry_rule_proves_nothing(memory: Stage) -> None:
    """Another rule's expiry neither refuses the object nor saves reading the tag."""
    key = memory.upload()
    objects = around_objects(memory).instead("peek", naming("other")).instead("head", naming("other"))
    complete(memory, key)
    assert objects.verbs() == ["peek", "tags", "put_tags", "head", "tags", "put_tags"]


# When S3 fails


@pytest.mark.parametrize("error", [AccessDeniedError(), StoreUnavailableError()], ids=["403", "503"])
@pytest.mark.parametrize("verb", ["peek", "put_tags", "head", "tags"])
def test_a_failing_step_leaves_the_row_pending(memory: Stage, verb: str, error: Exception) -> None:
    """S3's refusal at any step surfaces as it is; the row stays pending, and the sweep deletes the object when it is due."""
    key = memory.upload()
    objects = around_objects(memory).failing(verb, error)
    with pytest.raises(type(error)):
        complete(memory, key)
    assert still_pending(memory, key)
    objects.mend()
    for _ in range(2):  # what was being completed is given one more retention
        memory.advance(hours=25)
        memory.sweep()
    assert (memory.keys(), memory.row(key).status) == (set(), Status.DELETED)


@pytest.mark.parametrize("verb", ["peek", "put_tags", "head", "tags"])
def test_completing_again_after_a_failing_step_succeeds(memory: Stage, verb: str) -> None:
    """A failure at any step costs the user nothing but a second try."""
    key = memory.upload()
    objects = around_objects(memory).failing(verb, StoreUnavailableError())
    with pytest.raises(StoreUnavailableError):
        complete(memory, key)
    objects.mend()
    assert complete(memory, key).status is Status.COMPLETED


def refuse_settling(stage: Stage) -> Around:
    """Let only the retag to `completed` fail."""

    def step(put_tags: Any, key: str, tags: Any, **kwargs: Any) -> None:
        if tags["status"] == "completed":
            raise StoreUnavailableError
        put_tags(key, tags, **kwargs)

    return around_objects(stage).instead("put_tags", step)


def test_failing_to_settle_does_not_fail_completing(stage: Stage) -> None:
    """If only the last retag fails, the upload is completed and unsettled, and its tag is still `completing`."""
    refuse_settling(stage)
    done = complete(stage, stage.upload())
    assert (stage.row(done.key).status, stage.row(done.key).settled_at) == (Status.COMPLETED, None)
    assert stage.tag(done.key) is Tag.COMPLETING
    assert done.settle() is False


def test_the_sweep_settles_what_completing_could_not(stage: Stage) -> None:
    """A later sweep tells S3, and a plan after it has nothing left to do."""
    objects = refuse_settling(stage)
    key = complete(stage, stage.upload()).key
    objects.mend()
    stage.advance(days=3)
    stage.sweep()
    assert stage.tag(key) is Tag.COMPLETED
    assert stage.row(key).settled_at is not None
    assert stage.sweep().outcomes == ()


def test_any_error_of_settling_is_swallowed(memory: Stage) -> None:
    """The caller has committed: whatever settling raises, even a bug, is left to the sweep."""
    around_objects(memory).instead("put_tags", broken_settling)
    assert complete(memory, memory.upload()).status is Status.COMPLETED


def broken_settling(put_tags: Any, key: str, tags: Any, **kwargs: Any) -> None:
    if tags["status"] == "completed":
        raise RuntimeError
    put_tags(key, tags, **kwargs)


def test_settling_never_tags_a_row_that_was_released_meanwhile(memory: Stage) -> None:
    """settle() reads the row again, and leaves the object of a row that is no longer completed alone."""
    refuse_settling(memory)
    done = complete(memory, memory.upload())
    memory.uploads.release(done.key, owner=OWNER)
    assert done.settle() is False
    assert memory.tag(done.key) is Tag.COMPLETING


def test_completing_after_a_crash_before_the_commit_succeeds(memory: Stage) -> None:
    """A row left pending with the tag `completing` is completed by the next request."""
    key = memory.upload()
    tag_as(memory, key, "completing")
    assert complete(memory, key).status is Status.COMPLETED


def test_completing_writes_nothing_but_tags(memory: Stage) -> None:
    """The only thing that completing ever writes to the bucket is a tag set."""
    objects = around_objects(memory)
    complete(memory, memory.upload())
    assert {verb for verb in objects.verbs() if verb in OBJECT_WRITES} == {"put_tags"}


def test_a_form_that_is_sent_twice_is_completed_once_under_the_bucket_policy(memory: Stage) -> None:
    """Where the other request has settled meanwhile, tagging it back is denied: the row says completed, and so does complete."""
    key = memory.upload()
    objects = around_objects(memory)

    def too_late(_: Any, *args: Any, **kwargs: Any) -> None:
        objects.mend()
        memory.uploads.complete(key, owner=OWNER)
        raise AccessDeniedError

    objects.instead("put_tags", too_late)
    assert memory.uploads.complete(key, owner=OWNER).status is Status.COMPLETED
    assert memory.tag(key) is Tag.COMPLETED


def test_who_may_not_tag_completes_nothing(memory: Stage) -> None:
    """A denial that nobody's completion explains is an error, and the row stays pending."""
    key = memory.upload()
    around_objects(memory).failing("put_tags", AccessDeniedError())
    with pytest.raises(AccessDeniedError):
        memory.uploads.complete(key, owner=OWNER)
    assert memory.row(key).status is Status.PENDING
