"""A bucket's configuration in Terraform's JSON syntax (`*.tf.json`), for the resources of the provider hashicorp/aws.

Argument names are those of the provider's documentation, from version 4.9 on. Every string is written so that Terraform reads no
template into it.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.core.documents import Rule
from reconciler.core.exports.bucket import (
    OWNERSHIP,
    WHOLE,
    BucketExport,
    Identity,
    conditions,
    key_filters,
    reworded,
)

NAME = "reconciler"  # of every resource
_PUBLIC_ACCESS = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
_RULE = {
    "ID": "id",
    "Status": "status",
    "Filter": "filter",
    "Expiration": "expiration",
    "NoncurrentVersionExpiration": "noncurrent_version_expiration",
    "AbortIncompleteMultipartUpload": "abort_incomplete_multipart_upload",
}
_FILTER = {
    "Prefix": "prefix",
    "Tags": "tags",
    "ObjectSizeGreaterThan": "object_size_greater_than",
    "ObjectSizeLessThan": "object_size_less_than",
}
_EXPIRATION = {"Days": "days", "Date": "date", "ExpiredObjectDeleteMarker": "expired_object_delete_marker"}
_NONCURRENT = {"NoncurrentDays": "noncurrent_days", "NewerNoncurrentVersions": "newer_noncurrent_versions"}
_ABORT = {"DaysAfterInitiation": "days_after_initiation"}
_CORS = {
    "ID": "id",
    "AllowedHeaders": "allowed_headers",
    "AllowedMethods": "allowed_methods",
    "AllowedOrigins": "allowed_origins",
    "ExposeHeaders": "expose_headers",
    "MaxAgeSeconds": "max_age_seconds",
}


def terraform(wanted: BucketExport) -> dict[str, Any]:
    """Return the document; parts that are not wanted are left out."""
    resources: dict[str, Any] = {
        "aws_s3_bucket_public_access_block": {"bucket": wanted.bucket, **dict.fromkeys(_PUBLIC_ACCESS, True)},
        "aws_s3_bucket_ownership_controls": {"bucket": wanted.bucket, "rule": {"object_ownership": OWNERSHIP}},
        "aws_s3_bucket_lifecycle_configuration": _lifecycle(wanted),
    }
    if wanted.versioned:
        resources["aws_s3_bucket_versioning"] = {"bucket": wanted.bucket, "versioning_configuration": {"status": "Enabled"}}
    if wanted.cors is not None:
        rules = [reworded(rule, _CORS, what="the CORS rule") for rule in wanted.cors]
        resources["aws_s3_bucket_cors_configuration"] = {"bucket": wanted.bucket, "cors_rule": rules}
    if wanted.notifications is not None:
        resources["aws_s3_bucket_notification"] = {"bucket": wanted.bucket, **_notifications(wanted.notifications)}
    if wanted.policy is not None:
        resources["aws_s3_bucket_policy"] = _policy(wanted.bucket, wanted.policy)
    named: dict[str, Any] = {kind: {NAME: body} for kind, body in resources.items()}
    if wanted.identities:
        named["aws_iam_policy"] = {f"{NAME}_{each.name}": _identity(each) for each in wanted.identities}
    document: dict[str, Any] = literal({"resource": named})
    return {"//": WHOLE, **document}


def literal(value: Any) -> Any:
    """Return a value whose strings Terraform takes as they are: `${` and `%{` would begin a template."""
    if isinstance(value, Mapping):
        return {name: literal(each) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [literal(each) for each in value]
    return value.replace("${", "$${").replace("%{", "%%{") if isinstance(value, str) else value


def _lifecycle(wanted: BucketExport) -> dict[str, Any]:
    body = {"bucket": wanted.bucket, "rule": [_rule(rule) for rule in wanted.lifecycle]}
    # S3 refuses two changes of a bucket at once, and judges the rules by whether versions are kept.
    return body | ({"depends_on": [f"aws_s3_bucket_versioning.{NAME}"]} if wanted.versioned else {})


def _rule(rule: Rule) -> dict[str, Any]:
    found = reworded(rule, _RULE, what="the lifecycle rule")
    parts = (
        ("expiration", _EXPIRATION),
        ("noncurrent_version_expiration", _NONCURRENT),
        ("abort_incomplete_multipart_upload", _ABORT),
    )
    found |= {name: reworded(found[name], words, what="the lifecycle rule") for name, words in parts if name in found}
    return found | {"filter": _filter(conditions(rule))}


def _filter(stated: Mapping[str, Any]) -> dict[str, Any]:
    """Return a filter: one condition alone, or several under `and`, where tags are a map."""
    found = reworded(stated, _FILTER, what="the lifecycle rule's filter")
    tags = {tag["Key"]: tag["Value"] for tag in found.pop("tags", [])}
    if len(found) + len(tags) > 1:
        return {"and": found | ({"tags": tags} if tags else {})}
    for key, value in tags.items():
        found["tag"] = {"key": key, "value": value}
    return found


def _notifications(configuration: Mapping[str, Any]) -> dict[str, Any]:
    kinds = (("queue", "QueueConfigurations", "QueueArn"), ("topic", "TopicConfigurations", "TopicArn"))
    found: dict[str, Any] = {"eventbridge": True} if "EventBridgeConfiguration" in configuration else {}
    for name, kind, arn in kinds:
        if configuration.get(kind):
            found[name] = [_notification(each, name, arn) for each in configuration[kind]]
    return found


def _notification(each: Mapping[str, Any], name: str, arn: str) -> dict[str, Any]:
    filters = {f"filter_{part}": value for part, value in key_filters(each)}
    return {"id": each["Id"], f"{name}_arn": each[arn], "events": each["Events"], **filters}


def _policy(bucket: str, document: Mapping[str, Any]) -> dict[str, Any]:
    # Both change who may do what, and S3 answers 409 to the second of two at once.
    return {"bucket": bucket, "policy": json.dumps(document), "depends_on": [f"aws_s3_bucket_public_access_block.{NAME}"]}


def _identity(each: Identity) -> dict[str, Any]:
    about = f"Attach it to {', '.join(each.arns)}." if each.arns else "Attach it to whom it is for."
    return {
        "//": about,
        "name": f"{NAME}-{each.name}",
        "description": each.purpose,
        "policy": json.dumps(each.document),
    }
