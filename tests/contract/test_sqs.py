"""The SQS adapter where the conformance suite does not look: its client, its errors, and what it does when SQS does half."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError
from contract.test_s3_errors import KINDS, NETWORK, made

from reconciler.adapters.sqs import SqsMessage, SqsQueue, make_sqs_client, mapped, wait_after
from reconciler.demo.servers import Server
from reconciler.errors import EventSourceError
from reconciler.ports import Message

URL = "https://sqs.eu-central-1.amazonaws.com/123456789012/events"
OWN = "http://queue.invalid:9324/123456789012/events"


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


# Its client


@pytest.mark.parametrize(
    ("url", "region", "endpoint"),
    [
        (URL, "eu-central-1", "https://sqs.eu-central-1.amazonaws.com"),
        (f"{URL}.fifo", "eu-central-1", "https://sqs.eu-central-1.amazonaws.com"),
        ("https://sqs.us-gov-west-1.amazonaws.com/1/q", "us-gov-west-1", "https://sqs.us-gov-west-1.amazonaws.com"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/1/q", "cn-north-1", "https://sqs.cn-north-1.amazonaws.com.cn"),
        ("https://eu-west-1.queue.amazonaws.com/1/q", "eu-west-1", "https://sqs.eu-west-1.amazonaws.com"),
        (
            "https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com/1/q",
            "eu-west-1",
            "https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com",
        ),
        (OWN, "ap-south-1", "http://queue.invalid:9324"),
    ],
    ids=["aws", "fifo", "gov", "china", "old name", "private endpoint", "another server"],
)
def test_a_client_speaks_to_the_queue_of_the_url(url: str, region: str, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Region and endpoint are the URL's; a region that it does not name is AWS_REGION's."""
    monkeypatch.setenv("AWS_REGION", "ap-south-1")
    client = make_sqs_client(url)
    assert (client.meta.region_name, client.meta.endpoint_url) == (region, endpoint)


@pytest.mark.parametrize("url", [URL, OWN], ids=["aws", "another server"])
def test_a_configured_endpoint_comes_first(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_ENDPOINT_URL_SQS is botocore's own."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1")
    assert make_sqs_client(url).meta.endpoint_url == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    "url",
    ["", "events", "arn:aws:sqs:eu-central-1:123456789012:events", "https://sqs.eu-central-1.amazonaws.com/", "ftp://host/q"],
)
def test_what_is_no_url_of_a_queue_is_refused(url: str) -> None:
    """In one line, which shows what one looks like."""
    with pytest.raises(EventSourceError, match="is not the URL of a queue") as caught:
        make_sqs_client(url)
    assert "https://sqs." in caught.value.hint


def test_a_bad_endpoint_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not with a trace."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "127.0.0.1:9324")
    with pytest.raises(EventSourceError, match="Invalid endpoint") as caught:
        make_sqs_client(URL)
    assert "https://" in caught.value.hint


def test_an_answer_is_waited_for_longer_than_a_poll_takes() -> None:
    """Otherwise every quiet poll would be an error."""
    config: Any = make_sqs_client(URL).meta.config
    assert config.read_timeout > 10


# Its errors


def meaning(error: Exception) -> EventSourceError:
    with pytest.raises(EventSourceError) as caught, mapped("receiving"):
        raise error
    assert caught.value.__cause__ is error
    return caught.value


def answer(code: str, status: int = 400) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": "said SQS"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "ReceiveMessage")


@pytest.mark.parametrize(
    ("code", "status", "hint"),
    [
        ("AWS.SimpleQueueService.NonExistentQueue", 400, "no such queue"),
        ("QueueDoesNotExist", 400, "no such queue"),
        ("AccessDenied", 403, "sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility and sqs:GetQueueAttributes"),
        ("AccessDeniedException", 400, "sqs:GetQueueAttributes"),
        ("AnyOther", 403, "sqs:ReceiveMessage"),
        ("KmsAccessDenied", 400, "kms:Decrypt"),
        ("InvalidClientTokenId", 403, "AWS_ACCESS_KEY_ID"),
        ("ExpiredToken", 403, "AWS_ACCESS_KEY_ID"),
        ("SignatureDoesNotMatch", 403, "this machine's clock"),
        ("InternalError", 500, "try again"),
    ],
)
def test_an_answer_says_what_to_do(code: str, status: int, hint: str) -> None:
    """The message holds what SQS said, the hint what would help."""
    found = meaning(answer(code, status))
    assert found.message == f"receiving: {code} said SQS"
    assert hint in found.hint
    assert found.facts == {"code": code, "status": status}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_everything_botocore_raises_becomes_ours(kind: type[BotoCoreError]) -> None:
    """Whatever it is."""
    assert meaning(made(kind)).hint


@pytest.mark.parametrize("name", sorted(NETWORK))
def test_a_network_that_fails_names_the_endpoint(name: str) -> None:
    """Refused, timed out, or broken off in between."""
    assert "AWS_ENDPOINT_URL_SQS" in meaning(made(getattr(exceptions, name))).hint


def test_an_unknown_error_passes_through() -> None:
    """A bug is not dressed up as a queue's failure."""
    with pytest.raises(ZeroDivisionError), mapped("receiving"):
        raise ZeroDivisionError


VERBS: dict[str, Callable[[SqsQueue], object]] = {
    "receive": lambda queue: queue.receive(),
    "patience": lambda queue: queue.patience,
    "done": lambda queue: queue.done([message(1)]),
    "failed": lambda queue: queue.failed([message(1)]),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_queue_that_is_not_there_is_named(moto: Server, verb: str) -> None:
    """Whatever is asked of it."""
    url = f"{moto.endpoint}/123456789012/nobodys"
    with pytest.raises(EventSourceError, match="/nobodys") as caught:
        VERBS[verb](SqsQueue(make_sqs_client(url), url))
    assert "no such queue" in caught.value.hint


# Half an answer


def message(number: int, receptions: int = 1) -> SqsMessage:
    return SqsMessage(f"id-{number}", "body", f"receipt-{number}", receptions)


class Scripted:
    """SQS as far as giving back goes: it fails the receipts it is told to, as often as it is told to."""

    def __init__(self, failing: dict[str, int] | None = None, *, code: str = "InternalError", said: str = "try later") -> None:
        self.failing = failing or {}
        self.failure = {"Code": code, "Message": said, "SenderFault": False}
        self.requests: list[list[dict[str, Any]]] = []

    def delete_message_batch(self, *, QueueUrl: str, Entries: Sequence[Any]) -> Any:  # noqa: N803  boto3's names
        assert QueueUrl == URL
        self.requests.append([dict(entry) for entry in Entries])
        failed = [{"Id": entry["Id"], **self.failure} for entry in Entries if self._fails(entry["ReceiptHandle"])]
        return {"Successful": [], **({"Failed": failed} if failed else {})}

    change_message_visibility_batch = delete_message_batch

    def _fails(self, receipt: str) -> bool:
        left = self.failing.get(receipt, 0)
        self.failing[receipt] = left - 1
        return left > 0

    def sent(self) -> list[list[str]]:
        return [[entry["ReceiptHandle"] for entry in request] for request in self.requests]


def over(scripted: Any) -> SqsQueue:
    return SqsQueue(scripted, URL)


def test_messages_are_deleted_by_tens() -> None:
    """As many as one request takes, each entry with an id of its own."""
    sqs = Scripted()
    over(sqs).done([message(number) for number in range(23)])
    assert [len(request) for request in sqs.requests] == [10, 10, 3]
    assert all(len({entry["Id"] for entry in request}) == len(request) for request in sqs.requests)


def test_a_part_that_failed_is_sent_once_more() -> None:
    """That part alone."""
    sqs = Scripted({"receipt-3": 1, "receipt-11": 1})
    over(sqs).done([message(number) for number in range(12)])
    assert sqs.sent()[2:] == [["receipt-3", "receipt-11"]]


def test_a_part_that_fails_again_is_an_error() -> None:
    """It says how many, of which queue, and why."""
    with pytest.raises(EventSourceError) as caught:
        over(Scripted({"receipt-3": 2, "receipt-11": 2, "receipt-4": 1})).done([message(number) for number in range(12)])
    assert caught.value.message == f"2 of 12 messages could not be taken off {URL}: InternalError try later"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("InvalidParameterValue", "Value is invalid. Reason: The receipt handle has expired."),
        ("ReceiptHandleIsInvalid", "The input receipt handle is invalid."),
        ("AWS.SimpleQueueService.MessageNotInflight", "The message referred to is not in flight."),
    ],
    ids=["expired", "invalid", "not in flight"],
)
@pytest.mark.parametrize("verb", ["done", "failed"])
def test_a_receipt_that_is_no_longer_valid_is_no_error(verb: str, code: str, said: str) -> None:
    """Somebody else has the message now; it is not asked for again."""
    sqs = Scripted({"receipt-1": 9}, code=code, said=said)
    getattr(over(sqs), verb)([message(1), message(2)])
    assert len(sqs.requests) == 1


@pytest.mark.parametrize(("receptions", "seconds"), [(1, 0), (2, 2), (3, 6), (4, 14), (5, 30), (6, 30), (1000, 30)], ids=str)
def test_a_failed_message_waits_ever_longer(receptions: int, seconds: int) -> None:
    """At once after the first failure, half a minute at most."""
    assert wait_after(receptions) == seconds
    sqs = Scripted()
    over(sqs).failed([message(1, receptions)])
    assert sqs.requests[0][0]["VisibilityTimeout"] == seconds


def test_messages_of_others_are_left_alone() -> None:
    """Only what it handed over has a receipt."""
    sqs = Scripted()
    over(sqs).done([Message("1", "body")])
    assert sqs.requests == []


# Reading


def asked(**answers: Any) -> SqsQueue:
    return over(SimpleNamespace(**{name: lambda answer=answer, **_: answer for name, answer in answers.items()}))


def test_a_message_without_a_body_is_received_all_the_same() -> None:
    """It fails as one that is malformed, not as a bug."""
    found = asked(receive_message={"Messages": [{"MessageId": "1", "ReceiptHandle": "r"}]}).receive()
    assert found == [SqsMessage("1", "", "r", 1)]


def test_the_queues_own_visibility_timeout_is_its_patience() -> None:
    """SQS writes it as text."""
    assert asked(get_queue_attributes={"Attributes": {"VisibilityTimeout": "45"}}).patience == 45


def test_a_queue_without_patience_is_refused() -> None:
    """Whatever is received would be received by everybody else at once."""
    with pytest.raises(EventSourceError, match="visibility timeout") as caught:
        _ = asked(get_queue_attributes={"Attributes": {"VisibilityTimeout": "0"}}).patience
    assert "60 seconds" in caught.value.hint
