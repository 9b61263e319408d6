"""The bucket's configuration on every server, and what the adapter makes of stores that say little, or nothing, or no."""

import json
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from conftest import connect, new_bucket

from reconciler.adapters.s3 import S3Bucket
from reconciler.core.parts import Configuration, PartName
from reconciler.demo.servers import Server
from reconciler.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    NotSupportedError,
    StoreError,
    StoreUnavailableError,
)
from reconciler.testing import BucketConfigurationSuite, MemoryBucket


class TestMemory(BucketConfigurationSuite):
    """The reference."""

    def make_store(self) -> MemoryBucket:
        return MemoryBucket()


class _Real(BucketConfigurationSuite):
    """A fresh bucket on a real server, for each store."""

    client: Any

    def use(self, server: Server, patch: pytest.MonkeyPatch) -> None:
        self.client = connect(server, patch)

    def make_store(self) -> S3Bucket:
        self.bucket = new_bucket(self.client)
        return S3Bucket(self.client, self.bucket)


def make_topic(server: Server, name: str = "events") -> str:
    """Create a topic that pushes to nobody; Ceph takes none that it does not know."""
    sns = boto3.session.Session().client(
        "sns",
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
    )
    return str(sns.create_topic(Name=name, Attributes={"push-endpoint": "http://127.0.0.1:9"})["TopicArn"])


class TestMoto(_Real):
    server_name = "moto"

    @pytest.fixture(autouse=True)
    def _connect(self, moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self.use(moto, monkeypatch)
        self.topic = make_topic(moto)


class TestSeaweedFS(_Real):
    server_name = "seaweedfs"

    @pytest.fixture(autouse=True)
    def _connect(self, seaweedfs: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self.use(seaweedfs, monkeypatch)


class TestCeph(_Real):
    server_name = "ceph"

    @pytest.fixture(autouse=True)
    def _connect(self, ceph: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self.use(ceph, monkeypatch)
        self.topic = make_topic(ceph)


# What a store may answer

READS = {
    PartName.LIFECYCLE: "get_bucket_lifecycle_configuration",
    PartName.CORS: "get_bucket_cors",
    PartName.NOTIFICATIONS: "get_bucket_notification_configuration",
    PartName.POLICY: "get_bucket_policy",
}
WRITES = {
    PartName.LIFECYCLE: "put_bucket_lifecycle_configuration",
    PartName.CORS: "put_bucket_cors",
    PartName.NOTIFICATIONS: "put_bucket_notification_configuration",
    PartName.POLICY: "put_bucket_policy",
}
EMPTY = {
    PartName.LIFECYCLE: "NoSuchLifecycleConfiguration",
    PartName.CORS: "NoSuchCORSConfiguration",
    PartName.POLICY: "NoSuchBucketPolicy",
}
SOMETHING = Configuration(({"ID": "x", "Kind": "topic", "Id": "x"},))


def answering(code: str, status: int = 400, message: str = "said so") -> S3Bucket:
    """A store that answers every request with this error."""

    def refuse(**_: Any) -> Any:
        answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise ClientError(answer, "Request")

    names = [*READS.values(), *WRITES.values(), "get_bucket_versioning", "get_public_access_block"]
    client: Any = SimpleNamespace(**dict.fromkeys([*names, "get_bucket_ownership_controls"], refuse))
    return S3Bucket(client, "photos")


@pytest.mark.parametrize(("name", "code"), EMPTY.items())
def test_each_part_has_its_own_word_for_empty(name: PartName, code: str) -> None:
    """And that word alone: another part's is an error."""
    assert answering(code, 404).read(name) == Configuration()
    for other in set(EMPTY) - {name}:
        with pytest.raises(StoreError):
            answering(code, 404).read(other)


@pytest.mark.parametrize("name", PartName)
@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("AccessDenied", 403, AccessDeniedError),
        ("NoSuchBucket", 404, BucketNotFoundError),
        ("SlowDown", 503, StoreUnavailableError),
        ("InternalError", 500, StoreUnavailableError),
        ("NotImplemented", 501, NotSupportedError),
        ("501", 501, NotSupportedError),
        ("MethodNotAllowed", 405, NotSupportedError),
    ],
)
def test_a_read_that_fails_is_no_empty_configuration(name: PartName, code: str, status: int, error: type[StoreError]) -> None:
    """It raises, and says what kind of failure it was; so does a write."""
    with pytest.raises(error):
        answering(code, status).read(name)
    with pytest.raises(error):
        answering(code, status).write(name, SOMETHING)


@pytest.mark.parametrize("verb", ["versioning", "access_block", "ownership"])
def test_what_is_looked_at_may_be_denied_or_not_known(verb: str) -> None:
    """Neither reads as if nothing were set."""
    with pytest.raises(AccessDeniedError):
        getattr(answering("AccessDenied", 403), verb)()
    with pytest.raises(NotSupportedError):
        getattr(answering("NotImplemented", 501), verb)()


def test_what_was_never_set_is_told_in_s3s_words() -> None:
    """No switches, and no owner."""
    assert answering("NoSuchPublicAccessBlockConfiguration", 404).access_block() == {}
    assert answering("OwnershipControlsNotFoundError", 404).ownership() == ""


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        ("InvalidArgument", "", NotSupportedError),
        ("InvalidArgument", "The event is not supported for notifications", NotSupportedError),
        ("BucketAlreadyOwnedByYou", "you own it", NotSupportedError),
        ("InvalidArgument", "Unable to validate the following destination configurations", StoreError),
        ("InvalidArgument", "Configuration is ambiguously defined. Cannot have overlapping suffixes", StoreError),
        ("MalformedXML", "", StoreError),
        ("NoSuchKey", "", StoreError),
    ],
)
def test_a_refused_event_is_told_from_a_refused_destination(code: str, message: str, error: type[StoreError]) -> None:
    """The one is left out, the other is for somebody to mend: the hint says where to look."""
    with pytest.raises(StoreError) as caught:
        answering(code, message=message).write(PartName.NOTIFICATIONS, SOMETHING)
    assert type(caught.value) is error
    assert ("queue-policy" in caught.value.hint) is (error is StoreError)


@pytest.mark.parametrize("code", ["MalformedPolicy", "InvalidPolicyDocument"])
def test_a_refused_policy_says_what_to_do(code: str) -> None:
    """Leave it out."""
    with pytest.raises(StoreError) as caught:
        answering(code).write(PartName.POLICY, SOMETHING)
    assert "--without policy" in caught.value.hint


@pytest.mark.parametrize("text", ["", "no json", "[]", "{}", '"text"'])
def test_a_policy_that_is_none_is_an_error(text: str) -> None:
    """Not an empty one, that ours would be put in the place of."""
    client: Any = SimpleNamespace(get_bucket_policy=lambda **_: {"Policy": text})
    with pytest.raises(StoreError, match="no policy document"):
        S3Bucket(client, "photos").read(PartName.POLICY)


def test_a_policy_of_one_statement_may_come_without_a_list() -> None:
    """IAM's grammar allows it."""
    text = json.dumps({"Version": "2012-10-17", "Statement": {"Sid": "one"}})
    client: Any = SimpleNamespace(get_bucket_policy=lambda **_: {"Policy": text})
    assert S3Bucket(client, "photos").read(PartName.POLICY).items == ({"Sid": "one"},)


class Noting:
    """A client that keeps what it is given, and gives what it is told to."""

    def __init__(self, **answers: Any) -> None:
        self.put: dict[str, Any] = {}
        self._answers = answers

    def __getattr__(self, name: str) -> Any:
        if name in self._answers:
            return lambda **_: {**self._answers[name], "ResponseMetadata": {}}
        return lambda **given: self.put.update(given)


def test_the_minimum_size_of_transitions_is_carried_along() -> None:
    """A header of the put: left out, S3 would set it back."""
    name = "TransitionDefaultMinimumObjectSize"
    client: Any = Noting(get_bucket_lifecycle_configuration={"Rules": [], name: "varies_by_storage_class"})
    store = S3Bucket(client, "photos")
    store.write(PartName.LIFECYCLE, Configuration(({"ID": "x"},), store.read(PartName.LIFECYCLE).rest))
    assert client.put[name] == "varies_by_storage_class"


def test_every_kind_of_notification_is_carried_along() -> None:
    """Queues, topics, functions, EventBridge, and what a later S3 may add."""
    held: dict[str, Any] = {
        "QueueConfigurations": [{"Id": "a", "QueueArn": "q", "Events": ["s3:ObjectCreated:*"]}],
        "TopicConfigurations": [{"Id": "b", "TopicArn": "t", "Events": ["s3:ObjectCreated:*"]}],
        "LambdaFunctionConfigurations": [{"Id": "c", "LambdaFunctionArn": "f", "Events": ["s3:ObjectCreated:*"]}],
        "EventBridgeConfiguration": {},
        "MoonConfigurations": [{"Id": "d"}],
    }
    client: Any = Noting(get_bucket_notification_configuration=held)
    store = S3Bucket(client, "photos")
    store.write(PartName.NOTIFICATIONS, store.read(PartName.NOTIFICATIONS))
    assert client.put["NotificationConfiguration"] == held


def test_a_store_that_knows_no_ownership_is_not_believed() -> None:
    """Ceph answers without any rule."""
    client: Any = Noting(get_bucket_ownership_controls={"OwnershipControls": {}})
    with pytest.raises(NotSupportedError):
        S3Bucket(client, "photos").ownership()
