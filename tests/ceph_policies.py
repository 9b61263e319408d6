"""Identity documents as Ceph 16.2 needs them: what policies/README.md says to take out, and to add."""

from typing import Any

NO_ACTION = "s3:GetBucketOwnershipControls"  # Ceph refuses a policy that names it
REQUEST_TAG = "s3:RequestObjectTag/status"


def for_ceph(document: Any) -> Any:
    """Take out, and add, what policies/README.md says that Ceph needs."""
    return {**document, "Statement": [_for_ceph(statement) for statement in document["Statement"]]}


def without_ownership(document: Any) -> Any:
    """Take out the one action that Ceph does not know."""
    return {**document, "Statement": [{**each, "Action": _known(each["Action"])} for each in document["Statement"]]}


def _known(actions: Any) -> Any:
    return [action for action in actions if action != NO_ACTION] if isinstance(actions, list) else actions


def _for_ceph(statement: Any) -> Any:
    condition = {name: dict(keys) for name, keys in statement.get("Condition", {}).items()}
    if statement["Sid"] in ("Complete", "Settle", "Mend", "AddTags", "Restore"):
        del condition["StringEquals"][REQUEST_TAG]
    condition = {name: keys for name, keys in condition.items() if keys}
    resource = statement["Resource"]
    changed = {
        **statement,
        "Action": _known(statement["Action"]),
        "Resource": [resource, resource.partition("/")[0]] if statement["Sid"] == "Delete" else resource,
    }
    return {**changed, "Condition": condition} if condition else {k: v for k, v in changed.items() if k != "Condition"}
