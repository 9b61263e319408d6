"""Reading events: whoever sends them, they come down to a bucket, a key, and a time that only metrics use."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.events import Event, read_events
from reconciler.errors import MalformedEventError

AT = datetime(2026, 11, 22, 10, 0, 0, 123000, tzinfo=UTC)
TIME = "2026-11-22T10:00:00.123Z"


def record(key: str, *, source: str = "aws:s3", **given: Any) -> dict[str, Any]:
    """One record of a notification, with its key as it is written there."""
    what = {"bucket": {"name": "photos"}, "object": {"key": key, "size": 3, "eTag": "e", "sequencer": "00AB"}}
    return {
        "eventVersion": "2.6",
        "eventSource": source,
        "eventTime": TIME,
        "eventName": "ObjectCreated:Put",
        "s3": what,
        **given,
    }


def notification(*keys: str, source: str = "aws:s3") -> str:
    return json.dumps({"Records": [record(key, source=source) for key in keys]})


def from_eventbridge(key: str, **given: Any) -> str:
    detail = {"version": "0", "bucket": {"name": "photos"}, "object": {"key": key}, "reason": "PutObject"}
    event = {
        "version": "0",
        "source": "aws.s3",
        "detail-type": "Object Created",
        "time": "2026-11-22T10:00:00Z",
        "detail": detail,
    }
    return json.dumps({**event, **given})


def by_sns(body: str) -> str:
    return json.dumps({"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:1:t", "Message": body})


def keys(body: str) -> list[str]:
    return [event.key for event in read_events(body)]


NAMES = {
    "plain": ("u/a.jpg", "u/a.jpg"),
    "space": ("u/red flower.jpg", "u/red+flower.jpg"),
    "plus": ("u/a+b.jpg", "u/a%2Bb.jpg"),
    "percent": ("u/100%.jpg", "u/100%25.jpg"),
    "looks encoded": ("u/a%2Bb", "u/a%252Bb"),
    "not ASCII": ("u/Grüße 😀.jpg", "u/Gr%C3%BC%C3%9Fe+%F0%9F%98%80.jpg"),
    "encoded slashes, as moto and MinIO write them": ("u/a b", "u%2Fa+b"),
    "quotes and brackets": ("u/\"<&>'.jpg", "u/%22%3C%26%3E%27.jpg"),
    "control character": ("u/a\tb", "u/a%09b"),
}


@pytest.mark.parametrize("source", ["aws:s3", "minio:s3"])
@pytest.mark.parametrize(("key", "written"), NAMES.values(), ids=NAMES)
def test_a_form_encoded_key_is_decoded(source: str, key: str, written: str) -> None:
    """AWS and MinIO write a space as a plus sign, and most else with percent signs."""
    assert keys(notification(written, source=source)) == [key]


@pytest.mark.parametrize("key", [key for key, _ in NAMES.values()], ids=NAMES)
def test_a_raw_key_is_taken_as_it_is(key: str) -> None:
    """Ceph and EventBridge encode nothing: what looks encoded is the key."""
    assert keys(notification(key, source="ceph:s3")) == [key]
    assert keys(from_eventbridge(key)) == [key]


@pytest.mark.parametrize(
    ("written", "expected"),
    [("u/a.jpg", ["u/a.jpg"]), ("u/a+b", ["u/a+b", "u/a b"]), ("u/%FF", ["u/%FF"])],
    ids=["the same either way", "either", "decodes to nothing"],
)
def test_a_key_of_an_unknown_sender_is_taken_both_ways(written: str, expected: list[str]) -> None:
    """A key too many costs a look, one too few would be missed."""
    assert keys(notification(written, source="somebody:s3")) == expected


def test_a_notification_may_hold_several_records() -> None:
    """Each is an event, in their order."""
    assert read_events(notification("u/a", "u/b")) == (
        Event("photos", "u/a", AT, "ObjectCreated:Put"),
        Event("photos", "u/b", AT, "ObjectCreated:Put"),
    )


@pytest.mark.parametrize(
    ("wrap", "body"),
    [
        (by_sns, notification("u/a")),
        (by_sns, from_eventbridge("u/a")),
        (lambda body: by_sns(by_sns(body)), notification("u/a")),
    ],
    ids=["S3 in SNS", "EventBridge in SNS", "SNS in SNS"],
)
def test_envelopes_are_unwrapped(wrap: Any, body: str) -> None:
    """What SNS carries is read as if it had come by itself."""
    assert read_events(wrap(body)) == read_events(body)


@pytest.mark.parametrize(
    "given",
    [{"eventVersion": "9.0"}, {"awsRegion": None, "more": [1]}, {"eventName": "ObjectTagging:Put"}, {"eventName": None}],
    ids=["future version", "unknown fields", "another event", "no name"],
)
def test_nothing_else_of_a_record_matters(given: Any) -> None:
    """A version or field that nobody has heard of changes nothing."""
    assert keys(json.dumps({"Records": [record("u/a", **given)]})) == ["u/a"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (TIME, AT),
        ("2026-11-22T11:00:00.123+01:00", AT),
        ("2026-11-22T10:00:00.123", AT),
        ("soon", None),
        (7, None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
    ids=["UTC", "an offset", "no zone is UTC", "no time", "a number", "before all time"],
)
def test_a_time_is_read_where_there_is_one(given: Any, expected: datetime | None) -> None:
    """It is for metrics alone, so a broken one breaks nothing."""
    (event,) = read_events(json.dumps({"Records": [record("u/a", eventTime=given)]}))
    assert event.at == expected


def test_a_test_message_holds_no_event() -> None:
    """S3 sends one whenever notifications are put; it is nobody's trouble."""
    assert read_events(json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "photos"})) == ()
    assert read_events(json.dumps({"Records": []})) == ()


MALFORMED = {
    "empty": "",
    "not JSON": "Records",
    "a list": "[]",
    "a number": "1",
    "nested without end": "[" * 100_000,
    "another's": '{"hello": "world"}',
    "records that are none": '{"Records": "all"}',
    "a record that is none": '{"Records": [7]}',
    "no S3 record": '{"Records": [{"eventSource": "aws:sqs", "body": "x"}]}',
    "no key": json.dumps({"Records": [{"s3": {"bucket": {"name": "b"}, "object": {}}}]}),
    "an empty key": notification(""),
    "a key that is a number": json.dumps({"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": 7}}}]}),
    "no bucket": json.dumps({"Records": [{"s3": {"object": {"key": "k"}}}]}),
    "a key that is not UTF-8": notification("%FF%FE"),
    "half a surrogate pair": notification("\ud800", source="ceph:s3"),
    "a NUL": notification("u/%00"),
    "a key that S3 cannot hold": notification("u/" + "x" * 1023),
    "EventBridge's, but not S3's": from_eventbridge("u/a", source="aws.ec2"),
    "EventBridge without detail": json.dumps({"detail-type": "Object Created", "source": "aws.s3"}),
    "SNS around something else": by_sns("hello"),
    "SNS asking for a subscription": json.dumps({"Type": "SubscriptionConfirmation", "Message": "You have chosen"}),
    "wrapped without end": by_sns(by_sns(by_sns(by_sns(by_sns(notification("u/a")))))),
    "one good record and a bad one": json.dumps({"Records": [record("u/a"), {}]}),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_event_is_malformed(body: str) -> None:
    """It is refused as a whole, with one line that says what is wrong."""
    with pytest.raises(MalformedEventError) as refused:
        read_events(body)
    assert "\n" not in refused.value.message
    assert len(refused.value.message) < 200


FIXTURES = sorted((Path(__file__).parents[1] / "events").glob("*.json"))


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_what_was_recorded_is_read(path: Path) -> None:
    """Each says where it was recorded, what came, and what is in it."""
    recorded = json.loads(path.read_text())
    expected = [
        Event(each["bucket"], each["key"], each["at"] and datetime.fromisoformat(each["at"]), each["name"])
        for each in recorded["events"]
    ]
    assert list(read_events(json.dumps(recorded["body"]))) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*"ab", "Records", "s3", "object", "key", "detail"]), inner),
)


@given(JSON)
def test_nothing_else_is_ever_raised(document: Any) -> None:
    """Whatever JSON comes, it is events or malformed."""
    with suppress(MalformedEventError):
        assert all(isinstance(event, Event) for event in read_events(json.dumps(document)))
