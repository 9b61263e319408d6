"""A bucket's configuration as a value, in the S3 API's own words: what the infrastructure-as-code dialects are built from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.core import meaning
from reconciler.core.parts import Item
from reconciler.errors import SettingsError

PUBLIC_ACCESS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")  # all four on
OWNERSHIP = "BucketOwnerEnforced"
WHOLE = (
    "Made by `reconcile export`. Each of these resources owns the whole configuration of its kind: rules, statements and "
    "notifications of others, for the same bucket, must be merged into it, or they are removed."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """An IAM document, what it is for, and the ARNs of the roles and users it is attached to."""

    name: str
    purpose: str
    document: Mapping[str, Any]
    arns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketExport:
    """What is wanted of one bucket; None where the settings do not say enough.

    Attributes:
        lifecycle: rules of PutBucketLifecycleConfiguration.
        policy: the bucket policy's document.
        cors: rules of PutBucketCors.
        notifications: the configuration of PutBucketNotificationConfiguration.
        versioned: whether the bucket is to keep versions; False leaves that alone.
        identities: IAM documents.
    """

    bucket: str
    prefix: str
    lifecycle: Sequence[Item]
    policy: Mapping[str, Any] | None = None
    cors: Sequence[Mapping[str, Any]] | None = None
    notifications: Mapping[str, Any] | None = None
    versioned: bool = False
    identities: Sequence[Identity] = field(default_factory=tuple)


def conditions(rule: Item) -> dict[str, Any]:
    """Return a lifecycle rule's filter flat: Prefix, Tags as pairs of Key and Value, and sizes, whatever is there."""
    found = meaning.conditions(rule)
    tags = [{"Key": key, "Value": value} for key, value in found.pop("Tags")]
    return {name: value for name, value in {**found, "Tags": tags}.items() if value}


def key_filters(configuration: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the name (prefix, suffix) and value of each filter of a queue's or topic's notification."""
    for each in configuration.get("Filter", {}).get("Key", {}).get("FilterRules", []):
        yield each["Name"].lower(), each["Value"]


def reworded(given: Mapping[str, Any], words: Mapping[str, str], *, what: str) -> dict[str, Any]:
    """Return what is given under the names of another dialect. What has no name there is refused, never dropped."""
    unknown = sorted(set(given) - set(words))
    if unknown:
        raise SettingsError(f"{what} cannot be exported: there is no word for {', '.join(unknown)}")
    return {words[name]: value for name, value in given.items()}
