"""An SQS queue as a source of events, through boto3.

What fails is shown again sooner or later, and counted by SQS itself: the queue's redrive policy moves what never succeeds to
its dead-letter queue. Any number of processes may read one queue. FIFO queues are fine; S3 itself sends to standard ones only.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError, ProfileNotFound

from reconciler.errors import EventSourceError
from reconciler.logs import get_logger
from reconciler.ports import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from types_boto3_sqs.client import SQSClient

log = get_logger()

BATCH = 10  # messages in one request (ReceiveMessage, DeleteMessageBatch, API reference)
POLL_SECONDS = 10  # up to 20 (ReceiveMessage, API reference); a stop waits for it
READ_SECONDS = 20  # for an answer: more than a poll may take
LONGEST_WAIT = 30  # seconds until a message that failed is shown again
FALLBACK_REGION = "us-east-1"  # what SQS-compatible servers answer to when none is configured
_ACTIONS = "sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility and sqs:GetQueueAttributes"
_CREDENTIALS_HINT = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION"
_EXAMPLE = "such as https://sqs.eu-central-1.amazonaws.com/123456789012/my-queue"

_ABSENT = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
_DENIED = ("AccessDenied", "AccessDeniedException")
_ENCRYPTED = ("KmsAccessDenied", "KMS.AccessDeniedException")
_CREDENTIALS = (
    "ExpiredToken",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)
_OVER = ("ReceiptHandleIsInvalid", "AWS.SimpleQueueService.MessageNotInflight", "MessageNotInflight")
_FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class SqsMessage(Message):
    """A message as one reception handed it over: with that reception's receipt, and how many there have been."""

    receipt: str
    receptions: int


class SqsQueue:
    """An EventQueue over one SQS queue. Only messages that it handed over itself are given back to it."""

    name = "sqs"

    def __init__(self, client: SQSClient, url: str, *, poll_seconds: int = POLL_SECONDS) -> None:
        self._client = client
        self._url = url
        self._poll_seconds = poll_seconds
        self._closed = False

    @cached_property
    def patience(self) -> float:
        """The queue's own visibility timeout, read once."""
        with mapped(f"reading the attributes of {self._url}"):
            answer = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=["VisibilityTimeout"])
        seconds = int(answer["Attributes"]["VisibilityTimeout"])
        if not seconds:
            raise EventSourceError(
                f"the visibility timeout of {self._url} is 0: every message would be received again at once",
                hint="set the queue's VisibilityTimeout to 60 seconds or more",
            )
        return seconds

    def receive(self) -> Sequence[Message] | None:
        """Wait for up to ten messages; None once it is closed."""
        if self._closed:
            return None
        with mapped(f"receiving from {self._url}"):
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=BATCH,
                WaitTimeSeconds=self._poll_seconds,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        return [_message(found) for found in answer.get("Messages", [])]

    def done(self, messages: Sequence[Message]) -> None:
        """Delete messages. One whose receipt is no longer valid comes again, and is then found to be done."""

        def delete(entries: Sequence[Any]) -> Any:
            return self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)

        self._send(delete, [_entry(each) for each in _own(messages)], what="taken off")

    def failed(self, messages: Sequence[Message]) -> None:
        """Show messages again, at once after their first failure and later after each further one."""
        self._show_after(messages, lambda message: wait_after(message.receptions), what="given back to")

    def keep(self, messages: Sequence[Message]) -> None:
        """Hide messages for as long again as the queue hides those it has just handed over."""
        seconds = round(self.patience)
        self._show_after(messages, lambda _: seconds, what="kept for us in")

    def close(self) -> None:
        """Receive no more; the poll that is under way still hands over what it gets."""
        self._closed = True

    def _show_after(self, messages: Sequence[Message], seconds: Callable[[SqsMessage], int], *, what: str) -> None:
        def change(entries: Sequence[Any]) -> Any:
            return self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)

        self._send(change, [{**_entry(each), "VisibilityTimeout": seconds(each)} for each in _own(messages)], what=what)

    def _send(self, request: Callable[[Sequence[Any]], Any], entries: Sequence[Any], *, what: str) -> None:
        """Send all entries, once more those that SQS names as failed, and raise where some failed again."""
        with mapped(f"{len(entries)} messages could not be {what} {self._url}"):
            failures = self._failures(request, entries)
            failures = self._failures(request, [entry for entry, _ in failures])
        if failures:
            said = f"{len(failures)} of {len(entries)} messages could not be {what} {self._url}: {failures[0][1]}"
            raise EventSourceError(said, hint="they come again; if this goes on, look at the queue's policy and its quotas")

    def _failures(self, request: Callable[[Sequence[Any]], Any], entries: Sequence[Any]) -> list[tuple[Any, str]]:
        """Send entries by tens; return those that are worth another try, each with what SQS said."""
        found = []
        for start in range(0, len(entries), BATCH):
            batch = [{**entry, "Id": str(number)} for number, entry in enumerate(entries[start : start + BATCH])]
            for failure in request(batch).get("Failed", []):
                said = f"{failure.get('Code', '')} {failure.get('Message') or ''}".strip()
                if _is_over(failure):
                    log.debug("receipt_expired", queue=self._url, said=said)
                else:
                    found.append((batch[int(failure["Id"])], said))
        return found


def wait_after(receptions: int) -> int:
    """Return after how many seconds a message that has failed so often is shown again: 0, 2, 6, 14, 30, 30, ..."""
    return min(LONGEST_WAIT, (1 << min(receptions, 10)) - 2)


def make_sqs_client(url: str) -> SQSClient:
    """Return a client for the queue at a URL.

    The region is the one that the URL names, else AWS_REGION. The endpoint is botocore's own (AWS_ENDPOINT_URL_SQS); where none
    is configured and the URL is not one of AWS's public ones, it is the URL's host. Raises EventSourceError where the URL is
    none, or nothing can be made of the settings.
    """
    region, endpoint = _region(url), None
    with mapped("setting up SQS"):
        client = _client(region, None)
        if _is_public(client.meta.endpoint_url) and not _is_public(url):
            parts = urlsplit(url)
            endpoint = f"{parts.scheme}://{parts.netloc}"
            client = _client(region, endpoint)
    return client


@contextmanager
def mapped(what: str) -> Iterator[None]:
    """Turn botocore's errors into EventSourceError; `what` says what was being done, for the message."""
    try:
        yield
    except ClientError as error:
        answer = error.response.get("Error", {})
        code, status = str(answer.get("Code", "")), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        said = f"{code} {answer.get('Message') or ''}".rstrip()
        raise EventSourceError(f"{what}: {said}", hint=_hint(code, status), code=code, status=status) from error
    except (NoCredentialsError, PartialCredentialsError, ProfileNotFound) as error:
        raise EventSourceError(f"{what}: {error}", hint=_CREDENTIALS_HINT) from error
    except BotoCoreError as error:
        hint = "check the queue's URL, the endpoint (AWS_ENDPOINT_URL_SQS) and the network"
        raise EventSourceError(f"{what}: {error}", hint=hint) from error


def _hint(code: str, status: int) -> str:
    if code in _ABSENT:
        return "there is no such queue: check its URL, and the region and account in it"
    if code in _ENCRYPTED:
        return "the queue is encrypted: grant kms:Decrypt on its key to this role"
    if code in _CREDENTIALS:
        return "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_PROFILE, AWS_REGION, and this machine's clock"
    if code in _DENIED or status == _FORBIDDEN:
        return f"grant {_ACTIONS} on the queue to this role"
    return "try again in a moment"


def _region(url: str) -> str | None:
    """Return the region that a queue's URL names, if it does; raise EventSourceError where it is no URL of a queue."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not parts.path.strip("/"):
        raise EventSourceError(f"{url!r} is not the URL of a queue", hint=_EXAMPLE)
    found = re.search(r"(?:^|\.)sqs(?:-fips)?\.([a-z]{2,}(?:-[a-z]+)+-\d)\.|^([a-z]{2,}(?:-[a-z]+)+-\d)\.queue\.", parts.hostname)
    return next((name for name in found.groups() if name), None) if found else None


def _is_public(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn")) and ".vpce." not in host


def _client(region: str | None, endpoint: str | None) -> SQSClient:
    session = boto3.session.Session()
    config = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=5, read_timeout=READ_SECONDS)
    try:
        client: SQSClient = session.client(
            "sqs", region_name=region or _configured_region(session), endpoint_url=endpoint, config=config
        )
    except ValueError as error:
        raise EventSourceError(f"SQS cannot be reached: {error}", hint="an endpoint begins with https:// or http://") from error
    return client


def _configured_region(session: Any) -> str:
    region: str | None = session.region_name
    return os.environ.get("AWS_REGION") or region or FALLBACK_REGION  # boto3 itself reads only AWS_DEFAULT_REGION


def _own(messages: Sequence[Message]) -> list[SqsMessage]:
    return [message for message in messages if isinstance(message, SqsMessage)]


def _entry(message: SqsMessage) -> dict[str, Any]:
    return {"ReceiptHandle": message.receipt}


def _message(found: Any) -> SqsMessage:
    count = found.get("Attributes", {}).get("ApproximateReceiveCount", "1")
    return SqsMessage(found["MessageId"], found.get("Body", ""), found["ReceiptHandle"], int(count))


def _is_over(failure: Mapping[str, Any]) -> bool:
    # Somebody else may have received it meanwhile, or have deleted it: both are theirs now.
    return failure.get("Code") in _OVER or "expired" in str(failure.get("Message"))
