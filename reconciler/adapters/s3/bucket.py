"""The bucket's lifecycle configuration, as the store words it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.adapters.s3.errors import mapped
from reconciler.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from types_boto3_s3.client import S3Client

    from reconciler.core.documents import Rule

# A header of the put, reset to its default unless what was read is passed back (API reference).
_CARRIED = "TransitionDefaultMinimumObjectSize"


class S3Lifecycle:
    """LifecycleStore over one bucket."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._carried: dict[str, Any] = {}

    def versioned(self) -> bool:
        """Say whether the bucket keeps versions; suspended counts, because old versions remain."""
        with mapped(f"reading the versioning of {self._bucket}"):
            return "Status" in self._client.get_bucket_versioning(Bucket=self._bucket)

    def rules(self) -> list[Rule]:
        """Return every rule in S3's own words; only its own word counts as an empty configuration."""
        try:
            with mapped(f"reading the lifecycle rules of {self._bucket}"):
                answer: Any = self._client.get_bucket_lifecycle_configuration(Bucket=self._bucket)
        except StoreError as error:
            if error.facts.get("code") == "NoSuchLifecycleConfiguration":
                return []
            raise
        self._carried = {_CARRIED: answer[_CARRIED]} if _CARRIED in answer else {}
        return [_as_s3_words_it(rule) for rule in answer.get("Rules", [])]

    def put_rules(self, rules: Sequence[Rule]) -> None:
        """Replace every rule, carrying along the minimum object size that was read."""
        configuration: Any = {"Rules": list(rules)}
        with mapped(f"writing the lifecycle rules of {self._bucket}"):
            self._client.put_bucket_lifecycle_configuration(
                Bucket=self._bucket, LifecycleConfiguration=configuration, **self._carried
            )


def _as_s3_words_it(rule: Rule) -> Rule:
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
