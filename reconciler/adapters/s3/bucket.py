"""The bucket's own configuration, as the store words it: lifecycle, CORS, notifications, policy, and what is only looked at.

S3 has one word for "there is none" for each part, and that word alone counts as empty: a denied or failing read raises.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from reconciler.adapters.s3.errors import mapped
from reconciler.core.parts import Configuration, Item, PartName
from reconciler.errors import NotSupportedError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from types_boto3_s3.client import S3Client

_UNKNOWN_CODES = ("NotImplemented", "MethodNotAllowed")
_UNKNOWN_STATUSES = (405, 501)
_POLICY_VERSION = "2012-10-17"
# A header of the put, reset to its default unless what was read is passed back (API reference).
_MINIMUM_SIZE = "TransitionDefaultMinimumObjectSize"
_NOTIFICATIONS = {
    "queue": "QueueConfigurations",
    "topic": "TopicConfigurations",
    "function": "LambdaFunctionConfigurations",
}
_EVENTBRIDGE = "EventBridgeConfiguration"
_DESTINATION_HINT = (
    "does the destination exist, and let this bucket send (`reconcile policy queue-policy`)? does another's notification ask for "
    "the same events (`reconcile check` names it)? Ceph knows topics alone"
)
_POLICY_HINT = "a store that knows less than AWS does not take all of it (policies/README.md): leave it out with --without policy"


class _Store(Protocol):
    """One part of one bucket."""

    def read(self) -> Configuration: ...

    def write(self, found: Configuration) -> None: ...


class S3Bucket:
    """BucketConfiguration over one bucket."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._stores: Mapping[PartName, _Store] = {
            PartName.LIFECYCLE: _Lifecycle(client, bucket),
            PartName.CORS: _Cors(client, bucket),
            PartName.NOTIFICATIONS: _Notifications(client, bucket),
            PartName.POLICY: _Policy(client, bucket),
        }

    def read(self, name: PartName) -> Configuration:
        """Return a part as it is now."""
        return self._stores[name].read()

    def write(self, name: PartName, configuration: Configuration) -> None:
        """Replace a part as a whole; one without items is removed."""
        self._stores[name].write(configuration)

    def versioning(self) -> str:
        """Return `Enabled`, `Suspended`, or nothing."""
        with _known(f"reading the versioning of {self._bucket}"):
            return str(self._client.get_bucket_versioning(Bucket=self._bucket).get("Status", ""))

    def access_block(self) -> Mapping[str, bool]:
        """Return the switches of block-public-access; none where nothing was ever set."""
        ask = self._client.get_public_access_block
        what = f"reading the public access block of {self._bucket}"
        found = _read(what, "NoSuchPublicAccessBlockConfiguration", ask, self._bucket)
        return dict(found["PublicAccessBlockConfiguration"]) if found else {}

    def ownership(self) -> str:
        """Return who owns new objects, in S3's word; nothing where nothing was ever set."""
        ask = self._client.get_bucket_ownership_controls
        what = f"reading the object ownership of {self._bucket}"
        found = _read(what, "OwnershipControlsNotFoundError", ask, self._bucket)
        if found is None:
            return ""
        rules = found["OwnershipControls"].get("Rules")
        if not rules:  # Ceph 16 answers so, and takes no rule either
            raise NotSupportedError(f"{what}: the store answers without any rule")
        return str(rules[0]["ObjectOwnership"])


class _Lifecycle:
    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def read(self) -> Configuration:
        what = f"reading the lifecycle rules of {self._bucket}"
        ask = self._client.get_bucket_lifecycle_configuration
        found = _read(what, "NoSuchLifecycleConfiguration", ask, self._bucket)
        if found is None:
            return Configuration()
        rest = {_MINIMUM_SIZE: found[_MINIMUM_SIZE]} if _MINIMUM_SIZE in found else {}
        return Configuration(tuple(_as_s3_words_it(rule) for rule in found.get("Rules", [])), rest)

    def write(self, found: Configuration) -> None:
        with _known(f"writing the lifecycle rules of {self._bucket}"):
            if not found.items:
                self._client.delete_bucket_lifecycle(Bucket=self._bucket)
                return
            rest: Any = found.rest
            rules: Any = {"Rules": list(found.items)}
            self._client.put_bucket_lifecycle_configuration(Bucket=self._bucket, LifecycleConfiguration=rules, **rest)


def _as_s3_words_it(rule: Item) -> Item:
    """Put all conditions of a filter under `And`, where a store has left more than one beside it.

    Ceph 16 does so with prefix and tags. AWS refuses that form, and Ceph itself loses the prefix when two tags come back in it:
    somebody else's rule, carried along as it was read, would be one for the whole bucket.
    """
    stated = rule.get("Filter") or {}
    if len(stated) <= 1:
        return rule
    conditions = {**stated, **stated.get("And", {})}
    conditions.pop("And", None)
    tags = [*conditions.pop("Tags", []), *([conditions.pop("Tag")] if "Tag" in conditions else [])]
    return {**rule, "Filter": {"And": {**conditions, "Tags": tags} if tags else conditions}}


class _Cors:
    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def read(self) -> Configuration:
        what = f"reading the CORS rules of {self._bucket}"
        found = _read(what, "NoSuchCORSConfiguration", self._client.get_bucket_cors, self._bucket)
        return Configuration(tuple(found["CORSRules"])) if found else Configuration()

    def write(self, found: Configuration) -> None:
        with _known(f"writing the CORS rules of {self._bucket}"):
            if not found.items:
                self._client.delete_bucket_cors(Bucket=self._bucket)
                return
            rules: Any = {"CORSRules": list(found.items)}
            self._client.put_bucket_cors(Bucket=self._bucket, CORSConfiguration=rules)


class _Policy:
    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def read(self) -> Configuration:
        what = f"reading the policy of {self._bucket}"
        found = _read(what, "NoSuchBucketPolicy", self._client.get_bucket_policy, self._bucket)
        if found is None:
            return Configuration()
        try:
            document = json.loads(found["Policy"])
            stated = document.pop("Statement")
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StoreError(f"{what}: the store answers with what is no policy document") from error
        return Configuration(tuple(stated) if isinstance(stated, list) else (stated,), document)

    def write(self, found: Configuration) -> None:
        what = f"writing the policy of {self._bucket}"
        if not found.items:
            with _known(what):
                self._client.delete_bucket_policy(Bucket=self._bucket)
            return
        rest = found.rest or {"Version": _POLICY_VERSION}
        try:
            with _known(what):
                self._client.put_bucket_policy(Bucket=self._bucket, Policy=json.dumps({**rest, "Statement": list(found.items)}))
        except StoreError as error:
            if error.facts.get("code") in ("MalformedPolicy", "InvalidPolicyDocument"):
                raise StoreError(error.message, hint=_POLICY_HINT, code=error.facts["code"]) from error
            raise


class _Notifications:
    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def read(self) -> Configuration:
        with _known(f"reading the notifications of {self._bucket}"):
            found: Any = dict(self._client.get_bucket_notification_configuration(Bucket=self._bucket))
        del found["ResponseMetadata"]
        items: list[Item] = []
        for kind, name in _NOTIFICATIONS.items():
            items += [{"Kind": kind, **each} for each in found.pop(name, ())]
        if found.pop(_EVENTBRIDGE, None) is not None:
            items.append({"Kind": "eventbridge", "Id": "eventbridge"})
        return Configuration(tuple(items), found)

    def write(self, found: Configuration) -> None:
        wanted: Any = dict(found.rest)
        for item in found.items:
            if item["Kind"] == "eventbridge":
                wanted[_EVENTBRIDGE] = {}
            else:
                wanted.setdefault(_NOTIFICATIONS[item["Kind"]], []).append({k: v for k, v in item.items() if k != "Kind"})
        what = f"writing the notifications of {self._bucket}"
        try:
            with _known(what):
                self._client.put_bucket_notification_configuration(Bucket=self._bucket, NotificationConfiguration=wanted)
        except StoreError as error:
            raise _refused_notifications(error, what) from error


def _refused_notifications(error: StoreError, what: str) -> StoreError:
    """Tell a store that does not know an event, or notifications at all, from one that does not like these."""
    code, said = error.facts.get("code"), error.message.rpartition(": ")[2]
    if code == "BucketAlreadyOwnedByYou":  # SeaweedFS takes the request for one that creates the bucket
        return NotSupportedError(f"{what}: the store knows none")
    if code == "InvalidArgument" and (said == code or "not supported" in said):  # Ceph says nothing more of an unknown event
        return _not_supported(error)
    if code in ("InvalidArgument", "MalformedXML", "NoSuchKey"):
        return StoreError(error.message, hint=_DESTINATION_HINT, code=code)
    return error


def _read(what: str, empty: str, ask: Callable[..., Any], bucket: str) -> Any:
    """Return the answer, or None where the store says in its own word for it that there is nothing."""
    try:
        with _known(what):
            return ask(Bucket=bucket)
    except StoreError as error:
        if error.facts.get("code") == empty:
            return None
        raise


@contextmanager
def _known(what: str) -> Iterator[None]:
    """Map botocore's errors; one that says "I do not know this" becomes NotSupportedError."""
    try:
        with mapped(what):
            yield
    except StoreError as error:
        if error.facts.get("code") in _UNKNOWN_CODES or error.facts.get("status") in _UNKNOWN_STATUSES:
            raise _not_supported(error) from error
        raise


def _not_supported(error: StoreError) -> NotSupportedError:
    return NotSupportedError(error.message, code=error.facts.get("code"), status=error.facts.get("status"))
