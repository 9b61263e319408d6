"""A bucket's configuration as a CloudFormation template.

Lifecycle, CORS and notifications are properties of `AWS::S3::Bucket`, so the bucket itself is a resource, kept when the stack
goes. A bucket that exists already is taken over by importing it into the stack before anything else is added.
"""

from collections.abc import Mapping
from typing import Any

from reconciler.core.documents import Rule
from reconciler.core.exports.bucket import (
    OWNERSHIP,
    PUBLIC_ACCESS,
    WHOLE,
    BucketExport,
    Identity,
    conditions,
    key_filters,
    reworded,
)

BUCKET = "Bucket"
IMPORT = (
    "A bucket that exists already: import it with a template that holds the resource Bucket alone "
    "(create-change-set --change-set-type IMPORT), then update the stack with this one."
)
_RULE = {
    "ID": "Id",
    "Status": "Status",
    "NoncurrentVersionExpiration": "NoncurrentVersionExpiration",
    "AbortIncompleteMultipartUpload": "AbortIncompleteMultipartUpload",
}
_EXPIRATION = {"Days": "ExpirationInDays", "Date": "ExpirationDate", "ExpiredObjectDeleteMarker": "ExpiredObjectDeleteMarker"}
_FILTER = {
    "Prefix": "Prefix",
    "Tags": "TagFilters",
    "ObjectSizeGreaterThan": "ObjectSizeGreaterThan",
    "ObjectSizeLessThan": "ObjectSizeLessThan",
}
_CORS = {
    "ID": "Id",
    "AllowedHeaders": "AllowedHeaders",
    "AllowedMethods": "AllowedMethods",
    "AllowedOrigins": "AllowedOrigins",
    "ExposeHeaders": "ExposedHeaders",
    "MaxAgeSeconds": "MaxAge",
}


def cloudformation(wanted: BucketExport) -> dict[str, Any]:
    """Return the template; parts that are not wanted are left out."""
    resources: dict[str, Any] = {BUCKET: _bucket(wanted)}
    if wanted.policy is not None:
        body = {"Bucket": {"Ref": BUCKET}, "PolicyDocument": wanted.policy}
        resources["BucketPolicy"] = {"Type": "AWS::S3::BucketPolicy", "Properties": body}
    resources |= {f"{_camel(each.name)}Policy": _identity(each) for each in wanted.identities}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Direct uploads to {wanted.bucket}/{wanted.prefix}: what reconciler wants of the bucket.",
        "Metadata": {"Reconciler": {"Whole": WHOLE, "Import": IMPORT}},
        "Resources": resources,
    }


def _bucket(wanted: BucketExport) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "BucketName": wanted.bucket,
        "PublicAccessBlockConfiguration": dict.fromkeys(PUBLIC_ACCESS, True),
        "OwnershipControls": {"Rules": [{"ObjectOwnership": OWNERSHIP}]},
        "LifecycleConfiguration": {"Rules": [_rule(rule) for rule in wanted.lifecycle]},
    }
    if wanted.versioned:
        properties["VersioningConfiguration"] = {"Status": "Enabled"}
    if wanted.cors is not None:
        rules = [reworded(rule, _CORS, what="the CORS rule") for rule in wanted.cors]
        properties["CorsConfiguration"] = {"CorsRules": rules}
    if wanted.notifications is not None:
        properties["NotificationConfiguration"] = _notifications(wanted.notifications)
    kept = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}  # the photos outlive the stack
    return {"Type": "AWS::S3::Bucket", **kept, "Properties": properties}


def _rule(rule: Rule) -> dict[str, Any]:
    rest = {name: value for name, value in rule.items() if name not in ("Filter", "Expiration")}
    return {
        **reworded(rest, _RULE, what="the lifecycle rule"),
        **reworded(conditions(rule), _FILTER, what="the lifecycle rule's filter"),
        **reworded(rule.get("Expiration", {}), _EXPIRATION, what="the lifecycle rule's expiration"),
    }


def _notifications(configuration: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "EventBridgeConfiguration" in configuration:
        found["EventBridgeConfiguration"] = {"EventBridgeEnabled": True}
    for kind, arn, name in (("QueueConfigurations", "QueueArn", "Queue"), ("TopicConfigurations", "TopicArn", "Topic")):
        if configuration.get(kind):
            found[kind] = [
                {"Event": event, name: each[arn], **_key_filter(each)} for each in configuration[kind] for event in each["Events"]
            ]
    return found


def _key_filter(each: Mapping[str, Any]) -> dict[str, Any]:
    rules = [{"Name": name, "Value": value} for name, value in key_filters(each)]
    return {"Filter": {"S3Key": {"Rules": rules}}} if rules else {}


def _identity(each: Identity) -> dict[str, Any]:
    """Return a managed policy, attached to the roles and users of this account that the ARNs name."""
    properties: dict[str, Any] = {"Description": f"reconciler: {each.purpose}", "PolicyDocument": each.document}
    for kind, name in ((":role/", "Roles"), (":user/", "Users")):
        names = [arn.rpartition("/")[2] for arn in each.arns if kind in arn]
        properties |= {name: names} if names else {}
    return {"Type": "AWS::IAM::ManagedPolicy", "Properties": properties}


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))
