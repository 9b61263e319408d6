"""Which role some credentials can play: what each needs is its own policy document, what they may is what was tried.

One action may mean two things: a presigner tags while it puts, a completer tags what is there. So what is tried are permissions
with names of their own, and each role's action is looked up among them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

ROLES = ("presigner", "completer", "reconciler", "reader", "installer")


class May(StrEnum):
    """Whether something is permitted."""

    YES = "allowed"
    NO = "denied"
    UNTRIED = "not tried"


PERMISSIONS: Mapping[str, str] = {
    "list": "s3:ListBucket",
    "put": "s3:PutObject",
    "tag-put": "s3:PutObjectTagging",
    "retag": "s3:PutObjectTagging",
    "retag-version": "s3:PutObjectVersionTagging",
    "get": "s3:GetObject",
    "get-tags": "s3:GetObjectTagging",
    "delete": "s3:DeleteObject",
    "lifecycle": "s3:GetLifecycleConfiguration",
    "versioning": "s3:GetBucketVersioning",
    "policy": "s3:GetBucketPolicy",
    "cors": "s3:GetBucketCORS",
    "notifications": "s3:GetBucketNotification",
    "public-access": "s3:GetBucketPublicAccessBlock",
    "ownership": "s3:GetBucketOwnershipControls",
}
"""What is tried, by name, and S3's action for it."""

_MARKER_ONLY = {"reconciler": frozenset({"s3:PutObject"})}  # of the one object it writes: nothing to try out on a live bucket


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleFinding:
    """What was found of one role: the actions it lacks, and those that were not tried."""

    role: str
    lacks: tuple[str, ...]
    untried: tuple[str, ...]

    @property
    def playable(self) -> bool:
        """Whether nothing that was tried is missing."""
        return not self.lacks


def actions(document: Mapping[str, Any]) -> frozenset[str]:
    """Return every action that an identity document allows."""
    found: set[str] = set()
    for statement in document["Statement"]:
        named = statement["Action"]
        found |= {named} if isinstance(named, str) else set(named)
    return frozenset(found)


def judge(role: str, needed: frozenset[str], may: Mapping[str, May]) -> RoleFinding:
    """Return which of the needed actions these credentials lack, in the order of the alphabet."""
    answers = {action: _answer(role, action, may) for action in sorted(needed)}
    return RoleFinding(
        role=role,
        lacks=tuple(action for action, answer in answers.items() if answer is May.NO),
        untried=tuple(action for action, answer in answers.items() if answer is May.UNTRIED),
    )


def _answer(role: str, action: str, may: Mapping[str, May]) -> May:
    if action in _MARKER_ONLY.get(role, frozenset()):
        return May.UNTRIED
    names = [name for name, s3 in PERMISSIONS.items() if s3 == action]
    if len(names) > 1:
        names = ["tag-put" if role == "presigner" else "retag"]
    return may.get(names[0], May.UNTRIED) if names else May.UNTRIED
