"""A store that is tried out: any request, and whatever it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from reconciler.ports.store import SignedRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What S3 answered, be it a refusal: status, the code of an error, and what else came with it."""

    status: int
    code: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Mapping[str, Any] = field(default_factory=dict)
    body: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether the request was done."""
        return 200 <= self.status < 300  # noqa: PLR2004  what HTTP calls successful

    @property
    def denied(self) -> bool:
        """Whether it was refused for want of a permission; HEAD has no body, so no code but its status."""
        return self.status == 403 and self.code in ("AccessDenied", "403", "AllAccessDisabled")  # noqa: PLR2004

    def __str__(self) -> str:
        return f"{self.status} {self.code}".rstrip() if self.code != str(self.status) else str(self.status)


class RawStore(Protocol):
    """One bucket, asked directly. A refusal is an answer; only what keeps every request from being answered raises.

    That is StoreUnavailableError where nothing answers, BucketNotFoundError, CredentialsError, SettingsError.
    """

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        ...

    @property
    def endpoint(self) -> str:
        """The address of the store."""
        ...

    @property
    def is_aws(self) -> bool:
        """Whether the store is AWS's own."""
        ...

    def ask(self, operation: str, *, old: bool = False, **parameters: Any) -> Answer:
        """Send one request of S3's API about the bucket, such as put_object; signed with SigV2 where `old`."""
        ...

    def presigned(self, operation: str, *, seconds: int = 60, **parameters: Any) -> str:
        """Return the URL of one signed request, with just what the parameters name signed into it."""
        ...

    def form(self, key: str) -> SignedRequest:
        """Sign a form POST to this key, of any size and type and without a tag."""
        ...

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"", fields: Any = None
    ) -> Answer:
        """Send a request as a browser would: without any signature but the one in the URL or the form."""
        ...
