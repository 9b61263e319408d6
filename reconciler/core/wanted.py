"""What should stand in the bucket: the policy documents, filled from the settings, as parts.

A part whose settings are missing is left out, by the settings' names. Where a bucket serves several deployments, each knows its
own items by the mark of its prefix.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from reconciler.core.dialects import Composed, Findings, compose
from reconciler.core.documents import DEFAULTS, Value, check_form, fill, is_given, placeholders, rule_prefix, with_shared
from reconciler.core.parts import Item, Part, PartName

EVENTBRIDGE = "eventbridge"
# What a store may know nothing of; without these, late notice is taken of what the lifecycle rule or another program did.
OPTIONAL_EVENTS = ("s3:ObjectTagging:*", "s3:LifecycleExpiration:*")
REMOVALS = "s3:ObjectRemoved:*"
_DESTINATIONS = {"sqs": "QueueConfigurations", "sns": "TopicConfigurations"}
_KINDS = {"QueueConfigurations": "queue", "TopicConfigurations": "topic", "EventBridgeConfiguration": EVENTBRIDGE}
_SETTINGS = {
    "presigner": "RECONCILER_PRESIGNER_ROLES",
    "completer": "RECONCILER_COMPLETER_ROLES",
    "reconciler": "RECONCILER_RECONCILER_ROLES",
    "origin": "RECONCILER_ORIGINS",
    "notify": "RECONCILER_NOTIFY",
}
_NEEDED = {
    PartName.LIFECYCLE: (),
    PartName.CORS: ("origin",),
    PartName.NOTIFICATIONS: ("notify",),
    PartName.POLICY: ("presigner", "completer", "reconciler"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The documents, and what their placeholders stand for.

    Attributes:
        documents: by name, unfilled.
        values: from the settings; what is not set is empty.
        prefix: which deployment's items these are.
        findings: what the store makes of the bucket policy's statements; None for AWS, which takes its own dialect whole.
        bulk_delete: whether deletions are sent in bulk. A store that refuses an event may be Ceph, which dies of those while it
            pushes that objects were removed: then it is not asked to.
    """

    documents: Mapping[str, Any]
    values: Mapping[str, Value]
    prefix: str
    findings: Findings | None = None
    bulk_delete: bool = True

    def unset(self, name: PartName) -> list[str]:
        """Name the settings without which a part cannot be made; empty where it can."""
        return [_SETTINGS[each] for each in _NEEDED[name] if not is_given(self.values.get(each, ()))]

    def part(self, name: PartName, *, versioned: bool) -> Part:
        """Return a part as it should be. Raises SettingsError for a value that has no place in its document."""
        match name:
            case PartName.LIFECYCLE:
                variants = [self.document("lifecycle-versioned" if versioned else "lifecycle")["Rules"]]
            case PartName.CORS:
                variants = [self.document("cors")["CORSRules"]]
            case PartName.NOTIFICATIONS:
                variants = self._notifications()
            case PartName.POLICY:
                variants = [statements(self.composed().statements, prefix=self.prefix)]
        mark = sid_prefix(self.prefix) if name is PartName.POLICY else rule_prefix(self.prefix)
        return Part(name=name, mark=mark, variants=tuple(map(tuple, variants)))

    def document(self, name: str) -> Any:
        """Return one document, filled."""
        document = self.documents[name]
        values = with_shared({**DEFAULTS, **self.values})
        if "Statement" in document:
            for each in sorted(placeholders(document) & set(values)):
                check_form(each, values[each])
        return fill(document, values)

    def _notifications(self) -> list[list[Item]]:
        items = notifications(self.notification_configuration())
        return notification_variants(items, prefix=self.prefix, dangerous=(REMOVALS,) if self.bulk_delete else ())

    def composed(self) -> Composed:
        """Return the statements of the bucket policy that this store heeds, and why the others are left out."""
        return compose(self.document("bucket-policy"), self.document("bucket-policy-portable"), self.findings)

    def notification_configuration(self) -> dict[str, Any]:
        """Return what sends the events to where the settings say, as S3 words it."""
        document = for_destination(self.documents["notifications"], str(self.values["notify"]))
        filled: dict[str, Any] = fill(document, {**DEFAULTS, **self.values})
        return filled


def statements(filled: Sequence[Item], *, prefix: str) -> list[Item]:
    """Return statements of the bucket policy as they are put: with Sids that tell whose they are."""
    return [{**each, "Sid": f"{sid_prefix(prefix)}{each['Sid']}"} for each in filled]


def sid_prefix(prefix: str) -> str:
    """Return what the Sids of our statements for this prefix begin with: letters and digits, as IAM asks."""
    return f"Reconciler{hashlib.sha256(prefix.encode()).hexdigest()[:8]}"


def for_destination(document: Mapping[str, Any], notify: str) -> dict[str, Any]:
    """Return of the notifications' document what sends events there: an ARN of SQS or SNS, or `eventbridge`."""
    kind = "EventBridgeConfiguration" if notify == EVENTBRIDGE else _DESTINATIONS[notify.split(":")[2]]
    return {kind: document[kind]}


def notifications(filled: Mapping[str, Any]) -> list[Item]:
    """Return a notification configuration as items, each with its kind; EventBridge is one without any more to say."""
    found: list[Item] = []
    for name, kind in _KINDS.items():
        if kind == EVENTBRIDGE:
            found += [{"Kind": kind, "Id": kind}] if name in filled else []
        else:
            found += [{"Kind": kind, **each} for each in filled.get(name, ())]
    return found


def notification_variants(items: Sequence[Item], *, prefix: str, dangerous: Sequence[str] = ()) -> list[list[Item]]:
    """Return the items with every event, and then without those that a store may not know, and the dangerous ones there.

    The Id says what was left out, so that a later check knows it without asking the store anew.
    """
    optional = [event for event in OPTIONAL_EVENTS if any(event in item.get("Events", ()) for item in items)]
    variants = [list(items)]
    for count in range(1, len(optional) + 1):
        for refused in combinations(optional, count):
            without = (*refused, *dangerous)
            name = "-".join(event.split(":")[1] for event in without)
            variants.append([_without(item, without, f"{rule_prefix(prefix)}without-{name}") for item in items])
    return variants


def _without(item: Item, events: Sequence[str], name: str) -> Item:
    return {**item, "Id": name, "Events": [event for event in item["Events"] if event not in events]}


def left_out_events(part: Part, variant: Sequence[Item]) -> list[str]:
    """Return the events that the best variant asks for and this one does not."""
    has = {event for item in variant for event in item.get("Events", ())}
    return [event for item in part.variants[0] for event in item.get("Events", ()) if event not in has]
