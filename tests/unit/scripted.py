"""A store that reads out its answers, for probes that are tried without one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.adapters.memory import MemorySigner
from reconciler.core.promises import Result, Verdict
from reconciler.doctor import PROBES
from reconciler.ports import Answer, SignedRequest
from reconciler.probes.bench import Bench, NotTriedError, Setting

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DATED = Answer(status=200, headers={"date": "Sun, 22 Nov 2026 12:00:00 GMT"})
FOLDER = "uploads/.reconciler/doctor-1/"
TAGS = [{"Key": "status", "Value": "pending"}]
RULE = {"ID": "reconciler:uploads/:pending", "Filter": {"And": {"Prefix": "uploads/", "Tags": TAGS}}}

OK = Answer(status=200)
FORGED = Answer(status=403, code="SignatureDoesNotMatch")
DENIED = Answer(status=403, code="AccessDenied")
TAKEN = Answer(status=412, code="PreconditionFailed")
ABSENT = Answer(status=404, code="NoSuchKey")
BAD = Answer(status=400, code="InvalidRequest")
BROKE = Answer(status=500, code="InternalError")
UNKNOWN = Answer(status=501, code="NotImplemented")
ETAG = Answer(status=200, content={"ETag": '"abc"'})
BEGUN = Answer(status=200, content={"UploadId": "u1"})
KEPT, BROKEN, UNTRIED = Verdict.KEPT, Verdict.BROKEN, Verdict.UNTRIED


def tags(value: str | None) -> Answer:
    return Answer(status=200, content={"TagSet": [{"Key": "status", "Value": value}]} if value else {})


def listing(folder: str, *names: str) -> Answer:
    return Answer(status=200, content={"Contents": [{"Key": f"{FOLDER}{folder}/{name}"} for name in names]})


def modified(second: int) -> Answer:
    return Answer(status=200, content={"LastModified": NOW + timedelta(seconds=second)})


def rules(found: Any) -> Answer:
    return Answer(status=200, content={"Rules": [found]})


def errors(code: str) -> Answer:
    return Answer(status=200, content={"Errors": [{"Key": "k", "Code": code}]})


def announcing(rule: str) -> Answer:
    return Answer(status=200, headers={"x-amz-expiration": f'expiry-date="x", rule-id="{rule}"'} if rule else {})


def allowing(origin: str, methods: str = "PUT, POST", headers: str = "content-type, if-none-match, x-amz-tagging") -> Answer:
    said = {"origin": origin, "methods": methods, "headers": headers}
    return Answer(status=200, headers={f"access-control-allow-{name}": value for name, value in said.items()})


class Script:
    """A store that reads out its answers, whatever it is asked, and notes what it was asked; it pushes `pushed`."""

    pushed: Mapping[str, Any] = {}
    bucket, endpoint, is_aws = "photos", "http://store.invalid", False

    def __init__(self, answers: Sequence[Answer | Exception]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def ask(self, operation: str, *, old: bool = False, **parameters: Any) -> Answer:
        if operation == "get_bucket_notification_configuration":
            return Answer(status=200, content=self.pushed)
        return self._next(operation, parameters)

    def presigned(self, operation: str, *, seconds: int = 60, **parameters: Any) -> str:
        return f"{self.endpoint}/{parameters['Key']}?signed"

    def form(self, key: str) -> SignedRequest:
        return SignedRequest(method="POST", url=self.endpoint, headers={}, fields={"key": key})

    def send(self, method: str, url: str, *, headers: Any = None, body: bytes = b"", fields: Any = None) -> Answer:
        return self._next(method, {"url": url, "headers": dict(headers or {}), "body": body, "fields": fields})

    def _next(self, what: str, parameters: dict[str, Any]) -> Answer:
        self.asked.append((what, parameters))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class FormSigner(MemorySigner):
    """Signs forms as well."""

    def post(self, key: str, *, content_type: str, min_size: int, max_size: int, seconds: int) -> SignedRequest:
        return SignedRequest(method="POST", url="http://store.invalid", headers={}, fields={"key": key, "tagging": "<x/>"})


HERE = Setting(prefix="uploads/", skew=900, rule=RULE, now=lambda: NOW, sleep=lambda _: None)


def bench(*answers: Answer | Exception, **settings: Any) -> Bench:
    return Bench(store=Script(answers), signer=FormSigner("photos"), folder=FOLDER, here=replace(HERE, **settings))


def tried(name: str, *answers: Answer | Exception, **settings: Any) -> Result:
    """Run one probe as doctor does; every answer must be asked for."""
    at = bench(*answers, **settings)
    try:
        return PROBES[name].run(at)
    except NotTriedError as error:
        return Result(Verdict.UNTRIED, str(error))
    finally:
        assert isinstance(at.store, Script)
        assert at.store.answers == []
